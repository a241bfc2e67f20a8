"""Losses for yes or no: one value per element; y_pred are logits unless ``from_logits=False``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor

from torchobjectives import _validate
from torchobjectives._link import LOGIT, PROBABILITY, REAL, UNIT
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
    if not isinstance(pos_weight, Tensor):
        return torch.full((), pos_weight, dtype=y_pred.dtype, device=y_pred.device)
    checked = _validate.like("pos_weight", pos_weight.squeeze() if pos_weight.numel() == 1 else pos_weight, y_pred)
    assert isinstance(checked, Tensor)
    return checked.to(y_pred.device)


def _of_probabilities(y_pred: Tensor, y_true: Tensor, *, reduction: Reduction) -> Tensor:
    """Torch's kernel, but NaN stays NaN: torch refuses it, on CUDA with an assertion that ends the process."""
    if _validate.readable(y_pred) and not bool(y_pred.detach().sum().isnan()):
        return F.binary_cross_entropy(y_pred, y_true, reduction=reduction)
    hole = y_pred.isnan()
    values = F.binary_cross_entropy(torch.where(hole, 0.5, y_pred), y_true, reduction="none")
    return reduce(torch.where(hole, y_pred, values), None, reduction)


def _costs(y_pred: Tensor, *, from_logits: bool) -> tuple[Tensor, Tensor]:
    """−log p and −log(1 − p), each exact in its own tail and with a finite slope everywhere."""
    if from_logits:
        return -F.logsigmoid(y_pred), -F.logsigmoid(-y_pred)
    # torch's kernel holds the logarithm at −100 and its slope at 1e12; composed, log(0) · 0 would be NaN.
    one = torch.ones_like(y_pred)
    return (
        _of_probabilities(y_pred, one, reduction="none"),
        _of_probabilities(y_pred, torch.zeros_like(y_pred), reduction="none"),
    )


@final
class BinaryCrossEntropyLoss(Loss):
    """Class form of :func:`binary_cross_entropy_loss`."""

    function = staticmethod(binary_cross_entropy_loss)
    spec = Spec(task="binary", y_pred="logits", y_true="binary", link=LOGIT, claims=("proper",), paper="textbook")

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
    positive, negative = _costs(y_pred, from_logits=from_logits)
    if from_logits:
        # 1 − p = exp(log(1 − p)): no power of a number that has rounded to 0.
        positive, negative = positive * torch.exp(-gamma * negative), negative * torch.exp(-gamma * positive)
    else:
        positive, negative = positive * _power(1 - y_pred, gamma), negative * _power(y_pred, gamma)
    for_positive, for_negative = (1.0, 1.0) if alpha is None else (alpha, 1 - alpha)
    return reduce(for_positive * y_true * positive + for_negative * (1 - y_true) * negative, w, reduction)


def _power(base: Tensor, exponent: float) -> Tensor:
    """``base ** exponent`` for a base in [0, 1], with slope 0 at 0 (an exponent below 1 has none there)."""
    if exponent == 0:
        return torch.ones_like(base)
    above = base > 0
    return torch.where(above, torch.where(above, base, 1.0) ** exponent, base * 0)


@final
class FocalLoss(Loss):
    """Class form of :func:`focal_loss`."""

    function = staticmethod(focal_loss)
    spec = Spec(
        task="binary",
        y_pred="logits",
        y_true="binary",
        link=LOGIT,
        paper="Lin et al. 2017, arXiv:1708.02002, eq. 5",
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
        bin_counts: running counts, (bins,). None, or all zero: the batch's own counts are used; otherwise
            momentum · bin_counts + (1 − momentum) · batch. Never changed; the class keeps them.
        from_logits: False where y_pred holds probabilities.
        weight: weights ≥ 0 of y_true's shape or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"`` (Σwℓ/Σw), ``"sum"`` or ``"none"``.

    Raises:
        ValueError: shapes differ, y_true or a probability is outside [0, 1], a weight is negative, or a
            hyper-parameter is out of range.
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import ghmc_loss
    >>> ghmc_loss(torch.tensor([3.0, 3.0, 3.0, -2.0]), torch.tensor([1.0, 1.0, 1.0, 1.0]))
    tensor(1.0878)

    Source: Li, Liu and Wang, Gradient Harmonized Single-stage Detector (2019), equations 4 to 8.

    Elsewhere: mmdet's class default is 10 bins without momentum, and it synchronises with the host once per bin.
    """
    _validate.flag(from_logits=from_logits)
    y_pred, y_true, w = prepare(y_pred, y_true, weight, mask, pred=REAL if from_logits else PROBABILITY, true=UNIT)
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
        exemptions=HarmonizingLoss.exemptions,
        paper="Li, Liu and Wang 2019, arXiv:1811.05181, eq. 4-8",
    )

    bins: int = 30
    momentum: float = 0.75
    from_logits: bool = True
