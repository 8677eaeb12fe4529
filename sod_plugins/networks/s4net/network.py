"""S4Net: salient instances in a single stage.

Paper: Fan et al., "S4Net: Single Stage Salient-Instance Segmentation", CVPR 2019.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from sod_plugins._common.choices import require_choice
from sod_plugins.layers.roi_extractors import RoIAlign, RoIExtractor, RoIMasking, RoIPool
from sod_plugins.networks.backbones import PRESETS, build_backbone, plain_spec, spec_of
from sod_plugins.networks.base import DescribedNetwork, Extractor, InstanceTensors, Parts
from sod_plugins.networks.preprocessing import Preprocessing
from sod_plugins.networks.registry import register_network
from sod_plugins.networks.s4net.flow import S4NetFlow
from sod_plugins.networks.s4net.fpn import S4NetFPN
from sod_plugins.networks.s4net.head import S4NetHead
from sod_plugins.networks.s4net.mask_branch import Kind, S4NetMaskBranch

INPUT_SIZE = (320, 320)
# The changes of each layout to the defaults of the parts, which are the paper's.
Layout = Literal['paper', 'released']
LAYOUTS: dict[Layout, dict[str, dict[str, Any]]] = {
    'paper': {'neck': {}, 'bbox_head': {}, 'roi_extractor': {}, 'mask_head': {}},
    'released': {
        'neck': {'num_outs': 5, 'upsample': 'legacy_bilinear', 'init_std': 0.01},
        'bbox_head': {
            'strides': (4, 8, 16, 32, 64),
            'anchors': 'released',
            'positive_iou': 0.4,
            'delta_std': (1.0, 1.0, 1.0, 1.0),
            'beta': 1 / 9,
            'objectness': 'ohem',
            'weights': (0.3, 0.3),
            'box_reduction': 'level',
            'offset': 1,
            'init_std': 0.01,
        },
        'roi_extractor': {'out_channels': 128, 'kernel_size': 3},
        'mask_head': {'num_logits': 2, 'relu_logits': True, 'init_std': 0.01},
    },
}
RoI = Literal['ternary', 'binary', 'expanded', 'align', 'pool']
EXTRACTORS: dict[RoI, tuple[type[RoIExtractor], dict[str, Any]]] = {
    'ternary': (RoIMasking, {'mode': 'ternary'}),
    'binary': (RoIMasking, {'mode': 'binary'}),
    'expanded': (RoIMasking, {'mode': 'expanded'}),
    'align': (RoIAlign, {}),
    'pool': (RoIPool, {}),
}
PARTS = ('neck', 'bbox_head', 'roi_extractor', 'mask_head')


@register_network
class S4Net(S4NetFlow, DescribedNetwork):
    """S4Net (Sec. 3): images to boxes and masks of class-agnostic salient instances.

    Train with :meth:`losses`, in training mode or not. ``S4Net()`` is the paper's form on
    ResNet-50. ``S4Net(layout='released')`` has 28,264,468 parameters: 2,754,304 in the pyramid,
    1,263,122 in the detection head and 739,010 from the convolution before RoIMasking on.

    Both layouts differ from the released code in two points. The maps of ResNet are the outputs of
    its groups of blocks, whose stride is at their start (released: before the last block of each,
    which has the stride). RoIMasking and mask targets are by area (released: by whole cells; for
    RoIMasking use ``roi_extractor={'quantized': True}``). For backbones without a map of stride 32
    (VGG), pooling provides the coarser levels.

    Args:
        backbone: The backbone, as :func:`~sod_plugins.networks.backbones.build_backbone`
            accepts it; S4Net uses the maps whose strides are those of pyramid levels.
        layout: ``'paper'`` or ``'released'``: the defaults of all parts, see ``LAYOUTS``.
        roi: ``'ternary'``, ``'binary'`` or ``'expanded'`` RoIMasking, or ``'align'`` or ``'pool'``
            for RoIAlign and RoIPool (Tab. 1).
        alpha: Width of the surroundings in RoIMasking as a fraction of the box (Tab. 2).
        mask_branch: ``'dilated'`` for Fig. 2(c) or ``'plain'`` for Fig. 2(b).
        num_proposals: Largest number of instances of an image.
        neck: Arguments of :class:`S4NetFPN` that differ from the layout's.
        bbox_head: Arguments of :class:`S4NetHead` that differ from the layout's.
        roi_extractor: Arguments of :class:`RoIMasking`, :class:`RoIAlign` or :class:`RoIPool` that
            differ from the layout's.
        mask_head: Arguments of :class:`S4NetMaskBranch` that differ from the layout's.
        freeze_norm: Whether the backbone's BatchNorms keep their statistics in training, for
            pretrained weights and small batches.

    Raises:
        ValueError: The arguments do not describe a network.
    """

    task = 'instances'
    parts: ClassVar[Parts] = {
        'backbone': Extractor,
        'neck': S4NetFPN,
        'bbox_head': S4NetHead,
        'roi_extractor': RoIExtractor,
        'mask_head': S4NetMaskBranch,
    }

    def __init__(
        self,
        backbone: str | Mapping[str, Any] = 'resnet50',
        layout: Layout = 'paper',
        *,
        roi: RoI = 'ternary',
        alpha: float = 1 / 3,
        mask_branch: Kind = 'dilated',
        num_proposals: int = 20,
        neck: Mapping[str, Any] | None = None,
        bbox_head: Mapping[str, Any] | None = None,
        roi_extractor: Mapping[str, Any] | None = None,
        mask_head: Mapping[str, Any] | None = None,
        freeze_norm: bool = False,
    ) -> None:
        require_choice('layout', layout, LAYOUTS)
        require_choice('roi', roi, EXTRACTORS)
        given = (neck, bbox_head, roi_extractor, mask_head)
        overrides = {name: dict(part or {}) for name, part in zip(PARTS, given, strict=True)}
        super().__init__()
        self.preprocessing = Preprocessing(INPUT_SIZE)
        extractor, extractor_arguments = EXTRACTORS[roi]
        masking = {'alpha': alpha} if extractor is RoIMasking else {}
        arguments = {
            name: {**own, **LAYOUTS[layout][name], **overrides[name]}
            for name, own in (
                ('neck', {}),
                ('bbox_head', {'num_proposals': num_proposals}),
                ('roi_extractor', {**extractor_arguments, **masking}),
                ('mask_head', {'kind': mask_branch}),
            )
        }
        self.freeze_norm = freeze_norm
        strides = arguments['bbox_head'].get('strides', (8, 16, 32, 64))
        self.backbone = _build_with_strides(backbone, strides)
        channels = arguments['neck'].get('out_channels', 256)
        try:
            self.neck = S4NetFPN(self.backbone.out_channels, **arguments['neck'])
            self.bbox_head = S4NetHead(channels, **arguments['bbox_head'])
            self.roi_extractor = extractor(channels, **arguments['roi_extractor'])
            features = self.roi_extractor.out_channels
            self.mask_head = S4NetMaskBranch(features, **arguments['mask_head'])
        except TypeError as error:
            raise ValueError(f'A part of S4Net cannot be built: {error}.') from error
        if self.neck.num_outs != len(strides) or self.roi_extractor.stride not in strides:
            raise ValueError(
                f'neck.num_outs must be the number of bbox_head.strides, and roi_extractor.stride '
                f'one of them, got {self.neck.num_outs}, {tuple(strides)} and '
                f'{self.roi_extractor.stride}.'
            )

    @classmethod
    def arguments_of_parts(cls, parts: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments of the S4Net that consists of these parts."""
        arguments = {
            name: {k: v for k, v in parts[name].arguments.items() if k != 'in_channels'}
            for name in PARTS
        }
        extractor = type(parts['roi_extractor'])
        roi = {RoIAlign: 'align', RoIPool: 'pool'}.get(extractor)
        roi = roi or arguments['roi_extractor']['mode']
        return {'backbone': spec_of(parts['backbone']), 'roi': roi, **arguments}

    def forward(self, images: Tensor) -> list[InstanceTensors]:
        """Find salient instances in normalised images (N, 3, H, W).

        Returns:
            The instances of each image, best first, in pixels of the input. For other sizes see
            :meth:`find`.
        """
        return self.find(images)

    def train(self, mode: bool = True) -> S4Net:
        """Switch to training, except for frozen statistics."""
        super().train(mode)
        if self.freeze_norm:
            for module in self.backbone.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        return self


def _build_with_strides(spec: str | Mapping[str, Any], strides: tuple[int, ...]) -> Any:
    """Build a backbone that returns only the maps with the given strides."""
    plain = plain_spec(spec)
    plain = dict(PRESETS.get(plain, {'type': plain})) if isinstance(plain, str) else plain
    with torch.device('meta'):  # only its strides are needed
        probe = build_backbone(plain)
    indices = [
        index
        for index, stride in zip(probe.out_indices, probe.out_strides, strict=True)
        if stride in strides
    ]
    backbone = build_backbone({**plain, 'out_indices': indices}) if indices else probe
    if not indices or backbone.out_strides != tuple(strides[: len(indices)]):
        raise ValueError(
            f'S4Net needs maps of the strides {tuple(strides)} from the finest one on; the '
            f'backbone has {probe.out_strides}.'
        )
    return backbone
