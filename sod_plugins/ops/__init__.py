"""Functions on tensors: the operators that the layers are built from."""

from sod_plugins.ops.branch_attention import branch_attention
from sod_plugins.ops.channel_shuffle import channel_shuffle
from sod_plugins.ops.context_attention import (
    attention_conv,
    global_attention_pool,
    local_attention_pool,
)
from sod_plugins.ops.octave_conv import Maps, octave_conv, scale_sizes
from sod_plugins.ops.resize import RESIZE_MODES, resize, resize_bilinear
from sod_plugins.ops.roi_masking import roi_masking, roi_masks

__all__ = [
    'RESIZE_MODES',
    'Maps',
    'attention_conv',
    'branch_attention',
    'channel_shuffle',
    'global_attention_pool',
    'local_attention_pool',
    'octave_conv',
    'resize',
    'resize_bilinear',
    'roi_masking',
    'roi_masks',
    'scale_sizes',
]
