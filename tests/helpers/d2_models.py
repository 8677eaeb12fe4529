"""The five methods in narrow, as configs of detectron2 and as plain networks."""

from __future__ import annotations

import torch

from sod_plugins.networks import ITDBU, CSNet, PiCANet, SAMNet

NARROW_VGG = {'type': 'VGG', 'depth': 11, 'out_indices': [0, 1, 2, 3, 4]}
# Network -> the same one, plain; backbone and arguments; head and arguments in a config.
METHODS = {
    'CSNet': (
        lambda: CSNet(width=0.4, stage_blocks=(1, 1, 1, 1)),
        ('CSNet', {'width': 0.4, 'stage_blocks': [1, 1, 1, 1]}),
        ('CSFHead', {}),
    ),
    'SAMNet': (
        lambda: SAMNet({'type': 'SAMNet', 'width': 0.5}),
        ('SAMNet', {'width': 0.5}),
        ('SAMNetHead', {}),
    ),
    'ITDBU': (
        lambda: ITDBU(backbone=NARROW_VGG, iterations=1),
        ('VGG', {k: v for k, v in NARROW_VGG.items() if k != 'type'}),
        ('ITDBUHead', {'iterations': 1}),
    ),
    'PiCANet': (
        lambda: PiCANet(backbone={'type': 'MobileNet', 'width': 0.25}, setting='5GAP_432AC'),
        ('MobileNet', {'width': 0.25}),
        ('PiCANetHead', {'setting': '5GAP_432AC'}),
    ),
}


def _defaults():
    from detectron2.config import get_cfg

    from sod_plugins.detectron2 import add_sod_plugins_config

    cfg = get_cfg()
    add_sod_plugins_config(cfg)
    return cfg


RESNET = """
  PIXEL_MEAN: [123.675, 116.28, 103.53]
  PIXEL_STD: [58.395, 57.12, 57.375]
  WEIGHTS: ''
  DEVICE: cpu
  RESNETS:
    DEPTH: 50
    NORM: BN
    STEM_OUT_CHANNELS: 8
    WIDTH_PER_GROUP: 4
    RES2_OUT_CHANNELS: 16
    OUT_FEATURES: [res2, res3, res4, res5]
"""
# How yaml files begin: detectron2's own ResNet-50, narrow, below an FPN and as DeepLab has it.
YAML_BACKBONES = {
    'FPN': f"""MODEL:{RESNET}
  BACKBONE: {{NAME: build_resnet_fpn_backbone, FREEZE_AT: 0}}
  FPN: {{IN_FEATURES: [res2, res3, res4, res5], OUT_CHANNELS: 16}}
""",
    'DeepLab': f"""MODEL:{RESNET}    STEM_TYPE: deeplab
    RES4_DILATION: 2
    RES5_DILATION: 4
    RES5_MULTI_GRID: [1, 2, 4]
  BACKBONE: {{NAME: build_resnet_deeplab_backbone, FREEZE_AT: 0}}
""",
}


def yaml_config(text, folder):
    """Read a config as a user's yaml file, with the keys of detectron2's DeepLab where it is."""
    cfg = _defaults()
    if 'deeplab' in text:
        from detectron2.projects.deeplab import add_deeplab_config

        add_deeplab_config(cfg)
    (folder / 'config.yaml').write_text(text)
    cfg.merge_from_file(str(folder / 'config.yaml'))
    return cfg


def saliency_config(name, size=(64, 64)):
    _, (backbone, backbone_arguments), (head, head_arguments) = METHODS[name]
    cfg = _defaults()
    cfg.MODEL.DEVICE = 'cpu'
    cfg.MODEL.META_ARCHITECTURE = 'SaliencySegmentor'
    cfg.MODEL.BACKBONE.NAME, cfg.MODEL.BACKBONE.FREEZE_AT = backbone, 0
    cfg.MODEL.SEM_SEG_HEAD.NAME, cfg.MODEL.SEM_SEG_HEAD.IN_FEATURES = head, []
    cfg.MODEL.PIXEL_MEAN, cfg.MODEL.PIXEL_STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
    cfg.INPUT.FORMAT = 'RGB'
    cfg.SOD.INPUT_SIZE = size
    for node, arguments in ((cfg.SOD.BACKBONE, backbone_arguments), (cfg.SOD.HEAD, head_arguments)):
        for key, value in arguments.items():
            node[key] = value
    return cfg


def sample_of(photo):
    height, width = photo.shape[:2]
    image = torch.from_numpy(photo.transpose(2, 0, 1).copy())
    return {'image': image, 'height': height, 'width': width}


NARROW = {
    'neck': {'out_channels': 16},
    'bbox_head': {'channels': 16},
    'roi_extractor': {'out_channels': 8},
    'mask_head': {'channels': [8, 8]},
}
NODES = {
    'neck': 'NECK',
    'bbox_head': 'HEAD',
    'roi_extractor': 'ROI_EXTRACTOR',
    'mask_head': 'MASK_HEAD',
}


def s4net_config(mode='ternary'):
    cfg = _defaults()
    cfg.MODEL.DEVICE = 'cpu'
    cfg.MODEL.META_ARCHITECTURE = 'S4Net'
    cfg.MODEL.BACKBONE.NAME, cfg.MODEL.BACKBONE.FREEZE_AT = 'ResNet', 0
    cfg.MODEL.PIXEL_MEAN, cfg.MODEL.PIXEL_STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
    cfg.INPUT.FORMAT = 'RGB'
    cfg.SOD.INPUT_SIZE = (64, 64)
    cfg.SOD.BACKBONE.depth, cfg.SOD.BACKBONE.out_indices = 18, [2, 3, 4]
    cfg.SOD.ROI_EXTRACTOR.mode = mode
    for part, arguments in NARROW.items():
        for name, value in arguments.items():
            cfg.SOD[NODES[part]][name] = value
    return cfg
