"""References for tests/cases/margin.py."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tests.references.common import Array, one_hot_target


def _expected(of_class: Callable[[int], float], t: Any, classes: int, class_weight: Any) -> float:
    w = [1.0] * classes if class_weight is None else class_weight
    return math.fsum(w[c] * y * of_class(c) for c, y in enumerate(one_hot_target(t, classes)) if y)


def multi_margin(
    x: Array, t: Any, p: int = 1, margin: float = 1.0, class_weight: Any = None, ignore_index: int = -100
) -> float:
    def of_class(k: int) -> float:
        return math.fsum(max(0.0, margin - (x[k] - x[j])) ** p for j in range(len(x)) if j != k) / len(x)

    return _expected(of_class, t, len(x), class_weight)


def crammer_singer(x: Array, t: Any, margin: float = 1.0, class_weight: Any = None, ignore_index: int = -100) -> float:
    def of_class(k: int) -> float:
        return max([0.0, *(margin - (x[k] - x[j]) for j in range(len(x)) if j != k)])

    return _expected(of_class, t, len(x), class_weight)


def simplex_projection(x: Any) -> list[float]:
    """The nearest point of the simplex: the one support whose members stay positive and whose others do not."""
    order = sorted(range(len(x)), key=lambda j: -x[j])
    for size in range(len(x), 0, -1):
        threshold = (math.fsum(x[j] for j in order[:size]) - 1) / size
        if x[order[size - 1]] > threshold:
            return [max(v - threshold, 0.0) for v in x]
    raise AssertionError


def sparsemax(x: Array, t: Any, class_weight: Any = None, ignore_index: int = -100) -> float:
    p = simplex_projection(x)
    conjugate = math.fsum(a * b - a * a / 2 for a, b in zip(p, x, strict=True))
    return _expected(lambda k: 0.5 + conjugate - x[k], t, len(x), class_weight)


def entmax_probabilities(x: Any, alpha: float) -> list[float]:
    z = [(alpha - 1) * v for v in x]
    low, high = max(z) - 1, max(z)
    for _ in range(200):
        middle = (low + high) / 2
        if math.fsum(max(v - middle, 0.0) ** (1 / (alpha - 1)) for v in z) >= 1:
            low = middle
        else:
            high = middle
    return [max(v - low, 0.0) ** (1 / (alpha - 1)) for v in z]


def entmax(x: Array, t: Any, alpha: float = 1.5, class_weight: Any = None, ignore_index: int = -100) -> float:
    p = entmax_probabilities(x, alpha)
    entropy = math.fsum(v - v**alpha for v in p) / (alpha * (alpha - 1))
    mean = math.fsum(a * b for a, b in zip(p, x, strict=True))
    return _expected(lambda k: mean - x[k] + entropy, t, len(x), class_weight)
