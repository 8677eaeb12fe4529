"""Pair saved saliency maps with masks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sod_plugins.data.errors import DataError, list_files
from sod_plugins.data.folders import images_in
from sod_plugins.data.layouts import FolderLayout
from sod_plugins.data.lists import listed_stems
from sod_plugins.data.name_patterns import NamePattern, fitting_affixes


def find_scored_pairs(
    pred_dir: str | Path,
    gt_dir: str | Path,
    *,
    list_file: str | Path | None = None,
    pred_prefix: str = '',
    pred_suffix: str = '',
    mask_prefix: str = '',
    mask_suffix: str = '',
) -> list[tuple[str, Path, Path]]:
    """Pair saved saliency maps with masks by stem, ignoring extensions.

    Args:
        pred_dir: Folder of saliency maps.
        gt_dir: Folder of masks, with or without images among them, or the root of a data set in a
            layout that ``find_pairs`` recognises.
        list_file: A text file that selects the images; each line holds a stem, a path, or the
            paths of an image and its mask. It may lie below ``gt_dir``. Without it, maps and masks
            must have the same stems.
        pred_prefix: Text before the stem in the names of maps.
        pred_suffix: Text after the stem in the names of maps, such as ``'_sal'``.
        mask_prefix: Text before the stem in the names of masks.
        mask_suffix: Text after the stem in the names of masks, such as ``'_gt'``.

    Returns:
        The stem, map and mask of each image, sorted.

    Raises:
        DataError: A folder is missing or empty, stems are not unique, or a file lacks its partner;
            the message suggests a prefix or suffix that would pair them.
    """
    layout = FolderLayout(
        gt_dir, list_file=list_file, mask_prefix=mask_prefix, mask_suffix=mask_suffix
    )
    masks = layout.masks()
    if list_file is not None:
        path = layout.list_path(list_file)
        stems = listed_stems(path)
        predictions = _index(pred_dir, pred_prefix, pred_suffix)
        lonely = [stem for stem in stems if stem not in predictions or stem not in masks]
        if lonely:
            raise DataError(
                f"The list '{path}' names images without prediction in '{pred_dir}' or "
                f"without mask in '{gt_dir}': {list_files(lonely)}. Predict them or correct "
                f'the list.{_proposal(predictions, masks)}'
            )
    else:
        stems = sorted(masks)
        predictions = find_predictions(pred_dir, masks, prefix=pred_prefix, suffix=pred_suffix)
    return [(stem, predictions[stem], masks[stem]) for stem in stems]


def find_predictions(
    pred_dir: str | Path,
    masks: Mapping[str, Path],
    *,
    prefix: str = '',
    suffix: str = '',
    selected: bool = False,
) -> dict[str, Path]:
    """Find the saved saliency maps for the given masks, by stem.

    Args:
        pred_dir: Folder of saliency maps.
        masks: The masks by stem.
        prefix: Text before the stem in the names of maps.
        suffix: Text after the stem in the names of maps.
        selected: Whether the masks are a selection, so that there may be more maps than masks.

    Raises:
        DataError: The folder is missing or empty, or a file lacks its partner.
    """
    predictions = _index(pred_dir, prefix, suffix)
    if selected:
        predictions = {stem: path for stem, path in predictions.items() if stem in masks}
    _require_partners(predictions, masks)
    return predictions


def _index(pred_dir: str | Path, prefix: str, suffix: str) -> dict[str, Path]:
    pattern = NamePattern('prediction', prefix, suffix, argument='pred')
    return pattern.index(images_in(Path(pred_dir), 'prediction'))


def _require_partners(predictions: Mapping[str, Path], masks: Mapping[str, Path]) -> None:
    """Check that maps and masks have the same stems.

    Raises:
        DataError: They differ. The message lists the files and suggests a prefix or suffix.
    """
    reasons = [
        f'{what}: {list_files(files[stem] for stem in sorted(files.keys() - partners.keys()))}'
        for what, files, partners in (
            ('masks without prediction', masks, predictions),
            ('predictions without mask', predictions, masks),
        )
        if files.keys() - partners.keys()
    ]
    if reasons:
        raise DataError(
            f'Files lack their partner; {"; ".join(reasons)}. Add or remove files, or name the '
            f'images to score in a list file.{_proposal(predictions, masks)}'
        )


def _proposal(predictions: Mapping[str, Path], masks: Mapping[str, Path]) -> str:
    """Suggest the prefix and suffix that would pair the files, if any."""
    maps, truths = set(predictions) - set(masks), set(masks) - set(predictions)
    for role, names, stems in (('pred', maps, truths), ('mask', truths, maps)):
        found = fitting_affixes(sorted(names), sorted(stems))
        if found:
            options = [
                f"--{role}-{part} '{text}'"
                for part, text in zip(('prefix', 'suffix'), found, strict=True)
                if text
            ]
            return f' Or give {" ".join(options)}, which fits these names.'
    return ''
