"""CSNet as an image classifier, to study what a saliency network knows about categories."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from sod_plugins.networks.backbones.csnet import CSNetBackbone
from sod_plugins.networks.base import DescribedNetwork, Parts
from sod_plugins.networks.classification import PooledClassifier
from sod_plugins.networks.csnet.decoder import CrossStageFusion, CSFDecoder
from sod_plugins.networks.csnet.network import CSNet
from sod_plugins.networks.registry import register_network


@register_network
class CSNetClassifier(DescribedNetwork):
    """CSNet as a classifier (Sec. 5.1.2): fusion to the lowest resolution, then GAP and FC.

    All layers but the last have the same shapes as in the saliency network, so that training on
    either task can start from the weights of the other.

    Args:
        network: The CSNet from whose weights it starts, without sharing them; use a new one for a
            classifier from scratch. A pruned CSNet gives a pruned classifier.
        num_classes: Number of classes.

    Attributes:
        arguments: Constructor arguments of the CSNet.
        preprocessing: Input size and normalisation.

    Raises:
        ValueError: The CSNet has no fusion part.
    """

    task = 'classes'
    parts: ClassVar[Parts] = {
        'backbone': CSNetBackbone,
        'neck': CrossStageFusion,
        'classifier': nn.Linear,
    }

    def __init__(self, network: CSNet, num_classes: int) -> None:
        super().__init__()
        self.arguments = network.arguments
        self.preprocessing = network.preprocessing
        decoder = network.decode_head
        if not isinstance(decoder, CSFDecoder):
            raise ValueError('A CSNet without fusion part (fuse_stages=()) makes no classifier.')
        self.backbone = CSNet(**network.arguments).backbone
        self.neck = CrossStageFusion(
            self.backbone.out_channels,
            decoder.fuse_channels,
            decoder.dilated_channels,
            decoder.channels,
            out_scale=-1,
            weight_scale=network.arguments['weight_scale'],
        )
        self.classifier = PooledClassifier(decoder.channels, num_classes)
        weight = next(network.parameters())
        self.to(weight.device, weight.dtype).train(network.training)
        self.backbone.load_state_dict(network.backbone.state_dict())
        self.neck.load_state_dict(weights_at_coarsest(decoder))

    def described_arguments(self) -> dict[str, Any]:
        """Return the CSNet's arguments and the number of classes."""
        return {**self.arguments, 'num_classes': self.classifier.out_features}

    @classmethod
    def from_arguments(cls, arguments: Mapping[str, Any]) -> CSNetClassifier:
        """Build a classifier from the CSNet's arguments and the number of classes."""
        network = {name: value for name, value in arguments.items() if name != 'num_classes'}
        return cls(CSNet(**network), arguments['num_classes'])

    @classmethod
    def arguments_of_parts(cls, parts: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments of :meth:`from_arguments` for a classifier of these parts."""
        network = {'backbone': parts['backbone'], 'decode_head': parts['neck']}
        arguments = CSNet.arguments_of_parts(network)
        return {**arguments, 'num_classes': parts['classifier'].out_features}

    def forward(self, images: Tensor) -> Tensor:
        """Map normalised images (N, 3, H, W) to logits (N, num_classes)."""
        logits: Tensor = self.classifier(self.features(images))
        return logits

    def features(self, images: Tensor) -> Tensor:
        """Map normalised images to the features (N, C, h, w) before pooling."""
        fused: Tensor = self.neck(self.backbone(images))
        return fused

    def activation_maps(self, images: Tensor) -> Tensor:
        """Map normalised images to the class activation maps (N, num_classes, h, w) of Fig. 9.

        These are the features weighted by the last layer (Zhou et al., CVPR 2016): the mean of a
        map over its positions is the logit of its class, minus the bias.
        """
        return torch.einsum('kc,nchw->nkhw', self.classifier.weight, self.features(images))

    def to_saliency(self) -> CSNet:
        """Return the CSNet with these weights and a newly initialised 1x1 classifier."""
        weight = self.classifier.weight
        network = CSNet(**self.arguments).to(weight.device, weight.dtype)
        network.preprocessing = self.preprocessing
        state = network.state_dict()
        state |= {f'backbone.{key}': value for key, value in self.backbone.state_dict().items()}
        scale = len(self.neck.dilated_widths) - 1
        for key, value in self.neck.state_dict().items():
            state[f'decode_head.{_moved(key, scale, 0)}'] = value
        network.load_state_dict(state)
        return network.train(self.training)


def weights_at_coarsest(decoder: CSFDecoder) -> dict[str, Tensor]:
    """Return a decoder's weights for a :class:`CrossStageFusion` to the coarsest scale.

    The merging gOctConv's normalisation and activation get the index of that scale.
    """
    scale = len(decoder.dilated_widths) - 1
    return {
        _moved(key, 0, scale): value
        for key, value in decoder.state_dict().items()
        if not key.startswith('classifier.')
    }


def _moved(key: str, old: int, new: int) -> str:
    """Move the merging layer's normalisation and activation to another scale."""
    return re.sub(rf'^merge\.(norms|acts)\.{old}\.', rf'merge.\1.{new}.', key)
