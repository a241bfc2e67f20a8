"""Full-gradient proximal steps at the end of training."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from torchobjectives._validate import whole
from torchobjectives.penalties._data import Smooth, proximal_value
from torchobjectives.penalties._methods import Carried
from torchobjectives.penalties._sharding import is_sharded
from torchobjectives.penalties._steps import Targets

# The first trial of a step, from which it is doubled or halved; it is soon where it should be.
FIRST_STEP = 1.0
LEAST_STEP = 1e-30


def polish(
    objective: Callable[..., Any],
    model: nn.Module,
    loader: Iterable[Any],
    steps: int,
    terms: list[Carried],
    targets: Targets,
    step: int,
) -> float:
    """Accelerated proximal gradient with backtracking and restarts; returns the objective."""
    whole(steps=steps, low=1)
    if any(is_sharded(parameter) for parameter in model.parameters()):
        raise ValueError(
            "polish takes gradients of whole weights, and those of this model are spread over processes: load its full "
            'state_dict in one process and polish there, or train with method="dual_averaging".'
        )
    smooth = Smooth(objective, model, loader, terms, step)
    weights = [parameter.detach() for parameter in smooth.parameters]
    best, size, inertia = [weight.clone() for weight in weights], FIRST_STEP, 1.0
    value = smooth.value() + proximal_value(terms, step, model)
    ahead = [weight.clone() for weight in weights]
    for _ in range(steps):
        _put(weights, ahead)
        at_point, gradients = smooth.slope()
        size, at_new = _backtracked(smooth, weights, ahead, gradients, at_point, size, targets, step)
        new = at_new + proximal_value(terms, step, model)
        if not new <= value:
            # Momentum has overshot: start again from the best point, without it.
            _put(weights, best)
            ahead, inertia = [weight.clone() for weight in best], 1.0
            continue
        after = (1 + (1 + 4 * inertia**2) ** 0.5) / 2
        ahead = [weight + (inertia - 1) / after * (weight - old) for weight, old in zip(weights, best, strict=True)]
        best, value, inertia = [weight.clone() for weight in weights], new, after
        # The curvature may be less here.
        size *= 1.25
    _put(weights, best)
    return value


def _backtracked(
    smooth: Smooth,
    weights: list[Tensor],
    point: list[Tensor],
    gradients: list[Tensor],
    at_point: float,
    size: float,
    targets: Targets,
    step: int,
) -> tuple[float, float]:
    """Take the largest step, halving it, that stays below its quadratic bound; the weights are moved."""
    while True:
        _put(weights, [p - size * g for p, g in zip(point, gradients, strict=True)])
        with torch.no_grad():
            targets.move_by(size, step)
        value = smooth.value()
        moved = [weight - p for weight, p in zip(weights, point, strict=True)]
        linear = sum(float((g * d).sum()) for g, d in zip(gradients, moved, strict=True))
        square = sum(float(d.square().sum()) for d in moved)
        # Rounding: the bound is met to the digits that the value has.
        slack = 4 * torch.finfo(weights[0].dtype).eps * abs(at_point)
        if value <= at_point + linear + square / (2 * size) + slack or size < LEAST_STEP:
            return size, value
        size /= 2


def _put(weights: list[Tensor], values: list[Tensor]) -> None:
    for weight, value in zip(weights, values, strict=True):
        weight.copy_(value)
