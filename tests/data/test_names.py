from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sod_plugins.data import DataError, FolderLayout, find_pairs
from sod_plugins.data.names import FileFinder

COMPOSED, DECOMPOSED = (unicodedata.normalize(form, 'café') for form in ('NFC', 'NFD'))


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((2, 2), np.uint8)).save(path)
    return path


@pytest.mark.parametrize(('image', 'mask'), [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED)])
def test_composed_and_decomposed_names_pair(tmp_path, image, mask):
    expected = touch(tmp_path / f'images/{image}.png'), touch(tmp_path / f'masks/{mask}.png')
    (pair,) = find_pairs(tmp_path)
    assert (pair.image, pair.mask, pair.stem) == (*expected, COMPOSED)


@pytest.mark.parametrize('listed', [COMPOSED, DECOMPOSED])
@pytest.mark.parametrize('stored', [COMPOSED, DECOMPOSED])
@pytest.mark.parametrize('entry', ['{}', 'images/{}.png', 'images\\{}.png'])
def test_lists_name_either_form(tmp_path, listed, stored, entry):
    image = touch(tmp_path / f'images/{stored}.png')
    touch(tmp_path / f'masks/{stored}.png')
    (tmp_path / 'list.txt').write_text(entry.format(listed), 'utf-8')
    (pair,) = find_pairs(tmp_path, list_file='list.txt')
    assert pair.image == image


@pytest.mark.parametrize('listed', [COMPOSED, DECOMPOSED])
@pytest.mark.parametrize('stored', [COMPOSED, DECOMPOSED])
@pytest.mark.parametrize('slash', ['/', '\\'])
def test_pairs_in_lists_name_either_form(tmp_path, listed, stored, slash):
    image, mask = touch(tmp_path / f'{stored}/a.png'), touch(tmp_path / f'gt/{stored}.png')
    (tmp_path / 'list.txt').write_text(f'{listed}{slash}a.png\tgt{slash}{listed}.png\r\n', 'utf-8')
    (pair,) = FolderLayout(tmp_path, list_file='list.txt').match().pairs
    assert (pair.image, pair.mask) == (image, mask)


def test_both_forms_in_one_folder_are_the_same_stem(tmp_path):
    for name in (COMPOSED, DECOMPOSED):
        touch(tmp_path / f'images/{name}.png')
    touch(tmp_path / f'masks/{COMPOSED}.png')
    with pytest.raises(DataError, match='Several images have the same stem'):
        find_pairs(tmp_path)


def test_a_missing_file_is_named_as_written(tmp_path):
    assert FileFinder().find(tmp_path, 'a\\b.png') == tmp_path / 'a\\b.png'
