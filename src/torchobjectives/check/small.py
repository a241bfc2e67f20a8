"""Checks of small batches: a single sample, a single position."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor

from torchobjectives.check._batch import apart, composition, sampled
from torchobjectives.check._check import check
from torchobjectives.check._inside import Walk, integers_of
from torchobjectives.check._rare import SHORT, Rare, Tried, crash_fix, marked, tried, why
from torchobjectives.check._report import Finding, number
from torchobjectives.check._subject import Subject
from torchobjectives.check._trace import Call, Trace


@check("batch-of-one", needs=("number", "gradient", "samples"), unless=("broadcast", "crash-on-batch"))
def batch_of_one(subject: Subject) -> Iterator[Finding]:
    """The loss takes a single sample."""
    y_pred, y_true = sampled(subject)
    attempts = [tried(subject, _rows(y_pred, y_true, [row])) for row in _some(len(y_pred))]
    if all(attempt.broken for attempt in attempts):
        yield from _fails_on_one(subject, attempts[0])
        return
    yield from _another_loss_of_one(subject)


def _rows(y_pred: Tensor, y_true: Tensor, rows: list[int]) -> Rare:
    return Rare("a single sample" if len(rows) == 1 else f"{len(rows)} samples", y_pred[rows], y_true[rows])


def _some(count: int) -> list[int]:
    """A few rows: what fails for all of them is not for their targets."""
    return sorted({0, count // 3, count // 2, count - 1})


def _fails_on_one(subject: Subject, attempt: Tried) -> Iterator[Finding]:
    y_pred, y_true = sampled(subject)
    eaten = squeezed(subject, attempt.rare, _rows(y_pred, y_true, [0, 1]))
    evidence = {"samples": 1, "works": len(y_pred), "error": attempt.broken}
    if eaten is not None:
        yield _eaten(eaten, f"Works for {len(y_pred)} samples; for 1, {attempt.broken}", evidence)
        return
    few = [_of_size(subject, size) for size in (2, 3)]
    error = attempt.outcome.error
    short = error is not None and SHORT in str(error)
    if any(other.broken for other in few) and not short:
        yield from _fixed_size(subject, attempt)  # or it takes pairs, or groups
        return
    sure = short or isinstance(error, NameError) or composition(subject) is not None
    yield Finding(
        "crash-on-batch",
        "error" if sure else "note",
        f"Works for {len(y_pred)} samples; for 1, {attempt.broken}. The last batch of an epoch can be that small.",
        crash_fix(attempt) if sure else "Leave such batches out: DataLoader(drop_last=True)",
        evidence,
    )


def _of_size(subject: Subject, size: int) -> Tried:
    """The loss of so many samples, the first ones or all of them over again."""
    y_pred, y_true = sampled(subject)
    return tried(subject, _rows(y_pred, y_true, [row % len(y_pred) for row in range(size)]))


def _fixed_size(subject: Subject, attempt: Tried) -> Iterator[Finding]:
    """The loss takes as many samples as the example has, and no other number, which is written in its code."""
    y_pred, y_true = sampled(subject)
    count = len(y_pred)
    # Of all pairs there are as many rows as columns.
    if count < 4 or count != len(subject.y_pred) or count in (*y_pred.shape[1:], *y_true.shape[1:]):
        return
    written = sorted(integers_of(subject.original) & {count, 2 * count})
    if not written or _holds_of_each(subject, count):
        return
    others = sorted({2, 4, count // 2, count - 2, count - 1, count + 1, 2 * count} - {1, count})
    if all(_of_size(subject, size).broken for size in others):
        yield Finding(
            "crash-on-batch",
            "error",
            f"Works for {count} samples, and for no other number: not for {', '.join(map(str, [1, *others]))}. For 1, "
            f"{attempt.broken}. The code says {written[0]}; the last batch of an epoch is smaller.",
            "Take the size from the batch: len(y_pred), y_pred.flatten(1), "
            "torch.arange(len(y_pred), device=y_pred.device)",
            {"samples": count, "tried": others, "error": attempt.broken},
        )


def _holds_of_each(subject: Subject, count: int) -> bool:
    """Whether the loss holds something of each sample, or of both views of it: then nobody gives it other ones."""
    return any(
        isinstance(held.value, Tensor) and not {count, 2 * count}.isdisjoint(held.value.shape)
        for held in Walk().all_of(subject.original)
    )


def _eaten(call: Call, said: str, evidence: dict[str, Any]) -> Finding:
    there = "there" if call.place and str(call.place) in said else f"at {call.place}"
    axes = [axis for axis, size in enumerate(call.inputs[0].shape) if size == 1 and axis > 0]
    change = f"squeeze({axes[0]})" if axes else "no squeeze()"
    return Finding(
        "crash-on-batch",
        "error",
        f"{said}. `squeeze()` {there} also removed the batch dimension.",
        f"Name the axis that goes: {change}",
        evidence,
    )


def squeezed(subject: Subject, small: Rare, large: Rare) -> Call | None:
    """The ``squeeze()`` that takes more axes from a small batch than from a large one."""
    less, more = (
        [call for call in subject.traced(rare.y_pred, rare.y_true).calls if call.name in ("squeeze", "squeeze_")]
        for rare in (small, large)
    )
    for one, other in zip(less, more, strict=False):
        if one.place == other.place and one.outputs[0].ndim < other.outputs[0].ndim:
            return one
    return None


def _another_loss_of_one(subject: Subject) -> Iterator[Finding]:
    """Where the loss of a batch is the mean or sum of halves, it is that of single samples."""
    y_pred, y_true = sampled(subject)
    if len(y_pred) < 4 or subject.trace.first("squeeze") is None:
        return
    how = composition(subject)
    whole = subject.value(y_pred[:4], y_true[:4])
    singles = sum(subject.value(y_pred[row : row + 1], y_true[row : row + 1]) for row in range(4))
    singles = singles / 4 if how == "mean" else singles
    eaten = squeezed(subject, _rows(y_pred, y_true, [0]), _rows(y_pred, y_true, [0, 1]))
    if how is not None and eaten is not None and apart(whole, singles, 1e-3):
        said = f"The loss of 4 samples is {number(whole)}, that of the same ones, one by one, {number(singles)}"
        yield _eaten(eaten, said, {"batch": whole, "singles": singles})


@check(
    "one-position",
    needs=("number", "gradient", "samples"),
    unless=(
        "broadcast",
        "crash-on-batch",
    ),
)
def one_position(subject: Subject) -> Iterator[Finding]:
    """The loss takes images of one pixel and sequences of one step."""
    y_pred, y_true = sampled(subject)
    spare = min(y_pred.ndim - 2, y_true.ndim - 1)
    if spare < 1 or y_pred.shape[-spare:] != y_true.shape[-spare:]:
        return
    small = Rare("one position", _first_position(y_pred, spare), _first_position(y_true, spare))
    attempt = tried(subject, small)
    if attempt.broken and (eaten := squeezed(subject, small, Rare("all", y_pred, y_true))) is not None:
        said = f"Works for positions {tuple(y_pred.shape[-spare:])}; for a single one, {attempt.broken}"
        yield Finding(
            "crash-on-batch",
            "error",
            f"{said}. `squeeze()` at {eaten.place} also removed an axis of positions.",
            "Name the axis that goes: squeeze(1)",
            {"shape": tuple(small.y_pred.shape), "error": attempt.broken},
        )


def _first_position(tensor: Tensor, axes: int) -> Tensor:
    """Of the last so many axes the first entry."""
    for axis in range(tensor.ndim - axes, tensor.ndim):
        tensor = tensor.narrow(axis, 0, 1)
    return tensor


@check(
    "value-of-one",
    needs=("number", "gradient", "samples"),
    unless=("broadcast", "argument-order", "empty-targets", "crash-on-batch"),
)
def value_of_one(subject: Subject) -> Iterator[Finding]:
    """The loss of a single sample is finite."""
    if not subject.example.has_slope:
        return  # more samples do not help
    y_pred, y_true = sampled(subject)
    # A sample of which nothing counts is another matter.
    live = ~marked(subject, y_true).flatten(1).all(1) if y_true.ndim > 1 else ~marked(subject, y_true)
    rows = [row for row in _some(len(y_pred)) if live[row]]
    attempts = [tried(subject, _rows(y_pred, y_true, [row])) for row in rows]
    if not attempts or not all(attempt.not_finite for attempt in attempts):
        return
    first = attempts[0]
    cause, fix = why(subject, first.rare.y_pred, first.rare.y_true)
    sure = composition(subject) is not None or _took_none(subject.traced(first.rare.y_pred, first.rare.y_true))
    yield Finding(
        "empty-targets",
        "error" if sure else "note",
        f"For a single sample {first.not_finite}{cause}; for {len(y_pred)} it is {number(subject.example.number)}. "
        "The last batch of an epoch can be that small.",
        fix if sure else "Leave such batches out, as it takes several samples: DataLoader(drop_last=True)",
        {"samples": 1, "value": first.outcome.number},
    )


def _took_none(trace: Trace) -> bool:
    """Whether a share of one sample was rounded down to none."""
    return any(
        call.name in ("topk", "sort") and call.outputs[0].numel() == 0 < call.inputs[0].numel() for call in trace.calls
    )
