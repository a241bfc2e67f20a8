"""Losses on the rates of a whole batch of yes and no: how many hits, misses, wrong ranks; one value per batch."""

from __future__ import annotations

from typing import NamedTuple, final

import torch
from torch import Tensor

from torchobjectives import _validate
from torchobjectives._link import HARD_LABEL, LOGIT, PROBABILITY, REAL
from torchobjectives._loss import Loss
from torchobjectives._reduction import Reduction, full_precision, prepare, whole_batch
from torchobjectives._spec import Spec, one_value_per_batch
from torchobjectives.losses.binary import both_sides


class Confusion(NamedTuple):
    """The soft confusion matrix: weighted sums of p and 1 − p over the positives and the negatives."""

    tp: Tensor
    fp: Tensor
    fn: Tensor
    tn: Tensor
    positives: Tensor
    negatives: Tensor


def _confusion(
    y_pred: Tensor,
    y_true: Tensor,
    weight: Tensor | None,
    mask: Tensor | None,
    *,
    from_logits: bool,
    per_label: bool = False,
    without_tn: bool = False,
) -> Confusion:
    """Check the inputs and count; ``per_label``: along dim 0 only, where there are two axes.

    ``without_tn``: the true negatives, which cost a pass over the batch, are not counted; 0 stands for them. Without
    them nothing cancels that would need sums in float64.
    """
    _validate.flag(from_logits=from_logits)
    y_pred, y_true, w = prepare(
        y_pred, y_true, weight, mask, pred=REAL if from_logits else PROBABILITY, true=HARD_LABEL
    )
    p, rest = both_sides(y_pred, from_logits=from_logits)
    positive, negative = (y_true, 1 - y_true) if w is None else (y_true * w, (1 - y_true) * w)
    axes = (0,) if per_label and y_pred.ndim == 2 else tuple(range(y_pred.ndim))
    wide = p.dtype if without_tn else _wide(p)
    tp, fp, fn = ((own * side).sum(axes, dtype=wide) for own, side in ((positive, p), (negative, p), (positive, rest)))
    tn = torch.zeros_like(tp) if without_tn else (negative * rest).sum(axes, dtype=wide)
    return Confusion(tp, fp, fn, tn, positive.sum(axes, dtype=wide), negative.sum(axes, dtype=wide))


def _wide(values: Tensor) -> torch.dtype:
    """The dtype of sums over a batch: float64, where the device has it."""
    return torch.float32 if values.device.type == "mps" else torch.float64


def _share(part: Tensor, whole: Tensor) -> Tensor:
    """The quotient; 0/0, or a whole so small that its slopes overflow, leaves the part (0)."""
    # Not "whole > …": a NaN must not count as small.
    return part / torch.where(whole <= torch.finfo(whole.dtype).tiny ** 0.5, 1.0, whole)


@full_precision
def soft_fbeta_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    beta: float = 1.0,
    eps: float = 0.0,
    from_logits: bool = True,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""One minus the soft F-score: y_pred are logits, for probabilities pass ``from_logits=False``.

    .. math:: L = 1 - \frac{(1+\beta^2)\,tp}{(1+\beta^2)\,tp + \beta^2\,fn + fp + \epsilon}, \qquad
        tp = \sum w y p,\quad fp = \sum w (1-y) p,\quad fn = \sum w y (1-p)

    One value per batch, in [0, 1]. A y_pred of two axes (N, L) gives one value per label, and their mean over the
    labels that have a live element; any other shape counts all elements together. 0/0 is a loss of 0. A label without
    positives costs 1 however little is predicted, and has no slope: false positives on it are pushed down only by a
    cross-entropy term beside this one.

    Args:
        y_pred: logits of any shape (probabilities with ``from_logits=False``).
        y_true: the same shape, in {0, 1}; bool and integers are accepted.
        beta: β ≥ 0, how many times a recall counts as much as a precision; 0 is precision alone.
        eps: ε ≥ 0, added to the denominator; above 0 it turns 0/0 into a loss of 1.
        from_logits: False where y_pred holds probabilities.
        weight: weights ≥ 0 of y_true's shape or a leading part of it; they enter the sums.
        mask: True = counts; shape as ``weight``.
        reduction: accepted for the contract's sake; every reduction gives the one value.

    Raises:
        ValueError: shapes differ, y_true is not 0 or 1, a probability is outside [0, 1], a weight is negative, or
            a hyper-parameter is out of range.
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import soft_fbeta_loss
    >>> soft_fbeta_loss(torch.tensor([2.0, -1.0, 0.5, -3.0]), torch.tensor([1, 0, 0, 1]))
    tensor(0.5140)

    Source: Pastor-Pellicer et al., F-Measure as the Error Function to Train Neural Networks (2013), the soft counts.

    Elsewhere: not in torch, torchvision, kornia, timm or optax. With β = 1 and one label it is the Dice loss with
    linear denominators (``dice_loss``; MONAI's with both smoothing terms 0). scikit-learn's ``fbeta_score`` is one
    minus this at predictions of 0 and 1; its 0/0 is a score of 0 (``zero_division``), here a loss of 0.
    """
    _validate.non_negative(beta=beta, eps=eps)
    c = _confusion(y_pred, y_true, weight, mask, from_logits=from_logits, per_label=True, without_tn=True)
    lost = beta**2 * c.fn + c.fp + eps
    values = _share(lost, (1 + beta**2) * c.tp + lost)
    dead = c.positives + c.negatives == 0
    value = torch.where(dead, lost * 0, values).sum() / (~dead).sum().clamp(min=1)
    return whole_batch(value.to(y_pred.dtype), reduction)


@final
class SoftFBetaLoss(Loss):
    """Class form of :func:`soft_fbeta_loss`."""

    function = staticmethod(soft_fbeta_loss)
    spec = Spec(
        task="binary",
        y_pred="logits",
        y_true="binary",
        unit="batch",
        link=LOGIT,
        true_domain=HARD_LABEL,
        claims=("improper",),
        exemptions=one_value_per_batch(scaling="with eps > 0 a fixed number is added to weighted sums"),
        expected={"empty-targets": "without a positive target the F-score is 0, whatever is predicted"},
        use="The F-score is the goal and positives are rare; best beside a cross-entropy, in large batches.",
        avoid="Batches that may hold no positive, or probabilities: binary_cross_entropy_loss and a tuned threshold.",
        paper="Pastor-Pellicer et al. 2013, doi:10.1007/978-3-642-38679-4_37",
        cites=("pastorpellicer2013fmeasure",),
    )

    beta: float = 1.0
    eps: float = 0.0
    from_logits: bool = True


@full_precision
def mcc_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    from_logits: bool = True,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""One minus the soft Matthews correlation; y_pred are logits, for probabilities pass ``from_logits=False``.

    .. math:: L = 1 - \frac{tp\,tn - fp\,fn}{\sqrt{(tp+fp)(tp+fn)(tn+fp)(tn+fn)}}

    with :math:`tp = \sum w y p`, :math:`fp = \sum w (1-y) p`, :math:`fn = \sum w y (1-p)`,
    :math:`tn = \sum w (1-y)(1-p)` over all elements. One value per batch, in [0, 2]. A coefficient of 0/0 (one class
    absent, or one never predicted) is 0, the loss 1.

    Args:
        y_pred: logits of any shape (probabilities with ``from_logits=False``).
        y_true: the same shape, in {0, 1}; bool and integers are accepted.
        from_logits: False where y_pred holds probabilities.
        weight: weights ≥ 0 of y_true's shape or a leading part of it; they enter the sums.
        mask: True = counts; shape as ``weight``.
        reduction: accepted for the contract's sake; every reduction gives the one value.

    Raises:
        ValueError: shapes differ, y_true is not 0 or 1, a probability is outside [0, 1], or a weight is negative.
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import mcc_loss
    >>> y_pred, y_true = torch.tensor([0.9, 0.6, 0.3, 0.1]), torch.tensor([1, 1, 0, 0])
    >>> mcc_loss(y_pred, y_true, from_logits=False)
    tensor(0.4493)

    Source: Abhishek and Hamarneh, Matthews Correlation Coefficient Loss for Deep Convolutional Networks (2021).

    Elsewhere: segmentation-models-pytorch gives the same number up to its eps of 1e-5, on probabilities (it does not
    say so). scikit-learn's ``matthews_corrcoef`` is one minus this at predictions of 0 and 1, with the same 0/0.
    MONAI's ``MCCLoss`` is this with ``batch=True, smooth_dr=0.0``. Not in torch, torchvision, kornia, timm or optax.
    """
    c = _confusion(y_pred, y_true, weight, mask, from_logits=from_logits)
    mass = c.positives + c.negatives
    # Shares of the batch, so that products of four neither overflow nor vanish.
    tp, fp, fn, tn, positives, negatives = (_share(count, mass) for count in c)
    spread = (tp + fp) * (tn + fn) * positives * negatives
    small = spread <= torch.finfo(spread.dtype).tiny ** 0.5
    coefficient = (tp * tn - fp * fn) / torch.sqrt(torch.where(small, 1.0, spread))
    return whole_batch(torch.where(mass == 0, tp, 1 - coefficient).to(y_pred.dtype), reduction)


@final
class MCCLoss(Loss):
    """Class form of :func:`mcc_loss`."""

    function = staticmethod(mcc_loss)
    spec = Spec(
        task="binary",
        y_pred="logits",
        y_true="binary",
        unit="batch",
        link=LOGIT,
        true_domain=HARD_LABEL,
        claims=("improper",),
        exemptions=one_value_per_batch(),
        expected={"empty-targets": "with one class alone the correlation is 0, whatever is predicted"},
        use="Rare classes where all four cells of the confusion matrix matter, true negatives too; in large batches.",
        avoid="Batches that may hold one class alone (no slope), or probabilities: binary_cross_entropy_loss.",
        paper="Abhishek and Hamarneh 2021, arXiv:2010.13454",
        cites=("abhishek2021matthews",),
    )

    from_logits: bool = True


@full_precision
def pairwise_auc_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    margin: float = 1.0,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Squared hinge over all pairs of a positive and a negative: a smooth stand-in for one minus the AUC.

    .. math:: L = \frac{\sum_{i:\,y_i=1}\sum_{j:\,y_j=0} w_i w_j \max(0,\ m - (z_i - z_j))^2}
        {\sum_{i:\,y_i=1}\sum_{j:\,y_j=0} w_i w_j}

    with z the logits y_pred of all elements. One value per batch, in the unit of the logits, squared. Without
    positives or without negatives there is no pair: 0. Computed by sorting in O(n log n) time and O(n) memory.

    Args:
        y_pred: logits of any shape; only their differences count.
        y_true: the same shape, in {0, 1}; bool and integers are accepted.
        margin: m ≥ 0, by how much a positive should lead.
        weight: weights ≥ 0 of y_true's shape or a leading part of it; a pair weighs the product.
        mask: True = counts; shape as ``weight``.
        reduction: accepted for the contract's sake; every reduction gives the one value.

    Raises:
        ValueError: shapes differ, y_true is not 0 or 1, a weight is negative, or ``margin`` < 0.
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import pairwise_auc_loss
    >>> pairwise_auc_loss(torch.tensor([2.0, -1.0, 0.5, -3.0]), torch.tensor([1, 0, 0, 1]))
    tensor(7.3125)

    Source: Gao and Zhou, On the Consistency of AUC Pairwise Optimization (2015), for the surrogate; Rust and Hocking
    (2023) for a log-linear algorithm (here the sums are of positive terms only, so that nothing cancels).

    Elsewhere: not in torch, torchvision, kornia, MONAI, timm, optax or scikit-learn. LibAUC's ``PairwiseAUCLoss``
    builds the matrix of pairs; its squared hinge with margin 1 is this number. LibAUC's AUCM is another loss.
    """
    _validate.non_negative(margin=margin)
    z, y_true, w = prepare(y_pred, y_true, weight, mask, true=HARD_LABEL)
    z, label = (values.flatten().to(_wide(values)) for values in (z, y_true))
    mass = torch.ones_like(label) if w is None else w.flatten().to(label.dtype)
    # A positive pays for the negatives that reach it once they have taken a run-up of the margin.
    reach, order = torch.sort(z + margin * (1 - label), descending=True)
    positive, negative = (side.gather(0, order) for side in (mass * label, mass * (1 - label)))
    # Going down step by step: the mass of the negatives above, their distances, their squared distances.
    step = reach[:-1] - reach[1:]
    above = negative.cumsum(0)[:-1]
    distance = (above * step).cumsum(0)
    squared = (step * (2 * distance - above * step)).cumsum(0)
    pairs = positive.sum() * negative.sum()
    value = (positive[1:] * squared).sum() / torch.where(pairs > 0, pairs, 1.0)
    return whole_batch(value.to(y_pred.dtype), reduction)


@final
class PairwiseAUCLoss(Loss):
    """Class form of :func:`pairwise_auc_loss`."""

    function = staticmethod(pairwise_auc_loss)
    spec = Spec(
        task="binary",
        y_pred="logits",
        y_true="binary",
        unit="batch",
        link=LOGIT,
        true_domain=HARD_LABEL,
        claims=("improper", "convex"),
        exemptions=one_value_per_batch(),
        use="The ranking is the goal (AUC), with large batches in which both classes appear.",
        avoid="Probabilities or a fixed threshold, for a shift of all logits costs nothing: binary_cross_entropy_loss.",
        paper="Gao and Zhou 2015, arXiv:1208.0645; Rust and Hocking 2023, arXiv:2302.11062",
        cites=("gao2015consistency", "rust2023loglinear"),
    )

    margin: float = 1.0


@full_precision
def nnpu_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    prior: float,
    gamma: float = 1.0,
    beta: float = 0.0,
    from_logits: bool = True,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Non-negative PU risk: y_pred are logits, for probabilities pass ``from_logits=False``.

    .. math:: L = \pi R_p^+ + \max\left(-\beta,\ R_u^- - \pi R_p^-\right)

    For some positives that are labelled and many elements that are not: :math:`R_p^+` and :math:`R_p^-` are the mean
    of σ(−z) and of σ(z) over the labelled positives, :math:`R_u^-` the mean of σ(z) over the unlabelled ones (with
    probabilities 1 − p and p). A missing side's risk is 0. One value per batch, an error rate.

    Where the estimated risk of negatives falls below −β, which no true risk can, the value is the clipped one, but the
    slope is −γ times that of the risk of negatives, by definition: it undoes the overfitting instead of resting.

    Args:
        y_pred: logits of any shape (probabilities with ``from_logits=False``).
        y_true: the same shape: 1 = labelled positive, 0 = unlabelled; bool and integers are accepted.
        prior: π in (0, 1), the share of positives among the unlabelled.
        gamma: γ ≥ 0, how hard to step back where clipped.
        beta: β ≥ 0, how far below 0 the risk of negatives may fall.
        from_logits: False where y_pred holds probabilities.
        weight: weights ≥ 0 of y_true's shape or a leading part of it; they enter the means.
        mask: True = counts; shape as ``weight``.
        reduction: accepted for the contract's sake; every reduction gives the one value.

    Raises:
        ValueError: shapes differ, y_true is not 0 or 1, a probability is outside [0, 1], a weight is negative, or
            a hyper-parameter is out of range.
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import nnpu_loss
    >>> y_pred, y_true = torch.tensor([2.0, -1.0, 0.5, -3.0]), torch.tensor([1, 0, 0, 1])
    >>> nnpu_loss(y_pred, y_true, prior=0.3)
    tensor(0.4672)

    Source: Kiryo et al., Positive-Unlabeled Learning with Non-Negative Risk Estimator (2017), equation 6 and
    algorithm 1, with the sigmoid loss.

    Elsewhere: not in torch, torchvision, kornia, MONAI, timm, optax or scikit-learn. The authors' code has the same
    value and slope, with labels 1 and −1; −1 is unlabelled there.
    """
    _open_fraction(prior=prior)
    _validate.non_negative(gamma=gamma, beta=beta)
    c = _confusion(y_pred, y_true, weight, mask, from_logits=from_logits)
    positive_risk = prior * _share(c.fn, c.positives)
    negative_risk = _share(c.fp, c.negatives) - prior * _share(c.tp, c.positives)
    clipped = negative_risk < -beta
    value = positive_risk + torch.where(clipped, -beta, negative_risk)
    # The value of the one with the slope of the other.
    slope = torch.where(clipped, -gamma * negative_risk, positive_risk + negative_risk)
    return whole_batch((value.detach() + (slope - slope.detach())).to(y_pred.dtype), reduction)


_open_fraction = _validate.in_range(low=0.0, high=1.0, open_low=True, open_high=True)


@final
class NNPULoss(Loss):
    """Class form of :func:`nnpu_loss`."""

    function = staticmethod(nnpu_loss)
    spec = Spec(
        task="binary",
        y_pred="logits",
        y_true="binary",
        unit="batch",
        link=LOGIT,
        true_domain=HARD_LABEL,
        claims=("improper", "bounded"),
        exemptions=one_value_per_batch(
            gradcheck="where the risk is clipped its slope is that of another function, by definition"
        ),
        use="Some positives are labelled, nothing else is, and the share of positives is known.",
        avoid="The prior is a guess, or true negatives exist: binary_cross_entropy_loss on what is labelled.",
        paper="Kiryo et al. 2017, arXiv:1703.00593, eq. 6 and algorithm 1",
        cites=("kiryo2017positive",),
    )

    prior: float
    gamma: float = 1.0
    beta: float = 0.0
    from_logits: bool = True
