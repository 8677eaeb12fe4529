"""Draw PiCANet's attention: where chosen pixels look, and features before and after (matplotlib).

The figures follow Fig. 5 and Fig. 4 of Liu, Han and Yang, IEEE TIP 2020.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sod_plugins.visualization.curves import require_matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 1.9  # of each panel, in inches


@dataclass(frozen=True)
class DecoderAttention:
    """The attention of one decoder D_i. Positions are pixels of the image, counted from 0.

    Attributes:
        level: The index i of the decoder.
        kind: ``'GAP'``, ``'LAP'`` or ``'AC'``.
        weights: (P, K, K), the weights of each chosen pixel. They sum to one for GAP and LAP, and
            are gates in (0, 1) for AC.
        rows: (P, K), the rows of the samples of each pixel. They lie outside the image where the
            map is zero-padded.
        columns: (P, K), the columns of the samples of each pixel.
        features: (H_i, W_i), F_i averaged over its channels.
        attended: (H_i, W_i), the attended features F_i att averaged over their channels.
    """

    level: int
    kind: str
    weights: NDArray[np.float32]
    rows: NDArray[np.float64]
    columns: NDArray[np.float64]
    features: NDArray[np.float32]
    attended: NDArray[np.float32]


def draw_attention(
    image: NDArray[np.uint8],
    saliency: NDArray[np.float32],
    pixels: Sequence[tuple[int, int]],
    decoders: Sequence[DecoderAttention],
) -> Figure:
    """Draw one row for each pixel and two for the features, with one column for each decoder.

    The row of a pixel shows its weights over the image, each as a cell around its sample, brighter
    where they are larger. A red frame surrounds the samples, and a white dot marks the pixel. The
    last two rows show F_i and the attended features, each on its own scale.

    Args:
        image: RGB, (H, W, 3).
        saliency: In [0, 1], (H, W); drawn to the left of the features.
        pixels: (x, y) of each chosen pixel.
        decoders: One for each column.

    Raises:
        ImportError: matplotlib is not installed.
    """
    require_matplotlib()
    from matplotlib.figure import Figure

    shape = (len(pixels) + 2, len(decoders) + 1)
    height = WIDTH * image.shape[0] / image.shape[1] + 0.3
    figure = Figure(figsize=(shape[1] * WIDTH, shape[0] * height), layout='constrained')
    grid = figure.subplots(*shape, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    titles = [f'D{decoder.level}: {decoder.kind}' for decoder in decoders]
    for axes, title in zip(grid[0], ['photo', *titles], strict=True):
        axes.set_title(title, fontsize=9)
    for index, (row, (x, y)) in enumerate(zip(grid, pixels, strict=False)):
        row[0].imshow(image)
        row[0].plot(x, y, 'o', color='white', markeredgecolor='black', markersize=5)
        for axes, decoder in zip(row[1:], decoders, strict=True):
            _draw_field(axes, image, decoder, index)
            axes.plot(x, y, 'o', color='white', markeredgecolor='black', markersize=4)
    before, after = grid[-2:]
    before[0].imshow(saliency, cmap='gray', vmin=0, vmax=1)
    before[0].set_title('saliency', fontsize=9)
    for column, decoder in enumerate(decoders, 1):
        for axes, name, values in (
            (before[column], '', decoder.features),
            (after[column], ' att', decoder.attended),
        ):
            axes.imshow(values, cmap='viridis', aspect=_aspect(values, image))
            axes.set_title(f'F{decoder.level}{name}', fontsize=9)
    return figure


def _draw_field(
    axes: Axes, image: NDArray[np.uint8], decoder: DecoderAttention, index: int
) -> None:
    """Draw the weights of one pixel over the greyscale image, and a frame around their cells."""
    from matplotlib.patches import Rectangle

    weights = decoder.weights[index]
    top, bottom = _cell_borders(decoder.rows[index])
    left, right = _cell_borders(decoder.columns[index])
    height, width = image.shape[:2]
    axes.imshow(image.mean(2), cmap='gray', vmin=0, vmax=255)
    axes.imshow(
        weights,
        cmap='inferno',
        vmin=0,
        alpha=0.2 + 0.7 * weights / weights.max(),
        extent=(left, right, bottom, top),
        interpolation='nearest',
    )
    # Clip the frame to the image: everything outside is zero padding.
    x, y = max(left, -0.5), max(top, -0.5)
    size = min(right, width - 0.5) - x, min(bottom, height - 0.5) - y
    axes.add_patch(Rectangle((x, y), *size, fill=False, edgecolor='red', linewidth=1.5))
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    axes.text(
        0.5,
        -0.01,
        f'largest {weights.max():.3f}',
        transform=axes.transAxes,
        ha='center',
        va='top',
        fontsize=7,
    )


def _cell_borders(samples: NDArray[np.float64]) -> tuple[float, float]:
    """Return where the cells around evenly spaced samples begin and end."""
    step = float(samples[-1] - samples[0]) / max(len(samples) - 1, 1) or 1.0
    return float(samples[0]) - step / 2, float(samples[-1]) + step / 2


def _aspect(values: NDArray[np.float32], image: NDArray[np.uint8]) -> float:
    """Return the height-to-width ratio of a map's pixels when projected onto the image."""
    return (image.shape[0] / values.shape[0]) / (image.shape[1] / values.shape[1])
