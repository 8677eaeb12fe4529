from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

PACKAGES = (
    'sod_plugins.checkpoints',
    'sod_plugins.data',
    'sod_plugins.inference',
    'sod_plugins.zoo',
)


@pytest.mark.parametrize('package', PACKAGES)
def test_every_public_name_is_found(package):
    module = importlib.import_module(package)
    for name in module.__all__:
        assert getattr(module, name) is not None
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'nothing'"):
        module.nothing  # noqa: B018


@pytest.mark.parametrize('package', PACKAGES)
def test_importing_a_package_imports_little(package):
    code = f'import sys, {package}; print({{"torch", "numpy", "PIL"}} & {{*sys.modules}})'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout == 'set()\n'
