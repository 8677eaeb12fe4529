"""SSD's head, with working prediction."""

from __future__ import annotations

from mmdet.models import dense_heads

from sod_plugins.registry import MODELS


@MODELS.register_module()
class SSDHead(dense_heads.SSDHead):
    """mmdet's ``SSDHead``, which can be trained but cannot predict, made to do both.

    SSD computes its own classification loss, so mmdet's class builds no ``loss_cls``. But the
    shared prediction code of dense heads asks ``loss_cls`` whether scores need a custom activation,
    and fails with ``AttributeError: 'SSDHead' object has no attribute 'loss_cls'``. Without such a
    loss the answer is no: scores are the softmax over the classes and the background.

    The loss is also mmdet's own, and not a function of the core: it needs the anchors, the coder
    and the assigner that mmdet builds from the config, and PiCANet changes only SSD's neck.

    The arguments are those of mmdet's class.
    """

    loss_cls = None
