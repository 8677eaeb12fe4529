"""Refine saliency maps by the colours of the image, with a fully connected CRF."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class DenseCRF:
    r"""The fully connected CRF of Krähenbühl and Koltun (NIPS 2011), for two labels.

    Every pixel i has a position p_i (in pixels) and a colour c_i (RGB, 0 to 255). Every pair of
    pixels is connected by a Potts edge with the weight

    ``k(i, j) = w_a k_a(i, j) + w_s k_s(i, j)``, with the appearance kernel
    ``k_a = exp(-|p_i - p_j|² / 2 theta_alpha² - |c_i - c_j|² / 2 theta_beta²)`` and the smoothness
    kernel ``k_s = exp(-|p_i - p_j|² / 2 theta_gamma²)``,

    Both are normalised symmetrically (K becomes D^-1/2 K D^-1/2, with D its row sums), so that the
    weights have the same meaning for images of any size. The unary term is the log-odds of the map,
    and the result is the probability after a number of parallel mean-field updates. The library
    ``pydensecrf2`` computes it by filtering on the permutohedral lattice. On images reduced to 64
    pixels its maps differ from those of the exact O(n²) updates by 0.002 on average, and by up to
    0.7 at single pixels (``benchmarks/crf.py``).

    The default weights and ranges are the values commonly used in salient object detection. Papers
    that report a "+CRF" row seldom state theirs, and ITDBU does not.

    Args:
        appearance_weight: w_a.
        theta_alpha: Range of the appearance kernel in position, in pixels of the image.
        theta_beta: Range of the appearance kernel in colour, in levels of 0 to 255.
        smoothness_weight: w_s.
        theta_gamma: Range of the smoothness kernel, in pixels.
        iterations: Number of mean-field updates.
        floor: Saliency is clamped to [floor, 1 - floor], so that even a certain network can be
            corrected.

    Raises:
        ImportError: The library is not installed.
        ValueError: A parameter is out of its range.
    """

    appearance_weight: float = 3.0
    theta_alpha: float = 60.0
    theta_beta: float = 8.0
    smoothness_weight: float = 3.0
    theta_gamma: float = 5.0
    iterations: int = 5
    floor: float = 1e-3

    def __post_init__(self) -> None:
        for name in ('theta_alpha', 'theta_beta', 'theta_gamma'):
            if not getattr(self, name) > 0:
                raise ValueError(f'{name} is {getattr(self, name)}. Pass a range above 0.')
        for name in ('appearance_weight', 'smoothness_weight', 'iterations'):
            if not getattr(self, name) >= 0:
                raise ValueError(f'{name} is {getattr(self, name)}. Pass 0 or more.')
        if not 0 < self.floor < 0.5:
            raise ValueError(f'floor is {self.floor}. Pass a probability between 0 and 0.5.')
        _library()

    def refine(
        self, image: npt.NDArray[np.uint8], saliency: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.float32]:
        """Refine a map along the edges of the image.

        Args:
            image: RGB image ``(H, W, 3)``, uint8.
            saliency: Map ``(H, W)`` in [0, 1].

        Returns:
            Map ``(H, W)`` in [0, 1], float32.

        Raises:
            ValueError: The two differ in size, or the image is not RGB in uint8.
        """
        if image.dtype != np.uint8 or image.shape != (*saliency.shape, 3):
            raise ValueError(
                f'The image has type {image.dtype} and shape {image.shape}, the saliency map shape '
                f'{saliency.shape}. Pass RGB as uint8 (H, W, 3) and a map (H, W) of its size.'
            )
        height, width = saliency.shape
        salient = np.clip(saliency.astype(np.float64), self.floor, 1 - self.floor).ravel()
        crf = _library().DenseCRF2D(width, height, 2)
        crf.setUnaryEnergy(-np.log(np.stack([1 - salient, salient])).astype(np.float32))
        if self.smoothness_weight:
            crf.addPairwiseGaussian(sxy=self.theta_gamma, compat=self.smoothness_weight)
        if self.appearance_weight:
            crf.addPairwiseBilateral(
                sxy=self.theta_alpha,
                srgb=self.theta_beta,
                rgbim=image.copy(),  # the library accepts neither read-only nor strided arrays
                compat=self.appearance_weight,
            )
        refined: npt.NDArray[np.float32] = np.array(crf.inference(self.iterations))[1]
        return refined.reshape(height, width)


def _library() -> Any:
    try:
        from pydensecrf import densecrf
    except ImportError as error:
        raise ImportError(
            "The CRF needs pydensecrf2, which is not installed: pip install 'sod-plugins[crf]'."
        ) from error
    return densecrf
