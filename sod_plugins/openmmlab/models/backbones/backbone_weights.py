"""Initialise backbones with weights from other libraries."""

from __future__ import annotations

from mmengine.logging import print_log
from mmengine.model import update_init_info

from sod_plugins.checkpoints.backbone_weights import load_backbone_weights
from sod_plugins.openmmlab.errors import LaunchError
from sod_plugins.openmmlab.models.net_adapter import NetAdapter
from sod_plugins.registry import WEIGHT_INITIALIZERS


@WEIGHT_INITIALIZERS.register_module()
class BackboneWeights:
    """Initialises a backbone of this package, and rejects a file that does not match.

    In a backbone's config: ``init_cfg=dict(type='sod_plugins.BackboneWeights', checkpoint=...)``.
    In contrast, mmengine's ``Pretrained`` skips keys that do not match, and knows no packages.

    Args:
        checkpoint: A file, a URL or a package, see
            :func:`sod_plugins.checkpoints.backbone_weights.load_backbone_weights`.
    """

    def __init__(self, checkpoint: str) -> None:
        self.checkpoint = checkpoint

    def __call__(self, module: NetAdapter) -> None:
        """Load the weights into the ``net`` of an adapter.

        Raises:
            LaunchError: They do not exist or do not match.
        """
        try:
            left_out = load_backbone_weights(module.net, self.checkpoint)
        except (OSError, ValueError) as error:
            raise LaunchError(f'{error} It is the checkpoint of init_cfg.') from error
        beside = f', without its {", ".join(left_out)}' if left_out else ''
        print_log(f'{type(module).__name__} starts from {self.checkpoint}{beside}', 'current')
        update_init_info(module, init_info=f'{type(self).__name__}: {self.checkpoint}')
