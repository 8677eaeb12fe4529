"""S4Net: its pyramid, heads and mask branch, and the complete network."""

from sod_plugins.networks.s4net.flow import Detections, S4NetFlow
from sod_plugins.networks.s4net.fpn import S4NetFPN
from sod_plugins.networks.s4net.head import HeadOutputs, Proposals, S4NetHead
from sod_plugins.networks.s4net.mask_branch import S4NetMaskBranch
from sod_plugins.networks.s4net.network import S4Net

__all__ = [
    'Detections',
    'HeadOutputs',
    'Proposals',
    'S4Net',
    'S4NetFPN',
    'S4NetFlow',
    'S4NetHead',
    'S4NetMaskBranch',
]
