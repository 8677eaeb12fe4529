"""Dynamic weight decay of normalisation weights (CSNet, Sec. 3.2, Eq. 3 and 4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal, get_args

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from sod_plugins._common.choices import require_choice
from sod_plugins.layers.goctconv import GOctConvNormAct, ILBlock

Metric = Callable[[Tensor], Tensor]

Mode = Literal['gradient', 'decoupled']
MODES: tuple[Mode, ...] = get_args(Mode)
TINY = 1e-30  # far below the pruning threshold (1e-20), far above denormal numbers (1e-38)


def global_average(features: Tensor) -> Tensor:
    """Average features (N, C, H, W) over all positions, in at least float32 (Eq. 4): (N, C)."""
    return features.mean((2, 3), dtype=_at_least_float32(features))


def _at_least_float32(x: Tensor) -> torch.dtype:
    return torch.promote_types(x.dtype, torch.float32)


@dataclass
class _Layer:
    """A normalisation weight (C,), the module whose output it scales, and the metric so far."""

    name: str
    gamma: nn.Parameter
    measured: nn.Module
    total: Tensor
    samples: Tensor

    def reset(self) -> None:
        self.total.zero_()
        self.samples.zero_()


class DynamicWeightDecay:
    """Decay every normalisation weight in proportion to the features that it produces.

    A channel's weight gamma is pulled towards zero with strength weight * M * gamma. M is the batch
    mean of the channel's metric, by default the absolute global average of the feature after
    normalisation and activation::

        decay = DynamicWeightDecay(model, weight=3.0)
        optimizer = torch.optim.Adam(decay.parameter_groups(weight_decay=5e-3), lr=1e-4)
        decay.attach(optimizer)
        ...  # an ordinary loop: the rule acts inside optimizer.step()
        decay.detach()

    Features are measured in every forward pass that records gradients and averaged over all
    samples since the last step. This includes accumulated gradients and, if ``torch.distributed``
    is initialised, the samples of all processes. Under a ``GradScaler`` the rule acts on unscaled
    gradients. Gradient clipping before ``optimizer.step()`` does not see the decay.

    Weights and optimizer moments that decay below 1e-30 are set to exactly zero, because denormal
    numbers (below 1e-38) make many CPUs many times slower.

    Args:
        model: Network that holds the layers.
        layers: Names of normalisation layers, as in ``model.named_modules()``; ``*`` and ``?`` are
            wildcards. The feature is then their own output, through ``activation``. By default the
            layers of all ILBlocks, with the feature after their PReLU.
        weight: Weight lambda_d of the decay (Eq. 3).
        metric: Maps detached features (N, C, H, W) to (N, C).
        mode: ``'gradient'`` adds the decay to the gradient before the optimizer sees it, as the
            authors' released training does. ``'decoupled'`` scales gamma by
            1 - lr * weight * M. Eq. 3 has no learning rate; taken literally it drives gamma
            below 1e-20 within some 500 steps.
        signed: Use the signed average, as Eq. 4 prints it; the released training takes its
            absolute value.
        fusion: Also decay the layers after the gOctConvs of cross-stage fusion parts, as the text
            of the paper suggests; the released training leaves them out.
        activation: Applied to the output of a layer that was named in ``layers``.

    Raises:
        ValueError: No layer is found, a name matches no normalisation layer with a weight, or the
            mode is unknown.
    """

    def __init__(
        self,
        model: nn.Module,
        layers: Sequence[str] | None = None,
        *,
        weight: float = 3.0,
        metric: Metric = global_average,
        mode: Mode = 'gradient',
        signed: bool = False,
        fusion: bool = False,
        activation: Metric | None = None,
    ) -> None:
        require_choice('mode', mode, MODES)
        self.model = model
        self.weight = weight
        self.metric = metric
        self.mode = mode
        self.signed = signed
        self.activation = activation if layers is not None else None
        found = _octave_layers(model, fusion) if layers is None else _named_layers(model, layers)
        self._layers = [
            _Layer(
                name,
                gamma,
                measured,
                torch.zeros_like(gamma.detach(), dtype=_at_least_float32(gamma)),
                torch.zeros((), device=gamma.device),
            )
            for name, gamma, measured in found
        ]
        self._handles: list[RemovableHandle] = []
        self._checked = False

    @property
    def gammas(self) -> dict[str, nn.Parameter]:
        """The weights that the rule decays, by name in the model."""
        return {layer.name: layer.gamma for layer in self._layers}

    def parameter_groups(self, weight_decay: float) -> list[dict[str, Any]]:
        """Group the model's parameters: standard decay for all that the rule does not decay."""
        owned = {id(gamma) for gamma in self.gammas.values()}
        others = [p for p in self.model.parameters() if id(p) not in owned]
        return [
            {'params': others, 'weight_decay': weight_decay},
            {'params': list(self.gammas.values()), 'weight_decay': 0.0},
        ]

    def attach(self, optimizer: torch.optim.Optimizer) -> None:
        """Start measuring features, and act in every step of the optimizer.

        Attach before ``torch.compile`` traces the model: a compiled model does not see later hooks.

        Raises:
            ValueError: The optimizer lacks a weight that the rule decays, or decays it as well.
            RuntimeError: The rule is already attached.
        """
        if self._handles:
            raise RuntimeError('DynamicWeightDecay is attached already: detach() it first.')
        groups = {id(p): group for group in optimizer.param_groups for p in group['params']}
        for name, gamma in self.gammas.items():
            if id(gamma) not in groups:
                raise ValueError(f'The optimizer does not train {name}, which the rule decays.')
            if groups[id(gamma)].get('weight_decay', 0) != 0:
                raise ValueError(
                    f'{name} has a standard weight decay beside the dynamic one: build the '
                    'optimizer from DynamicWeightDecay.parameter_groups() or, in a config, with '
                    "optim_wrapper.constructor='sod_plugins.DynamicWeightDecayConstructor' and the "
                    'same layers.'
                )
        for layer in self._layers:
            self._handles.append(layer.measured.register_forward_hook(self._observer(layer)))
        self._handles.append(optimizer.register_step_pre_hook(self._before_step))
        self._handles.append(optimizer.register_step_post_hook(_drop_tiny))

    def detach(self) -> None:
        """Stop measuring and acting."""
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self.reset()

    def reset(self) -> None:
        """Discard the measurements since the last step.

        Needed only after a step that a ``GradScaler`` skipped.
        """
        for layer in self._layers:
            layer.reset()

    def penalty(self) -> Tensor:
        """Return the loss term whose gradient is the decay: half the sum of M * gamma**2.

        It is unweighted, covers the measurements since the last step, and is meant for logging.
        """
        terms = zip(self._layers, self._means(), strict=True)
        return 0.5 * sum(
            ((mean * layer.gamma.detach() ** 2).sum() for layer, mean in terms),
            start=torch.zeros(()),
        )

    def _observer(self, layer: _Layer) -> Callable[[nn.Module, Any, Tensor], None]:
        def observe(module: nn.Module, inputs: Any, output: Tensor) -> None:
            if not torch.is_grad_enabled():
                return
            with torch.no_grad():
                features = output.detach()
                if self.activation is not None:
                    features = self.activation(features)
                measure = self.metric(features)
                if not self.signed:
                    measure = measure.abs()
                layer.total.add_(measure.sum(0))
                layer.samples.add_(measure.shape[0])

        return observe

    def _means(self) -> list[Tensor]:
        """Return M (C,) of every layer, over the samples of all processes since the last step."""
        totals = [layer.total for layer in self._layers]
        samples = torch.stack([layer.samples for layer in self._layers])
        if dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1:
            flat = torch.cat([*totals, samples])
            dist.all_reduce(flat)
            sizes = [t.numel() for t in totals]
            *totals, samples = torch.split(flat, [*sizes, len(samples)])
        return list(torch._foreach_div(totals, list(samples.clamp(min=1))))

    def _check_measured(self) -> None:
        """Reject a first step without measurements; later steps need not wait for this check."""
        missing = [layer.name for layer in self._layers if not layer.samples]
        if missing:
            raise RuntimeError(
                f'DynamicWeightDecay saw no training forward pass through {missing[0]} before the '
                'first step. Was it attached after torch.compile, or does the model skip the layer?'
            )
        self._checked = True

    @torch.no_grad()
    def _before_step(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        if not self._checked:
            self._check_measured()
        means = self._means()
        gammas: list[Tensor] = [layer.gamma for layer in self._layers]
        if self.mode == 'gradient':
            for gamma in gammas:
                if gamma.grad is None:
                    gamma.grad = torch.zeros_like(gamma)
            grads = [gamma.grad for gamma in gammas if gamma.grad is not None]
            torch._foreach_addcmul_(grads, gammas, means, value=self.weight)
        else:
            rates = {
                id(p): group['lr'] for group in optimizer.param_groups for p in group['params']
            }
            for gamma, mean in zip(gammas, means, strict=True):
                gamma.mul_(1 - rates[id(gamma)] * self.weight * mean)
        self.reset()


@torch.no_grad()
def _drop_tiny(optimizer: torch.optim.Optimizer, *_: Any) -> None:
    """Set weights and moments below ``TINY`` to zero, without waiting for the device."""
    alike: dict[tuple[torch.device, torch.dtype], list[Tensor]] = {}
    for group in optimizer.param_groups:
        for parameter in group['params']:
            for tensor in (parameter, *optimizer.state.get(parameter, {}).values()):
                if not isinstance(tensor, Tensor) or tensor.shape != parameter.shape:
                    continue
                if tensor.is_floating_point():
                    alike.setdefault((tensor.device, tensor.dtype), []).append(tensor)
    for tensors in alike.values():
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        kept = torch.hardshrink(flat, TINY)
        # As in almost every step, where nothing need be written. To ask waits for other devices.
        if flat.device.type == 'cpu' and torch.equal(kept, flat):
            continue
        parts = torch.split(kept, [tensor.numel() for tensor in tensors])
        shaped = [part.view_as(tensor) for part, tensor in zip(parts, tensors, strict=True)]
        torch._foreach_copy_(tensors, shaped)


def _octave_layers(model: nn.Module, fusion: bool) -> list[tuple[str, nn.Parameter, nn.Module]]:
    """Find the normalisation weights of ILBlocks, or of all gOctConvs, and their activations."""
    in_blocks = {
        id(module)
        for block in model.modules()
        if isinstance(block, ILBlock)
        for module in block.modules()
    }
    if not in_blocks:
        raise ValueError(
            f'{type(model).__name__} has no ILBlock: name the normalisation layers to decay in '
            'layers.'
        )
    return [
        (f'{name}.norms.{scale}.weight', weight, act)
        for name, module in model.named_modules()
        if isinstance(module, GOctConvNormAct) and (fusion or id(module) in in_blocks)
        for scale, (norm, act) in enumerate(zip(module.norms, module.acts, strict=True))
        if isinstance(weight := getattr(norm, 'weight', None), nn.Parameter)
    ]


def _named_layers(
    model: nn.Module, patterns: Sequence[str]
) -> list[tuple[str, nn.Parameter, nn.Module]]:
    norms = {
        name: (f'{name}.weight', weight, module)
        for name, module in model.named_modules()
        if hasattr(module, 'eps')
        and isinstance(weight := getattr(module, 'weight', None), nn.Parameter)
    }
    found: dict[str, tuple[str, nn.Parameter, nn.Module]] = {}
    for pattern in patterns:
        matches = {name: norm for name, norm in norms.items() if fnmatchcase(name, pattern)}
        if not matches:
            raise ValueError(
                f'layers: {pattern!r} fits no normalisation layer with a weight in '
                f'{type(model).__name__}.'
            )
        found |= matches
    return list(found.values())
