"""Whole networks in plain PyTorch: images in, saliency logits out."""

from sod_plugins.networks.checkpoint import extract_network, load_network, save_network
from sod_plugins.networks.complexity import count_macs, count_macs_csnet, count_parameters
from sod_plugins.networks.csnet import CrossStageFusion, CSFDecoder, CSNet, CSNetExtractor
from sod_plugins.networks.csnet_classifier import CSNetClassifier, load_classifier
from sod_plugins.networks.deeper_supervision import deeper_supervision_loss
from sod_plugins.networks.dense_crf import DenseCRF
from sod_plugins.networks.fused import fuse
from sod_plugins.networks.itdbu import ITDBU
from sod_plugins.networks.itdbu_decoder import ITDBUDecoder, SideOutput
from sod_plugins.networks.picanet import PiCANet
from sod_plugins.networks.picanet_aspp import PiCANetASPP
from sod_plugins.networks.picanet_decoder import Decoded, PiCANetDecoder
from sod_plugins.networks.picanet_losses import picanet_losses
from sod_plugins.networks.picanet_ssd import PiCANetSSDNeck
from sod_plugins.networks.preprocessing import Preprocessing, saliency_map, to_uint8
from sod_plugins.networks.s4net import S4Net
from sod_plugins.networks.s4net_flow import Detections, S4NetFlow
from sod_plugins.networks.s4net_fpn import S4NetFPN
from sod_plugins.networks.s4net_head import HeadOutputs, Proposals, S4NetHead
from sod_plugins.networks.s4net_mask import S4NetMaskBranch
from sod_plugins.networks.samnet import SAMNet, SAMNetDecoder

__all__ = [
    'ITDBU',
    'CSFDecoder',
    'CSNet',
    'CSNetClassifier',
    'CSNetExtractor',
    'CrossStageFusion',
    'Decoded',
    'DenseCRF',
    'Detections',
    'HeadOutputs',
    'ITDBUDecoder',
    'PiCANet',
    'PiCANetASPP',
    'PiCANetDecoder',
    'PiCANetSSDNeck',
    'Preprocessing',
    'Proposals',
    'S4Net',
    'S4NetFPN',
    'S4NetFlow',
    'S4NetHead',
    'S4NetMaskBranch',
    'SAMNet',
    'SAMNetDecoder',
    'SideOutput',
    'count_macs',
    'count_macs_csnet',
    'count_parameters',
    'deeper_supervision_loss',
    'extract_network',
    'fuse',
    'load_classifier',
    'load_network',
    'picanet_losses',
    'saliency_map',
    'save_network',
    'to_uint8',
]
