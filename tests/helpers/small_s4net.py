"""S4Net's recipe on generated scenes, in narrow."""

from __future__ import annotations

from pathlib import Path

from mmengine.config import Config

LEAF = 's4net_efficientnet-lite0_1xb4-300i_synthetic-320x320.py'


def small_s4net(scenes: Path) -> Config:
    """Return a config of 4 steps of 2 images of 64x64.

    Args:
        scenes: Folder of the splits, each as ``generate_scenes`` writes it.
    """
    cfg = Config.fromfile(Path(__file__).parents[2] / 'configs' / 's4net' / LEAF)
    cfg.model.backbone = dict(
        type='sod_plugins.MobileNet', width=0.25, out_indices=(2, 3, 4), norm_eval=True
    )
    cfg.model.neck.update(in_channels=(64, 128, 256), out_channels=32)
    cfg.model.bbox_head.update(in_channels=32, channels=32)
    cfg.model.roi_extractor.update(in_channels=32, out_channels=32)
    cfg.model.mask_head.update(in_channels=32, channels=(16, 8))
    for split in ('train', 'val', 'test'):
        loader = cfg[f'{split}_dataloader']
        loader.update(num_workers=0, persistent_workers=False)
        loader.dataset.data_root = str(scenes / split)
        for step in loader.dataset.pipeline:
            if step.type == 'Resize':
                step.scale = (64, 64)
    cfg.train_dataloader.batch_size = 2
    cfg.train_cfg.update(max_iters=4, val_interval=3)
    cfg.default_hooks.checkpoint.interval = 2
    return cfg
