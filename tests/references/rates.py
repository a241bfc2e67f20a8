"""References for tests/cases/rates.py."""

from __future__ import annotations

import math
from statistics import fmean

import numpy as np

from tests.references.common import Array, sigmoid


def _elements(p: Array, t: Array, w: Array, from_logits: bool = True) -> list[tuple[float, bool, float]]:
    """(probability, is positive, weight) of every element."""
    return [
        (sigmoid(a) if from_logits else float(a), bool(b), float(c))
        for a, b, c in zip(p.flat, t.flat, w.flat, strict=True)
    ]


def soft_fbeta(p: Array, t: Array, w: Array, beta: float = 1.0, eps: float = 0.0, from_logits: bool = True) -> float:
    if p.ndim == 2 and p.shape[1] > 1:
        return fmean(
            soft_fbeta(*(values[:, [label]] for values in (p, t, w)), beta=beta, eps=eps, from_logits=from_logits)
            for label in range(p.shape[1])
        )
    elements = _elements(p, t, w, from_logits)
    hits = math.fsum(c * q for q, y, c in elements if y)
    predicted = math.fsum(c * q for q, _, c in elements)
    positives = math.fsum(c for _, y, c in elements if y)
    # The F-score by sizes: (1 + β²)·tp / (β²·positives + predicted).
    size = beta**2 * positives + predicted + eps
    return 1 - (1 + beta**2) * hits / size if size else 0.0


def mcc(p: Array, t: Array, w: Array, from_logits: bool = True) -> float:
    """The correlation coefficient, as that of a 2 × 2 table."""
    elements = _elements(p, t, w, from_logits)
    table = np.zeros((2, 2))
    for q, y, c in elements:
        table[int(y)] += [c * (1 - q), c * q]
    margins = math.prod(table.sum(0)) * math.prod(table.sum(1))
    return 1 - float(np.linalg.det(table)) / math.sqrt(margins) if margins > 0 else 1.0


def pairwise_auc(p: Array, t: Array, w: Array, margin: float = 1.0) -> float:
    pairs = [
        (wi * wj, max(0.0, margin - zi + zj) ** 2)
        for zi, yi, wi in zip(p.flat, t.flat, w.flat, strict=True)
        if yi
        for zj, yj, wj in zip(p.flat, t.flat, w.flat, strict=True)
        if not yj
    ]
    return math.fsum(a * b for a, b in pairs) / math.fsum(a for a, _ in pairs) if pairs else 0.0


def nnpu(
    p: Array,
    t: Array,
    w: Array,
    prior: float,
    gamma: float = 1.0,
    beta: float = 0.0,
    from_logits: bool = True,
) -> float:
    elements = _elements(p, t, w, from_logits)

    def mean(labelled: bool) -> float | None:
        mass = math.fsum(c for _, y, c in elements if y is labelled)
        return math.fsum(c * q for q, y, c in elements if y is labelled) / mass if mass else None

    of_labelled, of_unlabelled = mean(True), mean(False)
    missed = 0.0 if of_labelled is None else prior * (1 - of_labelled)
    false_alarms = (of_unlabelled or 0.0) - prior * (of_labelled or 0.0)
    return missed + (false_alarms if false_alarms >= -beta else -beta)
