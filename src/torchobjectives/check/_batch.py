"""Batches made of the example, and how to compare what a loss makes of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
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


def partitions(count: int) -> Iterator[tuple[str, slice, slice]]:
    """Ways to cut a batch in two: by chance one of them may hold as many positives in either part."""
    # Of at least two: a single sample may be a case of its own.
    half = count // 2
    yield "the halves", slice(0, half), slice(half, count)
    yield "every other one and the rest", slice(0, count, 2), slice(1, count, 2)
    if (third := count // 3) > 1:
        yield f"the first {third} and the rest", slice(0, third), slice(third, count)


def composition(subject: Subject) -> Literal["mean", "sum"] | None:
    """How the loss of a batch follows from those of its parts; None where it does not."""
    calm = exact(subject)
    y_pred, y_true = sampled(calm)
    count = len(y_pred) // 2 * 2 if len(y_pred) >= 4 else 2
    whole = calm.value(y_pred[:count], y_true[:count])
    cuts = [
        (len(y_pred[first]) / count, calm.value(y_pred[first], y_true[first]), calm.value(y_pred[rest], y_true[rest]))
        for _, first, rest in partitions(count)
    ]
    cuts = [cut for cut in cuts if math.isfinite(whole + cut[1] + cut[2])]
    if not cuts:
        return None
    by = tolerance(calm)
    if not any(apart(whole, share * one + (1 - share) * other, by) for share, one, other in cuts):
        return "mean"
    return None if any(apart(whole, one + other, by) for _, one, other in cuts) else "sum"
