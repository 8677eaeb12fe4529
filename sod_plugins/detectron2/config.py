"""The keys that this package adds to a config of detectron2, all below ``SOD``.

Arguments of networks, decoders and hooks are not keys themselves: the nodes of ``ARGUMENTS`` take
any names, and the classes that receive them check these.
"""

from __future__ import annotations

from typing import Any

# Node -> whose arguments it holds, by the names of their constructors.
ARGUMENTS = {
    'BACKBONE': 'the backbone, if it is one of this package',
    'HEAD': 'the decoder, or the S4NetHead',
    'NECK': 'S4NetFPN, or the neck of a PiCANetNeck',
    'ROI_EXTRACTOR': 'RoIMasking',
    'MASK_HEAD': 'S4NetMaskBranch',
    'NETWORK': "a whole network: its name as 'type', and its arguments",
    'DYNAMIC_WEIGHT_DECAY': 'DynamicWeightDecayHook',
    'PRUNING': 'PruningHook',
    'OPTIMIZER': "the optimizer: its name in torch.optim as 'type', and its arguments",
    'EVALUATOR': 'SaliencyEvaluator or SalientInstanceEvaluator',
}


def add_sod_plugins_config(cfg: Any) -> None:
    """Add this package's keys to a config of detectron2, with their defaults.

    Args:
        cfg: ``detectron2.config.get_cfg()``, in place.
    """
    node = type(cfg)
    cfg.SOD = node()
    for name in ARGUMENTS:
        cfg.SOD[name] = node(new_allowed=True)
    # Data sets to register, mappings of 'name', 'kind' ('saliency' or 'salient_instances') and the
    # arguments of register_saliency_dataset or register_salient_instances.
    cfg.SOD.DATASETS = []
    # Height and width that a network is tested at; (0, 0) leaves images as they come.
    cfg.SOD.INPUT_SIZE = (0, 0)
    cfg.SOD.ANTIALIAS = False
    # The changes of images in training: mappings of 'type', a class of sod_plugins.transforms, and
    # its arguments.
    cfg.SOD.TRANSFORMS = []
    # File, URL or package of the backbone's own weights, see BackboneAdapter.
    cfg.SOD.BACKBONE_WEIGHTS = ''
    cfg.SOD.NORM_EVAL = False
    # What is decayed, and when channels are removed.
    cfg.SOD.DYNAMIC_WEIGHT_DECAY.enabled = False
    cfg.SOD.PRUNING.enabled = False
    cfg.SOD.EXACT_RESUME = True
    # Whether a training uses the memory format channels-last.
    cfg.SOD.CHANNELS_LAST = False
    # How much of SOLVER's rate the backbone learns by.
    cfg.SOD.BACKBONE_LR_FACTOR = 1.0
    # A class of torch.optim, with SOLVER's rate and weight decay; 'SGD' has SOLVER's momentum too.
    cfg.SOD.OPTIMIZER.type = 'SGD'
