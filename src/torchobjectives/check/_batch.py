"""Batches made of the example, and how to compare what a loss makes of them."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from torchobjectives.check._subject import LARGE, Subject

# The rows that stand for a large example.
ROWS = 8
FEW = 4


def exact(subject: Subject) -> Subject:
    """The subject in float64 where it runs there, so that rounding hides nothing."""
    return subject.double or subject


def tolerance(subject: Subject) -> float:
    """How far apart, relatively, two numbers may be that should be one."""
    return 1e-7 if subject.y_pred.dtype == torch.float64 else 2e-5


def apart(first: float, second: float, by: float) -> bool:
    """Whether two numbers differ by more than a share of the larger; what is not finite does not count."""
    if not (math.isfinite(first) and math.isfinite(second)):
        return False
    return abs(first - second) > by * max(abs(first), abs(second), 1e-6)


def steady(subject: Subject) -> bool:
    """Whether calls on one batch agree, whatever the seed: else nothing can be learnt from a difference."""
    at = subject.value()
    return at == subject.value() == subject.value(seed=1)


def sampled(subject: Subject) -> tuple[Tensor, Tensor]:
    """The example, or its first rows where it is large."""
    size = max(subject.y_pred.numel(), subject.y_true.numel())
    count = len(subject.y_pred) if size <= LARGE else ROWS if size <= 10 * LARGE else FEW
    return subject.y_pred[:count], subject.y_true[:count]


def repeated(tensor: Tensor, times: int) -> Tensor:
    """A batch several times over, along its first axis."""
    return tensor.repeat(times, *[1] * (tensor.ndim - 1))


def composition(subject: Subject) -> Literal["mean", "sum"] | None:
    """How the loss of a batch follows from those of its parts; None where it does not."""
    calm = exact(subject)
    y_pred, y_true = sampled(calm)
    # Halves of at least two: a single sample may be a case of its own.
    half = len(y_pred) // 2 if len(y_pred) >= 4 else 1
    rows = slice(0, half), slice(half, 2 * half)
    whole = calm.value(y_pred[: 2 * half], y_true[: 2 * half])
    parts = [calm.value(y_pred[part], y_true[part]) for part in rows]
    if not all(map(math.isfinite, (whole, *parts))):
        return None
    by = tolerance(calm)
    if not apart(whole, sum(parts) / 2, by):
        return "mean"
    return None if apart(whole, sum(parts), by) else "sum"
