"""Functions on tensors: the operators from which the layers are built."""

from sod_plugins.ops.boxes import box_iou, clip_boxes, decode_boxes, encode_boxes, nms
from sod_plugins.ops.branch_attention import branch_attention
from sod_plugins.ops.channel_shuffle import channel_shuffle
from sod_plugins.ops.context_attention import (
    attention_conv,
    global_attention_pool,
    local_attention_pool,
)
from sod_plugins.ops.octave_conv import Maps, octave_conv, scale_sizes
from sod_plugins.ops.resize import RESIZE_MODES, resize, resize_bilinear
from sod_plugins.ops.roi_align import paste_maps, roi_align, roi_pool
from sod_plugins.ops.roi_masking import roi_masking, roi_masks

__all__ = [
    'RESIZE_MODES',
    'Maps',
    'attention_conv',
    'box_iou',
    'branch_attention',
    'channel_shuffle',
    'clip_boxes',
    'decode_boxes',
    'encode_boxes',
    'global_attention_pool',
    'local_attention_pool',
    'nms',
    'octave_conv',
    'paste_maps',
    'resize',
    'resize_bilinear',
    'roi_align',
    'roi_masking',
    'roi_masks',
    'roi_pool',
    'scale_sizes',
]
