"""What the tests of the detectron2 adapter share; without detectron2 they are skipped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sod_plugins.data import generate_scenes

try:
    from detectron2 import __version__ as _  # noqa: F401  # a folder of that name has none
except ImportError as error:
    ABSENT = f'detectron2 is not installed: {error}'
else:
    ABSENT = None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, and skip them where detectron2 is absent."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker('detectron2')
            if ABSENT:
                item.add_marker(pytest.mark.skip(reason=ABSENT))


@pytest.fixture(scope='session')
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generated scenes: train/ and test/, each with masks, instances and label images."""
    root = tmp_path_factory.mktemp('scenes')
    for split, count in (('train', 8), ('test', 3)):
        folder = generate_scenes(root / split, count, size=(48, 64), split=split)
        (folder / 'labels').mkdir()
        for path in sorted((folder / 'masks').iterdir()):
            labels = (np.asarray(Image.open(path)) > 127).astype(np.uint8)
            Image.fromarray(labels).save(folder / 'labels' / path.name)
    return root
