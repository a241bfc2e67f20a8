"""References for tests/cases/quantile.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def quantile(p: Any, t: float, quantiles: float | Sequence[float] = 0.5) -> float:
    pairs = [(p, quantiles)] if isinstance(quantiles, float) else list(zip(p, quantiles, strict=True))
    costs = [q * (t - v) if t >= v else (1 - q) * (v - t) for v, q in pairs]
    return float(sum(costs) / len(costs))


def expectile(p: float, t: float, tau: float = 0.5) -> float:
    return (tau if t > p else 1 - tau) * (t - p) ** 2
