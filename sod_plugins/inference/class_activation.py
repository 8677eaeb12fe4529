"""Class activation maps: where a classifier finds a class in an image."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from sod_plugins.inference.inputs import PredictorInput, check_image
from sod_plugins.networks import CSNetClassifier
from sod_plugins.ops import resize_bilinear


@torch.inference_mode()
def class_activation(
    classifier: CSNetClassifier, image: PredictorInput, label: int | None = None
) -> tuple[NDArray[np.float32], int, float]:
    """Return the class activation map (CSNet, Fig. 9) at the size of the image.

    Args:
        classifier: The classifier, in evaluation mode.
        image: As for :meth:`SaliencyPredictor.predict`.
        label: Class index; by default that of the highest score.

    Returns:
        The map (H, W), whose mean before resizing is the logit minus its bias; the class index; and
        its probability.

    Raises:
        DataError: The file cannot be read as an image.
        ValueError: The class does not exist.
    """
    photo = check_image(image)
    weight = classifier.classifier.weight
    if label is not None and not 0 <= label < len(weight):
        raise ValueError(f'There is no class {label}: the classifier has 0 to {len(weight) - 1}.')
    maps = classifier.activation_maps(classifier.preprocessing.apply(photo).to(weight))
    scores = (maps.mean((2, 3)) + classifier.classifier.bias)[0].softmax(0)
    if label is None:
        label = int(scores.argmax())
    resized = resize_bilinear(maps[:, label : label + 1], (photo.shape[0], photo.shape[1]))
    return resized[0, 0].float().cpu().numpy(), label, float(scores[label])
