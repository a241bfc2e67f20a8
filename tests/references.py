"""The losses again, written from their definitions with plain loops and the math module.

A reference gets NumPy arrays of one unit each (``y_pred``, ``y_true``) and the hyper-parameters, and returns the
value of that unit; a whole-batch reference gets everything. Nothing here may share an expression with the library.
"""

from __future__ import annotations

import decimal
import math
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


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


def barron(p: float, t: float, alpha: float = 1.0, scale: float = 1.0) -> float:
    x2 = ((p - t) / scale) ** 2
    if alpha == 2:
        return x2 / 2
    if alpha == 0:
        return math.log(x2 / 2 + 1)
    if alpha == math.inf:
        return math.exp(x2 / 2) - 1
    if alpha == -math.inf:
        return 1 - math.exp(-x2 / 2)
    # 40 digits: near alpha = 0 and 2 the textbook form loses most of a float's 16.
    with decimal.localcontext(prec=40):
        exact_alpha, exact_x2 = Decimal(alpha), ((Decimal(p) - Decimal(t)) / Decimal(scale)) ** 2
        gap = abs(exact_alpha - 2)
        return float(gap / exact_alpha * ((exact_x2 / gap + 1) ** (exact_alpha / 2) - 1))


def cosine(p: Array, t: Array, dim: int = -1, eps: float = 1e-8) -> float:
    dot = sum(a * b for a, b in zip(p, t, strict=True))
    size = math.dist(p, [0] * len(p)), math.dist(t, [0] * len(t))
    return 1 - dot / (max(size[0], eps) * max(size[1], eps))


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z)) if z >= 0 else math.exp(z) / (1 + math.exp(z))


def log_sigmoid(z: float) -> float:
    return -math.log1p(math.exp(-z)) if z >= 0 else z - math.log1p(math.exp(z))


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


def _log_softmax(x: Array) -> list[float]:
    top = max(x)
    total = math.log(math.fsum(math.exp(v - top) for v in x)) + top
    return [v - total for v in x]


def _target(t: Any, classes: int) -> list[float]:
    return [float(c == t) for c in range(classes)] if np.ndim(t) == 0 else [float(v) for v in t]


def cross_entropy(
    x: Array, t: Any, label_smoothing: float = 0.0, class_weight: Any = None, ignore_index: int = -100
) -> float:
    q = [(1 - label_smoothing) * v + label_smoothing / len(x) for v in _target(t, len(x))]
    w = [1.0] * len(x) if class_weight is None else class_weight
    return -math.fsum(w[c] * q[c] * lp for c, lp in enumerate(_log_softmax(x)))


def nll(x: Array, t: Any, class_weight: Any = None, ignore_index: int = -100) -> float:
    w = [1.0] * len(x) if class_weight is None else class_weight
    return -sum(w[c] * y * x[c] for c, y in enumerate(_target(t, len(x))) if y)


def softmax_focal(x: Array, t: Any, gamma: float = 2.0, class_weight: Any = None, ignore_index: int = -100) -> float:
    w = [1.0] * len(x) if class_weight is None else class_weight
    logs = _log_softmax(x)
    return -math.fsum(
        w[c] * y * math.fsum(math.exp(logs[j]) for j in range(len(x)) if j != c) ** gamma * logs[c]
        for c, y in enumerate(_target(t, len(x)))
    )


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
    logs = _log_softmax(x)
    total = 0.0
    for c, y in enumerate(_target(t, len(x))):
        reverse = -math.fsum(math.exp(logs[j]) * (0.0 if j == c else log_zero) for j in range(len(x)))
        total += w[c] * y * (-alpha * logs[c] + beta * reverse)
    return total


def class_mass(t: Any, classes: int, class_weight: Any) -> float:
    if class_weight is None:
        return 1.0
    return sum(w * y for w, y in zip(class_weight, _target(t, classes), strict=True))


def rmse(p: Array, t: Array, w: Array) -> float:
    total = math.fsum(float(w_) * (a - b) ** 2 for a, b, w_ in zip(p.flat, t.flat, w.flat, strict=True))
    return math.sqrt(total / float(w.sum())) if w.sum() else 0.0


def _bins(norms: list[float], bins: int) -> list[int]:
    return [min(math.floor(g * bins), bins - 1) for g in norms]


def _harmonized(values: list[float], norms: list[float], w: Array, bins: int) -> list[float]:
    own = _bins(norms, bins)
    live = [k for k in range(len(own)) if w.flat[k] > 0]
    count = {b: sum(own[k] == b for k in live) for b in range(bins)}
    occupied = max(sum(c > 0 for c in count.values()), 1)
    return [v * len(live) / (max(count[b], 1) * occupied) for v, b in zip(values, own, strict=True)]


def ghmr(p: Array, t: Array, w: Array, mu: float = 0.02, bins: int = 10, momentum: float = 0.75) -> list[float]:
    values, norms = [], []
    for a, b in zip(p.flat, t.flat, strict=True):
        root = math.hypot(a - b, mu)
        values.append(root - mu)
        norms.append(abs(a - b) / root)
    return _harmonized(values, norms, w, bins)


def ghmc(p: Array, t: Array, w: Array, bins: int = 30, momentum: float = 0.75, from_logits: bool = True) -> list[float]:
    values = [bce(a, b, from_logits=from_logits) for a, b in zip(p.flat, t.flat, strict=True)]
    norms = [abs((sigmoid(a) if from_logits else a) - b) for a, b in zip(p.flat, t.flat, strict=True)]
    return _harmonized(values, norms, w, bins)


def dice(
    p: Array,
    t: Array,
    w: Array,
    smooth: float = 0.0,
    eps: float = 1e-7,
    squared: bool = False,
    sum_over: str = "batch",
    absent: str = "skip",
    from_logits: bool = True,
    ignore_index: int = -100,
) -> float:
    """Dice of (N, C, L) predictions with indices (N, L) or masks (N, C, L); w is (N, L)."""
    n, classes, length = p.shape
    q, g, v = np.zeros_like(p), np.zeros_like(p), np.array(w, dtype=float)
    for i in range(n):
        for k in range(length):
            if not from_logits:
                q[i, :, k] = p[i, :, k]
            elif classes == 1:
                q[i, 0, k] = sigmoid(p[i, 0, k])
            else:
                q[i, :, k] = [math.exp(lp) for lp in _log_softmax(p[i, :, k])]
            if t.shape == p.shape:
                g[i, :, k] = t[i, :, k]
            elif t[i, k] == ignore_index:
                v[i, k] = 0
            elif classes == 1:
                g[i, 0, k] = t[i, k]
            else:
                g[i, t[i, k], k] = 1
    groups = [range(n)] if sum_over == "batch" else [[i] for i in range(n)]
    values, counted = 0.0, 0
    for group in groups:
        for c in range(classes):
            inter = size = truth = 0.0
            for i in group:
                for k in range(length):
                    a, b, m = q[i, c, k], g[i, c, k], v[i, k]
                    inter += m * (a * b if squared else min(a, b))
                    size += m * (a * a + b * b if squared else a + b)
                    truth += m * b
            there = any(v[i, k] > 0 for i in group for k in range(length))
            value = 1 - (2 * inter + smooth) / max(size + smooth, eps)
            if truth > 0 or (absent == "count" and there):
                values += value
            counted += truth > 0 or absent == "zero" or (absent == "count" and there)
    return values / max(counted, 1)
