"""Of which true probability a prediction is the minimiser: what ``predict(y_pred, calibrated=True)`` gives.

For an ℓ(c) = f(p_c) of the true class c, the expected loss Σ_c η_c f(p_c) is least where η_c ∝ 1 / (−f′(p_c)).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from torchobjectives._link import class_axis
from torchobjectives.losses._softmax import along, normalized, one_hot, per_class


def _not_invertible(setting: str) -> ValueError:
    return ValueError(f"With {setting} the prediction does not tell the probability: leave out calibrated=True.")


def of_symmetric(prediction: Tensor, alpha: float, beta: float, log_zero: float) -> Tensor:
    if not alpha:
        raise _not_invertible("alpha=0")
    return normalized(prediction / (alpha - beta * log_zero * prediction))


def of_gce(prediction: Tensor, q: float) -> Tensor:
    if q == 1:
        raise _not_invertible("q=1")
    return normalized(prediction ** (1 - q))


def unsmoothed(prediction: Tensor, label_smoothing: float) -> Tensor:
    if label_smoothing == 1:
        raise _not_invertible("label_smoothing=1")
    classes = prediction.shape[class_axis(prediction)]
    return normalized((prediction - label_smoothing / classes).clamp(min=0))


def of_bootstrap(prediction: Tensor, beta: float, hard: bool, class_weight: Tensor | Sequence[float] | None) -> Tensor:
    """η from the stationary point: w_c (β η_c + (1 − β) b_c) ∝ p_c, with the slope of b = p where it is soft."""
    if not beta:
        raise _not_invertible("beta=0")
    axis = class_axis(prediction)
    odds = prediction
    if class_weight is not None:
        odds = prediction / along(per_class(prediction, class_weight=class_weight), prediction, axis)
    if hard:
        belief = one_hot(prediction.argmax(axis), prediction).to(prediction.dtype)
    else:
        belief = torch.special.xlogy(prediction, prediction) + prediction
    mixed = (beta + (1 - beta) * belief.sum(axis, keepdim=True)) * normalized(odds)
    return normalized((mixed - (1 - beta) * belief).clamp(min=0))


def of_jsd(prediction: Tensor, pi: float) -> Tensor:
    """η_c ∝ 1 / log(1 + π / ((1 − π) p_c)), the inverse of the minimiser of Σ_c η_c ℓ(c)."""
    return normalized(1 / torch.log1p(pi / (1 - pi) / prediction))
