"""Links: how a raw prediction becomes a prediction; domains: which numbers are legal."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from torchobjectives import _validate


@dataclass(frozen=True)
class Domain:
    """The legal values of a prediction or a target, and one value well inside (``fill``); ``whole``: no fractions."""

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    fill: float = 0.0
    hint: str = ""
    whole: bool = False

    def check(self, name: str, values: Tensor) -> None:
        """Raise a ValueError if a value lies outside. NaN passes: it is never hidden, and never an error."""
        if self == REAL or not values.numel() or not _validate.readable(values):
            return
        low, high = (float(bound) for bound in torch.aminmax(values.detach()))
        outside = low <= self.low if self.open_low else low < self.low
        if outside or high > self.high:
            raise ValueError(f"{name} holds values from {low:.9g} to {high:.9g}, wanted {self}.{self.hint}")
        if self.whole:
            broken = values.detach().frac().abs() > 0
            if bool(broken.any()):
                value = float(values.detach()[broken][0])
                raise ValueError(f"{name} holds the value {value:.9g}, wanted {self}.{self.hint}")

    def __str__(self) -> str:
        numbers = "whole numbers" if self.whole else "numbers"
        if math.isinf(self.high):
            return f"{numbers} {'>' if self.open_low else '>='} {self.low:g}"
        return f"{numbers} in [{self.low:g}, {self.high:g}]"


REAL = Domain()
NON_NEGATIVE = Domain(0.0, fill=1.0)
POSITIVE = Domain(0.0, open_low=True, fill=1.0)
UNIT = Domain(0.0, 1.0, fill=0.5)
PROBABILITY = Domain(
    0.0, 1.0, fill=0.5, hint=" These look like logits: leave out from_logits=False, or apply a sigmoid first."
)
HARD_LABEL = Domain(
    0.0,
    1.0,
    whole=True,
    hint=" Labels of -1 and 1: y_true > 0. Soft labels: binary_cross_entropy_loss or focal_loss.",
)


@dataclass(frozen=True)
class Link:
    """How a raw prediction becomes what a person wants, and how many raw numbers that takes.

    Args:
        name: what it is called.
        inverse: ``inverse(y_pred)`` → the prediction.
        outputs: ``outputs(num_classes)`` → the width of the last layer.
        takes: hyper-parameters of the loss that both functions take too, by keyword.
        gives: what the last axis of the prediction holds, where the prediction has one more axis than y_true.
    """

    name: str
    inverse: Callable[..., Tensor]
    outputs: Callable[..., int]
    takes: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()


@dataclass(frozen=True)
class Calibration:
    """The inverse of a bias: which true probability has this prediction as the minimiser of the expected loss.

    Args:
        inverse: ``inverse(prediction)`` → the true probability.
        takes: hyper-parameters of the loss that it takes too, by keyword. Where ``class_weight`` is none of them,
            class weights are undone after it, as p_c / w_c.
    """

    inverse: Callable[..., Tensor]
    takes: tuple[str, ...] = ()


def _one(num_classes: int | None) -> int:
    return 1


def _one_per_class(num_classes: int | None) -> int:
    if num_classes is None:
        raise ValueError("num_outputs needs the number of classes: num_outputs(num_classes).")
    _validate.whole(low=1, num_classes=num_classes)
    return num_classes


def class_axis(y_pred: Tensor) -> int:
    """Where the classes are: dim 1, or dim 0 of a single unbatched prediction, as in torch."""
    return 1 if y_pred.ndim > 1 else 0


def _identity(y_pred: Tensor) -> Tensor:
    return y_pred


def _softmax(y_pred: Tensor) -> Tensor:
    return torch.softmax(y_pred, class_axis(y_pred))


def _sigmoid_or_softmax(y_pred: Tensor) -> Tensor:
    return torch.sigmoid(y_pred) if y_pred.shape[class_axis(y_pred)] == 1 else _softmax(y_pred)


def unweighted(probabilities: Tensor, class_weight: Tensor) -> Tensor:
    """What was true where probabilities have been learnt under class weights: p_c / w_c, normalised.

    Raises:
        ValueError: a class has the weight 0; nothing was learnt of it.
    """
    if _validate.readable(class_weight) and not bool((class_weight > 0).all()):
        raise ValueError("class_weight holds a 0: the probability of that class cannot be recovered.")
    axis = class_axis(probabilities)
    shape = (-1, *(1,) * (probabilities.ndim - axis - 1))
    odds = probabilities / class_weight.to(probabilities).reshape(shape)
    return odds / odds.sum(axis, keepdim=True)


IDENTITY = Link("identity", _identity, _one)
LOGIT = Link("logit", torch.sigmoid, _one)
LOG = Link("log", torch.exp, _one)
SOFTMAX = Link("softmax", _softmax, _one_per_class)
LOG_PROBABILITY = Link("log-probability", torch.exp, _one_per_class)
CHANNELS = Link("sigmoid of one channel, softmax of several", _sigmoid_or_softmax, _one_per_class)
