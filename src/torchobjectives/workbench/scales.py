"""The scale on which a network ends, so that it learns numbers of the order of 1 whatever the target's unit is."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from torchobjectives import Loss
from torchobjectives._link import IDENTITY, Link

# What a parameter is for a target of this mean and standard deviation, where the network says 0 and where it says 1.
Scale = tuple[float, float]
SCALES: dict[str, Callable[[float, float], Scale]] = {
    "mean": lambda mean, std: (mean, std),
    "log-variance": lambda mean, std: (2 * math.log(std), 1.0),
    "log-scale": lambda mean, std: (math.log(std), 1.0),
    "log-std": lambda mean, std: (math.log(std), 1.0),
    "log-mean": lambda mean, std: (math.log(mean) if mean > 0 else 0.0, 1.0),
    "gamma": lambda mean, std: (mean, std),
    # Its softplus has the unit of a variance.
    "beta": lambda mean, std: (_inverse_softplus(std * std), 1.0),
}


def scales_of(
    loss: Loss | None, link: Link, outputs: int, target: NDArray[Any]
) -> tuple[list[Scale] | None, float | None]:
    """Return center and scale of every output, and what all predictions lie above, for targets to learn from.

    Args:
        loss: The loss, where it speaks for itself.
        link: How the raw prediction is read.
        outputs: How many numbers the network gives per row.
        target: The targets of the training rows.
    """
    center, spread = float(target.mean()), float(target.std()) or 1.0
    if loss is None:
        return ([(center, spread)] * outputs if link is IDENTITY else None), None
    spec = type(loss).spec
    floor = spec.pred_domain.low
    if floor > -math.inf:
        if not (target > floor).all():
            return [(0.0, 1.0)] * outputs, floor  # the loss says itself what is wrong with such targets
        logs = np.log(target - floor)
        return [(float(logs.mean()), float(logs.std()) or 1.0)] * outputs, floor
    if spec.parameters:
        return [SCALES[name](center, spread) if name in SCALES else (0.0, 1.0) for name in spec.parameters], None
    if spec.y_pred == "log_mean":
        return [SCALES["log-mean"](center, spread)] * outputs, None
    if spec.y_pred in ("real", "quantiles", "unknown"):
        return [(center, spread)] * outputs, None
    return None, None


def _inverse_softplus(value: float) -> float:
    return value + math.log(-math.expm1(-value))
