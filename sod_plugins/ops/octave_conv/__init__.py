"""Generalized octave convolution, and the implementations of its parts.

* ``reference``: standard operators of torch, which have gradients and can be exported.
* ``rows``: the same operators for inference on a CPU, over long rows of channels-last maps.
* ``compiled``: loops in numba over rows of one image; they need the extra ``numba``.

Which one is used is the caller's choice: :func:`octave_conv` is the reference, the layers of
``sod_plugins.layers.goctconv_fused`` take an ``implementation``, and
:class:`sod_plugins.inference.CompiledCSNet` runs the loops.
"""

from sod_plugins.ops.octave_conv.reference import (
    COARSENINGS,
    Coarsening,
    Maps,
    coarsen,
    octave_conv,
    pooling_cell,
    scale_sizes,
)

__all__ = [
    'COARSENINGS',
    'Coarsening',
    'Maps',
    'coarsen',
    'octave_conv',
    'pooling_cell',
    'scale_sizes',
]
