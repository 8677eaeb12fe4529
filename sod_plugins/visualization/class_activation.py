"""Class activation maps beside saliency: where two tasks look (matplotlib)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sod_plugins.visualization.curves import require_matplotlib

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH = 2.2  # of each panel, in inches


class Activation(NamedTuple):
    """A class activation map (H, W), and a title with class and score."""

    values: NDArray[np.float32]
    title: str


class ImageActivations(NamedTuple):
    """An image (H, W, 3), its saliency (H, W) in [0, 1] or None, and the map of each classifier."""

    image: NDArray[np.uint8]
    saliency: NDArray[np.float32] | None
    activations: Mapping[str, Activation]


def draw_activations(photos: Sequence[ImageActivations]) -> Figure:
    """Draw one row per image: the image, its saliency, and the map of every classifier (Fig. 9).

    A map is drawn over the greyscale image, from its minimum (blue) to its maximum (red).

    Args:
        photos: At least one image; all have the same classifiers.

    Raises:
        ImportError: matplotlib is not installed.
    """
    require_matplotlib()
    from matplotlib.figure import Figure

    names = list(photos[0].activations)
    before = 1 + (photos[0].saliency is not None)
    columns = before + len(names)
    heights = [photo.image.shape[0] / photo.image.shape[1] * WIDTH + 0.3 for photo in photos]
    figure = Figure(figsize=(columns * WIDTH, sum(heights) + 0.3), layout='constrained')
    grid = figure.subplots(len(photos), columns, squeeze=False, height_ratios=heights)
    for axes in grid.flat:
        axes.set_axis_off()
    for index, (row, photo) in enumerate(zip(grid, photos, strict=True)):
        row[0].imshow(photo.image)
        if photo.saliency is not None:
            row[1].imshow(photo.saliency, cmap='gray', vmin=0, vmax=1)
        for axes, name in zip(row[before:], names, strict=True):
            values, title = photo.activations[name]
            axes.imshow(photo.image.mean(2), cmap='gray', vmin=0, vmax=255)
            axes.imshow(values, cmap='jet', alpha=0.5)
            axes.set_title(title if index else f'{name}: {title}', fontsize=8)
    for axes, title in zip(grid[0][:before], ('photo', 'saliency'), strict=False):
        axes.set_title(title, fontsize=8)
    return figure
