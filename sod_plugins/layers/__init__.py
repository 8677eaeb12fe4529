"""Building blocks as plain ``nn.Module`` classes, for use in any network."""

from sod_plugins.layers.conv import ConvNormAct, DepthwiseSeparableConv
from sod_plugins.layers.conv_rnn import (
    ConvCell,
    ConvCNNCell,
    ConvGRUCell,
    ConvLSTMCell,
    ConvRNNCell,
)
from sod_plugins.layers.goctconv import (
    GOctConv,
    GOctConvNormAct,
    ILBlock,
    ParallelDilatedConv,
)
from sod_plugins.layers.mask_frames import mask_frame, mask_loss
from sod_plugins.layers.picanet import (
    AttentionConv,
    ContextAttention,
    GlobalAttentionPooling,
    LocalAttentionPooling,
)
from sod_plugins.layers.plain_context import GlobalPooling, LargeConv, LocalPooling
from sod_plugins.layers.renet import ReNet
from sod_plugins.layers.roi_extractors import RoIAlign, RoIExtractor, RoIMasking, RoIPool
from sod_plugins.layers.stereoscopic_attention import SAM, StereoscopicAttention

__all__ = [
    'SAM',
    'AttentionConv',
    'ContextAttention',
    'ConvCNNCell',
    'ConvCell',
    'ConvGRUCell',
    'ConvLSTMCell',
    'ConvNormAct',
    'ConvRNNCell',
    'DepthwiseSeparableConv',
    'GOctConv',
    'GOctConvNormAct',
    'GlobalAttentionPooling',
    'GlobalPooling',
    'ILBlock',
    'LargeConv',
    'LocalAttentionPooling',
    'LocalPooling',
    'ParallelDilatedConv',
    'ReNet',
    'RoIAlign',
    'RoIExtractor',
    'RoIMasking',
    'RoIPool',
    'StereoscopicAttention',
    'mask_frame',
    'mask_loss',
]
