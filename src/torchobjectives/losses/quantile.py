r"""Losses for a chosen level of the distribution: quantiles and expectiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor

from torchobjectives import _validate
from torchobjectives._link import QUANTILES
from torchobjectives._loss import Loss
from torchobjectives._reduction import Reduction, full_precision, prepare, prepare_parameters, reduce
from torchobjectives._spec import Spec

_inside = _validate.in_range(low=0.0, high=1.0, open_low=True, open_high=True)


@full_precision
def quantile_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    quantiles: float | Sequence[float] = 0.5,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Pinball loss: the best constant is the quantile of that level.

    .. math:: \ell_q = \max\left(q\,(y - p),\ (q - 1)(y - p)\right), \qquad \ell = \tfrac{1}{Q}\textstyle\sum_q \ell_q

    One value per element of y_true, the mean over the quantiles. Unit: that of y_true. At y = p the slope is taken as
    ½ − q, half-way between both sides.

    Args:
        y_pred: for one quantile any shape; for Q of them (…, Q), in the order of ``quantiles``.
        y_true: real numbers; for one quantile y_pred's shape, for Q of them (…).
        quantiles: the levels, each inside (0, 1): a number, or a tuple, list or NumPy array of Q numbers.
        weight: weights ≥ 0 of y_true's shape or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"`` (Σwℓ/Σw), ``"sum"`` or ``"none"``.

    Raises:
        ValueError: a shape does not fit, a weight is negative, or a level is not inside (0, 1).
        TypeError: y_pred is not floating point, mask is not bool, or ``quantiles`` is a tensor.

    >>> import torch
    >>> from torchobjectives import quantile_loss
    >>> y_true = torch.tensor([0.0, 1.0, 2.5, 0.0])
    >>> quantile_loss(torch.tensor([0.5, -1.0, 2.0, 0.0]), y_true, quantiles=0.9)
    tensor(0.5750)
    >>> quantile_loss(torch.zeros(4, 3), y_true, quantiles=(0.1, 0.5, 0.9))
    tensor(0.4375)

    Source: Koenker and Bassett, Regression Quantiles (1978).

    Elsewhere: scikit-learn's ``mean_pinball_loss`` gives the same number (``alpha`` is q). neuralforecast's
    ``QuantileLoss(q)`` does, too, but takes (y, y_hat): swapped, q silently becomes 1 − q; its ``MQLoss`` (3.3.0) adds
    the quantiles up, Q times this. torch has none; twice this at q = ½ is :func:`l1_loss`.
    """
    quantiles = _levels(quantiles)
    if not isinstance(quantiles, Sequence):
        _inside(quantiles=quantiles)
        _hint_at_several(y_pred, y_true)
        y_pred, y_true, w = prepare(y_pred, y_true, weight, mask)
        return reduce(_pinball(y_true - y_pred, quantiles), w, reduction)
    _check_quantiles(y_pred, y_true, quantiles)
    names = tuple(f"quantile {k}" for k in range(1, len(quantiles) + 1))
    parts, y_true, w = prepare_parameters(y_pred, y_true, weight, mask, names=names)
    values = [_pinball(y_true - part, q) for part, q in zip(parts, quantiles, strict=True)]
    return reduce(sum(values[1:], values[0]) / len(values), w, reduction)


def _levels(quantiles: float | Sequence[float]) -> float | Sequence[float]:
    """The levels as a number or a sequence; an array of another library becomes one, as in the class."""
    # First, for while compiling a number is symbolic and answers no further question.
    if isinstance(quantiles, int | float | tuple | list):
        return quantiles
    if getattr(quantiles, "ndim", 0) == 0 or not hasattr(quantiles, "tolist"):
        return quantiles
    if isinstance(quantiles, Tensor):
        raise TypeError(
            "quantiles has type Tensor, wanted a number, or a tuple or list of numbers. "
            "Did you mean quantiles.tolist()?"
        )
    levels: Sequence[float] = quantiles.tolist()
    return levels


def _hint_at_several(y_pred: Tensor, y_true: Tensor) -> None:
    if y_pred.ndim and y_pred.shape[-1] != 1 and y_pred.shape[:-1] == y_true.shape:
        count = y_pred.shape[-1]
        raise ValueError(
            f"y_pred has shape {_validate.shape(y_pred)}, y_true {_validate.shape(y_true)}: shapes must be equal for "
            f"one quantile. For {count} quantiles pass quantiles=(…) with {count} levels."
        )


def _pinball(error: Tensor, q: float) -> Tensor:
    return torch.maximum(q * error, (q - 1) * error)


def _check_quantiles(y_pred: Tensor, y_true: Tensor, quantiles: Sequence[float]) -> None:
    if not quantiles:
        raise ValueError("quantiles is empty, wanted one level or more, each inside (0, 1).")
    for k, q in enumerate(quantiles):
        _inside(**{f"quantiles[{k}]": q})
    if y_pred.shape[:-1] == y_true.shape and y_pred.ndim and y_pred.shape[-1] != len(quantiles):
        raise ValueError(
            f"y_pred has {y_pred.shape[-1]} numbers in its last axis, quantiles {len(quantiles)} levels: "
            f"wanted y_pred {(*_validate.shape(y_true), len(quantiles))}."
        )


@final
class QuantileLoss(Loss):
    """Class form of :func:`quantile_loss`."""

    function = staticmethod(quantile_loss)
    spec = Spec(
        task="regression",
        y_pred="quantiles",
        y_true="real",
        link=QUANTILES,
        claims=("proper", "convex", "robust"),
        use="Intervals and asymmetric costs: where a shortage costs nine times a surplus, q is 0.9.",
        avoid="Levels so near 0 or 1 that few targets lie beyond them: fit a distribution, such as student_t_nll_loss.",
        paper="Koenker and Bassett 1978, doi:10.2307/1913643",
        cites=("koenker1978regression",),
    )

    quantiles: float | Sequence[float] = 0.5


@full_precision
def expectile_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    tau: float = 0.5,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Asymmetric squared error: the best constant is an expectile, as the mean is at τ = ½.

    .. math:: \ell = |\tau - [y < p]|\,(y - p)^2

    One value per element. Unit: that of y_true, squared.

    Args:
        y_pred: any real numbers, any shape.
        y_true: the same shape.
        tau: the weight of targets above the prediction, inside (0, 1); those below weigh 1 − τ.
        weight: weights ≥ 0 of y_true's shape or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"`` (Σwℓ/Σw), ``"sum"`` or ``"none"``.

    Raises:
        ValueError: shapes differ, a weight is negative, or ``tau`` is not inside (0, 1).
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import expectile_loss
    >>> expectile_loss(torch.tensor([0.5, -1.0, 2.0, 0.0]), torch.tensor([0.0, 1.0, 2.5, 0.0]), tau=0.9)
    tensor(0.9625)

    Source: Newey and Powell, Asymmetric Least Squares Estimation and Testing (1987).

    Elsewhere: none of the usual libraries has it; twice this at τ = ½ is :func:`mse_loss`.
    """
    _inside(tau=tau)
    y_pred, y_true, w = prepare(y_pred, y_true, weight, mask)
    # The larger weight times e·e on its own side of 0; what lies on the other is turned down to the smaller.
    sign, larger = (1, tau) if tau >= 0.5 else (-1, 1 - tau)
    error = sign * (y_true - y_pred)
    return reduce(larger * error * F.leaky_relu(error, min(tau, 1 - tau) / larger), w, reduction)


@final
class ExpectileLoss(Loss):
    """Class form of :func:`expectile_loss`."""

    function = staticmethod(expectile_loss)
    spec = Spec(
        task="regression",
        y_pred="real",
        y_true="real",
        claims=("proper", "convex"),
        use="A tail summary that, unlike a quantile, feels how far targets lie beyond it.",
        avoid="Wild targets, or a level that someone must read: a quantile says how often, use quantile_loss.",
        paper="Newey and Powell 1987, doi:10.2307/1911031",
        cites=("newey1987asymmetric",),
    )

    tau: float = 0.5
