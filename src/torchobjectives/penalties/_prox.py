"""Proximal steps, in place: argmin over x of R(x) + ½ Σ (x − w)²/step.

``step`` is a number, or one number per weight: the inverse of the diagonal metric of an adaptive optimizer.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from torchobjectives.penalties._layout import Layout
from torchobjectives.penalties._sharding import Members


class Mix(NamedTuple):
    """R(x) = l1·Σ|x| + ½·l2·Σx² + group·Σ c_g‖x_g‖₂, with x ≥ 0 where ``non_negative``."""

    l1: float = 0.0
    l2: float = 0.0
    group: float = 0.0
    non_negative: bool = False

    def plus(self, other: "Mix") -> "Mix":
        """The sum of both."""
        return Mix(
            self.l1 + other.l1,
            self.l2 + other.l2,
            self.group + other.group,
            self.non_negative or other.non_negative,
        )


def shrink_(weight: Tensor, mix: Mix, step: float | Tensor, groups: "Groups | None" = None) -> None:
    """The proximal step of a mix.

    First the soft threshold, then the group: both orders solve neither, this one solves the sum, in a diagonal metric
    too. The quadratic moves into the metric: h + l2, and the point to h·w/(h + l2).
    """
    if mix.l1 or mix.non_negative:
        soft_threshold_(weight, mix.l1 * step, non_negative=mix.non_negative)
    if mix.l2:
        shrunk = 1 / (1 + mix.l2 * step)
        weight.mul_(shrunk)
        step = step * shrunk
    if mix.group and groups is not None:
        shrink_groups_(weight, mix.group, step, groups)


def soft_threshold_(weight: Tensor, threshold: float | Tensor, *, non_negative: bool = False) -> None:
    """``sign(w)·max(|w| − threshold, 0)``, or ``max(w − threshold, 0)`` where the result must not be negative."""
    if non_negative:
        weight.sub_(threshold).clamp_(min=0)
    elif isinstance(threshold, Tensor):
        # Between −threshold and threshold: with one tensor less than torch.clamp makes for both bounds.
        kept = torch.minimum(weight, threshold)
        weight.sub_(torch.maximum(kept, threshold.neg(), out=kept))
    else:
        torch.ops.aten.softshrink.out(weight, threshold, out=weight)


class Groups(NamedTuple):
    """How a tensor is cut into groups, and what the length of each counts."""

    layout: Layout
    members: Members
    # What the length of a group is multiplied by: √|g|, or 1.
    factor: float

    def squares(self, tensor: Tensor) -> Tensor:
        """``‖x_g‖²`` of each group, in the axes of the groups' view: those within a group have length 1."""
        view, dims = self.layout(tensor)
        each = torch.view_as_real(view).square().sum(-1) if view.is_complex() else view.square()
        return self.members.total(each, dims)


def shrink_groups_(weight: Tensor, coefficient: float, step: float | Tensor, groups: Groups) -> None:
    """The proximal step of ``coefficient·Σ c_g‖x_g‖``."""
    z = groups.layout(weight)
    bound = coefficient * groups.factor
    if isinstance(step, Tensor) and step.ndim:
        z.view.copy_(_in_metric(z.view, groups.layout(step).view, bound, z.dims, groups.members))
        return
    length = groups.squares(weight).sqrt()
    threshold = bound * step
    # Not above the threshold, rather than at most: NaN is neither, and must not become 0.
    z.view.mul_(torch.where(length <= threshold, 0.0, 1 - threshold / length))


# Newton's steps from below converge quadratically and never overshoot: the function is concave.
NEWTON_STEPS = 10


def _in_metric(z: Tensor, step: Tensor, bound: float, dims: int, members: Members) -> Tensor:
    """Each group's argmin of bound·‖x‖ + ½ Σ (x − z)²/step, for which there is no closed form.

    x = z·t/(t + bound·step) with t = ‖x‖, where t solves Σ (z/(t + bound·step))² = 1; x = 0 where that sum is at most
    1 at t = 0. With S the root of the sum, 1/S is concave in t, and linear where the steps of a group are equal.
    """
    pull = bound * step
    # A step of 0 leaves its weight alone; 0/0 says nothing about it.
    scaled = torch.where(z == 0, z, z / pull)
    dead = members.total(scaled.square(), dims) <= 1
    # From below, where no part of the sum is more than 1: nothing overflows, however far apart the steps are.
    t = members.largest(z.abs() - pull, dims).clamp(min=0)
    for _ in range(NEWTON_STEPS):
        # Not z²/(t + pull)²: squares of small numbers are 0.
        part = torch.where(z == 0, 0.0, z / (t + pull)).square()
        square, slope = members.totals(part, part / (t + pull), dims)
        t = t + torch.where(dead, 0.0, (square.sqrt() - 1) * square / slope)
    return torch.where(dead | (z == 0), 0.0, z * (t / (t + pull)))
