"""Feature extractors; they need mmengine alone."""

from sod_plugins.openmmlab.models.backbones.csnet import CSNet
from sod_plugins.openmmlab.models.backbones.samnet import SAMNet

__all__ = ['CSNet', 'SAMNet']
