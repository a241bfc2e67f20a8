"""Losses for yes or no: one value per element, or per sample; y_pred are logits unless ``from_logits=False``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor

from torchobjectives import _validate
from torchobjectives._link import HARD_LABEL, LOGIT, PROBABILITY, REAL, UNIT, Calibration
from torchobjectives._loss import Loss
from torchobjectives._reduction import Reduction, full_precision, prepare, reduce, reduce_kernel
from torchobjectives._spec import Spec
from torchobjectives.losses._harmonizing import HarmonizingLoss, harmonized


@full_precision
def binary_cross_entropy_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    pos_weight: float | Tensor | Sequence[float] | None = None,
    label_smoothing: float = 0.0,
    from_logits: bool = True,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Binary cross-entropy; y_pred are logits, for probabilities pass ``from_logits=False``.

    .. math:: \ell = -w_+\, y \log p - (1 - y) \log(1 - p), \qquad p = \sigma(\text{y\_pred})

    One value per element, in nats. With smoothing s the target is y(1 − s) + s/2.

    Args:
        y_pred: logits of any shape (probabilities with ``from_logits=False``).
        y_true: the same shape, in {0, 1} or [0, 1]; bool and integers are accepted.
        pos_weight: :math:`w_+` > 0, what a positive costs more: a number, or numbers that broadcast to y_pred's
            shape (one per label: (L,)). It shapes the loss and stays out of the denominator.
        label_smoothing: s in [0, 1].
        from_logits: False where y_pred holds probabilities.
        weight: weights ≥ 0 of y_true's shape or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"`` (Σwℓ/Σw), ``"sum"`` or ``"none"``.

    Raises:
        ValueError: shapes differ, y_true or a probability is outside [0, 1], a weight is negative, or a
            hyper-parameter is out of range.
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import binary_cross_entropy_loss
    >>> y_pred, y_true = torch.tensor([2.0, -1.0, 0.5, -3.0]), torch.tensor([1, 0, 0, 1])
    >>> binary_cross_entropy_loss(y_pred, y_true)
    tensor(1.1157)

    Source: textbook (the Bernoulli log-likelihood).

    Elsewhere: torch's two functions give the same numbers, but their ``weight`` divides by N instead of Σw, and
    they refuse integer targets. On probabilities torch's floor is kept: log p counts as −100 at p = 0. keras and
    timm smooth as here; segmentation-models-pytorch's s is twice this s.
    """
    _validate.fraction(label_smoothing=label_smoothing)
    _validate.flag(from_logits=from_logits)
    y_pred, y_true, w = prepare(y_pred, y_true, weight, mask, pred=REAL if from_logits else PROBABILITY, true=UNIT)
    if label_smoothing:
        y_true = y_true * (1 - label_smoothing) + label_smoothing / 2
    if pos_weight is not None:
        pos_weight = _per_label(pos_weight, y_pred)
    if from_logits:
        return reduce_kernel(F.binary_cross_entropy_with_logits, y_pred, y_true, w, reduction, pos_weight=pos_weight)
    if pos_weight is None:
        return reduce_kernel(_of_probabilities, y_pred, y_true, w, reduction)
    positive, negative = _costs(y_pred, from_logits=False)
    return reduce(pos_weight * y_true * positive + (1 - y_true) * negative, w, reduction)


def _per_label(pos_weight: float | Tensor | Sequence[float], y_pred: Tensor) -> Tensor:
    """``pos_weight`` as a tensor that broadcasts to y_pred."""
    if not isinstance(pos_weight, int | float | Tensor):
        pos_weight = _validate.numbers("pos_weight", pos_weight)
    _validate.positive.tensors(pos_weight=pos_weight)
    _validate.survives(y_pred, may_vanish=True, pos_weight=pos_weight)
    if not isinstance(pos_weight, Tensor):
        return torch.full((), pos_weight, dtype=y_pred.dtype, device=y_pred.device)
    checked = _validate.like("pos_weight", pos_weight.squeeze() if pos_weight.numel() == 1 else pos_weight, y_pred)
    assert isinstance(checked, Tensor)
    return checked.to(y_pred.device)


def _of_probabilities(y_pred: Tensor, y_true: Tensor, *, reduction: Reduction) -> Tensor:
    """Torch's kernel, but NaN stays NaN: torch refuses it, on CUDA with an assertion that ends the process."""
    if _validate.readable(y_pred, y_true) and not bool((y_pred.detach().sum() + y_true.detach().sum()).isnan()):
        return F.binary_cross_entropy(y_pred, y_true, reduction=reduction)
    total = y_pred + y_true
    hole = total.isnan()
    filled = torch.where(hole, 0.5, y_pred), torch.where(hole, 0.5, y_true)
    return reduce(torch.where(hole, total, F.binary_cross_entropy(*filled, reduction="none")), None, reduction)


def _costs(y_pred: Tensor, *, from_logits: bool) -> tuple[Tensor, Tensor]:
    """−log p and −log(1 − p), each exact in its own tail and with a finite slope everywhere."""
    if from_logits:
        # From 40 on a float64 knows no difference to the line.
        return F.softplus(-y_pred, threshold=40), F.softplus(y_pred, threshold=40)
    # torch's kernel holds the logarithm at −100 and its slope at 1e12; composed, log(0) · 0 would be NaN.
    one = torch.ones_like(y_pred)
    return (
        _of_probabilities(y_pred, one, reduction="none"),
        _of_probabilities(y_pred, torch.zeros_like(y_pred), reduction="none"),
    )


def _undo_weight_and_smoothing(
    probability: Tensor, *, pos_weight: float | Tensor | Sequence[float] | None, label_smoothing: float
) -> Tensor:
    """η from p = w₊q/(w₊q + 1 − q), where q = η(1 − s) + s/2 is the smoothed truth."""
    if label_smoothing == 1:
        raise ValueError("label_smoothing is 1: nothing was learnt of y_true, the true probability is lost.")
    if pos_weight is not None:
        probability = probability / (probability + _per_label(pos_weight, probability) * (1 - probability))
    return ((probability - label_smoothing / 2) / (1 - label_smoothing)).clamp(0, 1)


@final
class BinaryCrossEntropyLoss(Loss):
    """Class form of :func:`binary_cross_entropy_loss`."""

    function = staticmethod(binary_cross_entropy_loss)
    spec = Spec(
        task="binary",
        y_pred="logits",
        y_true="binary",
        link=LOGIT,
        calibration=Calibration(_undo_weight_and_smoothing, ("pos_weight", "label_smoothing")),
        true_domain=UNIT,
        claims=("proper", "convex"),
        use="Yes or no, one label or many, wherever probabilities are wanted: the first choice.",
        avoid="A flood of easy negatives, as in detection: focal_loss, or asymmetric_loss for many rare labels.",
        paper="textbook",
        cites=("good1952rational",),
    )

    pos_weight: float | Tensor | Sequence[float] | None = None
    label_smoothing: float = 0.0
    from_logits: bool = True


@full_precision
def focal_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    gamma: float = 2.0,
    alpha: float | None = None,
    from_logits: bool = True,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Focal loss: y_pred are logits, for probabilities pass ``from_logits=False``.

    .. math:: \ell = -y\,\alpha\,(1-p)^\gamma \log p - (1-y)(1-\alpha)\,p^\gamma \log(1-p)

    Binary cross-entropy in which an easy element keeps little of its weight: with γ = 2 a p of 0.9 for
    the truth counts 0.01. One value per element, in nats. γ = 0 without α is binary cross-entropy.

    Args:
        y_pred: logits of any shape (probabilities with ``from_logits=False``).
        y_true: the same shape, in {0, 1} or [0, 1]; bool and integers are accepted.
        gamma: γ ≥ 0, how far easy elements are turned down.
        alpha: weight of positives, in [0, 1]; negatives weigh 1 − alpha. None: both weigh 1. It shapes the
            loss and stays out of the denominator.
        from_logits: False where y_pred holds probabilities.
        weight: weights ≥ 0 of y_true's shape or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"`` (Σwℓ/Σw), ``"sum"`` or ``"none"``. The paper's number is the sum divided by
            the number of positives.

    Raises:
        ValueError: shapes differ, y_true or a probability is outside [0, 1], a weight is negative, or a
            hyper-parameter is out of range.
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import focal_loss
    >>> y_true = torch.tensor([[1.0], [0.0]])
    >>> hard, easy = torch.tensor([[0.5], [0.5]]), torch.tensor([[0.9], [0.1]])
    >>> focal_loss(hard, y_true, gamma=2.0, alpha=0.75, from_logits=False)
    tensor(0.0866)
    >>> focal_loss(easy, y_true, gamma=2.0, alpha=0.75, from_logits=False)
    tensor(0.0005)

    Source: Lin et al., Focal Loss for Dense Object Detection (2017), equation 5 (alpha on positives).

    Elsewhere: torchvision gives the same number for hard targets with ``reduction="mean"`` (its default is
    ``"none"``, its alpha 0.25) and a NaN gradient for γ < 1 at confident logits; for soft targets it mixes
    probabilities and gives another number. LibAUC puts alpha on the negatives.
    """
    _validate.non_negative(gamma=gamma)
    _validate.flag(from_logits=from_logits)
    if alpha is not None:
        _validate.fraction(alpha=alpha)
    y_pred, y_true, w = prepare(y_pred, y_true, weight, mask, pred=REAL if from_logits else PROBABILITY, true=UNIT)
    _validate.survives(y_pred, may_vanish=True, gamma=gamma)
    positive, negative = _costs(y_pred, from_logits=from_logits)
    if from_logits:
        # 1 − p = exp(log(1 − p)): no power of a number that has rounded to 0.
        positive, negative = positive * torch.exp(-gamma * negative), negative * torch.exp(-gamma * positive)
    else:
        positive, negative = positive * _power(1 - y_pred, gamma), negative * _power(y_pred, gamma)
    if alpha is not None:
        positive, negative = alpha * positive, (1 - alpha) * negative
    return reduce(torch.lerp(negative, positive, y_true), w, reduction)


def _power(base: Tensor, exponent: float) -> Tensor:
    """``base ** exponent`` for a base in [0, 1], with slope 0 at 0 (an exponent below 1 has none there)."""
    if exponent == 0:
        return torch.ones_like(base)
    if exponent in (2, 4):
        # As products, both ways several times as fast as a power.
        squared = base * base
        return squared if exponent == 2 else squared * squared
    if exponent == 1 or exponent >= 2:
        # Both slopes are finite as they are.
        return base**exponent
    above = base > 0
    return torch.where(above, torch.where(above, base, 1.0) ** exponent, base * 0)


def _undo_focus(probability: Tensor, *, gamma: float, alpha: float | None) -> Tensor:
    """η = f₋'/(f₋' − f₊') at the minimiser p of η·f₊ + (1 − η)·f₋."""
    if alpha is not None and alpha in (0, 1):
        raise ValueError(f"alpha is {alpha:g}: nothing was learnt of one side, the true probability is lost.")
    log_odds = _true_log_odds(probability, gamma, gamma, 0.0)
    return torch.sigmoid(log_odds if alpha is None else log_odds + math.log((1 - alpha) / alpha))


def _true_log_odds(p: Tensor, gamma_pos: float, gamma_neg: float, margin: float) -> Tensor:
    """log(f₋'/−f₊') of f₊ = −(1−p)^γ₊·log p and f₋ = −q^γ₋·log(1−q), q = max(p − m, 0).

    −f₊' = (1−p)^γ₊·(1 + γ₊·h(p))/p and f₋' = q^γ₋·(1 + γ₋·h(1−q))/(1−q) with h from :func:`_entropy_ratio`.
    """
    q = F.relu(p - margin)
    slope_pos = torch.special.xlog1py(gamma_pos, -p) + torch.log1p(gamma_pos * _entropy_ratio(p)) - torch.log(p)
    slope_neg = torch.xlogy(gamma_neg, q) + torch.log1p(gamma_neg * _entropy_ratio(1 - q)) - torch.log1p(-q)
    return torch.where(q <= 0, -torch.inf, slope_neg - slope_pos)


def _entropy_ratio(p: Tensor) -> Tensor:
    """−p·log(p)/(1 − p), with its limit 1 at p = 1."""
    below = p < 1
    return torch.where(below, -torch.xlogy(p, p) / torch.where(below, 1 - p, 1.0), 1.0)


@final
class FocalLoss(Loss):
    """Class form of :func:`focal_loss`."""

    function = staticmethod(focal_loss)
    spec = Spec(
        task="binary",
        y_pred="logits",
        y_true="binary",
        link=LOGIT,
        calibration=Calibration(_undo_focus, ("gamma", "alpha")),
        true_domain=UNIT,
        claims=("improper",),
        use="Detection and other floods of easy negatives, whose sum would drown the few hard elements.",
        avoid="Wrong labels, which it takes for hard elements, and raw probabilities (calibrated=True undoes the "
        "bias): binary_cross_entropy_loss.",
        paper="Lin et al. 2017, arXiv:1708.02002, eq. 5",
        cites=("lin2017focal", "charoenphakdee2021focal"),
    )

    gamma: float = 2.0
    alpha: float | None = None
    from_logits: bool = True


@full_precision
def ghmc_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    bins: int = 30,
    momentum: float = 0.75,
    bin_counts: Tensor | None = None,
    from_logits: bool = True,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Gradient-harmonized BCE; y_pred are logits, for probabilities pass ``from_logits=False``.

    .. math:: \ell = \mathrm{BCE}\cdot\frac{N}{c\,n}, \qquad g = |p - y|

    The g of all N live elements of the batch are counted in ``bins`` equal bins of [0, 1]; c is the count of
    the element's own bin (an empty bin counts as 1; so does one of which running counts keep less than 10⁻⁶), n the
    number of bins with a count above 0. The counts carry no gradient, and weights do not enter them. One value per
    element, in nats.

    Args:
        y_pred: logits of any shape (probabilities with ``from_logits=False``).
        y_true: the same shape, in {0, 1}; bool and integers are accepted.
        bins: the number of bins.
        momentum: the share of ``bin_counts`` in the counts used, in [0, 1].
        bin_counts: running counts ≥ 0, (bins,). None, or all zero: the batch's own counts are used; otherwise
            momentum · bin_counts + (1 − momentum) · batch. Never changed; the class keeps them.
        from_logits: False where y_pred holds probabilities.
        weight: weights ≥ 0 of y_true's shape or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"`` (Σwℓ/Σw), ``"sum"`` or ``"none"``.

    Raises:
        ValueError: shapes differ, y_true is not 0 or 1, a probability is outside [0, 1], a weight is negative, or
            a hyper-parameter is out of range.
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import ghmc_loss
    >>> ghmc_loss(torch.tensor([3.0, 3.0, 3.0, -2.0]), torch.tensor([1.0, 1.0, 1.0, 1.0]))
    tensor(1.0878)

    Source: Li, Liu and Wang, Gradient Harmonized Single-stage Detector (2019), equations 4 to 8.

    Elsewhere: mmdet's class default is 10 bins without momentum, and it synchronises with the host once per bin.
    """
    _validate.flag(from_logits=from_logits)
    y_pred, y_true, w = prepare(
        y_pred, y_true, weight, mask, pred=REAL if from_logits else PROBABILITY, true=HARD_LABEL
    )
    kernel = F.binary_cross_entropy_with_logits if from_logits else _of_probabilities
    gradient_norm = _ghmc_gradient_norm(y_pred.detach(), y_true, from_logits=from_logits)
    factor = harmonized(gradient_norm, w, bins=bins, momentum=momentum, bin_counts=bin_counts)
    return reduce(kernel(y_pred, y_true, reduction="none") * factor, w, reduction)


def _ghmc_gradient_norm(y_pred: Tensor, y_true: Tensor, *, from_logits: bool) -> Tensor:
    return ((torch.sigmoid(y_pred) if from_logits else y_pred) - y_true).abs()


@final
class GHMCLoss(HarmonizingLoss):
    """Class form of :func:`ghmc_loss`; holds the running bin counts.

    In training each call mixes the batch's counts into ``bin_counts``; in ``eval()`` they are used as they
    stand and not changed.
    """

    function = staticmethod(ghmc_loss)
    gradient_norm = staticmethod(_ghmc_gradient_norm)
    spec = Spec(
        task="binary",
        y_pred="logits",
        y_true="binary",
        link=LOGIT,
        true_domain=HARD_LABEL,
        claims=("improper",),
        exemptions=HarmonizingLoss.exemptions,
        use="Detection with both floods of easy elements and wrong labels: either kind is common, so it weighs little.",
        avoid="Small batches, whose counts say little, and raw probabilities: focal_loss or binary_cross_entropy_loss.",
        paper="Li, Liu and Wang 2019, arXiv:1811.05181, eq. 4-8",
        cites=("li2019gradient",),
    )

    bins: int = 30
    momentum: float = 0.75
    from_logits: bool = True


@full_precision
def asymmetric_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    gamma_pos: float = 1.0,
    gamma_neg: float = 4.0,
    margin: float = 0.05,
    from_logits: bool = True,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Asymmetric loss (ASL): y_pred are logits, for probabilities pass ``from_logits=False``.

    .. math:: \ell = -y\,(1-p)^{\gamma_+} \log p - (1-y)\, p_m^{\gamma_-} \log(1-p_m), \qquad p_m = \max(p - m, 0)

    A focal loss with one focus for positives and a sharper one for negatives; a negative below the margin costs
    nothing. One value per element, in nats. With 0, 0, 0 it is binary cross-entropy, with γ, γ, 0 focal loss.

    Args:
        y_pred: logits of any shape (probabilities with ``from_logits=False``).
        y_true: the same shape, in {0, 1}; bool and integers are accepted.
        gamma_pos: :math:`\gamma_+` ≥ 0, how far easy positives are turned down.
        gamma_neg: :math:`\gamma_-` ≥ 0, how far easy negatives are.
        margin: m in [0, 1): the probability below which a negative costs nothing.
        from_logits: False where y_pred holds probabilities.
        weight: weights ≥ 0 of y_true's shape or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"`` (Σwℓ/Σw), ``"sum"`` or ``"none"``. The paper's number is the sum.

    Raises:
        ValueError: shapes differ, y_true is not 0 or 1, a probability is outside [0, 1], a weight is negative, or
            a hyper-parameter is out of range.
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import asymmetric_loss
    >>> y_pred, y_true = torch.tensor([2.0, -1.0, 0.5, -3.0]), torch.tensor([1, 0, 0, 1])
    >>> asymmetric_loss(y_pred, y_true, reduction="sum")
    tensor(3.0110)

    Source: Ridnik et al., Asymmetric Loss for Multi-Label Classification (2021), the definition of ASL. The paper
    recommends γ₊ = 0; its code and this default have 1.

    Elsewhere: the original code and timm (``AsymmetricLossMultiLabel``) give the same values up to their floor of
    1e-8 under the logarithms. They differ in the reduction: the original and timm before 1.0.31 sum over batch and
    labels, timm since then divides that sum by the batch size, so the same configuration learns at another rate.
    Here the slope flows through the focusing weights; the original code can stop it there
    (``disable_torch_grad_focal_loss``), which is the slope of no loss.
    """
    _validate.non_negative(gamma_pos=gamma_pos, gamma_neg=gamma_neg)
    _margin(margin=margin)
    _validate.flag(from_logits=from_logits)
    y_pred, y_true, w = prepare(
        y_pred, y_true, weight, mask, pred=REAL if from_logits else PROBABILITY, true=HARD_LABEL
    )
    _validate.survives(y_pred, may_vanish=True, gamma_pos=gamma_pos, gamma_neg=gamma_neg)
    positive, negative = _costs(y_pred, from_logits=from_logits)
    p, rest = both_sides(y_pred, from_logits=from_logits)
    # 1 − p = exp(log(1 − p)): no power of a number that has rounded to 0.
    easy_positive = torch.exp(-gamma_pos * negative) if from_logits else _power(rest, gamma_pos)
    # A margin so small that second slopes overflow counts as none.
    if margin > torch.finfo(p.dtype).tiny ** 0.5:
        # By the side that has not rounded to 1, whose slope is not lost.
        beyond = F.relu(_chosen(p > 0.5, (1 - margin) - rest, p - margin))
        easy_negative, negative = _power(beyond, gamma_neg), _shifted_cost(rest, beyond, margin)
    else:
        easy_negative = torch.exp(-gamma_neg * positive) if from_logits else _power(p, gamma_neg)
    return reduce(torch.lerp(easy_negative * negative, easy_positive * positive, y_true), w, reduction)


_margin = _validate.in_range(low=0.0, high=1.0, open_high=True)


def both_sides(y_pred: Tensor, *, from_logits: bool) -> tuple[Tensor, Tensor]:
    """The probabilities of 1 and of 0; of logits each is exact where it is small."""
    return (torch.sigmoid(y_pred), torch.sigmoid(-y_pred)) if from_logits else (y_pred, 1 - y_pred)


def _shifted_cost(rest: Tensor, beyond: Tensor, margin: float) -> Tensor:
    """−log(1 − p_m) from 1 − p and p_m: where p_m is large, 1 − p_m = (1 − p) + m keeps what p_m has rounded off."""
    return -_chosen(beyond > 0.5, torch.log(rest + margin), torch.log1p(-beyond.clamp(max=0.5)))


def _chosen(condition: Tensor, one: Tensor, other: Tensor) -> Tensor:
    """``where`` of finite numbers, at a fourth of its time: it branches at every element."""
    return torch.lerp(other, one, condition.to(one.dtype))


def _undo_asymmetry(probability: Tensor, *, gamma_pos: float, gamma_neg: float, margin: float) -> Tensor:
    """η as in :func:`_undo_focus`. Below the margin a negative costs nothing, so only η = 0 ends there.

    With γ₊ = 0 beside a margin, every η above some bound ends at p = 1; what is given is the bound.
    """
    return torch.sigmoid(_true_log_odds(probability, gamma_pos, gamma_neg, margin))


@final
class AsymmetricLoss(Loss):
    """Class form of :func:`asymmetric_loss`."""

    function = staticmethod(asymmetric_loss)
    spec = Spec(
        task="binary",
        y_pred="logits",
        y_true="binary",
        link=LOGIT,
        calibration=Calibration(_undo_asymmetry, ("gamma_pos", "gamma_neg", "margin")),
        true_domain=HARD_LABEL,
        claims=("improper",),
        use="Many labels per sample, each rare, with some true labels missing: the margin forgives them.",
        avoid="Balanced labels, and raw probabilities (calibrated=True undoes the bias): binary_cross_entropy_loss.",
        paper="Ridnik et al. 2021, arXiv:2009.14119",
        cites=("ridnik2021asymmetric",),
    )

    gamma_pos: float = 1.0
    gamma_neg: float = 4.0
    margin: float = 0.05
    from_logits: bool = True


@full_precision
def hinge_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    squared: bool = False,
    margin: float = 1.0,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Hinge loss of the support vector machine: nothing to pay beyond the margin, linear before it.

    .. math:: \ell = \max(0,\ m - s\,z), \qquad s = 2y - 1

    with z the logit y_pred; ``squared``: its square. One value per element, in the unit of the logits (squared).
    The minimiser knows the side but not the probability; of the squared form it is z = m(2η − 1).

    Args:
        y_pred: logits of any shape; the decision is their sign.
        y_true: the same shape, in {0, 1}; bool and integers are accepted.
        squared: square the hinge: smooth, and harder on what is far off.
        margin: m ≥ 0; 0 is the perceptron's loss.
        weight: weights ≥ 0 of y_true's shape or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"`` (Σwℓ/Σw), ``"sum"`` or ``"none"``.

    Raises:
        ValueError: shapes differ, y_true is not 0 or 1, a weight is negative, or ``margin`` < 0.
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import hinge_loss
    >>> y_pred, y_true = torch.tensor([2.0, -1.0, 0.5, -3.0]), torch.tensor([1, 0, 0, 1])
    >>> hinge_loss(y_pred, y_true), hinge_loss(y_pred, y_true, squared=True)
    (tensor(1.3750), tensor(4.5625))

    Source: Cortes and Vapnik, Support-Vector Networks (1995).

    Elsewhere: the labels are the trap. optax and scikit-learn's ``hinge_loss`` want −1 and 1 (or two class names)
    from the caller; keras looks whether the labels hold only 0 and 1 and maps them if so; here they are 0 and 1, and
    −1 is refused. The values are then the same. torch's ``HingeEmbeddingLoss`` is another loss, on distances.
    """
    _validate.flag(squared=squared)
    _validate.non_negative(margin=margin)
    y_pred, y_true, w = prepare(y_pred, y_true, weight, mask, true=HARD_LABEL)
    short = F.relu(margin - (2 * y_true - 1) * y_pred)
    return reduce(short.square() if squared else short, w, reduction)


@final
class HingeLoss(Loss):
    """Class form of :func:`hinge_loss`."""

    function = staticmethod(hinge_loss)
    spec = Spec(
        task="binary",
        y_pred="logits",
        y_true="binary",
        link=LOGIT,
        true_domain=HARD_LABEL,
        claims=("improper", "convex"),
        use="Only the side of the decision matters, and what is beyond the margin shall rest.",
        avoid="Probabilities are wanted: binary_cross_entropy_loss.",
        paper="Cortes and Vapnik 1995, doi:10.1007/BF00994018",
        cites=("cortes1995support",),
    )

    squared: bool = False
    margin: float = 1.0


@full_precision
def soft_margin_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Logistic loss of the margin: binary cross-entropy of hard labels, exact in the far tail.

    .. math:: \ell = \log\left(1 + e^{-s\,z}\right), \qquad s = 2y - 1

    with z the logit y_pred. One value per element, in nats.

    Args:
        y_pred: logits of any shape.
        y_true: the same shape, in {0, 1}; bool and integers are accepted.
        weight: weights ≥ 0 of y_true's shape or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"`` (Σwℓ/Σw), ``"sum"`` or ``"none"``.

    Raises:
        ValueError: shapes differ, y_true is not 0 or 1, or a weight is negative.
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import soft_margin_loss
    >>> soft_margin_loss(torch.tensor([-100.0]), torch.tensor([1]))
    tensor(100.)

    Source: textbook (logistic regression in margins).

    Elsewhere: torch's ``soft_margin_loss`` wants labels −1 and 1, and its exponential overflows: at a margin of −100
    in float32 it gives inf with a NaN gradient. torch's ``multilabel_soft_margin_loss`` is the mean over labels of
    this loss, too (0 and 1 there).
    """
    y_pred, y_true, w = prepare(y_pred, y_true, weight, mask, true=HARD_LABEL)
    return reduce(-F.logsigmoid((2 * y_true - 1) * y_pred), w, reduction)


@final
class SoftMarginLoss(Loss):
    """Class form of :func:`soft_margin_loss`."""

    function = staticmethod(soft_margin_loss)
    spec = Spec(
        task="binary",
        y_pred="logits",
        y_true="binary",
        link=LOGIT,
        true_domain=HARD_LABEL,
        claims=("proper", "convex"),
        use="Hard labels and very small losses that must not round to 0.",
        avoid="Soft labels, smoothing or pos_weight: binary_cross_entropy_loss, the same loss for them.",
        paper="textbook",
        cites=("cox1958regression",),
    )


@full_precision
def zlpr_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Zero-bounded log-sum-exp pairwise rank loss (ZLPR): every positive label above 0, every negative below.

    .. math:: \ell = \log\Bigl(1 + \sum_{j:\,y_j=0} e^{z_j}\Bigr) + \log\Bigl(1 + \sum_{j:\,y_j=1} e^{-z_j}\Bigr)

    with z the logits y_pred of one sample's labels. One value per sample, in nats. With one label it is binary
    cross-entropy. The logits decide by their sign; they are no probabilities.

    Args:
        y_pred: logits (N, L, …) with the labels at dim 1.
        y_true: the same shape, in {0, 1}; bool and integers are accepted.
        weight: weights ≥ 0 of the samples' shape (N, …) or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"`` (Σwℓ/Σw), ``"sum"`` or ``"none"``.

    Raises:
        ValueError: shapes differ or have no dim 1, y_true is not 0 or 1, or a weight is negative.
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import zlpr_loss
    >>> zlpr_loss(torch.tensor([[2.0, -1.0, 0.5, -3.0]]), torch.tensor([[1, 0, 0, 1]]))
    tensor(4.1591)

    Source: Su et al., ZLPR: A Novel Loss for Multi-label Classification (2022), the definition of the loss.

    Elsewhere: not in torch, torchvision, kornia, MONAI, timm, optax or scikit-learn. The authors' code appends zeros
    to the scores and masks with 1e12, which gives the same numbers in float32 but infinities in float16.
    """
    if y_pred.ndim < 2 or y_pred.shape[1] == 0:
        raise ValueError(
            f"y_pred has shape {_validate.shape(y_pred)}, wanted (N, L, ...) with the labels at dim 1. For one label "
            "per sample unsqueeze(1) both; for one sample's labels unsqueeze(0) both."
        )
    y_pred, y_true, w = prepare(y_pred, y_true, weight, mask, true=HARD_LABEL, unit_axis=1)
    # A number so low that its exponential is 0 takes the other side's labels out. Added, not written, so NaN stays.
    out = torch.finfo(y_pred.dtype).min / 4
    negative = torch.logsumexp(y_pred + out * y_true, 1)
    positive = torch.logsumexp(out * (1 - y_true) - y_pred, 1)
    return reduce(-F.logsigmoid(-negative) - F.logsigmoid(-positive), w, reduction)


@final
class ZLPRLoss(Loss):
    """Class form of :func:`zlpr_loss`."""

    function = staticmethod(zlpr_loss)
    spec = Spec(
        task="binary",
        y_pred="logits",
        y_true="binary",
        unit="sample",
        link=LOGIT,
        true_domain=HARD_LABEL,
        claims=("improper", "convex"),
        use="Several labels per sample that depend on each other, their number unknown: ranks them around 0.",
        avoid="Probability per label: binary_cross_entropy_loss; some labels of a sample unknown: the same, masked.",
        paper="Su et al. 2022, arXiv:2208.02955",
        cites=("su2022zlpr",),
    )
