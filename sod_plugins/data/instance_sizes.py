"""Leave small instances out of account."""

from __future__ import annotations

from sod_plugins.data.errors import DataError
from sod_plugins.data.instances import Coco


def ignore_small(coco: Coco, share: float) -> Coco:
    """Mark instances that cover less than a share of their image as regions to ignore.

    Detectors are then neither trained on them nor penalised for finding them: data sets of objects
    name many that are not salient.

    Args:
        coco: Annotations, as ``read_instances`` returns them; not modified.
        share: Area of the smallest instance that counts, as a fraction of the image's.

    Returns:
        The same annotations, with ``iscrowd`` 1 for the small ones.

    Raises:
        DataError: The share is not in [0, 1].
    """
    if not 0 <= share <= 1:
        raise DataError(f'share is {share}. Give a number from 0 to 1.')
    least = {image['id']: share * image['height'] * image['width'] for image in coco['images']}
    marked = [
        {**entry, 'iscrowd': 1} if entry['area'] < least[entry['image_id']] else entry
        for entry in coco['annotations']
    ]
    return {**coco, 'annotations': marked}
