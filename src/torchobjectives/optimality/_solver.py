"""Minimising f + R to high precision: proximal steps find the zeros, a quasi-Newton method does the rest."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from torchobjectives.optimality._distance import distances, largest
from torchobjectives.optimality._problem import Problem, Pull
from torchobjectives.penalties._anchors import difference

# Of each in a round: enough to leave a region, few enough to change over soon.
PROXIMAL_STEPS, QUASI_NEWTON_STEPS = 20, 30
# So many rounds in which the objective does not fall any more are the end.
PATIENCE = 3


class Solved(NamedTuple):
    """Where the minimiser ended."""

    objective: float
    stationarity: float


def measured(problem: Problem) -> Solved:
    """The point where the parameters are."""
    return Solved(problem.value(), largest(distances(problem)))


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
        value = _quasi_newton(problem, value, tolerance)
        distance = largest(distances(problem))
        if distance <= tolerance:
            break
    return Solved(value, distance)


def _quasi_newton(problem: Problem, value: float, tolerance: float) -> float:
    """L-BFGS over the numbers that are at no kink, where f + R is smooth; undone where it does not lower f + R.

    |d| counts as d times the sign that it begins with, so that no line search stumbles over a kink; what comes out
    with another sign stops at 0. What is 0 stays exactly 0. Returns f + R.
    """
    free = [_free(pull) for pull in problem.pulls]
    weights = [parameter.detach() for parameter in problem.parameters]
    before = [weight.clone() for weight in weights]
    signs = [
        (place, piece.anchor, mix.l1, difference(weights[place], piece.anchor).sign())
        for place, pull in enumerate(problem.pulls)
        for piece, mix in pull.parts
        if mix.l1
    ]
    point = nn.Parameter(_gathered(weights, free))
    if not point.numel():
        return value
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
        for place, anchor, l1, sign in signs:
            d = difference(weights[place], anchor)
            value += l1 * float((sign * d - d.abs()).sum())
            gradients[place].add_(l1 * (sign - d.sign()))
        point.grad = _gathered(gradients, free)
        return value

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    _scatter(weights, free, point.detach())
    _keep_signs(problem.pulls, before)
    new = problem.value()
    if new <= value + 4 * torch.finfo(point.dtype).eps * abs(value):
        return new
    for weight, old in zip(weights, before, strict=True):
        weight.copy_(old)
    return value


def _free(pull: Pull) -> Tensor:
    """Which numbers of a tensor are at no kink of its terms."""
    free = torch.full_like(pull.weight, pull.own is None, dtype=torch.bool)
    for piece, mix in pull.parts:
        d = difference(pull.weight.detach(), piece.anchor)
        if mix.l1 or mix.non_negative:
            free &= d != 0
        if mix.group and piece.groups is not None:
            piece.groups.layout(free).view.logical_and_(piece.groups.squares(d) > 0)
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
