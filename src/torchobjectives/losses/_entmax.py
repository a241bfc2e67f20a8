"""The α-entmax family: the projection onto sparse probabilities, its Fenchel–Young loss, its links.

For α > 1, p_j = [1 + (α − 1)(x_j − max x − σ)]₊^{1/(α − 1)}, with the σ that makes p sum to 1. α = 2 is sparsemax;
as α → 1, p becomes softmax and σ the logsumexp of x − max x.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import torch
from torch import Tensor

from torchobjectives._link import SOFTMAX, Link, class_axis
from torchobjectives.losses._softmax import Classes, along, one_hot, over_classes


class _Projection(NamedTuple):
    """p (N, C, …), its slope s = p^(2 − α) where p > 0, σ and max x (N, 1, …); all constants to autograd."""

    p: Tensor
    s: Tensor
    sigma: Tensor
    top: Tensor


def _powers(t: Tensor, sigma: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """The probabilities and slopes that a σ gives, for t = x − max x."""
    excess = (alpha - 1) * (t - sigma)
    if alpha == 2:
        p = (1 + excess).clamp(min=0)
        return p, (p > 0).to(p.dtype)
    if alpha == 1.5:
        root = (1 + excess).clamp(min=0)
        return root * root, root
    log_p = torch.log1p(excess.clamp(min=-1)) / (alpha - 1)
    p = log_p.exp()
    # For α > 2 the slope is infinite at p = 0; a bound keeps 0 · s a 0.
    return p, torch.where(p > 0, ((2 - alpha) * log_p).exp().clamp(max=torch.finfo(p.dtype).max ** 0.25), 0.0)


def _by_sorting(t: Tensor, alpha: float, axis: int) -> Tensor:
    """The exact σ for α = 2 (Held et al. 1974) and α = 1.5: the classes above the edge are the first ones sorted."""
    z = t.sort(axis, descending=True).values
    rank = along(torch.arange(1, t.shape[axis] + 1, device=t.device, dtype=t.dtype), t, axis)
    total = z.cumsum(axis)
    if alpha == 2:
        above = rank * z + 1 > total
        edge = (total - 1) / rank
    else:
        mean = total / rank / 2
        spread = (z * z).cumsum(axis) / 4 - rank * mean * mean
        edge = mean - ((1 - spread) / rank).clamp(min=0).sqrt()
        above = edge < z / 2
    count = above.sum(axis, keepdim=True).clamp(min=1)
    return (edge.gather(axis, count - 1) + 1) / (alpha - 1)


def _by_bisection(t: Tensor, alpha: float, axis: int) -> tuple[Tensor, float]:
    """A σ just below the true one, and how far above it that may be; a fixed number of steps."""
    low = torch.zeros_like(t.narrow(axis, 0, 1))
    width = -math.expm1((1 - alpha) * math.log(t.shape[axis])) / (alpha - 1)
    bits = 1 - int(math.log2(torch.finfo(t.dtype).eps))
    # Up to α = 2 the sum of p is convex in σ, so that Newton's steps from below need only a start; beyond, a class
    # at the edge is infinitely steep.
    for _ in range(bits // 2 + 1 if alpha <= 2 else bits + 6):
        width = width / 2
        total = (
            (torch.log1p(((alpha - 1) * (t - low - width)).clamp(min=-1)) / (alpha - 1)).exp().sum(axis, keepdim=True)
        )
        low = torch.where(total >= 1, low + width, low)
    return low, width


def _project(x: Tensor, alpha: float, axis: int) -> _Projection:
    x = x.detach()
    top = x.amax(axis, keepdim=True)
    # A class this far below the highest has p = 0 in any case: all numbers stay small.
    t = (x - top).clamp(min=-1 / (alpha - 1))
    if alpha in (1.5, 2):
        sigma, low, steps = _by_sorting(t, alpha, axis), None, 1
    else:
        low, width = _by_bisection(t, alpha, axis)
        sigma, steps = low, 4
    for _ in range(steps):
        p, s = _powers(t, sigma, alpha)
        sigma = sigma + (p.sum(axis, keepdim=True) - 1) / s.sum(axis, keepdim=True)
        if low is not None:
            sigma = sigma.clamp(min=low, max=low + width)
    p, s = _powers(t, sigma, alpha)
    # What is missing from 1 belongs to the steepest classes, whose p the last bit of σ moves most (α > 2, at the edge).
    p = (p + s * ((1 - p.sum(axis, keepdim=True)) / s.sum(axis, keepdim=True))).clamp(min=0)
    return _Projection(p, s, sigma, top)


def _own_value(x: Tensor, index: Tensor, alpha: float, found: _Projection, powers: Tensor) -> Tensor:
    """The loss of the class ``index`` per unit, from p^α; relatively exact where its p is near 1."""
    axis = class_axis(x)
    gap = x.detach().gather(axis, index.unsqueeze(axis)) - found.top
    value = found.sigma - gap - (1 - powers.sum(axis, keepdim=True)) / alpha
    own = one_hot(index, x)
    rest = found.p.masked_fill(own, 0.0).sum(axis, keepdim=True)
    near = rest < 0.5
    held = torch.where(near, rest, 0.0)
    log = (alpha - 1) * torch.log1p(-held) + torch.log1p((alpha - 1) * held)
    small = powers.masked_fill(own, 0.0).sum(axis, keepdim=True) / alpha - torch.expm1(log) / (alpha * (alpha - 1))
    return torch.where(near, small, value).squeeze(axis)


def _own_loss(x: Tensor, index: Tensor, alpha: float) -> Tensor:
    axis = class_axis(x)
    found = _project(x, alpha, axis)
    own = x.gather(axis, index.unsqueeze(axis)).squeeze(axis)
    value = _own_value(x, index, alpha, found, found.p.pow(alpha))
    return value + (_curve(x, found, axis).squeeze(axis) - (own - own.detach()))


def _all_losses(x: Tensor, alpha: float) -> Tensor:
    axis = class_axis(x)
    found = _project(x, alpha, axis)
    powers = found.p.pow(alpha)
    values = found.sigma - (x.detach() - found.top) - (1 - powers.sum(axis, keepdim=True)) / alpha
    best = found.p.argmax(axis)
    values = torch.where(one_hot(best, x), _own_value(x, best, alpha, found, powers).unsqueeze(axis), values)
    return values + (_curve(x, found, axis) - (x - x.detach()))


def _curve(x: Tensor, found: _Projection, axis: int) -> Tensor:
    """0, with the slope p and the curvature diag(s) − ss'/Σs: Taylor's second-order polynomial at x.

    The threshold never enters the graph: the slope is p − y to the last bit, and finite at every tie. (Third
    derivatives come out as 0, which is right for sparsemax alone.)
    """
    change = torch.where(found.p != 0, x - x.detach(), 0.0)  # NaN is no 0
    bent = found.s * change
    square = (bent * change).sum(axis, keepdim=True) - bent.sum(axis, keepdim=True).square() / found.s.sum(
        axis, keepdim=True
    )
    return (found.p * change).sum(axis, keepdim=True) + square / 2


def entmax_values(given: Classes, alpha: float) -> Tensor:
    """The Fenchel–Young loss of the α-entropy, class weights included; see :func:`over_classes`."""
    return over_classes(lambda x, k: _own_loss(x, k, alpha), lambda x: _all_losses(x, alpha), given)


def _entmax(x: Tensor, alpha: float) -> Tensor:
    """The α-entmax of logits, differentiable once."""
    axis = class_axis(x)
    found = _project(x, alpha, axis)
    change = found.s * torch.where(found.p > 0, x - x.detach(), 0.0)
    share = found.s / found.s.sum(axis, keepdim=True)
    return found.p + (change - share * change.sum(axis, keepdim=True))


def _outputs(num_classes: int | None, alpha: float) -> int:
    return SOFTMAX.outputs(num_classes)


SPARSEMAX = Link("sparsemax", functools.partial(_entmax, alpha=2.0), SOFTMAX.outputs)
ENTMAX = Link("α-entmax", _entmax, _outputs, ("alpha",))
