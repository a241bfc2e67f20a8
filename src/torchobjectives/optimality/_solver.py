"""Minimising f + R to high precision: proximal steps find the zeros, a quasi-Newton method does the rest."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from torchobjectives.optimality._distance import distances, largest
from torchobjectives.optimality._problem import Problem, Pull
from torchobjectives.penalties._anchors import difference

# Of each in a round: enough to leave a region, few enough to change over soon.
PROXIMAL_STEPS, QUASI_NEWTON_STEPS = 20, 100
# So many rounds in which the objective does not fall any more are the end.
PATIENCE = 3


class Solved(NamedTuple):
    """Where the minimiser ended."""

    objective: float
    stationarity: float


def solve(problem: Problem, tolerance: float, rounds: int) -> Solved:
    """Move the parameters to a point whose distance to stationarity is at most the tolerance, or as near as it gets."""
    best, waited = float("inf"), 0
    for _ in range(rounds):
        value = problem.proximal_steps(PROXIMAL_STEPS)
        distance = largest(distances(problem))
        waited = 0 if value < best else waited + 1
        if distance <= tolerance or waited == PATIENCE:
            break
        best = min(best, value)
        _quasi_newton(problem, value, tolerance)
    else:
        # Only a proximal step leaves zeros that are zero.
        value = problem.proximal_steps(1)
        distance = largest(distances(problem))
    return Solved(value, distance)


def _quasi_newton(problem: Problem, value: float, tolerance: float) -> None:
    """L-BFGS over the numbers that are at no kink, where f + R is smooth; undone where it does not lower f + R."""
    free = [_free(pull) for pull in problem.pulls]
    weights = [parameter.detach() for parameter in problem.parameters]
    before = [weight.clone() for weight in weights]
    point = nn.Parameter(_gathered(weights, free))
    if not point.numel():
        return
    optimizer = torch.optim.LBFGS(
        [point],
        max_iter=QUASI_NEWTON_STEPS,
        tolerance_grad=tolerance / 10,
        # Smaller than any change: it ends where the value stays the same.
        tolerance_change=torch.finfo(point.dtype).tiny,
        history_size=20,
        line_search_fn="strong_wolfe",
    )

    def closure() -> float:
        _scatter(weights, free, point.detach())
        value, gradients = problem.slope()
        point.grad = _gathered(gradients, free)
        return value

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    _scatter(weights, free, point.detach())
    _keep_signs(problem.pulls, before)
    slack = 4 * torch.finfo(point.dtype).eps * abs(value)
    if not problem.value() <= value + slack:
        for weight, old in zip(weights, before, strict=True):
            weight.copy_(old)


def _free(pull: Pull) -> Tensor:
    """Which numbers of a tensor are at no kink of its terms."""
    free = torch.full_like(pull.weight, pull.own is None, dtype=torch.bool)
    for piece, mix in pull.parts:
        d = difference(pull.weight.detach(), piece.anchor)
        if mix.l1 or mix.non_negative:
            free &= d != 0
        if mix.group and piece.groups is not None:
            z, mask = piece.groups.layout(d), piece.groups.layout(free)
            mask.view.logical_and_(piece.groups.members.total(z.view.square(), z.dims) > 0)
    return free


def _keep_signs(pulls: list[Pull], before: list[Tensor]) -> None:
    """A number that jumped over a kink of L1 stops there: on the other side the slope is another."""
    for pull, old in zip(pulls, before, strict=True):
        for piece, mix in pull.parts:
            if mix.l1 or mix.non_negative:
                now = pull.weight.detach()
                d, was = difference(now, piece.anchor), difference(old, piece.anchor)
                now.copy_(torch.where(d * was < 0, now - d, now))


def _gathered(tensors: list[Tensor], masks: list[Tensor]) -> Tensor:
    first = tensors[0]
    parts = [tensor[mask].to(first) for tensor, mask in zip(tensors, masks, strict=True)]
    return torch.cat(parts)


def _scatter(tensors: list[Tensor], masks: list[Tensor], point: Tensor) -> None:
    sizes = [int(mask.sum()) for mask in masks]
    for tensor, mask, part in zip(tensors, masks, torch.split(point, sizes), strict=True):
        tensor[mask] = part.to(tensor)
