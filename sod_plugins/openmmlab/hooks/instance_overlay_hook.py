"""Overlays of the instances predicted in a test."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.hooks import Hook
from mmengine.runner import Runner

from sod_plugins.data import read_image, save_png
from sod_plugins.openmmlab.errors import LaunchError
from sod_plugins.registry import HOOKS
from sod_plugins.visualization.instance_overlays import draw_instances


@HOOKS.register_module()
class InstanceOverlayHook(Hook):
    """Saves each tested image overlaid with its instances, as ``<stem>.png``.

    Args:
        out_dir: The output folder.
        min_score: Instances with lower scores are not drawn; S4Net's figures use 0.4.

    Raises:
        LaunchError: The model does not predict instance masks.
    """

    def __init__(self, out_dir: str | Path, min_score: float = 0.4) -> None:
        self.out_dir = Path(out_dir)
        self.min_score = min_score

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence[Any] | None = None,
    ) -> None:
        """Save the overlays of one batch."""
        for sample in outputs or ():
            predicted = sample.get('pred_instances', {})
            if 'masks' not in predicted:
                raise LaunchError(
                    'The model predicts no masks of instances to draw over the images: leave out '
                    '--show-dir or the InstanceOverlayHook.'
                )
            masks, scores, boxes = (
                np.asarray(predicted[key].cpu()) for key in ('masks', 'scores', 'bboxes')
            )
            image = read_image(sample.img_path)
            overlay = draw_instances(image, masks.astype(bool), scores, boxes, self.min_score)
            save_png(self.out_dir / f'{Path(sample.img_path).stem}.png', overlay)
