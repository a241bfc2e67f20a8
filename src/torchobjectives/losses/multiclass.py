"""Losses for one class of several: y_pred (N, C, …) logits, the class axis at dim 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor

from torchobjectives import _validate
from torchobjectives._link import LOG_PROBABILITY, SOFTMAX
from torchobjectives._loss import Loss
from torchobjectives._reduction import Reduction, full_precision, reduce, reduce_kernel
from torchobjectives._spec import Spec
from torchobjectives.losses._softmax import (
    all_log_odds_against,
    log_odds_against,
    of_own_cost,
    over_classes,
    prepare_classes,
)


@full_precision
def cross_entropy_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    label_smoothing: float = 0.0,
    class_weight: Tensor | Sequence[float] | None = None,
    ignore_index: int = -100,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Cross-entropy of logits with a class index or with class probabilities.

    .. math:: \ell = -\sum_c w_c\, q_c \log p_c, \qquad p = \mathrm{softmax}(\text{y\_pred}),\quad
        q = (1-\varepsilon)\, y + \varepsilon / C

    One value per unit (sample, pixel, token), in nats. The mean divides by :math:`\sum w\, \sum_c w_c y_c` with
    the unsmoothed y: for class indices, by the sum of the weights of the classes that occur.

    Args:
        y_pred: logits (N, C, …), the classes at dim 1.
        y_true: class indices (N, …), or probabilities (N, C, …).
        label_smoothing: ε in [0, 1], spread over all C classes, the true one included.
        class_weight: (C,) weights ≥ 0 of the classes; they enter the denominator.
        ignore_index: class index of units that do not count.
        weight: weights ≥ 0 of the units' shape (N, …) or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: a shape, an index, a probability or a hyper-parameter is out of range.
        TypeError: y_pred is not floating point, class indices are, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import cross_entropy_loss
    >>> y_pred = torch.tensor([[2.0, 1.0, 0.1], [0.5, 2.5, -1.0], [-1.0, 0.0, 3.0]])
    >>> cross_entropy_loss(y_pred, torch.tensor([0, 1, 1]))
    tensor(1.2120)

    Source: textbook (the categorical log-likelihood); smoothing: Szegedy et al. (2016), section 7.

    Elsewhere: torch gives the same number for class indices, NaN where nothing counts (here 0), and with smoothing
    still charges a unit whose class has weight 0 (here it does not count). For probabilities with class weights
    torch divides by N, here by the weights' mass. fairseq spreads ε over C − 1 classes.
    """
    _validate.fraction(label_smoothing=label_smoothing)
    given = prepare_classes(y_pred, y_true, weight, mask, class_weight, ignore_index)
    target = given.class_index if given.class_index is not None else given.probabilities
    assert target is not None
    if given.plain:
        return reduce_kernel(F.cross_entropy, given.y_pred, target, None, reduction, label_smoothing=label_smoothing)
    values = F.cross_entropy(
        given.y_pred, target, weight=given.class_weight, reduction="none", label_smoothing=label_smoothing
    )
    return reduce(values, given.w, reduction, mass=given.mass)


@final
class CrossEntropyLoss(Loss):
    """Class form of :func:`cross_entropy_loss`."""

    function = staticmethod(cross_entropy_loss)
    spec = Spec(
        task="multiclass",
        y_pred="logits",
        y_true="classes",
        unit="sample",
        link=SOFTMAX,
        claims=("proper",),
        paper="textbook; Szegedy et al. 2016, arXiv:1512.00567, sec. 7",
    )

    label_smoothing: float = 0.0
    class_weight: Tensor | Sequence[float] | None = None
    ignore_index: int = -100


@full_precision
def nll_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    class_weight: Tensor | Sequence[float] | None = None,
    ignore_index: int = -100,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Negative log-likelihood: cross-entropy for y_pred that are log-probabilities already.

    .. math:: \ell = -\sum_c w_c\, y_c\, \text{y\_pred}_c

    One value per unit, in nats; denominator as in :func:`cross_entropy_loss`. y_pred is taken as it is: no
    softmax is applied, and whether it is normalised is not checked.

    Args:
        y_pred: log-probabilities (N, C, …), the classes at dim 1.
        y_true: class indices (N, …), or probabilities (N, C, …).
        class_weight: (C,) weights ≥ 0 of the classes; they enter the denominator.
        ignore_index: class index of units that do not count.
        weight: weights ≥ 0 of the units' shape (N, …) or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: a shape, an index, a probability or a weight is out of range.
        TypeError: y_pred is not floating point, class indices are, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import nll_loss
    >>> nll_loss(torch.tensor([[0.5, 0.5], [0.9, 0.1]]).log(), torch.tensor([0, 0]))
    tensor(0.3993)

    Source: textbook.

    Elsewhere: torch gives the same number for class indices (it takes no probabilities), and NaN where nothing
    counts (here 0).
    """
    given = prepare_classes(y_pred, y_true, weight, mask, class_weight, ignore_index)
    if given.class_index is not None and given.plain:
        return reduce_kernel(F.nll_loss, given.y_pred, given.class_index, None, reduction)
    return reduce(over_classes(_nll, _negated, given), given.w, reduction, mass=given.mass)


def _nll(y_pred: Tensor, index: Tensor) -> Tensor:
    return F.nll_loss(y_pred, index, reduction="none")


def _negated(y_pred: Tensor) -> Tensor:
    # log 0 = −inf is a legal prediction for a class of probability 0: hold it, so that 0·inf cannot arise.
    return -y_pred.clamp(min=torch.finfo(y_pred.dtype).min)


@final
class NLLLoss(Loss):
    """Class form of :func:`nll_loss`."""

    function = staticmethod(nll_loss)
    spec = Spec(
        task="multiclass",
        y_pred="log_probabilities",
        y_true="classes",
        unit="sample",
        link=LOG_PROBABILITY,
        claims=("proper",),
        paper="textbook",
    )

    class_weight: Tensor | Sequence[float] | None = None
    ignore_index: int = -100


@full_precision
def softmax_focal_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    gamma: float = 2.0,
    class_weight: Tensor | Sequence[float] | None = None,
    ignore_index: int = -100,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Focal loss over a softmax: cross-entropy in which easy units are turned down.

    .. math:: \ell = -\sum_c w_c\, y_c\, (1 - p_c)^\gamma \log p_c

    One value per unit, in nats; denominator as in :func:`cross_entropy_loss`. A per-class alpha is
    ``class_weight``. γ = 0 is cross-entropy.

    Args:
        y_pred: logits (N, C, …), the classes at dim 1.
        y_true: class indices (N, …), or probabilities (N, C, …).
        gamma: γ ≥ 0.
        class_weight: (C,) weights ≥ 0 of the classes; they enter the denominator.
        ignore_index: class index of units that do not count.
        weight: weights ≥ 0 of the units' shape (N, …) or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: a shape, an index, a probability or a hyper-parameter is out of range.
        TypeError: y_pred is not floating point, class indices are, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import softmax_focal_loss
    >>> y_pred = torch.tensor([[2.0, 1.0, 0.1], [0.5, 2.5, -1.0], [-1.0, 0.0, 3.0]])
    >>> softmax_focal_loss(y_pred, torch.tensor([0, 1, 1]))
    tensor(0.9461)

    Source: Lin et al., Focal Loss for Dense Object Detection (2017), equation 4, with softmax probabilities.

    Elsewhere: kornia and MONAI (``use_softmax=True``) divide by C as well: multiply theirs by C. The multiclass
    focal loss of segmentation-models-pytorch is C sigmoid losses, another loss.
    """
    _validate.non_negative(gamma=gamma)
    given = prepare_classes(y_pred, y_true, weight, mask, class_weight, ignore_index)
    if gamma >= 1 or gamma == 0:

        def cost(u: Tensor) -> Tensor:
            against = -torch.expm1(-u)
            if gamma >= 2:
                return against**gamma * u
            # Below 2 the second derivative of a power is infinite at 0, and 0 · inf would be NaN.
            above = against > 0
            return torch.where(above, torch.where(above, against, 1.0) ** gamma, against * 0) * u

        values = of_own_cost(cost if gamma else lambda u: u, given)
    else:

        def tail_cost(against: Tensor) -> Tensor:
            # A power below 1 is infinitely steep at 1 − p = 0: there only the log-odds are exact.
            return -torch.exp(gamma * F.logsigmoid(against)) * F.logsigmoid(-against)

        values = over_classes(
            lambda x, k: tail_cost(log_odds_against(x, k)),
            lambda x: tail_cost(all_log_odds_against(x)),
            given,
        )
    return reduce(values, given.w, reduction, mass=given.mass)


@final
class SoftmaxFocalLoss(Loss):
    """Class form of :func:`softmax_focal_loss`."""

    function = staticmethod(softmax_focal_loss)
    spec = Spec(
        task="multiclass",
        y_pred="logits",
        y_true="classes",
        unit="sample",
        link=SOFTMAX,
        paper="Lin et al. 2017, arXiv:1708.02002, eq. 4",
    )

    gamma: float = 2.0
    class_weight: Tensor | Sequence[float] | None = None
    ignore_index: int = -100
