"""References for tests/cases/multiclass.py."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from tests.references.common import Array, class_mass, log_softmax, one_hot_target


def cross_entropy(
    x: Array, t: Any, label_smoothing: float = 0.0, class_weight: Any = None, ignore_index: int = -100
) -> float:
    q = [(1 - label_smoothing) * v + label_smoothing / len(x) for v in one_hot_target(t, len(x))]
    w = [1.0] * len(x) if class_weight is None else class_weight
    return -math.fsum(w[c] * q[c] * lp for c, lp in enumerate(log_softmax(x)))


def nll(x: Array, t: Any, class_weight: Any = None, ignore_index: int = -100) -> float:
    w = [1.0] * len(x) if class_weight is None else class_weight
    return -sum(w[c] * y * x[c] for c, y in enumerate(one_hot_target(t, len(x))) if y)


def softmax_focal(x: Array, t: Any, gamma: float = 2.0, class_weight: Any = None, ignore_index: int = -100) -> float:
    w = [1.0] * len(x) if class_weight is None else class_weight
    logs = log_softmax(x)
    return -math.fsum(
        w[c] * y * math.fsum(math.exp(logs[j]) for j in range(len(x)) if j != c) ** gamma * logs[c]
        for c, y in enumerate(one_hot_target(t, len(x)))
    )


def _softmax(x: Any) -> list[float]:
    return [math.exp(v) for v in log_softmax(x)]


def poly1(x: Array, t: Any, epsilon: float = 1.0, class_weight: Any = None, ignore_index: int = -100) -> float:
    w = [1.0] * len(x) if class_weight is None else class_weight
    p = _softmax(x)
    return math.fsum(
        w[c] * y * (epsilon * math.fsum(p[j] for j in range(len(x)) if j != c) - log_softmax(x)[c])
        for c, y in enumerate(one_hot_target(t, len(x)))
    )


def brier(x: Array, t: Any, class_weight: Any = None, ignore_index: int = -100) -> float:
    squares = math.fsum((a - b) ** 2 for a, b in zip(_softmax(x), one_hot_target(t, len(x)), strict=True))
    return class_mass(t, len(x), class_weight) * squares


def ohem(
    x: Array, t: Array, w: Array, fraction: float = 0.7, class_weight: Any = None, ignore_index: int = -100
) -> tuple[list[float], list[float]]:
    """w·ℓ of every unit, 0 for those not kept, and what each adds to the denominator."""
    soft = t.shape == x.shape
    units = [(i, *rest) for i in range(len(x)) for rest in np.ndindex(*x.shape[2:])]
    pairs = [(x[(u[0], slice(None), *u[1:])], t[(u[0], slice(None), *u[1:])] if soft else t[u]) for u in units]
    mass = [
        float(w[u]) * class_mass(target, x.shape[1], class_weight) for u, (_, target) in zip(units, pairs, strict=True)
    ]
    cost = [cross_entropy(*pair) for pair in pairs]
    live = sorted((n for n in range(len(units)) if mass[n] > 0), key=lambda n: -cost[n])
    kept = set(live[: math.ceil(Fraction(str(fraction)) * len(live))])
    none = [
        float(w[u]) * cross_entropy(*pairs[n], class_weight=class_weight) if n in kept else 0.0
        for n, u in enumerate(units)
    ]
    return none, [mass[n] if n in kept else 0.0 for n in range(len(units))]
