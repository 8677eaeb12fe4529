"""Composites: salient objects cut out of images by their masks and pasted onto other images.

A composite shows several objects that occlude each other, with an exact mask for each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy import ndimage

from sod_plugins.data.errors import DataError
from sod_plugins.data.images import read_image
from sod_plugins.data.layouts import SaliencyPair
from sod_plugins.data.masks import read_mask
from sod_plugins.data.sampling import sample_rng
from sod_plugins.data.scene_folder import write_scenes
from sod_plugins.data.scenes import Scene

_VERSION = 1  # increase whenever the same seed gives different composites
_LEAST_SHARE = 0.95  # of a mask, in one connected component: it then shows one object
_OBJECT_SHARES = (0.02, 0.6)  # of its image, covered by an object that can be cut out
_PASTED_SHARES = (0.02, 0.25)  # of the composite, covered by a pasted object
_MOST_GROWTH = 1.5  # factor of its sides; larger looks blurred
_LEAST_VISIBLE = 0.4  # of an object, not hidden by the frame or later objects
_LEAST_AREA = 0.01  # of the composite, still covered by a visible object
_PLACEMENTS = 8  # attempts per object
_PHOTOS = 200  # tried at most for one composite


@dataclass(frozen=True)
class CutOut:
    """An object without its surroundings, cropped to its box.

    Attributes:
        pixels: uint8 array (H, W, 3), RGB.
        coverage: float32 array (H, W) from 0 to 1.
    """

    pixels: NDArray[np.uint8]
    coverage: NDArray[np.float32]


def cut_out(image: NDArray[np.uint8], mask: NDArray[np.float32]) -> CutOut | None:
    """Cut the object out of an image; None if the mask does not show one whole, sizeable object.

    Args:
        image: RGB (H, W, 3).
        mask: Saliency (H, W) in [0, 1]. It shows one object if one connected component has nearly
            all of its pixels, and a whole one if that component touches at most one side of the
            frame.
    """
    single = _single_object(mask)
    if single is None or sum(_touches(single)) > 1:
        return None
    rows, columns = (np.flatnonzero(single.any(axis=axis)) for axis in (1, 0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return CutOut(image[box], np.where(single, mask, 0)[box].astype(np.float32))


def compose(
    image: NDArray[np.uint8],
    mask: NDArray[np.float32],
    objects: Sequence[CutOut],
    rng: np.random.Generator,
) -> Scene | None:
    """Paste objects onto an image whose own object becomes the first instance.

    Each object is scaled, perhaps flipped, made lighter or darker, and placed at random. Half of
    the time it is placed beside the previous object, so that the two occlude each other. A place
    that hides too much of any object is rejected; an object without a place after eight attempts
    is left out.

    Args:
        image: The image, RGB (H, W, 3); not modified.
        mask: Its saliency (H, W) in [0, 1].
        objects: The objects to paste, in order; later ones occlude earlier ones.
        rng: The source of all random choices.

    Returns:
        The composite, or None if the image does not show one sizeable object: its other objects
        would then lack masks.
    """
    single = _single_object(mask)
    if single is None:
        return None
    canvas = image.astype(np.float32)
    saliency = mask.astype(np.float32)
    layers = [single]
    for item in objects:
        for _ in range(_PLACEMENTS):
            pixels, coverage = _varied(item, canvas.shape[0] * canvas.shape[1], rng)
            place = _place(layers[-1], coverage.shape, rng)
            layer = _spread(coverage, place, saliency.shape)
            if _all_visible([*layers, layer > 0.5], float((coverage > 0.5).sum())):
                colours = np.stack([_spread(c, place, saliency.shape) for c in pixels], axis=2)
                canvas += layer[..., None] * (colours - canvas)
                saliency = np.maximum(saliency, layer)
                layers.append(layer > 0.5)
                break
    instances = np.zeros(saliency.shape, dtype=np.int32)
    for number, pixels_of in enumerate(layers, start=1):
        instances[pixels_of] = number
    return Scene(
        np.rint(canvas.clip(0, 255)).astype(np.uint8),
        np.rint(255 * saliency).astype(np.uint8),
        instances,
    )


def _single_object(mask: NDArray[np.float32]) -> NDArray[np.bool_] | None:
    """Return the pixels (H, W) of the single object in a mask, or None."""
    inside = mask > 0.5
    parts, count = ndimage.label(inside)
    if not count:
        return None
    sizes = np.bincount(parts.ravel())[1:]
    if sizes.max() < _LEAST_SHARE * sizes.sum():
        return None
    if not _OBJECT_SHARES[0] <= sizes.max() / mask.size <= _OBJECT_SHARES[1]:
        return None
    single: NDArray[np.bool_] = parts == sizes.argmax() + 1
    return single


def _touches(single: NDArray[np.bool_]) -> list[bool]:
    """Return which sides of the frame an object touches."""
    return [bool(side.any()) for side in (single[0], single[-1], single[:, 0], single[:, -1])]


def _varied(
    item: CutOut, area: int, rng: np.random.Generator
) -> tuple[list[NDArray[np.float32]], NDArray[np.float32]]:
    """Scale, flip and lighten an object; return its channels and its coverage."""
    share = math.exp(rng.uniform(*np.log(_PASTED_SHARES)))
    factor = min(_MOST_GROWTH, math.sqrt(share * area / float(item.coverage.sum())))
    height, width = (max(3, round(factor * side)) for side in item.coverage.shape)
    light = rng.uniform(0.8, 1.2)
    turned = slice(None, None, -1 if rng.random() < 0.5 else 1)
    pixels = np.asarray(Image.fromarray(item.pixels).resize((width, height), Image.Resampling.BOX))
    coverage = Image.fromarray(np.rint(255 * item.coverage).astype(np.uint8))
    coverage = coverage.resize((width, height), Image.Resampling.BOX)
    # Drop half a pixel of the rim, where colours mix with the old surroundings.
    soft = np.asarray(coverage.filter(ImageFilter.GaussianBlur(0.7))).astype(np.float32) / 255
    inner = np.clip(2 * soft - 0.8, 0, 1)[:, turned].astype(np.float32)
    channels = np.moveaxis(pixels[:, turned].astype(np.float32) * np.float32(light), 2, 0)
    return list(channels), inner


def _place(
    last: NDArray[np.bool_], shape: tuple[int, ...], rng: np.random.Generator
) -> tuple[int, int]:
    """Sample the top left corner for an object of this shape: anywhere or beside the last one."""
    centre: list[float] = []
    angle = rng.uniform(0, 2 * math.pi)
    beside = rng.random() < 0.5
    for axis, turn in ((0, math.sin(angle)), (1, math.cos(angle))):
        length = last.shape[axis]
        if beside:
            line = np.flatnonzero(last.any(axis=1 - axis))
            reach = (line[-1] - line[0] + shape[axis]) / 2
            centre.append((line[0] + line[-1]) / 2 + rng.uniform(0.6, 1.0) * reach * turn)
        else:
            centre.append(rng.uniform(0, length))
    return round(centre[0] - shape[0] / 2), round(centre[1] - shape[1] / 2)


def _spread(
    values: NDArray[np.float32], place: tuple[int, int], size: tuple[int, ...]
) -> NDArray[np.float32]:
    """Paste an object's values (h, w) into an empty map (H, W), cropped to the frame."""
    out = np.zeros(size, dtype=np.float32)
    inside, own = [], []
    for start, side, whole in zip(place, values.shape, size, strict=True):
        low, high = max(start, 0), max(min(start + side, whole), 0)
        inside.append(slice(low, high))
        own.append(slice(low - start, max(high - start, low - start)))
    if all(part.stop > part.start for part in inside):
        out[tuple(inside)] = values[tuple(own)]
    return out


def _all_visible(layers: Sequence[NDArray[np.bool_]], last_area: float) -> bool:
    """Return whether enough of each object stays visible behind later ones and in the frame."""
    free = np.ones(layers[0].shape, dtype=bool)
    for position, inside in enumerate(reversed(layers)):
        area = inside.sum() if position else last_area
        if (inside & free).sum() < max(_LEAST_VISIBLE * area, _LEAST_AREA * free.size):
            return False
        free &= ~inside
    return True


def write_composites(
    out_dir: str | Path,
    pairs: Sequence[SaliencyPair],
    count: int,
    *,
    seed: int = 0,
    most_pasted: int = 4,
    progress: bool = False,
) -> Path:
    """Write composites in the format of :func:`~sod_plugins.data.scene_folder.write_scenes`.

    Composite i depends only on the images, the seed, ``most_pasted`` and i. Images that do not
    show one sizeable object are used neither as background nor for cutting out; others take their
    place.

    Args:
        out_dir: A new or empty folder, or one that an earlier call with equal arguments wrote.
        pairs: Images and masks, as ``find_pairs`` returns them.
        count: Number of composites.
        seed: Seed of the random choices, 0 or larger.
        most_pasted: The largest number of objects pasted onto an image; all numbers from 1 to it
            are equally likely. With 0 the images stay as they are, with their one object.
        progress: Whether to show a progress bar.

    Raises:
        DataError: An argument is out of range, the folder holds anything else, a file is damaged,
            or too few images show one object.
    """
    for name, value, least in (
        ('count', count, 1),
        ('seed', seed, 0),
        ('most_pasted', most_pasted, 0),
    ):
        if value < least:
            raise DataError(f'{name} is {value}. Give {least} or more.')
    parameters = {
        'generator': f'sod_plugins composites {_VERSION}',
        'count': count,
        'seed': seed,
        'most_pasted': most_pasted,
        'photos': len(pairs),
    }
    return write_scenes(out_dir, parameters, lambda i: _draw(pairs, seed, most_pasted, i), progress)


def _draw(pairs: Sequence[SaliencyPair], seed: int, most_pasted: int, index: int) -> Scene:
    """Make composite ``index`` with its own random generator."""
    rng = sample_rng(seed, 0, index)
    wanted = int(rng.integers(1, most_pasted + 1)) if most_pasted else 0
    objects: list[CutOut] = []
    for _ in range(_PHOTOS):
        pair = pairs[int(rng.integers(len(pairs)))]
        assert pair.mask is not None
        image, mask = read_image(pair.image), read_mask(pair.mask)
        if len(objects) < wanted:
            item = cut_out(image, mask)
            objects += [] if item is None else [item]
        elif (scene := compose(image, mask, objects, rng)) is not None:
            return scene
    raise DataError(
        f'Of {_PHOTOS} photos {len(objects)} show one sizeable object that can be cut out: '
        'give photos with one salient object each.'
    )
