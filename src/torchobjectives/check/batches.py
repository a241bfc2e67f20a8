"""Checks of how a loss is put together from its samples: scale, order, parts."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from torchobjectives.check._batch import apart, composition, exact, partitions, repeated, sampled, steady, tolerance
from torchobjectives.check._check import Check, check
from torchobjectives.check._report import Finding, number
from torchobjectives.check._subject import Subject, option
from torchobjectives.check.broadcast import shapes_match
from torchobjectives.check.ignored import ignored_counted

# By how much the loss of repeated batches may miss a + b k, and the share below which a part is no term of its own.
EXACT, COARSE = (1e-9, 1e-4), (1e-5, 0.02)
TIMES = (1, 2, 3, 4)
SORTS = ("sort", "argsort", "topk", "msort", "kthvalue")


@check(
    "order",
    needs=("number", "gradient", "samples"),
    unless=(
        "broadcast",
        "nondeterministic",
    ),
)
def order(subject: Subject) -> Iterator[Finding]:
    """The order of the samples does not matter."""
    y_pred, y_true = sampled(subject)
    if len(y_pred) < 3 or not steady(subject):
        return
    at, moved = _reordered(subject, y_pred, y_true)
    if moved is None or _order_is_meant(subject, y_pred, y_true) or _is_of_pairs(subject, y_pred, y_true):
        return
    time = _is_time_major(subject, y_pred, y_true)
    where = " Along the second axis it changes nothing: the first one may be time." if time else ""
    yield Finding(
        "order-dependent",
        "note" if time else "warning",
        f"Shuffling the samples, predictions and targets alike, changes the loss from {number(at)} to "
        f"{number(moved)}.{where} Batches are shuffled: what neighbours have to do with each other is chance.",
        "Compare samples through all pairs or through what y_true says, not through their place in the batch; sort "
        "by y_true first where an order is needed.",
        {"value": at, "shuffled": moved},
    )


def _is_of_pairs(subject: Subject, y_pred: Tensor, y_true: Tensor) -> bool:
    """Whether there is a row and a column per sample, and the order of neither matters if they change alike."""
    calm, count = exact(subject), len(y_pred)
    if count not in (*y_pred.shape[1:2], *y_true.shape[1:2]):
        return False
    rows = torch.randperm(count, generator=torch.Generator().manual_seed(7)).to(y_pred.device)
    pred, true = (
        tensor[rows][:, rows] if tensor.ndim > 1 and tensor.shape[1] == count else tensor[rows]
        for tensor in (y_pred, y_true)
    )
    at, moved = (calm.value(_as(calm, p), _as(calm, t)) for p, t in ((y_pred, y_true), (pred, true)))
    return not apart(at, moved, tolerance(calm))


def _reordered(subject: Subject, y_pred: Tensor, y_true: Tensor, axis: int = 0) -> tuple[float, float | None]:
    """The loss, and that of the samples in another order if it differs."""
    calm = exact(subject)
    at = calm.value(_as(calm, y_pred), _as(calm, y_true))
    count = y_pred.shape[axis]
    orders = [torch.arange(count - 1, -1, -1), torch.randperm(count, generator=torch.Generator().manual_seed(7))]
    for rows in orders:
        there = rows.to(y_pred.device)
        pred, true = y_pred.index_select(axis, there), y_true.index_select(axis, there)
        moved = calm.value(_as(calm, pred), _as(calm, true))
        # Sums in another order differ by their rounding, which a loss near 0 shows.
        if apart(at, moved, 10 * tolerance(calm)) and abs(at - moved) > tolerance(calm) * calm.example.slope:
            return at, moved
    return at, None


def _as(subject: Subject, tensor: Tensor) -> Tensor:
    """A tensor in the subject's precision."""
    return tensor.to(subject.y_pred.dtype) if tensor.is_floating_point() else tensor


def _order_is_meant(subject: Subject, y_pred: Tensor, y_true: Tensor) -> bool:
    """Whether places in the batch are the truth: views stacked, rows pointed to, or ties that a sort breaks."""
    if _points_to_rows(subject, y_pred, y_true) or subject.trace.first("flip", source="y_true"):
        return True
    others = [y_true.flip(0), y_true.roll(1, 0), y_true[:1].expand_as(y_true)]
    at = subject.value(y_pred, y_true)
    if not any(apart(at, subject.value(y_pred, other), 1e-6) for other in others):
        return True
    if subject.trace.first(*SORTS, source="y_true") is None:
        return False
    column = y_true.flatten(1)[:, 0] if y_true.ndim > 1 else y_true
    values: list[float] = column.unique().tolist()  # type: ignore[no-untyped-call]
    firsts = [int((column == value).nonzero()[0]) for value in values]
    return len(firsts) < len(column) and (
        len(firsts) < 3 or _reordered(subject, y_pred[firsts], y_true[firsts])[1] is None
    )


def _points_to_rows(subject: Subject, y_pred: Tensor, y_true: Tensor) -> bool:
    """Whether y_true holds places in the batch: where they move with the samples, nothing changes."""
    whole = y_true.ndim == 1 and not y_true.is_floating_point() and y_true.dtype != torch.bool
    if not whole or bool((y_true < 0).any()) or int(y_true.max()) >= len(y_true):
        return False
    order = torch.randperm(len(y_true), generator=torch.Generator().manual_seed(7)).to(y_true.device)
    moved = order.argsort()[y_true[order].long()].to(y_true.dtype)
    places = [y_pred[order]]
    if y_pred.ndim > 1 and y_pred.shape[1] == len(y_true):
        places.append(places[0][:, order])  # a matrix of similarities, of each sample to each
    at = subject.value(y_pred, y_true)
    there = [subject.value(place, moved) for place in places]
    return any(math.isfinite(value) and not apart(at, value, 10 * tolerance(subject)) for value in there)


def _is_time_major(subject: Subject, y_pred: Tensor, y_true: Tensor) -> bool:
    """Whether the second axis is the one whose order does not matter."""
    # Of rows that are embeddings the second axis is their own, and a product of two has no order of it.
    if subject.pred_kind == "embedding" and y_pred.ndim == 2:
        return False
    if y_pred.ndim < 2 or y_true.ndim < 2 or y_pred.shape[1] != y_true.shape[1] or y_pred.shape[1] < 2:
        return False
    return _reordered(subject, y_pred, y_true, axis=1)[1] is None


@check("scale", needs=("number", "gradient", "samples"), unless=("broadcast", "nondeterministic", "order-dependent"))
def scale(subject: Subject) -> Iterator[Finding]:
    """Repeating the batch leaves a mean as it is, and multiplies a sum; a mixture does neither."""
    calm = exact(subject)
    y_pred, y_true = sampled(calm)
    batches = [(repeated(y_pred, times), repeated(y_true, times)) for times in TIMES]
    values = torch.tensor([calm.value(*batch) for batch in batches], dtype=torch.float64)
    # A constant may be a term of the loss's own parameters: it is the slopes at y_pred that must say the same.
    if not _is_mixed(values, calm):
        return
    slopes = [calm.evaluate(*batch).gradient for batch in batches]
    if any(slope is None for slope in slopes):
        return
    if not _is_mixed(torch.stack([_of_each(slope, len(y_pred)) for slope in slopes]), calm) or not steady(subject):
        return
    if _meets_all(calm, *batches[:2]):
        return
    constant, grows = 2 * values[0] - values[1], values[1] - values[0]
    said = ", ".join(number(float(value)) for value in values)
    yield Finding(
        "batch-scaling",
        "warning",
        f"Repeating the batch 1, 2, 3, 4 times gives {said} = {number(float(constant))} "
        f"{'-' if grows < 0 else '+'} {number(abs(float(grows)))} k: one term is a mean over the batch, another a sum. "
        "Their balance depends on the batch size.",
        "Reduce all terms alike: sum over the axes of a sample, then .mean() over the batch.",
        {"values": values.tolist(), "constant": float(constant), "per_repeat": float(grows)},
    )


def _of_each(gradient: Tensor | None, count: int) -> Tensor:
    """The gradient of each sample, over all its copies."""
    assert gradient is not None
    return gradient.double().reshape(-1, count, *gradient.shape[1:]).sum(0)


def _meets_all(subject: Subject, once: tuple[Tensor, Tensor], twice: tuple[Tensor, Tensor]) -> bool:
    """Whether every sample meets every other: over the batch their pairs give a + b k, and are meant to."""
    calls = zip(*(subject.traced(*batch).calls for batch in (once, twice)), strict=False)
    return any(
        "y_pred" in one.sources and more.numel() > 2 * few.numel() > 0
        for one, two in calls
        for few, more in zip(one.outputs, two.outputs, strict=False)
    )


def _is_mixed(numbers: Tensor, subject: Subject) -> bool:
    """Whether numbers for k of 1 to 4 are a + b k, and neither part is small."""
    by, share = EXACT if subject.y_pred.dtype == torch.float64 else COARSE
    constant, grows = 2 * numbers[0] - numbers[1], numbers[1] - numbers[0]
    steps = torch.tensor(TIMES, dtype=torch.float64).reshape(-1, *[1] * (numbers.ndim - 1))
    size, rest = float(numbers.norm()), float((numbers - constant - grows * steps.to(numbers.device)).norm())
    least = min(float(constant.norm()), float(grows.norm()))
    return rest <= by * size and least > max(share * float(numbers[0].norm()), 1e-9)


@check(
    "parts",
    needs=("number", "gradient", "samples"),
    unless=("nondeterministic", "order-dependent", "batch-scaling", "broadcast", "ignored-counted"),
)
def parts(subject: Subject) -> Iterator[Finding]:
    """The loss of a batch is the mean, or the sum, of those of its parts."""
    calm = exact(subject)
    y_pred, y_true = sampled(calm)
    count = len(y_pred) // 2 * 2
    y_pred, y_true = y_pred[:count], y_true[:count]
    if composition(subject) is not None or not steady(subject):
        return
    whole = calm.value(y_pred, y_true)
    for said, *rows in partitions(count):
        values = [calm.value(y_pred[part], y_true[part]) for part in rows]
        share = len(y_pred[rows[0]]) / count
        mean = share * values[0] + (1 - share) * values[1]
        if math.isfinite(mean) and apart(whole, mean, 10 * tolerance(calm)):
            yield _is_no_mean(subject, whole, values, said, [y_true[part] for part in rows])
            return


def _is_no_mean(subject: Subject, whole: float, values: list[float], said: str, truths: list[Tensor]) -> Finding:
    by = 10 * tolerance(exact(subject))
    why, fix = "contrastive, batch statistics, or a weighted mean", "Where that matters, gather the whole batch first."
    for what, counts in _counts(subject, truths):
        total = sum(counts)
        if not total or apart(whole, (counts[0] * values[0] + counts[1] * values[1]) / total, by):
            continue
        why = f"it is divided by the {what}, here {number(counts[0])} and {number(counts[1])}"
        fix = f"Return the sum, and divide by the global {what} (times world_size under DDP)."
    return Finding(
        "whole-batch",
        "note",
        f"The loss of a batch is not the mean over its parts: {number(whole)} for {sum(map(len, truths))} samples, "
        f"{number(values[0])} and {number(values[1])} for {said} ({why}). With gradient accumulation and DDP, "
        "which average the parts, it is another objective.",
        fix,
        {"batch": whole, "parts": values},
    )


def _counts(subject: Subject, truths: list[Tensor]) -> Iterator[tuple[str, list[float]]]:
    """What a mean may be divided by, in each of two parts."""
    if subject.marker is not None:
        marker = subject.marker
        valid = [(~part.isnan() if math.isnan(marker) else part != marker) for part in truths]
        yield "number of valid targets", [float(part.sum()) for part in valid]
    if subject.true_kind == "binary":
        yield "number of positives", [float((part > 0).sum()) for part in truths]
    weight = option(subject.original, "weight")
    indices = not truths[0].is_floating_point() and subject.true_kind == "class_indices"
    if isinstance(weight, Tensor) and weight.ndim == 1 and indices:
        live = [part[(part >= 0) & (part < len(weight))] for part in truths]
        yield "sum of the weights", [float(weight[part].sum()) for part in live]


CHECKS: tuple[Check, ...] = (shapes_match, ignored_counted, order, scale, parts)
