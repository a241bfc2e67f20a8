"""References for tests/cases/longtail.py."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tests.references.common import Array, class_mass, one_hot_target


def _mean_over_classes(x: Array, t: Any, class_weight: Any, value: Any) -> float:
    w = [1.0] * len(x) if class_weight is None else class_weight
    return math.fsum(w[c] * y * value(c) for c, y in enumerate(one_hot_target(t, len(x))) if y)


def _log_of_sum(scores: list[float]) -> float:
    top = max(scores)
    return top + math.log(math.fsum(math.exp(s - top) for s in scores))


def ldam(
    x: Array,
    t: Any,
    class_counts: Any,
    max_margin: float = 0.5,
    scale: float = 30.0,
    class_weight: Any = None,
    ignore_index: int = -100,
) -> float:
    raw = [max(n, 1.0) ** -0.25 for n in class_counts]
    margins = [m * max_margin / max(raw) for m in raw]

    def value(c: int) -> float:
        shifted = [scale * (v - (margins[j] if j == c else 0.0)) for j, v in enumerate(x)]
        return _log_of_sum(shifted) - shifted[c]

    return _mean_over_classes(x, t, class_weight, value)


def logit_adjusted(
    x: Array, t: Any, class_counts: Any, tau: float = 1.0, class_weight: Any = None, ignore_index: int = -100
) -> float:
    def value(c: int) -> float:
        shares = [n or float(j == c) for j, n in enumerate(class_counts)]
        scores = [v + tau * math.log(n) for v, n in zip(x, shares, strict=True) if n]
        return _log_of_sum(scores) - x[c] - tau * math.log(shares[c])

    return _mean_over_classes(x, t, class_weight, value)


def balanced_softmax(x: Array, t: Any, class_counts: Any, class_weight: Any = None, ignore_index: int = -100) -> float:
    return logit_adjusted(x, t, class_counts, 1.0, class_weight)


def seesaw(
    x: Array,
    t: Array,
    unit_weight: Array,
    class_counts: Any = None,
    class_weight: Any = None,
    ignore_index: int = -100,
    **exponents: float,
) -> list[float]:
    """Of the whole batch (N, C, …): live units make the counts."""
    rows = np.moveaxis(x, 1, -1).reshape(-1, x.shape[1])
    soft = t.shape == x.shape
    targets = np.moveaxis(t, 1, -1).reshape(-1, x.shape[1]) if soft else t.reshape(-1)
    if class_counts is None:
        live = [
            one_hot_target(k, x.shape[1])
            for k, u in zip(targets, unit_weight.reshape(-1), strict=True)
            if u > 0 and class_mass(k, x.shape[1], class_weight) > 0
        ]
        class_counts = np.sum(live, axis=0) if live else [0.0] * x.shape[1]
    return [
        _mean_over_classes(row, k, class_weight, lambda c, row=row: _seesaw_of_label(row, c, class_counts, **exponents))
        for row, k in zip(rows, targets, strict=True)
    ]


def _seesaw_of_label(x: Array, c: int, counts: Any, p: float = 0.8, q: float = 2.0) -> float:
    n = [v if v > 0 else 1.0 for v in counts]
    odds = np.exp(x - max(x))
    share = odds / odds.sum()
    total = 1.0
    for j in range(len(x)):
        if j == c:
            continue
        factor = (n[j] / n[c]) ** p if n[j] < n[c] else 1.0
        ratio = share[j] / max(share[c], 0.01)
        factor *= ratio**q if ratio > 1 else 1.0
        total += factor * math.exp(x[j] - x[c])
    return math.log(total)
