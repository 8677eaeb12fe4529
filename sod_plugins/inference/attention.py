"""PiCANet's attention as numbers: where chosen pixels of an image look, decoder by decoder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from sod_plugins._common.limits import require_number
from sod_plugins.checkpoints import load_network
from sod_plugins.data import require_writable
from sod_plugins.inference.devices import input_dtype, move_network
from sod_plugins.inference.inputs import PredictorInput, check_image
from sod_plugins.layers.picanet import (
    AttentionConv,
    ContextAttention,
    GlobalAttentionPooling,
    LocalAttentionPooling,
)
from sod_plugins.networks import PiCANet, saliency_map
from sod_plugins.networks.picanet.attentive_decoder import AttentiveDecoder, Decoded
from sod_plugins.ops import resize_bilinear
from sod_plugins.visualization.attention import DecoderAttention, draw_attention
from sod_plugins.visualization.curves import require_matplotlib, save_figure

MOST_ROWS = 50  # of a figure, one for each pixel
KINDS: dict[type[ContextAttention], str] = {
    GlobalAttentionPooling: 'GAP',
    LocalAttentionPooling: 'LAP',
    AttentionConv: 'AC',
}


@torch.inference_mode()
def view_attention(
    network: PiCANet | str | Path,
    image: PredictorInput,
    pixels: Sequence[tuple[int, int]],
    device: str | torch.device | None = None,
) -> tuple[NDArray[np.float32], list[DecoderAttention]]:
    """Return the saliency of an image, and the attention of every decoder at chosen pixels.

    Args:
        network: A PiCANet, or a checkpoint of one.
        image: As for :meth:`SaliencyPredictor.predict`.
        pixels: (x, y) of each chosen pixel, from 0 at the top left.
        device: The device; by default CUDA if available, else the CPU.

    Returns:
        Saliency (H, W) in [0, 1], and the attention of each decoder, deepest first.

    Raises:
        DataError: The file cannot be read as an image.
        FileNotFoundError: The checkpoint does not exist.
        ValueError: The checkpoint holds another method or a setting without attention, or a pixel
            lies outside the image.
    """
    network, device = move_network(_attentive_network(network), device)
    photo = check_image(image)
    height, width = photo.shape[:2]
    for x, y in pixels:
        if not (0 <= x < width and 0 <= y < height):
            raise ValueError(
                f'The pixel {x},{y} lies outside the photo of {width}x{height} pixels: x goes '
                f'from 0 to {width - 1}, y from 0 to {height - 1}.'
            )
    batch = network.preprocessing.apply(photo).to(device, input_dtype(network))
    decoded = network.decode(batch)
    logits = resize_bilinear(decoded[-1].logits.float(), (batch.shape[2], batch.shape[3]))
    saliency = saliency_map(logits, (height, width))[0, 0].cpu().numpy()
    return saliency, [
        _look(decoder, each, pixels, (height, width))  # type: ignore[arg-type]
        for decoder, each in zip(network.decode_head.decoders, decoded, strict=True)
        if each.attention is not None
    ]


def save_attention(
    path: str | Path,
    network: PiCANet | str | Path,
    image: PredictorInput,
    pixels: Sequence[tuple[int, int]],
    device: str | torch.device | None = None,
) -> None:
    """Save the figure of :func:`view_attention`, in the format given by the file's extension.

    See :func:`~sod_plugins.visualization.attention.draw_attention` for its contents.

    Raises:
        ImportError: matplotlib is not installed.
        OSError: The file cannot be written.
        ValueError: As for :func:`view_attention`, or there are no pixels or more than 50.
    """
    require_matplotlib()
    require_number('the number of pixels', len(pixels), 1, MOST_ROWS)
    require_writable(Path(path).parent)
    image = check_image(image)
    saliency, decoders = view_attention(network, image, pixels, device)
    save_figure(draw_attention(image, saliency, pixels, decoders), path, dpi=120)


def _attentive_network(network: PiCANet | str | Path) -> PiCANet:
    """Return a network with attention, loading it if a checkpoint is given."""
    name = 'The network'
    if isinstance(network, (str, Path)):
        name = f"'{network}'"
        network = load_network(network)  # type: ignore[assignment]
    if not isinstance(network, PiCANet):
        raise ValueError(f'{name} is a {type(network).__name__}: only a PiCANet attends to pixels.')
    if not any(isinstance(module, ContextAttention) for module in network.modules()):
        setting = network.arguments['setting']
        raise ValueError(f"{name} is a PiCANet of setting '{setting}', which has no attention.")
    return network


def _look(
    decoder: AttentiveDecoder,
    decoded: Decoded,
    pixels: Sequence[tuple[int, int]],
    size: tuple[int, int],
) -> DecoderAttention:
    """Return a decoder's weights at pixels of an image (H, W), with positions in the image."""
    module, weights = decoder.context, decoded.attention
    features, attended = decoded.features, decoded.attended
    assert isinstance(module, ContextAttention)
    assert features is not None and attended is not None and weights is not None
    height, width = features.shape[2:]
    scales = np.array(size) / (height, width)
    cells = [(int(y / scales[0]), int(x / scales[1])) for x, y in pixels]
    fields = [module.reach(cell, (height, width)) for cell in cells]
    # Pixel i of a map is centred at i + 1/2 of its units, as in the bilinear resize.
    rows, columns = (
        (np.array([field[axis] for field in fields]) + 0.5) * scales[axis] - 0.5 for axis in (0, 1)
    )
    shape = (len(pixels), rows.shape[1], columns.shape[1])
    chosen = torch.stack([weights[0, :, row, column] for row, column in cells])
    return DecoderAttention(
        decoder.level,
        KINDS[type(module)],
        chosen.float().cpu().numpy().reshape(shape),
        rows,
        columns,
        features[0].float().mean(0).cpu().numpy(),
        attended[0].float().mean(0).cpu().numpy(),
    )
