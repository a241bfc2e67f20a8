"""References for tests/cases/segmentation.py."""

from __future__ import annotations

import math

import numpy as np

from tests.references.common import Array, log_softmax, sigmoid


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
                q[i, :, k] = [math.exp(lp) for lp in log_softmax(p[i, :, k])]
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
