"""Links: how a raw prediction becomes a prediction; domains: which numbers are legal."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
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
        if self.whole and (self.low, self.high) == (0, 1) and torch.equal(values.detach().square(), values.detach()):
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
        ValueError: a class has the weight 0, so nothing was learnt of it; or there is another number of classes.
    """
    if _validate.readable(class_weight) and not bool((class_weight > 0).all()):
        raise ValueError("class_weight holds a 0: the probability of that class cannot be recovered.")
    axis = class_axis(probabilities)
    classes = probabilities.shape[axis]
    if class_weight.shape != (classes,):
        raise ValueError(
            f"class_weight has shape {_validate.shape(class_weight)}, y_pred has {classes} classes (dim {axis}): "
            f"wanted ({classes},)."
        )
    shape = (-1, *(1,) * (probabilities.ndim - axis - 1))
    odds = probabilities / class_weight.to(probabilities).reshape(shape)
    return odds / odds.sum(axis, keepdim=True)


IDENTITY = Link("identity", _identity, _one)
LOGIT = Link("logit", torch.sigmoid, _one)
LOG = Link("log", torch.exp, _one)
SOFTMAX = Link("softmax", _softmax, _one_per_class)
LOG_PROBABILITY = Link("log-probability", torch.exp, _one_per_class)
CHANNELS = Link("sigmoid of one channel, softmax of several", _sigmoid_or_softmax, _one_per_class)


# Distributions and quantiles: what (…, k) parameters say, as (…, 2) mean and standard deviation where they are those
# of a distribution ---------------------------------------------------------------------------------------------------


def softplus(raw: Tensor) -> Tensor:
    """log(1 + eˣ), exact everywhere; torch's own is x itself from 20 on."""
    return -F.logsigmoid(-raw)


def log_softplus(raw: Tensor) -> Tensor:
    """The logarithm of softplus, also where that is less than the dtype holds: there it is x."""
    low, high = raw.clamp(max=-15.0), raw.clamp(min=-15.0)
    return torch.where(raw < -15, low - torch.exp(low) / 2, torch.log(softplus(high)))


def _two(num_classes: int | None) -> int:
    return 2


def _four(num_classes: int | None) -> int:
    return 4


def _split(y_pred: Tensor, count: int, what: str) -> tuple[Tensor, ...]:
    if y_pred.ndim == 0 or y_pred.shape[-1] != count:
        raise ValueError(f"y_pred has shape {_validate.shape(y_pred)}, wanted (..., {count}): {what} in the last axis.")
    return y_pred.unbind(-1)


def _moments(mean: Tensor, log_std: Tensor) -> Tensor:
    return torch.stack((mean, torch.exp(log_std)), -1)


def _normal(y_pred: Tensor) -> Tensor:
    mean, log_std = _split(y_pred, 2, "mean and log-std")
    return _moments(mean, log_std)


def _normal_by_variance(y_pred: Tensor) -> Tensor:
    mean, log_variance = _split(y_pred, 2, "mean and log-variance")
    return _moments(mean, log_variance / 2)


def _laplace(y_pred: Tensor) -> Tensor:
    mean, log_scale = _split(y_pred, 2, "mean and log-scale")
    return _moments(mean, log_scale + math.log(2) / 2)


def _student_t(y_pred: Tensor, *, df: float) -> Tensor:
    mean, log_scale = _split(y_pred, 2, "mean and log-scale")
    return _moments(mean, log_scale + (-math.log1p(-2 / df) / 2 if df > 2 else math.inf))


def _two_beside_df(num_classes: int | None, *, df: float) -> int:
    return 2


def _negative_binomial(y_pred: Tensor) -> Tensor:
    log_mean, log_dispersion = _split(y_pred, 2, "log-mean and log-dispersion")
    # μ + αμ² = μ(1 + αμ)
    return _moments(torch.exp(log_mean), (log_mean + softplus(log_mean + log_dispersion)) / 2)


def _evidential(y_pred: Tensor) -> Tensor:
    mean, nu, alpha, beta = _split(y_pred, 4, "gamma, nu, alpha and beta")
    # β(1 + ν) / (ν(α − 1)): the spread of y and the doubt about its mean together.
    log_variance = log_softplus(beta) + torch.log1p(softplus(nu)) - log_softplus(nu) - log_softplus(alpha)
    return _moments(mean, log_variance / 2)


def _one_per_quantile(num_classes: int | None, *, quantiles: float | Sequence[float]) -> int:
    return len(quantiles) if isinstance(quantiles, Sequence) else 1


def _sorted_quantiles(y_pred: Tensor, *, quantiles: float | Sequence[float]) -> Tensor:
    """Quantiles that do not cross: the lowest level gets the lowest value."""
    if not isinstance(quantiles, Sequence):
        return y_pred
    values = _split(y_pred.sort(-1).values if y_pred.ndim else y_pred, len(quantiles), "the quantiles")
    ascending = sorted(range(len(quantiles)), key=lambda k: quantiles[k])
    return torch.stack([values[ascending.index(k)] for k in range(len(quantiles))], -1)


def check_support(*, low: float, high: float, sigma: float) -> None:
    """Raise unless [low, high] is an interval and ``sigma`` a width."""
    _validate.finite(low=low, high=high)
    _validate.positive(sigma=sigma)
    if not low < high:
        raise ValueError(f"low is {low!r}, high {high!r}: wanted low < high.")


def _bins_for_width(num_classes: int | None, *, low: float, high: float, sigma: float) -> int:
    check_support(low=low, high=high, sigma=sigma)
    return max(2, round(0.75 * (high - low) / sigma))


def _mean_of_histogram(y_pred: Tensor, *, low: float, high: float, sigma: float) -> Tensor:
    masses = _softmax(y_pred).movedim(class_axis(y_pred), -1)
    bins = masses.shape[-1]
    half = (high - low) / bins / 2
    return masses @ torch.linspace(low + half, high - half, bins, dtype=masses.dtype, device=masses.device)


SPREAD = ("mean", "standard_deviation")
NORMAL = Link("mean and standard deviation from log-std", _normal, _two, (), SPREAD)
NORMAL_BY_VARIANCE = Link("mean and standard deviation from log-variance", _normal_by_variance, _two, (), SPREAD)
LAPLACE = Link("mean and standard deviation of a Laplace distribution", _laplace, _two, (), SPREAD)
STUDENT_T = Link("mean and standard deviation of a t distribution", _student_t, _two_beside_df, ("df",), SPREAD)
NEGATIVE_BINOMIAL = Link("mean and standard deviation of a negative binomial", _negative_binomial, _two, (), SPREAD)
EVIDENTIAL = Link("mean and standard deviation of the evidential prediction", _evidential, _four, (), SPREAD)
QUANTILES = Link("sorted quantiles", _sorted_quantiles, _one_per_quantile, ("quantiles",))
HISTOGRAM = Link("mean of a histogram", _mean_of_histogram, _bins_for_width, ("low", "high", "sigma"))
