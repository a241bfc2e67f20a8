"""How far a gradient is from what the kinks of penalties can balance."""

import math

import torch
from torch import Tensor

from torchobjectives.optimality._problem import Problem, Pull
from torchobjectives.penalties._anchors import difference
from torchobjectives.penalties._norm import slope
from torchobjectives.penalties._penalty import precise


def distances(problem: Problem) -> dict[str, float]:
    """The largest distance in each trainable parameter, by name."""
    _, gradients = problem.smooth_slope()
    return {pull.name: distance(pull, gradient) for pull, gradient in zip(problem.pulls, gradients, strict=True)}


def largest(numbers: dict[str, float]) -> float:
    """The largest number; NaN where there is one."""
    return math.nan if any(map(math.isnan, numbers.values())) else max(numbers.values(), default=0.0)


@torch.no_grad()
def distance(pull: Pull, gradient: Tensor) -> float:
    """The largest distance of −gradient to the sum of the subdifferentials, per number or per group.

    The subdifferential of a sum is the sum of the sets: their points where a term has a slope, the box of L1 at its
    kinks, the ball of a group of zeros. The distance to box + ball is that to the box, less the radius.
    """
    if not gradient.numel():
        return 0.0
    wanted = -precise(gradient)
    if pull.own is not None:
        # A fixed point of the proximal step of size 1, which is at rest where and only where the sum is.
        weight = precise(pull.weight.detach())
        return float((weight - pull.own.prox(weight + wanted, 1.0)).abs().max())
    low = high = torch.zeros_like(wanted.abs())
    outside = torch.zeros_like(low, dtype=torch.bool)
    for piece, mix in pull.parts:
        d = difference(precise(piece.weight.detach()), piece.anchor)
        wanted = wanted - slope(piece, mix)
        high = torch.where(d == 0, high + mix.l1, high)
        low = torch.where(d == 0, -math.inf if mix.non_negative else low - mix.l1, low)
        outside |= (d < 0) & mix.non_negative
    if pull.parts:
        wanted = torch.where(outside, math.inf, wanted - torch.clamp(wanted, low, high))
    return float(_by_group(pull, wanted).max())


def _by_group(pull: Pull, rest: Tensor) -> Tensor:
    """What is left of each group of numbers, or of each number where there are no groups."""
    for piece, mix in pull.parts:
        if mix.group and piece.groups is not None:
            alive = piece.groups.squares(difference(precise(piece.weight.detach()), piece.anchor)) > 0
            radius = torch.where(alive, 0.0, mix.group * piece.groups.factor)
            return (piece.groups.squares(rest).sqrt() - radius).clamp(min=0)
    return rest.abs()
