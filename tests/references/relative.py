"""References for tests/cases/relative.py."""

from __future__ import annotations

import decimal
import math
from decimal import Decimal

from tests.references.common import Array


def _log_of_ratio(p: float, t: float, shift: int) -> float:
    """Of the exact quotient: the difference of two logarithms would lose what is compared."""
    with decimal.localcontext(prec=40):
        return float(((Decimal(float(p)) + shift) / (Decimal(float(t)) + shift)).ln())


def msle(p: float, t: float) -> float:
    return _log_of_ratio(p, t, 1) ** 2


def mape(p: float, t: float, eps: float = 1e-8) -> float:
    return math.fabs(1 - p / t) if abs(t) >= eps else math.fabs(p - t) / eps


def smape(p: float, t: float) -> float:
    return math.fabs(p - t) / ((math.fabs(p) + math.fabs(t)) / 2) if p or t else 0.0


def silog(p: Array, t: Array, w: Array, lambd: float = 0.5) -> float:
    """Over all pairs: the form of the paper's equation 3, and λ of it."""
    gaps = [_log_of_ratio(a, b, 0) for a, b in zip(p.flat, t.flat, strict=True)]
    weights = [float(v) / float(w.sum()) for v in w.flat]
    pairs = math.fsum(
        v * u * (g - h) ** 2 for g, v in zip(gaps, weights, strict=True) for h, u in zip(gaps, weights, strict=True)
    )
    squares = math.fsum(v * g * g for g, v in zip(gaps, weights, strict=True))
    return lambd * pairs / 2 + (1 - lambd) * squares
