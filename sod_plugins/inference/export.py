"""Export of networks to ONNX and OpenVINO, checking each file against torch."""

from __future__ import annotations

import copy
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sod_plugins._common.limits import fitting_memory
from sod_plugins._common.reading import why
from sod_plugins._common.writing import write_bytes
from sod_plugins.data import draw_scene, read_image
from sod_plugins.inference.engine_file import DESCRIPTION, INPUT, OUTPUT
from sod_plugins.inference.engines import (
    ExportedNetwork,
    OnnxRuntimeNetwork,
    OpenVINONetwork,
    describe,
    require_engine,
)
from sod_plugins.inference.fused import fuse
from sod_plugins.networks import Preprocessing

# Allowed differences from torch, of saliency everywhere and of logits where saliency is in
# (0.01, 0.99): outside, the logit of a float32 probability has few digits left.
TOLERANCE = 1e-4
UNSATURATED = 4.6


@dataclass(frozen=True)
class ExportCheck:
    """The differences of an exported network from torch, on an image and its mirror image.

    Attributes:
        saliency: The largest difference of saliency.
        logits: The largest difference of logits, where saliency is between 0.01 and 0.99.
    """

    saliency: float
    logits: float


def export_network(
    network: nn.Module,
    path: str | Path,
    *,
    size: tuple[int, int] | None = None,
    photo: NDArray[np.uint8] | str | Path | None = None,
) -> ExportCheck:
    """Write a network as ``FILE.onnx``, or as ``FILE.xml`` and ``FILE.bin`` for OpenVINO.

    The input ``image`` is (N, 3, height, width) in float32, normalised, with N free; the output
    ``logits`` is (N, 1, height, width). The file describes the preprocessing of images. Before it
    gets its final name it is run on an image, and on the image and its mirror image in one batch.

    Args:
        network: A network of this package, on any device and in any mode, or a similar one: from
            images to logits, with an attribute ``preprocessing``.
        path: The file; its folder is created if it does not exist.
        size: Height and width of the input; by default those of ``network.preprocessing``.
        photo: A file or an RGB array (H, W, 3) of uint8 for the check; by default a synthetic
            scene.

    Returns:
        The differences from torch.

    Raises:
        ImportError: onnx, onnxscript or the engine for the check is not installed.
        ValueError: The extension is another one, the network does not accept the size, or the
            outputs differ from torch's by more than 1e-4; the file is then not kept.
    """
    path = Path(path)
    if path.suffix not in WRITERS:
        raise ValueError(f"'{path}' has to end in one of {', '.join(WRITERS)}.")
    if getattr(network, 'task', 'saliency') != 'saliency':
        raise ValueError(
            f'{type(network).__name__} finds {network.task} and has no logits: run its '
            'checkpoint in torch.'
        )
    write, engine = WRITERS[path.suffix]
    reference = copy.deepcopy(network).cpu().eval()
    preprocessing = getattr(reference, 'preprocessing', None)
    if not isinstance(preprocessing, Preprocessing):
        raise ValueError(f'{type(network).__name__} needs an attribute `preprocessing`.')
    preprocessing = preprocessing.with_size(size)
    if isinstance(photo, (str, Path)):
        photo = read_image(photo)
    description = describe(type(network).__name__, preprocessing)
    height, width = preprocessing.size
    with torch.no_grad(), fitting_memory(f'an input of {height} x {width} pixels'):
        reference(torch.zeros(1, 3, height, width))  # reports sizes that it cannot take
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix='.', dir=path.parent) as folder:
        unfinished = Path(folder, path.name)
        fused = fuse(reference, 'reference')
        try:
            write(fused, preprocessing.size, description, unfinished)
        except OSError as error:  # names the file as it will be called
            reason = why(error).replace(folder, str(path.parent))
            raise type(error)(error.errno, reason) from error
        check = check_exported(engine(unfinished), reference, photo)
        for file in sorted(Path(folder).iterdir()):  # .xml, which is read first, after .bin
            file.replace(path.parent / file.name)
    return check


@torch.no_grad()
def check_exported(
    exported: ExportedNetwork,
    network: nn.Module,
    photo: NDArray[np.uint8] | str | Path | None = None,
) -> ExportCheck:
    """Compare an exported network with torch, see :func:`export_network`.

    Raises:
        ValueError: Saliency, or logits where it is in (0.01, 0.99), differ by more than 1e-4.
    """
    if photo is None:
        photo = draw_scene(np.random.default_rng(0), (240, 320)).image
    elif isinstance(photo, (str, Path)):
        photo = read_image(photo)
    images = exported.preprocessing.apply(photo)
    images = torch.cat((images, images.flip(3)))
    expected = network(images)
    got = torch.cat((exported(images[:1]), exported(images)))
    expected = torch.cat((expected[:1], expected))
    unsaturated = expected.abs() < UNSATURATED
    check = ExportCheck(
        _largest(got.sigmoid() - expected.sigmoid()),
        _largest((got - expected)[unsaturated]),
    )
    if not (check.saliency <= TOLERANCE and check.logits <= TOLERANCE):
        raise ValueError(
            f'{exported.path.name} differs from torch by {check.saliency:.1e} in saliency and by '
            f'{check.logits:.1e} in logits, more than {TOLERANCE:.0e}: it is not written. '
            'Are the weights finite?'
        )
    return check


def _largest(difference: Tensor) -> float:
    return difference.abs().max().item() if difference.numel() else 0.0


def write_onnx(network: nn.Module, size: tuple[int, int], description: str, path: Path) -> None:
    """Write a network's self-describing ONNX file, without checking it."""
    onnx = require_engine('onnx', 'export')
    require_engine('onnxscript', 'export')
    batch = torch.export.Dim('N', min=1)
    with torch.no_grad(), _quiet('torch.onnx'):
        program = torch.onnx.export(
            network,
            (torch.zeros(2, 3, *size),),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: batch},),
            dynamo=True,
            verbose=False,
        )
    assert program is not None  # None only if torch writes the file itself
    model = program.model_proto
    onnx.helper.set_model_props(model, {DESCRIPTION: description})
    write_bytes(path, model.SerializeToString())


def write_openvino(network: nn.Module, size: tuple[int, int], description: str, path: Path) -> None:
    """Write a network's OpenVINO files, FILE.xml and FILE.bin, in float32, unchecked."""
    openvino = require_engine('openvino', 'openvino')
    with tempfile.TemporaryDirectory() as folder:
        onnx = Path(folder, 'network.onnx')
        write_onnx(network, size, description, onnx)
        model = openvino.Core().read_model(onnx)  # convert_model() reports to its makers
        model.set_rt_info(description, [DESCRIPTION])
        whole = Path(folder, 'network.xml')
        openvino.save_model(model, whole, compress_to_fp16=False)
        # The file that is read first is written last.
        for suffix in ('.bin', '.xml'):
            write_bytes(path.with_suffix(suffix), whole.with_suffix(suffix).read_bytes())


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Suppress warnings about torch's internals and about optional packages."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', FutureWarning)
            yield
    finally:
        logger.setLevel(level)


Writer = Callable[[nn.Module, tuple[int, int], str, Path], None]
WRITERS: dict[str, tuple[Writer, type[ExportedNetwork]]] = {
    '.onnx': (write_onnx, OnnxRuntimeNetwork),
    '.xml': (write_openvino, OpenVINONetwork),
}
