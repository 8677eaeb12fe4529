"""Salient-object detection components for OpenMMLab and detectron2, and for plain PyTorch."""

__version__ = '0.1.0'
