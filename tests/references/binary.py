"""References for tests/cases/binary.py."""

from __future__ import annotations

import math

from tests.references.common import Array, harmonized, log_sigmoid, sigmoid


def _logs(p: float, from_logits: bool) -> tuple[float, float, float]:
    """P, log p and log(1 − p), the logarithms held at −100 for probabilities as torch does."""
    if from_logits:
        return sigmoid(p), log_sigmoid(p), log_sigmoid(-p)
    return p, max(math.log(p), -100) if p > 0 else -100, max(math.log(1 - p), -100) if p < 1 else -100


def bce(
    p: float, t: float, pos_weight: float | None = None, label_smoothing: float = 0.0, from_logits: bool = True
) -> float:
    _, log_p, log_q = _logs(p, from_logits)
    t = t * (1 - label_smoothing) + 0.5 * label_smoothing
    return -(pos_weight or 1.0) * t * log_p - (1 - t) * log_q


def focal(p: float, t: float, gamma: float = 2.0, alpha: float | None = None, from_logits: bool = True) -> float:
    q, log_p, log_q = _logs(p, from_logits)
    a, b = (1.0, 1.0) if alpha is None else (alpha, 1 - alpha)
    return -t * a * (1 - q) ** gamma * log_p - (1 - t) * b * q**gamma * log_q


def ghmc(p: Array, t: Array, w: Array, bins: int = 30, momentum: float = 0.75, from_logits: bool = True) -> list[float]:
    values = [bce(a, b, from_logits=from_logits) for a, b in zip(p.flat, t.flat, strict=True)]
    norms = [abs((sigmoid(a) if from_logits else a) - b) for a, b in zip(p.flat, t.flat, strict=True)]
    return harmonized(values, norms, w, bins)


def asymmetric(
    p: float,
    t: float,
    gamma_pos: float = 1.0,
    gamma_neg: float = 4.0,
    margin: float = 0.05,
    from_logits: bool = True,
) -> float:
    q, log_p, log_q = _logs(p, from_logits)
    if t == 1:
        return -((1 - q) ** gamma_pos) * log_p
    shifted = max(q - margin, 0.0)
    return -(shifted**gamma_neg) * (math.log(1 - shifted) if margin else log_q)


def hinge(p: float, t: float, squared: bool = False, margin: float = 1.0) -> float:
    lacking = max(0.0, margin - p if t == 1 else margin + p)
    return lacking**2 if squared else lacking


def soft_margin(p: float, t: float) -> float:
    return -log_sigmoid(p if t == 1 else -p)


def zlpr(p: Array, t: Array) -> float:
    above = math.fsum(math.exp(z) for z, y in zip(p, t, strict=True) if y == 0)
    below = math.fsum(math.exp(-z) for z, y in zip(p, t, strict=True) if y == 1)
    return math.log1p(above) + math.log1p(below)
