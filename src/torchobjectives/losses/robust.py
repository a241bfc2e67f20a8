r"""Losses for numbers that a wild target moves less than the squared error: one value per element.

Throughout, :math:`d` = y_pred − y_true.
"""

from __future__ import annotations

import math
from typing import Any, cast, final

import torch
import torch.nn.functional as F
from torch import Tensor

from torchobjectives import _validate
from torchobjectives._loss import Loss
from torchobjectives._reduction import Reduction, full_precision, prepare, reduce
from torchobjectives._spec import Spec


@full_precision
def log_cosh_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Logarithm of the hyperbolic cosine: half the squared error near 0, linear far away, smooth everywhere.

    .. math:: \ell = \log\cosh d

    One value per element. It compares d with 1, so y_true should have about that scale: about ½d² near 0,
    |d| − log 2 far away.

    Args:
        y_pred: any real numbers, any shape.
        y_true: the same shape.
        weight: weights ≥ 0 of y_true's shape or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"`` (Σwℓ/Σw), ``"sum"`` or ``"none"``.

    Raises:
        ValueError: shapes differ, or a weight is negative.
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import log_cosh_loss
    >>> log_cosh_loss(torch.tensor([0.5, -1.0, 2.0, 0.0]), torch.tensor([0.0, 1.0, 2.5, 0.0]))
    tensor(0.3913)

    Source: Saleh and Saleh, Statistical Properties of the log-cosh Loss Function Used in Machine Learning (2022).

    Elsewhere: optax gives the same number but loses it near d = 0, where log 2 is subtracted from log 2: in float32
    0 at d = 1e-4, 5e-9 here; keras likewise. torch and scikit-learn have none.
    """
    y_pred, y_true, w = prepare(y_pred, y_true, weight, mask)
    distance = y_pred - y_true
    # cosh² = 1 + sinh² keeps every digit of a small d, but overflows: where it would, log cosh has the slope 1.
    straight = math.log(torch.finfo(distance.dtype).max) / 4
    beyond = F.relu(distance.abs() - straight)
    values = torch.log1p(torch.sinh(distance.clamp(-straight, straight)).square()) / 2 + beyond
    return reduce(values, w, reduction)


@final
class LogCoshLoss(Loss):
    """Class form of :func:`log_cosh_loss`."""

    function = staticmethod(log_cosh_loss)
    spec = Spec(
        task="regression",
        y_pred="real",
        y_true="real",
        claims=("convex", "robust"),
        use="Regression with some wild targets, where second derivatives are used: Huber without a seam.",
        avoid="Targets whose scale is far from 1: the seam cannot be moved; standardise, or huber_loss with delta.",
        paper="Saleh and Saleh 2022, arXiv:2208.04564",
        cites=("saleh2022logcosh",),
    )


@full_precision
def charbonnier_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    eps: float = 1e-3,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Absolute error with a rounded tip of width ε.

    .. math:: \ell = \sqrt{d^2 + \epsilon^2}

    One value per element. Unit: that of y_true; so is ε's. Least at d = 0, where it is ε and not 0.

    Args:
        y_pred: any real numbers, any shape.
        y_true: the same shape.
        eps: the width of the rounded tip, > 0.
        weight: weights ≥ 0 of y_true's shape or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"`` (Σwℓ/Σw), ``"sum"`` or ``"none"``.

    Raises:
        ValueError: shapes differ, a weight is negative, or ``eps`` ≤ 0.
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import charbonnier_loss
    >>> charbonnier_loss(torch.tensor([0.5, -1.0, 2.0, 0.0]), torch.tensor([0.0, 1.0, 2.5, 0.0]), eps=1.0)
    tensor(1.3680)

    Source: Lai, Huang, Ahuja and Yang, Deep Laplacian Pyramid Networks (2017), section 3.2, after Charbonnier and
    others (1994).

    Elsewhere: kornia's ``charbonnier_loss`` is √(d² + 1) − 1: :func:`barron_loss` with α = 1, or this one with
    ``eps=1`` less 1; its default reduction is ``"none"``.
    """
    _validate.positive(eps=eps)
    y_pred, y_true, w = prepare(y_pred, y_true, weight, mask)
    _validate.survives(y_pred, eps=eps)
    distance = y_pred - y_true
    # Neither the square of a large d overflows nor that of a small ε vanishes.
    return reduce(torch.hypot(distance, distance.new_full((), eps)), w, reduction)


@final
class CharbonnierLoss(Loss):
    """Class form of :func:`charbonnier_loss`."""

    function = staticmethod(charbonnier_loss)
    spec = Spec(
        task="regression",
        y_pred="real",
        y_true="real",
        claims=("convex", "robust"),
        use="Image restoration and flow: an absolute error that is smooth where the prediction is right.",
        avoid="A loss that must be 0 when right: this one is eps there; barron_loss with alpha=1 is 0.",
        paper="Lai, Huang, Ahuja and Yang 2017, arXiv:1704.03915, sec. 3.2",
        cites=("lai2017deep", "charbonnier1994two"),
    )

    eps: float = 1e-3


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
    squared = _squared(y_pred, y_true, scale)
    if isinstance(alpha, Tensor):
        return reduce(_barron(squared, cast(Tensor, _validate.like("alpha", alpha, y_pred))), w, reduction)
    # Beyond what the dtype holds a number is infinite.
    largest = torch.finfo(squared.dtype).max
    if alpha > largest:
        values = torch.expm1(squared / 2)
    elif alpha < -largest:
        values = _welsch(squared)
    else:
        values = squared / 2 if alpha == 2 else _at(squared, alpha)
    return reduce(values, w, reduction)


def _squared(y_pred: Tensor, y_true: Tensor, scale: float | Tensor) -> Tensor:
    _validate.survives(y_pred, scale=scale)
    ratio = (y_pred - y_true) / _validate.like("scale", scale, y_pred)
    # Not ``square``, whose slope 2·ratio may overflow where a loss is flat, and infinity times 0 is NaN.
    return ratio * ratio


def _at(squared: Tensor, alpha: float) -> Tensor:
    """The value at a number α: with b = |α−2|, as (b/α)·expm1(α/2·log1p(squared/b)), or the limit 0/0 at α = 0.

    Where α < 0, ELU is expm1 with the exact slope: that of the quotient is the difference of two near numbers.
    """
    least = torch.finfo(squared.dtype).eps ** 2
    if abs(alpha) < least:
        return torch.log1p(squared / 2)
    b = max(abs(alpha - 2), least)
    t = torch.log1p(squared / b) * (alpha / 2)
    return (torch.expm1(t) if alpha > 0 else F.elu(t)) * (b / alpha)


def _welsch(squared: Tensor) -> Tensor:
    """With ELU as expm1 of what is not positive: its slope is exp, that of ``torch.expm1`` the rounded value + 1."""
    return -F.elu(-squared / 2)


def _barron(squared: Tensor, alpha: Tensor) -> Tensor:
    """The same for a tensor, with L = log1p(squared/b) and t = αL/2.

    Near t = 0, where that is 0/0, as (b/2)·L·(1 + t/2 + t²/6 + …). Exact at α = 0 and, because b is held above 0,
    to a few ulps at α = 2; both with the derivative with respect to α that a learnable α needs.
    """
    b = (alpha - 2).abs().clamp(min=torch.finfo(squared.dtype).eps ** 2)
    log = torch.log1p(squared / b)
    t = alpha * log / 2
    small = t.abs() < 0.05
    series = 1 + t / 2 * (1 + t / 3 * (1 + t / 4 * (1 + t / 5 * (1 + t / 6 * (1 + t / 7 * (1 + t / 8))))))
    elsewhere = b / torch.where(small, 1.0, alpha) * _expm1(torch.where(small, 0.0, t))
    return torch.where(small, b / 2 * log * torch.where(small, series, 1.0), elsewhere)


def _expm1(t: Tensor) -> Tensor:
    """``torch.expm1``, whose slope torch takes as the value + 1: nothing is left of it where the value is near −1.

    ELU is expm1 of what is negative, with the slope exp. At 0 itself there is no slope.
    """
    return torch.expm1(torch.relu(t)) + F.elu(-torch.relu(-t))


@final
class BarronLoss(Loss):
    """Class form of :func:`barron_loss`; an ``nn.Parameter`` given as ``alpha`` or ``scale`` is trained."""

    function = staticmethod(barron_loss)
    spec = Spec(
        task="regression",
        y_pred="real",
        y_true="real",
        claims=("convex", "robust"),
        use="Regression when the right robustness is unknown: alpha runs from squared error to ignoring outliers.",
        avoid="A learnable alpha or scale alone escapes to the cheapest loss: fix it, or add the log-partition.",
        paper="Barron 2019, arXiv:1701.03077, eq. 1 and 8",
        cites=("barron2019general",),
    )

    alpha: float | Tensor = 1.0
    scale: float | Tensor = 1.0


@full_precision
def cauchy_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    scale: float | Tensor = 1.0,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Cauchy (Lorentzian) loss: it grows with the logarithm of the error only. Barron's α = 0.

    .. math:: \ell = \log\left(1 + \tfrac12 (d/c)^2\right)

    One value per element, without unit; the scale c has y_true's unit. The pull of an element is strongest at
    |d| = √2·c and fades beyond.

    Args:
        y_pred: any real numbers, any shape.
        y_true: the same shape.
        scale: the scale c > 0, a number or a tensor that broadcasts to y_pred's shape.
        weight: weights ≥ 0 of y_true's shape or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"`` (Σwℓ/Σw), ``"sum"`` or ``"none"``.

    Raises:
        ValueError: shapes differ, a weight is negative, or ``scale`` ≤ 0.
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import cauchy_loss
    >>> cauchy_loss(torch.tensor([0.5, -1.0, 2.0, 0.0]), torch.tensor([0.0, 1.0, 2.5, 0.0]))
    tensor(0.3335)

    Source: Barron, A General and Adaptive Robust Loss Function (2019), equation 5.

    Elsewhere: kornia gives the same number with c = 1 and has no scale; its default reduction is ``"none"``.
    Least-squares solvers write c²/2·log(1 + (d/c)²): c²/2 times this one at the scale c/√2.
    """
    _validate.positive.tensors(scale=scale)
    y_pred, y_true, w = prepare(y_pred, y_true, weight, mask)
    return reduce(_at(_squared(y_pred, y_true, scale), 0.0), w, reduction)


@final
class CauchyLoss(Loss):
    """Class form of :func:`cauchy_loss`; an ``nn.Parameter`` given as ``scale`` is trained."""

    function = staticmethod(cauchy_loss)
    spec = Spec(
        task="regression",
        y_pred="real",
        y_true="real",
        claims=("robust",),
        use="Regression where wild targets should pull less the wilder they are.",
        avoid="The start of a fit from far away: distant targets hardly pull; huber_loss first, or a larger scale.",
        paper="Barron 2019, arXiv:1701.03077, eq. 5",
        cites=("barron2019general", "black1996robust"),
    )

    scale: float | Tensor = 1.0


@full_precision
def geman_mcclure_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    scale: float | Tensor = 1.0,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Geman-McClure loss: bounded by 2, a wild target is ignored. Barron's α = −2.

    .. math:: \ell = \frac{2 (d/c)^2}{(d/c)^2 + 4}

    One value per element in [0, 2), without unit; the scale c has y_true's unit. Not convex: far targets do not pull.

    Args:
        y_pred: any real numbers, any shape.
        y_true: the same shape.
        scale: the scale c > 0, a number or a tensor that broadcasts to y_pred's shape.
        weight: weights ≥ 0 of y_true's shape or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"`` (Σwℓ/Σw), ``"sum"`` or ``"none"``.

    Raises:
        ValueError: shapes differ, a weight is negative, or ``scale`` ≤ 0.
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import geman_mcclure_loss
    >>> geman_mcclure_loss(torch.tensor([0.5, -1.0, 2.0, 0.0]), torch.tensor([0.0, 1.0, 2.5, 0.0]))
    tensor(0.3088)

    Source: Barron, A General and Adaptive Robust Loss Function (2019), equation 6; Geman and McClure (1985).

    Elsewhere: kornia gives the same number with c = 1 and has no scale; its default reduction is ``"none"``.
    The form x²/(x² + σ²) is half of this one at c = σ/2.
    """
    _validate.positive.tensors(scale=scale)
    y_pred, y_true, w = prepare(y_pred, y_true, weight, mask)
    return reduce(_at(_squared(y_pred, y_true, scale), -2.0), w, reduction)


@final
class GemanMcClureLoss(Loss):
    """Class form of :func:`geman_mcclure_loss`; an ``nn.Parameter`` given as ``scale`` is trained."""

    function = staticmethod(geman_mcclure_loss)
    spec = Spec(
        task="regression",
        y_pred="real",
        y_true="real",
        claims=("robust", "bounded"),
        use="Registration and fits with gross outliers: beyond a few scales a target hardly counts.",
        avoid="The start of a fit from far away: there is no pull; huber_loss first, or a larger scale.",
        paper="Barron 2019, arXiv:1701.03077, eq. 6",
        cites=("barron2019general", "geman1985bayesian"),
    )

    scale: float | Tensor = 1.0


@full_precision
def welsch_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    scale: float | Tensor = 1.0,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Welsch (Leclerc) loss: bounded by 1, a wild target is ignored entirely. Barron's α = −∞.

    .. math:: \ell = 1 - \exp\left(-\tfrac12 (d/c)^2\right)

    One value per element in [0, 1], without unit; the scale c has y_true's unit. Not convex: far targets do not pull.

    Args:
        y_pred: any real numbers, any shape.
        y_true: the same shape.
        scale: the scale c > 0, a number or a tensor that broadcasts to y_pred's shape.
        weight: weights ≥ 0 of y_true's shape or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"`` (Σwℓ/Σw), ``"sum"`` or ``"none"``.

    Raises:
        ValueError: shapes differ, a weight is negative, or ``scale`` ≤ 0.
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import welsch_loss
    >>> welsch_loss(torch.tensor([0.5, -1.0, 2.0, 0.0]), torch.tensor([0.0, 1.0, 2.5, 0.0]))
    tensor(0.2749)

    Source: Barron, A General and Adaptive Robust Loss Function (2019), equation 7; Dennis and Welsch (1978).

    Elsewhere: kornia gives the same number with c = 1 and has no scale; its default reduction is ``"none"``.
    """
    _validate.positive.tensors(scale=scale)
    y_pred, y_true, w = prepare(y_pred, y_true, weight, mask)
    return reduce(_welsch(_squared(y_pred, y_true, scale)), w, reduction)


@final
class WelschLoss(Loss):
    """Class form of :func:`welsch_loss`; an ``nn.Parameter`` given as ``scale`` is trained."""

    function = staticmethod(welsch_loss)
    spec = Spec(
        task="regression",
        y_pred="real",
        y_true="real",
        claims=("robust", "bounded"),
        use="Fits with gross outliers that must not count at all, such as false matches.",
        avoid="The start of a fit from far away: the slope is 0 there; cauchy_loss or huber_loss first.",
        paper="Barron 2019, arXiv:1701.03077, eq. 7",
        cites=("barron2019general", "dennis1978techniques"),
    )

    scale: float | Tensor = 1.0


@full_precision
def tukey_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    c: float = 4.685,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Tukey's biweight: half the squared error near 0, constant beyond c.

    .. math:: \ell = \tfrac{c^2}{6}\left[1 - \left(1 - \min\left((d/c)^2, 1\right)\right)^3\right]

    One value per element in [0, c²/6]. Unit: that of y_true, squared; c has y_true's unit. An element beyond c has no
    slope at all; with normal errors of standard deviation 1 the default keeps 95 % of least squares' efficiency.

    Args:
        y_pred: any real numbers, any shape.
        y_true: the same shape.
        c: where the loss becomes constant, > 0.
        weight: weights ≥ 0 of y_true's shape or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"`` (Σwℓ/Σw), ``"sum"`` or ``"none"``.

    Raises:
        ValueError: shapes differ, a weight is negative, or ``c`` ≤ 0.
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import tukey_loss
    >>> tukey_loss(torch.tensor([0.5, -1.0, 2.0, 0.0]), torch.tensor([0.0, 1.0, 2.5, 0.0]))
    tensor(0.4762)

    Source: Beaton and Tukey, The Fitting of Power Series, Meaning Polynomials (1974), the biweight.

    Elsewhere: neuralforecast's ``TukeyLoss`` (3.3.0) is c²/6·(1 − (d/c)²)³ inside, greatest at d = 0: with
    ``normalize=False`` c²/6 less theirs is this number where no error is beyond c. By default it first divides
    the errors by y_true's standard deviation.
    """
    _validate.positive(c=c)
    y_pred, y_true, w = prepare(y_pred, y_true, weight, mask)
    _validate.survives(y_pred, c=c)
    _validate.survives(y_pred, may_vanish=True, **{"c**2 / 6": c / 6 * c})
    ratio = ((y_pred - y_true) / c).square()
    # Up to the last number before 1, whose logarithm is finite. As c²/6·(1 − exp(3·log1p(−r))) the value keeps the
    # digits of a small r and the slope, 3(1 − r)², those of one near 1.
    ratio = F.hardtanh(ratio, -1.0, 1 - torch.finfo(ratio.dtype).eps / 2)
    values = -F.elu(3 * torch.log1p(-ratio))
    return reduce(c / 6 * c * values, w, reduction)


@final
class TukeyLoss(Loss):
    """Class form of :func:`tukey_loss`."""

    function = staticmethod(tukey_loss)
    spec = Spec(
        task="regression",
        y_pred="real",
        y_true="real",
        claims=("robust", "bounded"),
        use="Standardised errors with gross outliers that must not count at all.",
        avoid="The start of a fit, or errors of unknown scale: nothing beyond c pulls; standardise, huber_loss first.",
        paper="Beaton and Tukey 1974, doi:10.1080/00401706.1974.10489171",
        cites=("beaton1974fitting",),
    )

    c: float = 4.685


@full_precision
def wing_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    width: float = 10.0,
    curvature: float = 2.0,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Wing loss: small errors pull harder than large ones; absolute error beyond ``width``.

    .. math:: \ell = \begin{cases} w \log(1 + |d|/\epsilon) & |d| < w \\
        |d| - w + w \log(1 + w/\epsilon) & \text{otherwise}\end{cases}

    One value per element. Unit: that of y_true (pixels, in the paper); so are those of w, the width, and of ε, the
    curvature. The slope is w/ε at the tip, where it jumps, and 1 beyond the width.

    Args:
        y_pred: any real numbers, any shape.
        y_true: the same shape.
        width: w, where the logarithm gives way to the line, > 0.
        curvature: ε, how sharp the tip is, > 0.
        weight: weights ≥ 0 of y_true's shape or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"`` (Σwℓ/Σw), ``"sum"`` or ``"none"``.

    Raises:
        ValueError: shapes differ, a weight is negative, or ``width`` or ``curvature`` ≤ 0.
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import wing_loss
    >>> wing_loss(torch.tensor([0.5, -1.0, 2.0, 0.0]), torch.tensor([0.0, 1.0, 2.5, 0.0]))
    tensor(2.8486)

    Source: Feng, Kittler, Awais, Huber and Wu, Wing Loss for Robust Facial Landmark Localisation (2018), equation 5.

    Elsewhere: pytorch-toolbelt and smp give the same number with their ``width`` and ``curvature``; their
    defaults are 5 and 0.5.
    """
    _validate.positive(width=width, curvature=curvature)
    y_pred, y_true, w = prepare(y_pred, y_true, weight, mask)
    distance = (y_pred - y_true).abs()
    beyond = torch.relu(distance - width)
    return reduce(width * torch.log1p((distance - beyond) / curvature) + beyond, w, reduction)


@final
class WingLoss(Loss):
    """Class form of :func:`wing_loss`."""

    function = staticmethod(wing_loss)
    spec = Spec(
        task="regression",
        y_pred="real",
        y_true="real",
        claims=("robust",),
        use="Landmarks in pixels: the last pixels of error count, a few wild points do not decide.",
        avoid="Targets that are not in pixels, unless width and curvature are set in their unit: smooth_l1_loss.",
        paper="Feng, Kittler, Awais, Huber and Wu 2018, arXiv:1711.06753, eq. 5",
        cites=("feng2018wing",),
    )

    width: float = 10.0
    curvature: float = 2.0


@full_precision
def balanced_l1_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    alpha: float = 0.5,
    gamma: float = 1.5,
    beta: float = 1.0,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Balanced L1: smooth L1 whose small errors pull more, up to a slope of γ.

    .. math:: \ell = \begin{cases} \frac{\alpha}{b} (b|d| + 1) \log(1 + b|d|/\beta) - \alpha|d| & |d| < \beta \\
        \gamma|d| + \gamma/b - \alpha\beta & \text{otherwise}\end{cases} \qquad b = e^{\gamma/\alpha} - 1

    One value per element. It compares d with β; y_true usually holds box offsets of about that scale. For β ≠ 1 the
    slope jumps at 0 and at β; the paper has β = 1.

    Args:
        y_pred: any real numbers, any shape.
        y_true: the same shape.
        alpha: how much small errors pull, > 0; less is more.
        gamma: the slope beyond ``beta``, > 0.
        beta: where the curve meets the line, > 0.
        weight: weights ≥ 0 of y_true's shape or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"`` (Σwℓ/Σw), ``"sum"`` or ``"none"``.

    Raises:
        ValueError: shapes differ, a weight is negative, or a hyper-parameter is ≤ 0 or γ/α > 80.
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import balanced_l1_loss
    >>> balanced_l1_loss(torch.tensor([0.5, -1.0, 2.0, 0.0]), torch.tensor([0.0, 1.0, 2.5, 0.0]))
    tensor(0.8449)

    Source: Pang and others, Libra R-CNN (2019), equations 7 and 8.

    Elsewhere: mmdet gives the same number, up to its ``loss_weight``.
    """
    _validate.positive(alpha=alpha, gamma=gamma, beta=beta)
    # e^80 is about the largest power whose products float32 still holds.
    _validate.in_range(high=80.0)(**{"gamma / alpha": gamma / alpha})
    y_pred, y_true, w = prepare(y_pred, y_true, weight, mask)
    distance = (y_pred - y_true).abs()
    b, beyond = math.expm1(gamma / alpha), torch.relu(distance - beta)
    x = (distance - beyond) * (b / beta)
    # The compiler traces no function with a forward slope of its own, and keeps little of the series itself.
    area_of = _area_under_log1p if torch.compiler.is_compiling() else _AreaUnderLog1p.apply
    area = cast(Tensor, area_of(x))
    curve = alpha / b * (area if beta == 1 else beta * area + (1 - beta) * torch.log1p(x))
    return reduce(curve + gamma * beyond, w, reduction)


class _AreaUnderLog1p(torch.autograd.Function):
    """:func:`_area_under_log1p` with the slope that it has, log1p(x): of the series nothing is kept for it."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return _area_under_log1p(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return grad * torch.log1p(x)

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return tangent * torch.log1p(x)


def _area_under_log1p(x: Tensor) -> Tensor:
    """(1+x)·log1p(x) − x for x ≥ 0: up to 0.1, where that is the difference of two near numbers, by its series.

    With y = x/(2+x), log1p(x) is 2(y + y³/3 + y⁵/5 + …). Beyond 0.1 by what is added to the value there.
    """
    beyond = F.softshrink(x, 0.1)
    series = _area_by_series(x - beyond)
    return series + ((1.1 + beyond) * torch.log1p(beyond / 1.1) - (1 - math.log(1.1)) * beyond)


def _area_by_series(x: Tensor) -> Tensor:
    y = x / (2 + x)
    del x  # one large tensor less at the peak
    y2 = y * y
    odd = 1 / 3 + y2 * (1 / 5 + y2 * (1 / 7 + y2 * (1 / 9 + y2 * (1 / 11 + y2 / 13))))
    return 2 * y2 * (1 + (1 + y) * y * odd) / (1 - y)


@final
class BalancedL1Loss(Loss):
    """Class form of :func:`balanced_l1_loss`."""

    function = staticmethod(balanced_l1_loss)
    spec = Spec(
        task="regression",
        y_pred="real",
        y_true="real",
        claims=("convex", "robust"),
        use="Box regression in detectors: accurate boxes pull more than in smooth L1, outliers no more than gamma.",
        avoid="Targets that are not of scale 1: standardise and keep beta=1, or smooth_l1_loss with beta.",
        paper="Pang, Chen, Shi, Feng, Ouyang and Lin 2019, arXiv:1904.02701, eq. 7-8",
        cites=("pang2019libra",),
    )

    alpha: float = 0.5
    gamma: float = 1.5
    beta: float = 1.0
