"""References for tests/cases/confidence.py."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tests.references.common import Array, class_mass, log_softmax, one_hot_target
from tests.references.multiclass import cross_entropy


def confidence_penalty(
    x: Array, t: Any, beta: float = 0.1, class_weight: Any = None, ignore_index: int = -100
) -> float:
    entropy = -math.fsum(math.exp(v) * v for v in log_softmax(x))
    amount = math.fsum(one_hot_target(t, len(x))) if class_weight is None else class_mass(t, len(x), class_weight)
    return cross_entropy(x, t, class_weight=class_weight) - amount * beta * entropy


def z(x: Array, t: Any, coefficient: float = 1e-4, class_weight: Any = None, ignore_index: int = -100) -> float:
    partition = math.log(math.fsum(math.exp(v) for v in x))
    w = [1.0] * len(x) if class_weight is None else class_weight
    return math.fsum(
        w[c] * y * (partition - x[c] + coefficient * partition**2) for c, y in enumerate(one_hot_target(t, len(x)))
    )


def logit_norm(
    x: Array, t: Any, temperature: float = 0.04, class_weight: Any = None, ignore_index: int = -100
) -> float:
    length = max(math.hypot(*x), 1e-7)
    return cross_entropy(np.array([v / length / temperature for v in x]), t, class_weight=class_weight)
