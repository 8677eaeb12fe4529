"""Report what a data set on disk holds and what is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from sod_plugins.data.errors import DataError
from sod_plugins.data.images import DecodedImage, check_image_file, decode_image
from sod_plugins.data.layouts import FolderLayout, SaliencyPair
from sod_plugins.data.masks import decode_mask, read_size
from sod_plugins.data.presets import DatasetPreset, find_preset


@dataclass
class DatasetReport:
    """The findings of ``check_dataset``.

    Attributes:
        image_dirs: The folders that hold the images.
        mask_dirs: The folders that hold the masks.
        count: Number of pairs of image and mask.
        image_extensions: Number of images with each extension.
        mask_extensions: Number of masks with each extension.
        sizes: Number of readable images of each size (height, width).
        image_formats: Number of images of each format (see ``decode_image``).
        mask_formats: Number of masks of each format (see ``read_mask``).
        soft_masks: Masks with values strictly between 0 and 1.
        empty_masks: Masks without any salient pixel.
        full_masks: Masks in which every pixel is fully salient.
        turned: Images whose stated orientation differs from their mask's.
        foreground: The mean value of each readable mask, in file order.
        problems: One text for each problem.
        preset: The published data set to compare with, if one was named.
    """

    image_dirs: list[Path] = field(default_factory=list)
    mask_dirs: list[Path] = field(default_factory=list)
    count: int = 0
    image_extensions: Counter[str] = field(default_factory=Counter)
    mask_extensions: Counter[str] = field(default_factory=Counter)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    image_formats: Counter[str] = field(default_factory=Counter)
    mask_formats: Counter[str] = field(default_factory=Counter)
    soft_masks: list[Path] = field(default_factory=list)
    empty_masks: list[Path] = field(default_factory=list)
    full_masks: list[Path] = field(default_factory=list)
    turned: list[Path] = field(default_factory=list)
    foreground: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    preset: DatasetPreset | None = None

    @property
    def ok(self) -> bool:
        """Whether no problem was found; empty and full masks do not count as problems."""
        return not self.problems

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values; the mean area is None without masks."""
        readable = len(self.foreground)
        sizes = [
            {'height': height, 'width': width, 'images': count}
            for (height, width), count in sorted(self.sizes.items())
        ]
        listed = ('soft_masks', 'empty_masks', 'full_masks', 'turned', 'image_dirs', 'mask_dirs')
        counted = ('image_extensions', 'mask_extensions', 'image_formats', 'mask_formats')
        return {
            'pairs': self.count,
            **{name: [str(path) for path in getattr(self, name)] for name in listed},
            **{name: dict(getattr(self, name)) for name in counted},
            'image_sizes': sizes,
            'mean_salient_area': float(np.mean(self.foreground)) if readable else None,
            'expected_pairs': self.preset.count if self.preset else None,
            'problems': list(self.problems),
        }

    def format(self, listed: int = 20) -> str:
        """Write the report as text, listing at most this many problems."""
        rows = [
            ('pairs', str(self.count)),
            ('images', _where(self.image_extensions, self.image_dirs)),
            ('masks', _where(self.mask_extensions, self.mask_dirs)),
        ]
        if self.sizes:
            rows += [
                ('image sizes', _size_range(self.sizes)),
                ('image formats', _counts(self.image_formats)),
            ]
        if self.turned:
            rows.append(('turned by EXIF', _with_example(self.turned)))
        if self.foreground:
            readable = len(self.foreground)
            rows += [
                ('mask formats', _counts(self.mask_formats)),
                ('soft masks', f'{len(self.soft_masks)} ({len(self.soft_masks) / readable:.1%})'),
                ('empty masks', _with_example(self.empty_masks)),
                ('full masks', _with_example(self.full_masks)),
                ('mean salient area', f'{np.mean(self.foreground):.1%}'),
            ]
        if self.preset is not None:
            note = f' ({self.preset.note})' if self.preset.note else ''
            rows.append(('expected', f'{self.preset.title}: {self.preset.count} pairs{note}'))
        rows.append(('problems', str(len(self.problems) or 'none')))
        lines = [f'{name:<18}{text}' for name, text in rows]
        lines += [f'  - {text}' for text in self.problems[:listed]]
        if len(self.problems) > listed:
            lines.append(f'  ... and {len(self.problems) - listed} more')
        return '\n'.join(lines)


def check_dataset(
    source: str | Path | FolderLayout,
    *,
    preset: str | None = None,
    progress: bool = True,
) -> DatasetReport:
    """Read every image and mask of a data set and report what it holds.

    Files without a partner, unreadable files, files that are not saliency masks, sizes that differ
    and a count other than the preset's become problems of the report. The check never stops early.

    Args:
        source: The folder of the data set, or a description of where its files are and how their
            names are paired.
        preset: A name in ``PRESETS``; the number of pairs is compared with it.
        progress: Whether to show a progress bar.

    Raises:
        DataError: The files cannot be paired at all: a folder is missing, empty or of unknown
            layout, stems are not unique, a list is wrong, or the preset is unknown.
    """
    layout = source if isinstance(source, FolderLayout) else FolderLayout(source)
    report = DatasetReport(preset=None if preset is None else find_preset(preset))
    pairing = layout.match()
    report.problems += [f"'{path}' has no mask." for path in pairing.images_without_mask]
    report.problems += [f"'{path}' has no image." for path in pairing.masks_without_image]
    _count_files(report, pairing.pairs)
    for pair in tqdm(pairing.pairs, desc='check', unit='pair', disable=not progress):
        _check_pair(report, pair)
    if report.turned and layout.exif is None:
        report.problems.append(
            f"{len(report.turned)} images, such as '{report.turned[0]}', state another EXIF "
            'orientation than their masks. If masks were drawn on the images as they are stored, '
            "choose --exif ignore (exif='ignore'); if they fit the upright images, --exif apply."
        )
    if report.preset is not None and (problem := report.preset.count_problem(report.count)):
        report.problems.append(problem)
    return report


def pair_problem(pair: SaliencyPair) -> str | None:
    """Describe what is wrong with a pair: a damaged file, an invalid mask, or sizes that differ.

    Images are decoded as coarsely as their format allows: 10,000 pairs of MSRA10K take about ten
    seconds. Returns None if nothing is wrong.
    """
    try:
        image_size: Sequence[int] = check_image_file(pair.image, pair.exif)
        mask_size = image_size
        if pair.mask is not None:
            mask_size = decode_mask(pair.mask, pair.exif).values.shape
    except DataError as error:
        return str(error)
    return _size_problem(pair, image_size, mask_size)


def _count_files(report: DatasetReport, pairs: Sequence[SaliencyPair]) -> None:
    masks = [pair.mask for pair in pairs if pair.mask is not None]
    report.count = len(pairs)
    report.image_dirs = sorted({pair.image.parent for pair in pairs})
    report.mask_dirs = sorted({mask.parent for mask in masks})
    report.image_extensions.update(pair.image.suffix for pair in pairs)
    report.mask_extensions.update(mask.suffix for mask in masks)


def _check_pair(report: DatasetReport, pair: SaliencyPair) -> None:
    """Read both files of a pair and record their problems separately."""
    photo: DecodedImage | None = None
    image_size: tuple[int, int] | None = None
    try:
        photo = decode_image(pair.image, pair.exif)
        height, width, _ = photo.pixels.shape
        image_size = height, width
        report.sizes[image_size] += 1
        report.image_formats[photo.format] += 1
    except DataError as error:
        report.problems.append(str(error))
    if pair.mask is None:
        return
    try:
        mask = decode_mask(pair.mask, pair.exif)
    except DataError as error:
        report.problems.append(str(error))
        return
    values = mask.values
    report.mask_formats[mask.format] += 1
    report.foreground.append(float(values.mean()))
    if ((values > 0) & (values < 1)).any():
        report.soft_masks.append(pair.mask)
    if not values.any():
        report.empty_masks.append(pair.mask)
    if (values == 1).all():
        report.full_masks.append(pair.mask)
    if photo is not None and photo.orientation != mask.orientation:
        report.turned.append(pair.image)
    if image_size is not None and (problem := _size_problem(pair, image_size, values.shape)):
        report.problems.append(problem)


def _size_problem(
    pair: SaliencyPair, image_size: Sequence[int], mask_size: Sequence[int]
) -> str | None:
    if image_size == mask_size:
        return None
    how, remedy = 'upright by EXIF', 'Export one of them again'
    if pair.exif == 'ignore':
        how = 'as they are stored'
    elif read_size(pair.image, 'ignore') == mask_size:
        remedy = f"{remedy}, or read the images as they are stored: exif='ignore', --exif ignore"
    return (
        f"'{pair.image}' is {_text(image_size)} but '{pair.mask}' is {_text(mask_size)} "
        f'(height x width, {how}). {remedy}.'
    )


def _text(size: Sequence[int]) -> str:
    return 'x'.join(str(length) for length in size)


def _counts(counter: Counter[str]) -> str:
    return ', '.join(f'{count} {name}' for name, count in counter.most_common())


def _where(extensions: Counter[str], folders: Sequence[Path]) -> str:
    return f'{_counts(extensions) or "none"} in {", ".join(map(str, folders)) or "no folder"}'


def _with_example(paths: Sequence[Path]) -> str:
    return f"{len(paths)}, such as '{paths[0]}'" if paths else '0'


def _size_range(sizes: Counter[tuple[int, int]]) -> str:
    heights, widths = zip(*sizes.elements(), strict=True)
    lowest, median, highest = (
        f'{int(function(heights))}x{int(function(widths))}' for function in (min, np.median, max)
    )
    return f'{lowest} to {highest}, median {median} (height x width), {len(sizes)} different'
