"""Feature extractors; they need mmengine alone."""

from sod_plugins.openmmlab.models.backbones.csnet import CSNet

__all__ = ['CSNet']
