"""A drawn scene, and a small network with weights by a formula, whose results are known."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sod_plugins._common.writing import write_text

if TYPE_CHECKING:
    from sod_plugins.inference.runners import Runner
    from sod_plugins.networks import CSNet

GAIN = 0.0033  # small, because CSNet multiplies its weights by 100: logits are of order one
CELLS = 8  # of rows and of columns of a map whose means are compared
EXPECTED = Path(__file__).with_name('expected.json')
FORMULA = 'csnet'  # the key of the network by a formula in the file


def draw_scene(height: int = 240, width: int = 320) -> NDArray[np.uint8]:
    """Return a shaded red disk on a green gradient, (H, W, 3), by a formula."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    ground = np.stack([30 + 40 * x / width, 90 + 60 * y / height, 40 + 20 * x / width], axis=-1)
    radius = height / 4
    distance = np.hypot(y - height / 2, x - 0.55 * width)
    shade = np.clip(1.1 - 0.5 * distance / radius, 0, 1)[..., None]
    disk = shade * np.array([225.0, 60.0, 50.0])
    inside = np.clip(radius - distance + 0.5, 0, 1)[..., None]  # the edge is antialiased
    pixels: NDArray[np.float64] = inside * disk + (1 - inside) * ground
    return np.floor(pixels + 0.5).astype(np.uint8)


def build_network() -> CSNet:
    """Return a small CSNet whose weights are a formula of their position."""
    import torch

    from sod_plugins.networks import CSNet, Preprocessing

    network = CSNet(stage_blocks=(1, 1, 1, 1), fuse_stages=()).eval()
    with torch.no_grad():
        for number, (name, weight) in enumerate(network.named_parameters()):
            if weight.ndim < 2:
                if name.endswith('bias'):  # norms and slopes stay as they are made
                    weight.zero_()
                continue
            steps = torch.arange(weight.numel()) + 1000 * number
            uniform = (steps * 2654435761 % 2**32).double() / 2**32 - 0.5  # Knuth's hash
            fan_in = math.prod(weight.shape[1:])
            weight.copy_(uniform.view(weight.shape) * math.sqrt(12 * GAIN / fan_in))
    network.preprocessing = Preprocessing(size=(64, 64))
    return network


def mean_cells(runner: Runner) -> list[list[float]]:
    """Return the mean saliency in CELLS x CELLS cells of the map of the drawn scene."""
    (small,) = runner.small_maps([runner.prepare(draw_scene())])
    height, width = small.shape
    cells = small.reshape(CELLS, height // CELLS, CELLS, width // CELLS).mean((1, 3))
    return [[round(float(value), 4) for value in row] for row in cells]


def read_expected() -> dict[str, dict[str, Any]]:
    """Return the stored results: for each network its ``cells``, for a model also ``sha256``."""
    values: dict[str, dict[str, Any]] = json.loads(EXPECTED.read_text('utf-8'))
    return values


def write_expected(name: str) -> None:
    """Store the results of a model, and of the network by a formula, as torch computes them."""
    from sod_plugins.inference.runners import open_runner
    from sod_plugins.zoo import model_card

    expected = {
        name: {
            'sha256': model_card(name).sha256,
            'cells': mean_cells(open_runner(f'zoo:{name}', 'torch', 'cpu')),
        },
        FORMULA: {'cells': mean_cells(open_runner(build_network(), device='cpu'))},
    }
    lines = (f' {json.dumps(key)}: {json.dumps(value)}' for key, value in expected.items())
    write_text(EXPECTED, '{\n' + ',\n'.join(lines) + '\n}\n')
