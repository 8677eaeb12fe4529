"""The iterative top-down and bottom-up decoder of ITDBU, for any pyramid of feature maps.

Paper: Wang et al., "An Iterative and Cooperative Top-down and Bottom-up Inference Network for
Salient Object Detection", CVPR 2019. There is no released code. Where the paper is open, there is
an argument, with a reason for its default.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from sod_plugins._common.arguments import records_arguments
from sod_plugins._common.choices import require_choice
from sod_plugins.layers.conv_rnn import Nonlinearity, State
from sod_plugins.networks.base import SaliencyDecoder
from sod_plugins.networks.itdbu.layers import (
    BOTTOM_UP,
    CELLS,
    TOP_DOWN,
    Cell,
    Concatenation,
    InferenceLayer,
    Place,
    SideOutput,
    TopReadout,
    UnifyingLayer,
    build_cell,
    schedule,
)
from sod_plugins.networks.itdbu.losses import deeper_supervision_loss
from sod_plugins.ops.resize import RESIZE_MODES, ResizeMode, resize

# The parts of the place by which inference layers, or unifying layers, have separate weights.
Sharing = Literal['i', 'ii', 'iii', 'iv']
SHARINGS: dict[Sharing, tuple[str, ...]] = {
    'i': ('direction', 'level', 'iteration'),
    'ii': ('direction', 'level'),
    'iii': ('direction',),
    'iv': (),
}
UnifySharing = Literal['level', 'direction', 'none']
UNIFY_SHARINGS: dict[UnifySharing, tuple[str, ...]] = {
    'level': ('level',),
    'direction': ('direction', 'level'),
    'none': ('direction', 'level', 'iteration'),
}
TopSaliency = Literal['inference', 'readout']
TOP_SALIENCIES: tuple[TopSaliency, ...] = get_args(TopSaliency)
TOP_READOUT = 'top_readout'  # the name of the layer in the latter case


class Visit(NamedTuple):
    """One run of an inference layer: its place, and the names of its weights."""

    place: Place
    layer: str
    unify: str


@records_arguments
class ITDBUDecoder(SaliencyDecoder):
    """Alternate top-down and bottom-up saliency inference over a pyramid (Sec. 3.1, Fig. 3).

    The first saliency map is that of the top level L. Iteration n runs the top-down layers
    S^l = T^l(R^l([U(S^(l+1)), F^l])), l = L - 1 .. 1, and, unless it is the last, the bottom-up
    layers S^l = B^l(R^l([D(S^(l-1)), F^l])), l = 2 .. L (Eq. 4). A layer takes T steps over its
    input and reads out logits at each; the sigmoid of the last ones is passed on. Every pass
    depends on the previous one, so the last map needs all of them, but only their last steps.

    With c_l channels at level l, u unified and h hidden ones, kernel k and G gates (1 for cnn and
    rnn, 3 for gru, 4 for lstm), it has these parameters for N > 1 and T > 1:

    * layers of G h (k² u + 1) + G h (k² h + 1) + h + 1 (without the middle term for cnn):
      (2N - 1)(L - 1) + 1 of them under i, 2L - 1 under ii, 2 under iii and 1 under iv;
    * unifying layers of u (c_l + 3), or u (c_l + 2) without ``unify_norm``, one per level.

    With N = 1 there are no bottom-up layers, and R^L has u fewer weights, those of the saliency map
    that it never gets. With T = 1 and no ``carry_hidden`` the middle term vanishes, because no
    hidden map is ever convolved.

    In training every read-out is supervised at the size of its own level. ``loss_top_down`` and
    ``loss_bottom_up`` (absent for N = 1) are the sums of :func:`deeper_supervision_loss` over the
    side outputs of each direction (Eq. 6).

    Args:
        in_channels: Channels of each map, finest first; any strides.
        cell: ``'gru'`` (best in Tab. 2), ``'rnn'``, ``'lstm'`` or ``'cnn'``.
        iterations: Top-down passes N; N - 1 bottom-up ones are between them (Tab. 3).
        steps: T, the number of steps of each layer; 'cnn' always takes one.
        sharing: Strategy of Fig. 3 (d) to (g). i: no sharing; ii: T^l and B^l are shared over the
            iterations (used in the main tables); iii: one T and one B for all levels; iv: one layer
            for everything.
        unify_channels: Channels after R. None omits R (Eq. 1 and 2), under i and ii only.
        hidden_channels: Channels of the hidden maps.
        kernel_size: Kernel of the cells, odd.
        unify_sharing: ``'level'``: one R per level, since Eq. 4 writes the same R^l in both
            directions; ``'direction'``: one each for T^l and B^l; ``'none'``: separate for each
            iteration too. It applies under every strategy: the differences between the sizes of
            Tab. 5, 46 MB from 21 to 9 layers and 27 MB from 9 to 2, leave no room for more R under
            i than under iii.
        unify_norm: Whether the features' part of R passes through BatchNorm. The paper names none,
            but unnormalised features saturate the cells' tanh, so that neither the features nor the
            saliency map are learned from: on EfficientNet-Lite0, whose maps have standard
            deviations of 3 to 9, two thirds of the hidden values were beyond 0.95. The first
            author's earlier ASNet has BatchNorm in this place.
        top_saliency: How the first S^L is computed. ``'inference'``: by a layer T^L without an
            S^(L+1), because Sec. 3.1 counts T^l up to L, the sizes of Tab. 5 agree with it (2L - 1
            layers under ii), and all side outputs are then alike. ``'readout'``: a 1x1 convolution
            of R^L(F^L), because Eq. 1 has no T^L; it counts as step T.
        carry_hidden: Whether a layer starts from the last state at its level and direction, one
            iteration before. By default each starts from zero: Eq. 5 indexes states only by t.
        upsample: U, a mode of :func:`sod_plugins.ops.resize`; bilinear, as is common in the field.
        downsample: D, another such mode. Bilinear is the mean of 2x2 pixels if a level has exactly
            half the size of the one below; ``'area'`` gives the mean for every ratio.
        detach_saliency: Whether to stop gradients at the input map of a layer. By default they
            flow, because the paper trains end to end.
        nonlinearity: ``'tanh'``, as usual in the cells, or ``'relu'`` ('cnn' always has ReLU). The
            paper names ReLU after R; for the cells it would be a guess.
        with_cp: Whether to recompute each layer in the backward pass (gradient checkpointing). This
            saves memory and does not change the gradients.
        last_step_only: Whether only step T of every layer is supervised (Tab. 6).
        mask_resize: How masks are resized to a level, see :func:`deeper_supervision_loss`.

    Raises:
        ValueError: An argument does not describe a decoder, or the maps do not match it.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        cell: Cell = 'gru',
        iterations: int = 3,
        steps: int = 2,
        sharing: Sharing = 'ii',
        *,
        unify_channels: int | None = 64,
        hidden_channels: int = 16,
        kernel_size: int = 3,
        unify_sharing: UnifySharing = 'level',
        unify_norm: bool = True,
        top_saliency: TopSaliency = 'inference',
        carry_hidden: bool = False,
        upsample: ResizeMode = 'bilinear',
        downsample: ResizeMode = 'bilinear',
        detach_saliency: bool = False,
        nonlinearity: Nonlinearity = 'tanh',
        with_cp: bool = False,
        last_step_only: bool = False,
        mask_resize: ResizeMode = 'area',
    ) -> None:
        super().__init__()
        require_choice('cell', cell, CELLS)
        require_choice('sharing', sharing, SHARINGS)
        require_choice('unify_sharing', unify_sharing, UNIFY_SHARINGS)
        require_choice('top_saliency', top_saliency, TOP_SALIENCIES)
        require_choice('upsample', upsample, RESIZE_MODES)
        require_choice('downsample', downsample, RESIZE_MODES)
        require_choice('mask_resize', mask_resize, RESIZE_MODES)
        if len(in_channels) < 2:
            raise ValueError(f'ITDBU needs at least two levels, got in_channels={in_channels}.')
        counts = {
            'iterations': iterations,
            'steps': steps,
            'hidden_channels': hidden_channels,
            'unify_channels': unify_channels,
        }
        for name, count in counts.items():
            if count is not None and count < 1:
                raise ValueError(f'{name} must be 1 or more, got {count}.')
        if unify_channels is None:
            if sharing in ('iii', 'iv'):
                raise ValueError(
                    f'sharing={sharing!r} shares layers over levels of different channels: it '
                    'needs unify_channels.'
                )
            unify_sharing = 'direction'
        self.in_channels = tuple(in_channels)
        self.out_channels = hidden_channels
        self.steps = 1 if cell == 'cnn' else steps
        self.carry_hidden = carry_hidden and cell != 'cnn'
        self.resize_modes = {'top_down': upsample, 'bottom_up': downsample}
        self.detach_saliency = detach_saliency
        self.with_cp = with_cp
        self.last_step_only = last_step_only
        self.mask_resize = mask_resize
        own, own_unify = SHARINGS[sharing], UNIFY_SHARINGS[unify_sharing]
        self.visits = [
            Visit(place, _name(place, own), _name(place, own_unify))
            for place in schedule(len(in_channels), iterations)
        ]
        if top_saliency == 'readout':
            self.visits[0] = self.visits[0]._replace(layer=TOP_READOUT)
        self.unify = self._build_unify(unify_channels, unify_norm)
        self.layers = self._build_layers(cell, hidden_channels, kernel_size, nonlinearity)

    def _build_unify(self, channels: int | None, norm: bool) -> nn.ModuleDict:
        guided = {visit.unify for visit in self.visits[1:]}  # all but the first take a saliency map
        modules = nn.ModuleDict()
        for place, _, name in self.visits:
            if name not in modules:
                width, with_saliency = self.in_channels[place.level - 1], name in guided
                modules[name] = (
                    Concatenation(width, with_saliency)
                    if channels is None
                    else UnifyingLayer(width, channels, with_saliency, norm)
                )
        return modules

    def _build_layers(
        self, cell: Cell, hidden_channels: int, kernel_size: int, nonlinearity: Nonlinearity
    ) -> nn.ModuleDict:
        continued = {
            visit.layer
            for index, visit in enumerate(self.visits)
            if any(visit.place[:2] == earlier.place[:2] for earlier in self.visits[:index])
        }
        modules = nn.ModuleDict()
        for _, name, unify in self.visits:
            width: int = self.unify[unify].out_channels  # type: ignore[assignment]
            if name == TOP_READOUT:
                modules[name] = TopReadout(width)
            elif name not in modules:
                recurrent = self.steps > 1 or (self.carry_hidden and name in continued)
                modules[name] = InferenceLayer(
                    build_cell(cell, width, hidden_channels, kernel_size, nonlinearity, recurrent)
                )
        return modules

    def forward(self, maps: Sequence[Tensor]) -> Tensor | list[Tensor]:
        """Map (N, C_l, H_l, W_l), finest first, to the logits (N, 1, H_1, W_1) of the last map.

        In training mode, returns the logits of all side outputs, see :meth:`training_outputs`.
        """
        if self.training:
            return self.training_outputs(maps)
        *_, (_, logits) = self._run(maps, every_step=False)
        return logits[-1]

    def training_outputs(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Return logits (N, 1, H_l, W_l) of all side outputs, in the order of inference."""
        return [output.logits for output in self.side_outputs(maps, self.last_step_only)]

    def side_outputs(
        self, maps: Sequence[Tensor], last_step_only: bool = False
    ) -> list[SideOutput]:
        """Return the map of every level, direction, iteration and step, in the order of inference.

        The last one is the output of the network.

        Args:
            maps: Features (N, C_l, H_l, W_l), finest first.
            last_step_only: Whether to omit the read-outs before step T.
        """
        logits = [x for _, steps in self._run(maps, every_step=not last_step_only) for x in steps]
        return self.labelled(logits, last_step_only)

    def labelled(self, logits: Sequence[Tensor], last_step_only: bool) -> list[SideOutput]:
        """Label the logits of all side outputs, given in the order of inference."""
        places = [
            (*visit.place, step)
            for visit in self.visits
            for step in range(1, self.steps + 1)
            if step == self.steps or not (last_step_only or visit.layer == TOP_READOUT)
        ]
        return [
            SideOutput(level, direction, iteration, step, x)
            for (direction, level, iteration, step), x in zip(places, logits, strict=True)
        ]

    def losses(
        self, outputs: Sequence[Tensor], masks: Tensor, ignore_value: float | None = None
    ) -> dict[str, Tensor]:
        """Sum the losses of each direction; see :meth:`SaliencyDecoder.losses`."""
        sides = self.labelled(outputs, self.last_step_only)
        by_direction = {
            name: [side for side in sides if side.direction == name]
            for name in (TOP_DOWN, BOTTOM_UP)
        }
        return {
            f'loss_{name}': deeper_supervision_loss(
                chosen, masks, mask_resize=self.mask_resize, ignore_value=ignore_value
            )
            for name, chosen in by_direction.items()
            if chosen
        }

    def _run(
        self, maps: Sequence[Tensor], every_step: bool
    ) -> Iterator[tuple[Place, list[Tensor]]]:
        """Yield the logits of each visit, at every step or only at the last."""
        if len(maps) != len(self.in_channels):
            raise ValueError(f'ITDBU needs {len(self.in_channels)} maps, got {len(maps)}.')
        last_use = {visit.unify: visit for visit in self.visits}
        projected: dict[str, Tensor] = {}
        states: dict[tuple[str, int], State] = {}
        saliency: Tensor | None = None
        for visit in self.visits:
            place, _, unify = visit
            spot = place.direction, place.level
            if unify not in projected:
                project: Callable[[Tensor], Tensor] = self.unify[unify].project  # type: ignore[assignment]
                projected[unify] = project(maps[place.level - 1])
            features = projected[unify]
            if last_use[unify] is visit:
                del projected[unify]
            if saliency is not None:
                size = features.shape[-2], features.shape[-1]
                saliency = resize(saliency, size, self.resize_modes[place.direction])
            inputs = (visit, features, saliency, states.get(spot), every_step)
            if self.with_cp and torch.is_grad_enabled():
                logits, state = checkpoint(
                    self._infer, *inputs, use_reentrant=False, preserve_rng_state=False
                )
            else:
                logits, state = self._infer(*inputs)
            if self.carry_hidden:
                states[spot] = state
            yield place, logits
            saliency = logits[-1].sigmoid()
            if self.detach_saliency:
                saliency = saliency.detach()

    def _infer(
        self,
        visit: Visit,
        features: Tensor,
        saliency: Tensor | None,
        state: State | None,
        every_step: bool,
    ) -> tuple[list[Tensor], State]:
        x = self.unify[visit.unify](features, saliency)
        result: tuple[list[Tensor], State] = self.layers[visit.layer](
            x, state, self.steps, every_step
        )
        return result


def _name(place: Place, parts: Sequence[str]) -> str:
    """Return the name of the weights shared by places that agree in these parts."""
    values = {part: getattr(place, part) for part in parts}
    return '_'.join(v if isinstance(v, str) else f'{k}{v}' for k, v in values.items()) or 'shared'
