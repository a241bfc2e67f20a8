"""References for tests/cases/multiclass.py."""

from __future__ import annotations

import math
from typing import Any

from tests.references.common import Array, log_softmax, one_hot_target


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
