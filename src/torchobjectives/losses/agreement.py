"""Losses that compare predictions and targets as two sets of samples: one value per batch.

Throughout, means, variances and the covariance are over the whole batch, weighted, and biased (÷ Σw).
"""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from torchobjectives import _validate
from torchobjectives._loss import Loss
from torchobjectives._reduction import Reduction, full_precision, prepare, reduce, whole_batch
from torchobjectives._spec import Spec, one_value_per_batch


@full_precision
def ccc_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    eps: float = 1e-8,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""One minus Lin's concordance correlation: one value per batch, right about order, scale and offset.

    .. math::
        L = 1 - \frac{2\operatorname{cov}(p, t)}
            {\operatorname{var} p + \operatorname{var} t + (\bar p - \bar t)^2 + \epsilon}

    In [0, 2], without unit, for p = y_pred and t = y_true: 0 where the predictions are right, 1 where they are
    constant or uncorrelated; so also for a batch of one, which has no slope.

    Args:
        y_pred: any real numbers, any shape.
        y_true: the same shape.
        eps: added to the denominator, > 0, in the unit of y_true, squared.
        weight: weights ≥ 0 of y_true's shape or a leading part of it; they enter all moments.
        mask: True = counts; shape as ``weight``.
        reduction: accepted for the contract's sake; every reduction gives the one value.

    Raises:
        ValueError: shapes differ, a weight is negative, or ``eps`` ≤ 0.
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import ccc_loss
    >>> ccc_loss(torch.tensor([0.5, -1.0, 2.0, 0.0]), torch.tensor([0.0, 1.0, 2.5, 0.0]))
    tensor(0.4557)

    Source: Lin, A Concordance Correlation Coefficient to Evaluate Reproducibility (1989); one minus its ρ_c.

    Elsewhere: torch, kornia, optax and scikit-learn have none. Moments over n − 1 change the variances but not
    the difference of the means, and so the number.
    """
    _validate.positive(eps=eps)
    y_pred, y_true, w = prepare(y_pred, y_true, weight, mask)
    _validate.survives(y_pred, eps=eps)
    distance = y_pred - y_true
    spread = _variance(y_pred, w) + _variance(y_true, w) + reduce(distance, w, "mean").square() + eps
    # 1 − 2cov/(…) over one denominator is the mean squared error over it: near 0 no digit is lost.
    value = (reduce(distance.square(), w, "mean") + eps) / spread
    return whole_batch(_if_any(value, w, y_pred), reduction)


@final
class CCCLoss(Loss):
    """Class form of :func:`ccc_loss`."""

    function = staticmethod(ccc_loss)
    spec = Spec(
        task="regression",
        y_pred="real",
        y_true="real",
        unit="batch",
        exemptions=one_value_per_batch(),
        use="Ratings such as valence and arousal, judged by agreement: it is right about scale and offset, too.",
        avoid="Small batches, whose moments are noise, or accumulated gradients: mse_loss.",
        paper="Lin 1989, doi:10.2307/2532051",
        cites=("lin1989concordance",),
    )

    eps: float = 1e-8


@full_precision
def pearson_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    eps: float = 1e-8,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""One minus Pearson's correlation: one value per batch, blind to scale and offset.

    .. math:: L = 1 - \frac{\operatorname{cov}(p, t)}{\sigma_p \sigma_t + \epsilon}

    In [0, 2], without unit, for p = y_pred and t = y_true. Constant predictions or targets, a batch of one included,
    cost 1 and have no slope; of nearly constant predictions the slope is large, as 1/σ_p.

    Args:
        y_pred: any real numbers, any shape.
        y_true: the same shape.
        eps: added to the denominator, > 0, in the unit of y_true, squared.
        weight: weights ≥ 0 of y_true's shape or a leading part of it; they enter all moments.
        mask: True = counts; shape as ``weight``.
        reduction: accepted for the contract's sake; every reduction gives the one value.

    Raises:
        ValueError: shapes differ, a weight is negative, or ``eps`` ≤ 0.
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import pearson_loss
    >>> pearson_loss(torch.tensor([0.5, -1.0, 2.0, 0.0]), torch.tensor([0.0, 1.0, 2.5, 0.0]))
    tensor(0.3934)

    Source: Pearson, Note on Regression and Inheritance in the Case of Two Parents (1895).

    Elsewhere: one minus torch's ``corrcoef`` is this number with ``eps`` → 0, and NaN where predictions are constant;
    kornia, optax and scikit-learn have no such loss.
    """
    _validate.positive(eps=eps)
    y_pred, y_true, w = prepare(y_pred, y_true, weight, mask)
    _validate.survives(y_pred, eps=eps)
    (p, size_pred), (t, size_true) = _standardised(y_pred, w), _standardised(y_true, w)
    size = size_pred * size_true
    # 1 − ⟨p, t⟩ of standardised values as ½‖p − t‖²: near 0 no digit is lost.
    value = (size * reduce((p - t).square(), w, "mean") / 2 + eps) / (size + eps)
    return whole_batch(_if_any(value, w, y_pred), reduction)


def _centred(values: Tensor, w: Tensor | None) -> Tensor:
    centred = values - reduce(values, w, "mean")
    # Once more: a mean far from 0 is itself rounded by as much as small deviations are large.
    return centred - reduce(centred, w, "mean")


def _variance(values: Tensor, w: Tensor | None) -> Tensor:
    return reduce(_centred(values, w).square(), w, "mean")


def _standardised(values: Tensor, w: Tensor | None) -> tuple[Tensor, Tensor]:
    """The values with mean 0 and standard deviation 1, and what that was; constant ones are 0, and it has no slope."""
    centred = _centred(values, w)
    variance = reduce(centred.square(), w, "mean")
    above = variance > 0
    size = torch.sqrt(torch.where(above, variance, 1.0))
    return centred / size, torch.where(above, size, variance)


def _if_any(value: Tensor, w: Tensor | None, units: Tensor) -> Tensor:
    """0 where nothing counts."""
    counts = torch.full_like(value, units.numel()) if w is None else w.detach().sum()
    return torch.where(counts > 0, value, 0.0)


@final
class PearsonLoss(Loss):
    """Class form of :func:`pearson_loss`."""

    function = staticmethod(pearson_loss)
    spec = Spec(
        task="regression",
        y_pred="real",
        y_true="real",
        unit="batch",
        exemptions=one_value_per_batch(),
        use="Predictions used for their order and shape only, whose scale does not matter.",
        avoid="Predictions whose values matter: it leaves scale and offset free; ccc_loss or mse_loss.",
        paper="Pearson 1895, doi:10.1098/rspl.1895.0041",
        cites=("pearson1895note",),
    )

    eps: float = 1e-8
