"""Losses for positive numbers and for errors in proportion: a difference of 1 counts less at 1000 than at 10.

Throughout, :math:`d` = y_pred − y_true.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor

from torchobjectives import _validate
from torchobjectives._link import POSITIVE, Domain
from torchobjectives._loss import Loss
from torchobjectives._reduction import Reduction, full_precision, prepare, reduce, whole_batch
from torchobjectives._spec import Spec, one_value_per_batch

# One place for the advice: a last layer that cannot leave the domain, and a loss for targets that do.
_PRED_HINT = " Let the last layer end in softplus or exp."
_TRUE_HINT = " Leave such targets out with mask, or use huber_loss."
_ABOVE_MINUS_ONE = Domain(-1.0, open_low=True, hint=_PRED_HINT)
_ABOVE_MINUS_ONE_TRUE = replace(_ABOVE_MINUS_ONE, hint=_TRUE_HINT)
_POSITIVE = replace(POSITIVE, hint=_PRED_HINT)
_POSITIVE_TRUE = replace(POSITIVE, hint=_TRUE_HINT)


@full_precision
def msle_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Squared difference of the logarithms of 1 + y: errors count in proportion.

    .. math:: \ell = \left(\log(1 + p) - \log(1 + t)\right)^2

    One value per element, without unit, for p = y_pred and t = y_true, both > −1. Too low costs more
    than equally too high.

    Args:
        y_pred: numbers > −1, any shape.
        y_true: the same shape, numbers > −1.
        weight: weights ≥ 0 of y_true's shape or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"`` (Σwℓ/Σw), ``"sum"`` or ``"none"``.

    Raises:
        ValueError: shapes differ, a weight is negative, or a value is ≤ −1.
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import msle_loss
    >>> msle_loss(torch.tensor([0.5, 1.0, 2.0, 0.1]), torch.tensor([1.0, 1.0, 2.5, 0.2]))
    tensor(0.0285)

    Source: textbook.

    Elsewhere: scikit-learn's ``mean_squared_log_error`` gives the same number. keras first clips both to at least
    1e-7, so that negative predictions have no slope. torch has none.
    """
    y_pred, y_true, w = prepare(y_pred, y_true, weight, mask, pred=_ABOVE_MINUS_ONE, true=_ABOVE_MINUS_ONE_TRUE)
    return reduce(_log_ratio(y_pred, y_true, torch.log1p, 1 + y_true).square(), w, reduction)


def _log_ratio(y_pred: Tensor, y_true: Tensor, log: Callable[[Tensor], Tensor], whole: Tensor) -> Tensor:
    """log(y_pred) − log(y_true), where log(y_true) is the logarithm of ``whole``.

    Of two near numbers this is log1p(d/whole): the difference of their logarithms has lost its digits.
    """
    ratio = (y_pred - y_true) / whole
    # Times 0 or 1 rather than ``where``, which takes as long as a logarithm; nothing here is infinite.
    near = (ratio.abs() < 0.5).to(ratio.dtype)
    close = torch.log1p(near * F.hardtanh(ratio, -0.5, 0.5))
    return close + (1 - near) * (log(y_pred) - log(y_true))


@final
class MSLELoss(Loss):
    """Class form of :func:`msle_loss`."""

    function = staticmethod(msle_loss)
    spec = Spec(
        task="regression",
        y_pred="real",
        y_true="real",
        pred_domain=_ABOVE_MINUS_ONE,
        true_domain=_ABOVE_MINUS_ONE_TRUE,
        use="Targets ≥ 0 over several orders of magnitude, zeros among them, such as prices or counts.",
        avoid="Targets whose mean is wanted, for it fits that of log(1 + y): mse_loss or poisson_nll_loss.",
        paper="textbook",
    )


@full_precision
def mape_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    eps: float = 1e-8,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Absolute error as a fraction of the target.

    .. math:: \ell = \frac{|d|}{\max(|t|, \epsilon)}

    One value per element, a fraction (not times 100), for t = y_true. Its minimiser lies below the median: too high
    costs without bound, too low at most 1.

    Args:
        y_pred: any real numbers, any shape.
        y_true: the same shape.
        eps: the least size of a target, > 0, in y_true's unit. A target of 0 counts |d|/ε.
        weight: weights ≥ 0 of y_true's shape or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"`` (Σwℓ/Σw), ``"sum"`` or ``"none"``.

    Raises:
        ValueError: shapes differ, a weight is negative, or ``eps`` ≤ 0.
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import mape_loss
    >>> mape_loss(torch.tensor([0.5, 1.0, 2.0, 0.1]), torch.tensor([1.0, 1.0, 2.5, 0.2]))
    tensor(0.3000)

    Source: textbook; as a loss de Myttenaere, Golden, Le Grand and Rossi, Mean Absolute Percentage Error for
    Regression Models (2016).

    Elsewhere: scikit-learn's ``mean_absolute_percentage_error`` is the same with ``eps=2.2e-16``; keras multiplies
    by 100 and has 1e-7; in neuralforecast a target of 0 counts 0 (here ``mask=y_true != 0`` leaves it out of the
    mean, too). torch has none.
    """
    _validate.positive(eps=eps)
    y_pred, y_true, w = prepare(y_pred, y_true, weight, mask)
    _validate.survives(y_pred, eps=eps)
    return reduce((y_pred - y_true).abs() / y_true.abs().clamp(min=eps), w, reduction)


@final
class MAPELoss(Loss):
    """Class form of :func:`mape_loss`."""

    function = staticmethod(mape_loss)
    spec = Spec(
        task="regression",
        y_pred="real",
        y_true="real",
        claims=("convex",),
        use="Forecasts judged in percent, with targets well away from 0.",
        avoid="Targets near 0, where an error weighs up to 1/eps: smape_loss, msle_loss, or l1_loss with weight.",
        paper="de Myttenaere, Golden, Le Grand and Rossi 2016, arXiv:1605.02541",
        cites=("demyttenaere2016mean",),
    )

    eps: float = 1e-8


@full_precision
def smape_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Absolute error as a fraction of the mean size of prediction and target.

    .. math:: \ell = \frac{2|d|}{|p| + |t|}

    One value per element in [0, 2] (not times 100), for p = y_pred and t = y_true; 0/0 counts as 0. A
    target of 0, and a prediction of the other sign, cost 2 whatever the prediction is: nothing pulls there.

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
    >>> from torchobjectives import smape_loss
    >>> smape_loss(torch.tensor([0.5, 1.0, 2.0, 0.1]), torch.tensor([1.0, 1.0, 2.5, 0.2]))
    tensor(0.3889)

    Source: Makridakis, Accuracy Measures: Theoretical and Practical Concerns (1993), without the factor 100 and with
    absolute values in the denominator.

    Elsewhere: neuralforecast's ``SMAPE`` gives the same number; others multiply by 100, or leave out the 2. torch and
    scikit-learn have none.
    """
    y_pred, y_true, w = prepare(y_pred, y_true, weight, mask)
    # Below the least normal number the slope of the quotient would overflow; 0/0 is 0.
    size = (y_pred.abs() + y_true.abs()).clamp(min=torch.finfo(y_pred.dtype).tiny)
    return reduce(2 * (y_pred - y_true).abs() / size, w, reduction)


@final
class SMAPELoss(Loss):
    """Class form of :func:`smape_loss`."""

    function = staticmethod(smape_loss)
    spec = Spec(
        task="regression",
        y_pred="real",
        y_true="real",
        use="Forecasts judged by sMAPE, as in the M3 and M4 competitions.",
        avoid="Targets of 0 or of both signs, for which it has no slope: l1_loss, or msle_loss for targets >= 0.",
        paper="Makridakis 1993, doi:10.1016/0169-2070(93)90079-3",
        cites=("makridakis1993accuracy",),
    )


@full_precision
def silog_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    lambd: float = 0.5,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Scale-invariant logarithmic error: one value per batch, of which a common factor counts only in part.

    .. math:: L = \operatorname{mean}(g^2) - \lambda \operatorname{mean}(g)^2, \qquad g = \log p - \log t

    p = y_pred and t = y_true, both > 0. All elements are one set of samples; weights enter both means. Without unit.

    Args:
        y_pred: numbers > 0, any shape.
        y_true: the same shape, numbers > 0.
        lambd: λ in [0, 1]: 0 is the mean squared error of the logarithms, at 1 a common factor of all predictions costs
            nothing.
        weight: weights ≥ 0 of y_true's shape or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: accepted for the contract's sake; every reduction gives the one value.

    Raises:
        ValueError: shapes differ, a weight is negative, a value is ≤ 0, or ``lambd`` is not in [0, 1].
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import silog_loss
    >>> silog_loss(torch.tensor([0.5, 1.0, 2.0, 0.1]), torch.tensor([1.0, 1.0, 2.5, 0.2]))
    tensor(0.1717)

    Source: Eigen, Puhrsch and Fergus, Depth Map Prediction from a Single Image (2014), equation 4. There one image is
    one set: call it per image, or under ``torch.vmap``.

    Elsewhere: mmseg takes the root of it, and DPT ten times the root, whose slope is NaN where all is right;
    ``torch.sqrt(silog_loss(...) + 1e-12)`` is near. torch and kornia have none.
    """
    _validate.fraction(lambd=lambd)
    y_pred, y_true, w = prepare(y_pred, y_true, weight, mask, pred=_POSITIVE, true=_POSITIVE_TRUE)
    ratio = _log_ratio(y_pred, y_true, torch.log, y_true)
    mean = reduce(ratio, w, "mean")
    # The mean square as variance and squared mean: nothing is left of their difference where λ = 1.
    return whole_batch(reduce((ratio - mean).square(), w, "mean") + (1 - lambd) * mean.square(), reduction)


@final
class SiLogLoss(Loss):
    """Class form of :func:`silog_loss`."""

    function = staticmethod(silog_loss)
    spec = Spec(
        task="regression",
        y_pred="real",
        y_true="real",
        unit="batch",
        pred_domain=_POSITIVE,
        true_domain=_POSITIVE_TRUE,
        exemptions=one_value_per_batch(),
        use="Depth maps, whose overall scale is ambiguous.",
        avoid="Accumulated gradients, where its parts do not add up, or predictions <= 0: msle_loss or mse_loss.",
        paper="Eigen, Puhrsch and Fergus 2014, arXiv:1406.2283, eq. 4",
        cites=("eigen2014depth",),
    )

    lambd: float = 0.5
