"""References for tests/cases/noisy.py."""

from __future__ import annotations

import math
from typing import Any

from tests.references.common import Array, log_softmax, one_hot_target


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
