r"""Losses for numbers that a wild target moves less than the squared error: one value per element.

Throughout, :math:`d` = y_pred − y_true.
"""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor

from torchobjectives import _validate
from torchobjectives._loss import Loss
from torchobjectives._reduction import Reduction, full_precision, prepare, reduce
from torchobjectives._spec import Spec


@full_precision
def barron_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    alpha: float | Tensor = 1.0,
    scale: float | Tensor = 1.0,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Barron's general robust loss: one family from squared error to Welsch, with robustness as a number.

    .. math:: \ell = \frac{|\alpha-2|}{\alpha}\left[\left(\frac{(d/c)^2}{|\alpha-2|} + 1\right)^{\alpha/2} - 1\right]

    with the limits ½(d/c)² at α = 2, log(1 + ½(d/c)²) at 0 (Cauchy), 2(d/c)²/((d/c)² + 4) at −2
    (Geman-McClure), 1 − exp(−½(d/c)²) at −∞ (Welsch) and exp(½(d/c)²) − 1 at +∞.
    One value per element, without unit; the scale c has y_true's unit.

    Args:
        y_pred: any real numbers, any shape.
        y_true: the same shape.
        alpha: the shape of the loss, ±inf included; a tensor (finite, such as a learnable parameter)
            must broadcast to y_pred's shape.
        scale: the scale c > 0, a number or a tensor likewise.
        weight: weights ≥ 0 of y_true's shape or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"`` (Σwℓ/Σw), ``"sum"`` or ``"none"``.

    Raises:
        ValueError: shapes differ, a weight is negative, ``alpha`` is NaN, or ``scale`` ≤ 0.
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import barron_loss
    >>> barron_loss(torch.tensor([0.5, -1.0, 2.0, 0.0]), torch.tensor([0.0, 1.0, 2.5, 0.0]), alpha=-2.0)
    tensor(0.3088)

    Source: Barron, A General and Adaptive Robust Loss Function (2019), equations 1 and 8.

    Elsewhere: the paper's reference code has the same values. A lone learnable ``alpha`` falls without bound,
    for a smaller one costs less: the paper's adaptive form adds the log-partition, which is not part of this loss.
    kornia's Charbonnier is the case α = 1.
    """
    _validate.positive.tensors(scale=scale)
    if isinstance(alpha, Tensor) or alpha not in (math.inf, -math.inf):
        _validate.finite.tensors(alpha=alpha)
    y_pred, y_true, w = prepare(y_pred, y_true, weight, mask)
    squared = ((y_pred - y_true) / _validate.like("scale", scale, y_pred)).square()
    if isinstance(alpha, Tensor):
        return reduce(_barron(squared, _validate.like("alpha", alpha, y_pred)), w, reduction)
    # Beyond what the dtype holds a number is infinite.
    largest = torch.finfo(squared.dtype).max
    if alpha > largest:
        values = torch.expm1(squared / 2)
    elif alpha < -largest:
        values = -_expm1(-squared / 2)
    else:
        values = squared / 2 if alpha == 2 else _barron(squared, alpha)
    return reduce(values, w, reduction)


def _barron(squared: Tensor, alpha: float | Tensor) -> Tensor:
    """The general case with b = |α−2|, L = log1p(squared/b), t = αL/2, as (b/α)·expm1(t).

    Near t = 0, where that is 0/0, as (b/2)·L·(1 + t/2 + t²/6 + …). Exact at α = 0 and, because b is held above 0,
    to a few ulps at α = 2; both with the derivative with respect to α that a learnable α needs.
    """
    alpha = torch.as_tensor(alpha, dtype=squared.dtype, device=squared.device)
    b = (alpha - 2).abs().clamp(min=torch.finfo(squared.dtype).eps ** 2)
    log = torch.log1p(squared / b)
    t = alpha * log / 2
    small = t.abs() < 0.05
    series = 1 + t / 2 * (1 + t / 3 * (1 + t / 4 * (1 + t / 5 * (1 + t / 6 * (1 + t / 7 * (1 + t / 8))))))
    elsewhere = b / torch.where(small, 1.0, alpha) * _expm1(torch.where(small, 0.0, t))
    return torch.where(small, b / 2 * log * torch.where(small, series, 1.0), elsewhere)


def _expm1(t: Tensor) -> Tensor:
    """``torch.expm1``, whose slope torch takes as the value + 1: nothing is left of it where the value is near −1."""
    low = t < -1
    return torch.where(low, torch.exp(torch.where(low, t, 0.0)) - 1, torch.expm1(torch.where(low, 0.0, t)))


@final
class BarronLoss(Loss):
    """Class form of :func:`barron_loss`; an ``nn.Parameter`` given as ``alpha`` or ``scale`` is trained."""

    function = staticmethod(barron_loss)
    spec = Spec(task="regression", y_pred="real", y_true="real", paper="Barron 2019, arXiv:1701.03077, eq. 1 and 8")

    alpha: float | Tensor = 1.0
    scale: float | Tensor = 1.0
