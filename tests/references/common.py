"""What several references share."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z)) if z >= 0 else math.exp(z) / (1 + math.exp(z))


def log_sigmoid(z: float) -> float:
    return -math.log1p(math.exp(-z)) if z >= 0 else z - math.log1p(math.exp(z))


def log_softmax(x: Array) -> list[float]:
    top = max(x)
    total = math.log(math.fsum(math.exp(v - top) for v in x)) + top
    return [v - total for v in x]


def one_hot_target(t: Any, classes: int) -> list[float]:
    return [float(c == t) for c in range(classes)] if np.ndim(t) == 0 else [float(v) for v in t]


def class_mass(t: Any, classes: int, class_weight: Any) -> float:
    if class_weight is None:
        return 1.0
    return sum(w * y for w, y in zip(class_weight, one_hot_target(t, classes), strict=True))


def _bins(norms: list[float], bins: int) -> list[int]:
    return [min(math.floor(g * bins), bins - 1) for g in norms]


def harmonized(values: list[float], norms: list[float], w: Array, bins: int) -> list[float]:
    own = _bins(norms, bins)
    live = [k for k in range(len(own)) if w.flat[k] > 0]
    count = {b: sum(own[k] == b for k in live) for b in range(bins)}
    occupied = max(sum(c > 0 for c in count.values()), 1)
    return [v * len(live) / (max(count[b], 1) * occupied) for v, b in zip(values, own, strict=True)]
