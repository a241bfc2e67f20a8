"""Losses for several classes whose labels are partly wrong: y_pred (N, C, …) logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from torchobjectives import _validate
from torchobjectives._link import SOFTMAX
from torchobjectives._loss import Loss
from torchobjectives._reduction import Reduction, full_precision, reduce
from torchobjectives._spec import Spec
from torchobjectives.losses._softmax import of_own_cost, prepare_classes


@full_precision
def symmetric_cross_entropy_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    alpha: float = 0.1,
    beta: float = 1.0,
    log_zero: float = -4.0,
    class_weight: Tensor | Sequence[float] | None = None,
    ignore_index: int = -100,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Cross-entropy plus reverse cross-entropy, whose bounded slope resists wrong labels.

    .. math:: \ell = \sum_c w_c\, y_c \left[-\alpha \log p_c - \beta A\, (1 - p_c)\right]

    with A = ``log_zero``, what log 0 counts as. One value per unit; denominator as in
    :func:`cross_entropy_loss`. α = 1, β = 0 is cross-entropy.

    Args:
        y_pred: logits (N, C, …), the classes at dim 1.
        y_true: class indices (N, …), or probabilities (N, C, …).
        alpha: weight ≥ 0 of cross-entropy; the paper takes 0.1 on CIFAR-10 and 6 on CIFAR-100.
        beta: weight ≥ 0 of reverse cross-entropy; the paper takes 1 and 0.1.
        log_zero: A ≤ 0.
        class_weight: (C,) weights ≥ 0 of the classes; they enter the denominator.
        ignore_index: class index of units that do not count.
        weight: weights ≥ 0 of the units' shape (N, …) or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: a shape, an index, a probability or a hyper-parameter is out of range.
        TypeError: y_pred is not floating point, class indices are, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import symmetric_cross_entropy_loss
    >>> y_pred = torch.tensor([[2.0, 1.0, 0.1], [0.5, 2.5, -1.0], [-1.0, 0.0, 3.0]])
    >>> symmetric_cross_entropy_loss(y_pred, torch.tensor([0, 1, 1]))
    tensor(2.0364)

    Source: Wang et al., Symmetric Cross Entropy for Robust Learning with Noisy Labels (2019), equations 5 to 7.

    Elsewhere: code in circulation clamps probabilities at 1e-7 and one-hot labels at 1e-4 (A = −9.21).
    """
    _validate.non_negative(alpha=alpha, beta=beta)
    _validate.in_range(high=0.0)(log_zero=log_zero)
    given = prepare_classes(y_pred, y_true, weight, mask, class_weight, ignore_index)
    values = of_own_cost(lambda u: alpha * u + beta * log_zero * torch.expm1(-u), given)
    return reduce(values, given.w, reduction, mass=given.mass)


@final
class SymmetricCrossEntropyLoss(Loss):
    """Class form of :func:`symmetric_cross_entropy_loss`."""

    function = staticmethod(symmetric_cross_entropy_loss)
    spec = Spec(
        task="multiclass",
        y_pred="logits",
        y_true="classes",
        unit="sample",
        link=SOFTMAX,
        paper="Wang et al. 2019, arXiv:1908.06112, eq. 5-7",
    )

    alpha: float = 0.1
    beta: float = 1.0
    log_zero: float = -4.0
    class_weight: Tensor | Sequence[float] | None = None
    ignore_index: int = -100
