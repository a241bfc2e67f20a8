"""References for tests/cases/noisy.py."""

from __future__ import annotations

import math
from typing import Any

from tests.references.common import Array, class_mass, log_softmax, one_hot_target


def symmetric_cross_entropy(
    x: Array,
    t: Any,
    alpha: float = 0.1,
    beta: float = 1.0,
    log_zero: float = -4.0,
    class_weight: Any = None,
    ignore_index: int = -100,
) -> float:
    w = [1.0] * len(x) if class_weight is None else class_weight
    logs = log_softmax(x)
    total = 0.0
    for c, y in enumerate(one_hot_target(t, len(x))):
        reverse = -math.fsum(math.exp(logs[j]) * (0.0 if j == c else log_zero) for j in range(len(x)))
        total += w[c] * y * (-alpha * logs[c] + beta * reverse)
    return total


def _of_label(x: Array, t: Any, class_weight: Any, value: Any) -> float:
    w = [1.0] * len(x) if class_weight is None else class_weight
    return math.fsum(w[c] * y * value(c) for c, y in enumerate(one_hot_target(t, len(x))) if y)


def _softmax(x: Array) -> list[float]:
    return [math.exp(v) for v in log_softmax(x)]


def gce(x: Array, t: Any, q: float = 0.7, class_weight: Any = None, ignore_index: int = -100) -> float:
    p = _softmax(x)
    return _of_label(x, t, class_weight, lambda c: (1 - p[c] ** q) / q)


def mae_classification(x: Array, t: Any, class_weight: Any = None, ignore_index: int = -100) -> float:
    p = _softmax(x)
    return _of_label(x, t, class_weight, lambda c: math.fsum(abs(float(j == c) - p[j]) for j in range(len(p))))


def normalized_cross_entropy(x: Array, t: Any, class_weight: Any = None, ignore_index: int = -100) -> float:
    costs = [-v for v in log_softmax(x)]
    return _of_label(x, t, class_weight, lambda c: costs[c] / math.fsum(costs))


def active_passive(
    x: Array,
    t: Any,
    alpha: float = 1.0,
    beta: float = 1.0,
    active: str = "nce",
    passive: str = "rce",
    class_weight: Any = None,
    ignore_index: int = -100,
) -> float:
    total = alpha * normalized_cross_entropy(x, t, class_weight)
    if passive == "mae":
        return total + beta * mae_classification(x, t, class_weight)
    return total + beta * symmetric_cross_entropy(x, t, 0.0, 1.0, -4.0, class_weight)


def _exp_t(z: float, t: float) -> float:
    return math.exp(z) if t == 1 else (1 + (1 - t) * z) ** (1 / (1 - t))


def _log_t(v: float, t: float) -> float:
    return math.log(v) if t == 1 else (v ** (1 - t) - 1) / (1 - t)


def tempered_softmax(x: Array, t: float) -> list[float]:
    """The normaliser by bisection."""
    low, high = max(x), max(x) + (math.log(len(x)) if t == 1 else (len(x) ** (t - 1) - 1) / (t - 1))
    for _ in range(200):
        middle = (low + high) / 2
        if math.fsum(_exp_t(v - middle, t) for v in x) > 1:
            low = middle
        else:
            high = middle
    return [_exp_t(v - high, t) for v in x]


def bi_tempered(
    x: Array,
    t: Any,
    t1: float = 0.8,
    t2: float = 1.2,
    label_smoothing: float = 0.0,
    class_weight: Any = None,
    ignore_index: int = -100,
) -> float:
    y = one_hot_target(t, len(x))
    total = 0.0
    for v, p in zip(y, tempered_softmax(x, t2), strict=True):
        q = (1 - label_smoothing) * v + label_smoothing / len(x)
        total += (q * (_log_t(q, t1) - _log_t(p, t1)) if q else 0.0) - (q ** (2 - t1) - p ** (2 - t1)) / (2 - t1)
    return total * class_mass(t, len(x), class_weight)


def bootstrap(
    x: Array, t: Any, beta: float = 0.95, hard: bool = False, class_weight: Any = None, ignore_index: int = -100
) -> float:
    w = [1.0] * len(x) if class_weight is None else class_weight
    p, logs = _softmax(x), log_softmax(x)
    belief = [float(v == max(p)) for v in p] if hard else p
    y = one_hot_target(t, len(x))
    return -math.fsum(w[c] * (beta * y[c] + (1 - beta) * belief[c]) * logs[c] for c in range(len(x)))


def forward_correction(x: Array, t: Any, transition: Any, class_weight: Any = None, ignore_index: int = -100) -> float:
    p = _softmax(x)
    return _of_label(x, t, class_weight, lambda c: -math.log(math.fsum(p[j] * transition[j][c] for j in range(len(p)))))


def generalized_jsd(x: Array, t: Any, pi: float = 0.5, class_weight: Any = None, ignore_index: int = -100) -> float:
    def entropy(v: list[float]) -> float:
        return -math.fsum(a * math.log(a) for a in v if a)

    p, y = _softmax(x), one_hot_target(t, len(x))
    mixed = [pi * a + (1 - pi) * b for a, b in zip(y, p, strict=True)]
    divergence = entropy(mixed) - pi * entropy(y) - (1 - pi) * entropy(p)
    return divergence / -((1 - pi) * math.log(1 - pi)) * class_mass(t, len(x), class_weight)
