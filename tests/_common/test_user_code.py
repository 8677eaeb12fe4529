from __future__ import annotations

import sys

import pytest

from sod_plugins._common import user_code
from sod_plugins._common.user_code import import_all_user_code, import_user_code, imported_user_code


@pytest.fixture(autouse=True)
def nothing_imported(monkeypatch):
    monkeypatch.setattr(user_code, '_IMPORTED', [])
    monkeypatch.setattr(sys, 'path', [*sys.path])
    modules = set(sys.modules)
    yield
    for name in sys.modules.keys() - modules:
        del sys.modules[name]


def test_files_and_modules_are_imported_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'mine.py').write_text('values = []\n')
    (tmp_path / 'other_module_of_a_user.py').write_text('values = [1]\n')
    file = import_user_code('mine.py')
    file.values.append(2)
    assert import_user_code(str(tmp_path / 'mine.py')).values == [2]
    assert import_user_code('other_module_of_a_user').values == [1]
    assert 'mine' not in sys.modules  # nor does it hide a module of that name
    sources = imported_user_code()
    assert sources == ('mine.py', str(tmp_path / 'mine.py'), 'other_module_of_a_user')
    import_all_user_code(sources)
    assert imported_user_code() == sources


@pytest.mark.parametrize(
    ('source', 'reason'),
    [
        ('absent.py', 'there is no such file'),
        ('absent_module_of_a_user', 'there is no such module'),
        ('os.absent', 'there is no such module'),
        ('broken.py', r"ZeroDivisionError\('division by zero'\)"),
        ('needy.py', "No module named 'absent_module_of_a_user'"),
    ],
)
def test_what_cannot_be_imported_is_named(tmp_path, monkeypatch, source, reason):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'broken.py').write_text('1 / 0\n')
    (tmp_path / 'needy.py').write_text('import absent_module_of_a_user\n')
    with pytest.raises(ImportError, match=f"Cannot import '{source}': .*{reason}"):
        import_user_code(source)
    assert imported_user_code() == ()
