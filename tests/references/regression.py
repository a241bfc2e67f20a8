"""References for tests/cases/regression.py."""

from __future__ import annotations

import math

from tests.references.common import Array, harmonized


def mse(p: float, t: float) -> float:
    return (p - t) ** 2


def l1(p: float, t: float) -> float:
    return max(p - t, t - p)


def smooth_l1(p: float, t: float, beta: float = 1.0) -> float:
    d = abs(p - t)
    if beta == 0:
        return d
    return d * d / (2 * beta) if d < beta else d - beta / 2


def huber(p: float, t: float, delta: float = 1.0) -> float:
    clipped = min(abs(p - t), delta)
    return clipped**2 / 2 + delta * (abs(p - t) - clipped)


def epsilon_insensitive(p: float, t: float, epsilon: float = 0.1, squared: bool = False) -> float:
    nearest = min(max(p, t - epsilon), t + epsilon)
    return abs(p - nearest) ** (2 if squared else 1)


def rmse(p: Array, t: Array, w: Array) -> float:
    total = math.fsum(float(w_) * (a - b) ** 2 for a, b, w_ in zip(p.flat, t.flat, w.flat, strict=True))
    return math.sqrt(total / float(w.sum())) if w.sum() else 0.0


def cosine(p: Array, t: Array, dim: int = -1, eps: float = 1e-8) -> float:
    dot = sum(a * b for a, b in zip(p, t, strict=True))
    size = math.dist(p, [0] * len(p)), math.dist(t, [0] * len(t))
    return 1 - dot / (max(size[0], eps) * max(size[1], eps))


def ghmr(p: Array, t: Array, w: Array, mu: float = 0.02, bins: int = 10, momentum: float = 0.75) -> list[float]:
    values, norms = [], []
    for a, b in zip(p.flat, t.flat, strict=True):
        root = math.hypot(a - b, mu)
        values.append(root - mu)
        norms.append(abs(a - b) / root)
    return harmonized(values, norms, w, bins)
