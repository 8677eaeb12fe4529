"""Initialise a classifier with the weights of a saliency network."""

from __future__ import annotations

from mmengine.logging import print_log
from mmengine.model import update_init_info

from sod_plugins.checkpoints import load_network
from sod_plugins.networks import CSFDecoder, CSNet
from sod_plugins.networks.csnet.classifier import weights_at_coarsest
from sod_plugins.openmmlab.errors import LaunchError
from sod_plugins.openmmlab.models.classifiers.image_classifier import ImageClassifier
from sod_plugins.registry import WEIGHT_INITIALIZERS


@WEIGHT_INITIALIZERS.register_module()
class SaliencyWeights:
    """Initialises a CSNet classifier, except for its last layer, from a saliency network.

    In the config of ``sod_plugins.ImageClassifier``, whose backbone is ``sod_plugins.CSNet`` and
    whose neck is ``sod_plugins.CSFNeck``::

        init_cfg = dict(type='sod_plugins.SaliencyWeights', checkpoint='epoch_300.pth')

    Args:
        checkpoint: A checkpoint of ``tools/train.py`` or a network file of this package.
    """

    def __init__(self, checkpoint: str) -> None:
        self.checkpoint = checkpoint

    def __call__(self, module: ImageClassifier) -> None:
        """Load the weights into the ``backbone`` and the ``neck`` of a classifier.

        Raises:
            LaunchError: They do not exist or do not match.
        """
        try:
            network = load_network(self.checkpoint)
            if not isinstance(network, CSNet) or not isinstance(network.decode_head, CSFDecoder):
                raise ValueError(f'{self.checkpoint} holds no CSNet with a fusion part.')
            module.backbone.net.load_state_dict(network.backbone.state_dict())
            module.neck.net.load_state_dict(weights_at_coarsest(network.decode_head))
        except (OSError, ValueError) as error:
            raise LaunchError(f'{error} It is the checkpoint of init_cfg.') from error
        except RuntimeError as error:  # torch lists all weights that do not match
            reason = str(error).splitlines()[-1].strip()
            raise LaunchError(
                f'{self.checkpoint} does not fit the classifier: {reason} Give its backbone and '
                'neck the widths of that network.'
            ) from error
        print_log(f'{type(module).__name__} starts from {self.checkpoint}', 'current')
        update_init_info(module, init_info=f'{type(self).__name__}: {self.checkpoint}')
