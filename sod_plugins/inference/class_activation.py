"""Where a classifier finds a class in a photo: class activation maps as numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from sod_plugins.inference.predictor import check_image
from sod_plugins.networks import CSNetClassifier
from sod_plugins.ops import resize_bilinear


@torch.inference_mode()
def class_activation(
    classifier: CSNetClassifier, image: NDArray[np.uint8] | str | Path, label: int | None = None
) -> tuple[NDArray[np.float32], int, float]:
    """Return where a classifier finds a class (CSNet, Fig. 9), at the photo's size.

    Args:
        classifier: In evaluation mode.
        image: RGB (H, W, 3), uint8, or a file, turned upright as its EXIF orientation says.
        label: Number of the class; by default the one of highest score.

    Returns:
        The map (H, W), whose mean before the resize is the logit less its bias; the number of the
        class; and its probability.

    Raises:
        DataError: The file cannot be read as an image.
        ValueError: There is no such class.
    """
    image = check_image(image)
    weight = classifier.classifier.weight
    if label is not None and not 0 <= label < len(weight):
        raise ValueError(f'There is no class {label}: the classifier has 0 to {len(weight) - 1}.')
    maps = classifier.activation_maps(classifier.preprocessing.apply(image).to(weight))
    scores = (maps.mean((2, 3)) + classifier.classifier.bias)[0].softmax(0)
    if label is None:
        label = int(scores.argmax())
    resized = resize_bilinear(maps[:, label : label + 1], (image.shape[0], image.shape[1]))
    return resized[0, 0].float().cpu().numpy(), label, float(scores[label])
