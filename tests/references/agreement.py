"""References for tests/cases/agreement.py: moments as sums over all pairs, which need no mean."""

from __future__ import annotations

import math

from tests.references.common import Array


def _moments(p: Array, t: Array, w: Array) -> tuple[float, float, float, float]:
    """Both variances, the covariance and the difference of the means."""
    mass = float(w.sum())
    rows = [(float(a), float(b), float(v) / mass) for a, b, v in zip(p.flat, t.flat, w.flat, strict=True)]
    pairs = [(a - c, b - d, v * u / 2) for a, b, v in rows for c, d, u in rows]
    return (
        math.fsum(x * x * v for x, _, v in pairs),
        math.fsum(y * y * v for _, y, v in pairs),
        math.fsum(x * y * v for x, y, v in pairs),
        math.fsum((a - b) * v for a, b, v in rows),
    )


def ccc(p: Array, t: Array, w: Array, eps: float = 1e-8) -> float:
    variance_pred, variance_true, covariance, shift = _moments(p, t, w)
    return 1 - 2 * covariance / (variance_pred + variance_true + shift**2 + eps)


def pearson(p: Array, t: Array, w: Array, eps: float = 1e-8) -> float:
    variance_pred, variance_true, covariance, _ = _moments(p, t, w)
    return 1 - covariance / (math.sqrt(variance_pred) * math.sqrt(variance_true) + eps)
