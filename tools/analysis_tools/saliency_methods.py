"""The methods that `compare_methods.py` compares: checkpoints, ONNX networks, a centre prior."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn
from tqdm import tqdm

from sod_plugins.analysis.complexity import count_macs, count_parameters
from sod_plugins.checkpoints import load_network
from sod_plugins.data import find_pairs, read_mask
from sod_plugins.inference import SaliencyPredictor, export_network
from sod_plugins.inference.engines import OnnxRuntimeNetwork, OpenVINONetwork, require_engine
from sod_plugins.inference.fused import fuse
from sod_plugins.ops import resize_bilinear

FloatArray = NDArray[np.float32]
Compute = Callable[[FloatArray], FloatArray]

# What computes a network, as the tables name it.
ENGINES = {'torch': 'torch', 'onnxruntime': 'ONNX Runtime', 'openvino': 'OpenVINO'}

# The centre prior: masks are averaged on a square grid, and a blur hides what is left of single
# masks where the list is short.
PRIOR_GRID, PRIOR_BLUR = 64, 4.0
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# ONNX operators, besides Conv, that may hold learned weights: a network with them is not counted.
UNCOUNTED_OPERATORS = {
    *('BatchNormalization', 'ConvInteger', 'ConvTranspose', 'Einsum', 'GRU', 'Gemm'),
    *('InstanceNormalization', 'LSTM', 'LayerNormalization', 'MatMul', 'MatMulInteger', 'PRelu'),
    'QLinearConv',
}


@dataclass(frozen=True)
class Method:
    """One row of a comparison.

    Attributes:
        name: What the row is called.
        source: What makes its maps, in words.
        predict: Turns an RGB image (H, W, 3) of uint8 into saliency (H, W), float32 in [0, 1].
        input_size: Height and width of the network's input.
        parameters: How many numbers the network holds that were learned, where known.
        macs: Multiply-accumulates of its convolutions and matrix products for one image, where
            known.
    """

    name: str
    source: str
    predict: Callable[[NDArray[np.uint8]], FloatArray]
    input_size: tuple[int, int] | None = None
    parameters: int | None = None
    macs: int | None = None


def load_checkpoint(name: str, path: Path, engine: str = 'torch') -> Method:
    """Return the network in a checkpoint of this package as a method, on one thread.

    Args:
        name: What the row is called.
        path: The checkpoint.
        engine: One of ``ENGINES``; the network is exported for one that is not torch.

    Raises:
        FileNotFoundError: There is no such file.
        ImportError: The engine is not installed.
        ValueError: It is no checkpoint of this package, or finds no saliency.
    """
    network = load_network(path)
    size = SaliencyPredictor(network, 'cpu').preprocessing.size
    return Method(
        name,
        f'{path.name}, a {type(network).__name__}, {ENGINES[engine]}',
        SaliencyPredictor(_run_by(network, engine), 'cpu').predict,
        size,
        count_parameters(network),
        count_macs(network, size),
    )


def _run_by(network: nn.Module, engine: str) -> nn.Module:
    """Return a network that an engine computes as fast as ``sod predict --backend`` does."""
    if engine == 'torch':
        return fuse(network) if getattr(network, 'folds_norms', False) else network
    suffix, kind = ('.onnx', OnnxRuntimeNetwork)
    if engine == 'openvino':
        suffix, kind = ('.xml', OpenVINONetwork)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f'network{suffix}')
        export_network(network, path)
        return kind(path, threads=1)


def load_onnx(name: str, path: Path, engine: str = 'onnxruntime') -> Method:
    """Return the network in an ONNX file as a method, on one thread.

    Args:
        name: What the row is called.
        path: The file.
        engine: ``'onnxruntime'`` or ``'openvino'``.

    Raises:
        FileNotFoundError: There is no such file.
        ImportError: onnxruntime is not installed.
        ValueError: It is no network with one float input (1, 3, H, W) of fixed size whose first
            output is one map.
    """
    session = _open_session(path)
    inputs = session.get_inputs()
    shape = inputs[0].shape
    # A free length is a name or None here: that of the batch may be free.
    lengths = [length if isinstance(length, int) else None for length in shape]
    fits = len(lengths) == 4 and lengths[0] in (1, None) and lengths[1] == 3
    if len(inputs) != 1 or inputs[0].type != 'tensor(float)' or not fits or None in lengths[2:]:
        asked = ', '.join(f'{node.type} {node.shape}' for node in inputs)
        raise ValueError(
            f"'{path}' takes {asked}. Export the network with one float input "
            '(1, 3, height, width) of fixed size.'
        )
    size = shape[2], shape[3]
    compute = _compile_openvino(path) if engine == 'openvino' else _run_session(session)
    output = compute(np.zeros((1, 3, *size), np.float32))
    if output.ndim < 2 or output.size != output.shape[-2] * output.shape[-1]:
        raise ValueError(
            f"The first output of '{path}' has the shape {output.shape}. Export the network with "
            'its saliency map (1, 1, height, width) first.'
        )
    predict = partial(_predict_onnx, compute, size)
    source = f'{path.name}, an ONNX network, {ENGINES[engine]}'
    return Method(name, source, predict, size, *_count_onnx(path))


def _run_session(session: Any) -> Compute:
    name = session.get_inputs()[0].name
    return lambda images: session.run(None, {name: images})[0]


def _compile_openvino(path: Path) -> Compute:
    """Compile an ONNX file for one thread, in float32 as ONNX Runtime computes."""
    core = require_engine('openvino', 'openvino').Core()
    config = {'INFERENCE_PRECISION_HINT': 'f32', 'INFERENCE_NUM_THREADS': '1'}
    model = core.compile_model(path, 'CPU', config)
    return lambda images: model([images])[0].copy()


def load_centre_prior(name: str, root: Path, list_file: Path) -> Method:
    """Return the mean mask of a list of a data set's images as a method.

    Raises:
        DataError: The list, or a mask that it names, cannot be read.
    """
    pairs = find_pairs(root, list_file=list_file)
    prior = mean_mask([pair.mask for pair in pairs if pair.mask is not None])
    source = f'blurred mean of the {len(pairs):,} masks in {list_file.name}'
    return Method(name, source, partial(_predict_prior, torch.from_numpy(prior)[None, None]))


def mean_mask(masks: Sequence[Path]) -> FloatArray:
    """Average masks, each shrunk to one square grid, and blur the mean.

    The mean is not stretched to [0, 1]: a value stays the share of masks that cover its place, so
    that the MAE, too, is that of a guess made without the image.

    Returns:
        float32 array (64, 64) in [0, 1].
    """
    total = np.zeros((PRIOR_GRID, PRIOR_GRID))
    for path in tqdm(masks, 'centre prior', unit='mask'):
        mask = Image.fromarray(read_mask(path))
        total += np.asarray(mask.resize(total.shape, Image.Resampling.BOX))
    blurred = gaussian_filter(total / len(masks), PRIOR_BLUR, mode='nearest')
    prior: FloatArray = blurred.clip(0, 1).astype(np.float32)
    return prior


def _predict_prior(prior: Tensor, image: NDArray[np.uint8]) -> FloatArray:
    return _resized(prior, (image.shape[0], image.shape[1]))


def _predict_onnx(compute: Compute, size: tuple[int, int], image: NDArray[np.uint8]) -> FloatArray:
    pixels = torch.tensor(image, dtype=torch.float32).permute(2, 0, 1)[None]
    pixels = resize_bilinear(pixels, size)
    pixels = pixels / pixels.max().clamp(min=1)  # black stays black
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    output = compute(((pixels - mean) / std).numpy())
    if np.isnan(output).any():
        raise ValueError('The network gives NaN. Export it again.')
    saliency = torch.from_numpy(output).reshape(1, 1, *output.shape[-2:])
    saliency = saliency - saliency.min()
    saliency = saliency / saliency.max().clamp(min=torch.finfo().tiny)  # a flat map becomes 0
    return _resized(saliency, (image.shape[0], image.shape[1]))


def _resized(saliency: Tensor, size: tuple[int, int]) -> FloatArray:
    values: FloatArray = resize_bilinear(saliency, size)[0, 0].clamp(0, 1).numpy()
    return values


def _open_session(path: Path, profile: Path | None = None) -> Any:
    """Open an ONNX file for one thread; with a profile, as it was written, without fusions."""
    if not path.is_file():
        raise FileNotFoundError(f"There is no network '{path}'. Correct the path.")
    onnxruntime = require_engine('onnxruntime', 'export')
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    if profile is not None:
        options.enable_profiling = True
        options.profile_file_prefix = str(profile)
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return onnxruntime.InferenceSession(path, options, providers=['CPUExecutionProvider'])
    except Exception as error:  # onnxruntime's own errors have no narrower common base
        raise ValueError(f"'{path}' cannot be read as an ONNX network: {error}") from error


def _count_onnx(path: Path) -> tuple[int | None, int | None]:
    """Count the parameters and the multiply-accumulates of a network's convolutions.

    onnxruntime itself tells no weights, but a profile of one run lists the shapes at every node.
    """
    with tempfile.TemporaryDirectory() as folder:
        session = _open_session(path, Path(folder, 'profile'))
        node = session.get_inputs()[0]
        session.run(None, {node.name: np.zeros((1, *node.shape[1:]), np.float32)})
        profile = json.loads(Path(session.end_profiling()).read_text(encoding='utf-8'))
    calls = [event['args'] for event in profile if 'op_name' in event.get('args', {})]
    if UNCOUNTED_OPERATORS & {call['op_name'] for call in calls}:
        return None, None
    parameters = macs = 0
    for call in calls:
        if call['op_name'] == 'Conv':
            _, weight, *bias = (next(iter(item.values())) for item in call['input_type_shape'])
            (output,) = (next(iter(item.values())) for item in call['output_type_shape'])
            parameters += int(np.prod(weight)) + sum(int(np.prod(shape)) for shape in bias)
            macs += int(np.prod(weight[1:])) * int(np.prod(output))
    return parameters, macs
