from __future__ import annotations

import pytest

from sod_plugins.data import DataError, image_files, require_writable
from sod_plugins.data.folders import folders_like, images_in


def test_image_files_are_visible_files_with_an_image_s_extension(tmp_path):
    for name in ('b.JPG', 'a.v2.png', '.hidden.png', '._b.jpg', 'notes.txt', 'png'):
        (tmp_path / name).touch()
    (tmp_path / 'folder.png').mkdir()
    expected = [tmp_path / 'a.v2.png', tmp_path / 'b.JPG']
    assert image_files(tmp_path.iterdir()) == expected
    assert images_in(tmp_path, 'image') == expected


def test_folder_without_images_is_refused(tmp_path):
    with pytest.raises(DataError, match=f"mask folder '{tmp_path}' holds no image files"):
        images_in(tmp_path, 'mask')
    with pytest.raises(DataError, match=r"mask folder '.*gone' does not exist"):
        images_in(tmp_path / 'gone', 'mask')


def test_folders_are_found_whatever_their_case(tmp_path):
    (tmp_path / 'DUTS-te' / 'Image').mkdir(parents=True)
    (tmp_path / 'DUTS-te' / 'image.txt').touch()
    assert folders_like(tmp_path, 'duts-TE/IMAGE') == [tmp_path / 'DUTS-te' / 'Image']
    assert folders_like(tmp_path, 'duts-te/image.txt') == []
    assert folders_like(tmp_path, 'duts-te/mask') == []


def test_a_folder_that_can_be_made_or_is_there_is_writable(tmp_path):
    require_writable(tmp_path)
    require_writable(tmp_path / 'new' / 'deeper')
    assert not list(tmp_path.iterdir())


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / 'file').touch()
    for path in (tmp_path / 'file', tmp_path / 'file' / 'deeper'):
        with pytest.raises(NotADirectoryError, match=r"'.*file' is a file, so nothing can be"):
            require_writable(path)


def test_a_folder_without_permission_is_named(tmp_path, monkeypatch):
    # Asked of the system, not tried: the superuser may write everywhere.
    monkeypatch.setattr('os.access', lambda path, mode: False)
    with pytest.raises(PermissionError, match='may not be written'):
        require_writable(tmp_path / 'new')
