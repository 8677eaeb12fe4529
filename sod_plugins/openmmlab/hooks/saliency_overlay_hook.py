"""Overlays of the saliency predicted in a test."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from sod_plugins.data import read_image, save_png
from sod_plugins.openmmlab.errors import LaunchError
from sod_plugins.registry import HOOKS
from sod_plugins.visualization.overlays import tint_saliency


@HOOKS.register_module()
class SaliencyOverlayHook(Hook):
    """Saves each tested image tinted by its saliency map, as ``<stem>.png``.

    Args:
        out_dir: The output folder.

    Raises:
        LaunchError: The model does not predict saliency maps.
    """

    def __init__(self, out_dir: str | Path) -> None:
        self.out_dir = Path(out_dir)

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence[Any] | None = None,
    ) -> None:
        """Save the overlays of one batch."""
        for sample in outputs or ():
            if 'seg_logits' not in sample:
                raise LaunchError(
                    'The model predicts no saliency maps to draw over the images: leave out '
                    '--show-dir or the SaliencyOverlayHook.'
                )
            # Interpolation may overshoot [0, 1] by rounding.
            saliency = sample.seg_logits.data.squeeze(0).float().clamp(0, 1).cpu().numpy()
            overlay = tint_saliency(
                read_image(sample.img_path, sample.get('exif', 'apply')), saliency
            )
            save_png(self.out_dir / f'{Path(sample.img_path).stem}.png', overlay)
