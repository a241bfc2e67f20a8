"""Checks of targets that come up rarely, and do come up: no positive, an absent class, all ignored."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from torchobjectives.check._batch import apart, sampled
from torchobjectives.check._check import Check, check
from torchobjectives.check._culprit import DIVISIONS
from torchobjectives.check._kinds import class_axis, plausible, right, signs
from torchobjectives.check._rare import Rare, crashes, is_binary, markable, marked, not_finite, tried
from torchobjectives.check._report import Finding, number
from torchobjectives.check._subject import LARGE, Subject
from torchobjectives.check.small import batch_of_one, one_position, value_of_one

# So many classes are left out in turn; of more, the first ones.
CLASSES = 6
COMPARISONS = ("gt", "ge", "lt", "le", "eq", "ne", "greater", "less", "not_equal")
# So many positions make a mask.
MASK = 16


def rare_batches(subject: Subject) -> Iterator[Rare]:
    """Targets that come up rarely, in the domain of the loss as far as that is known."""
    y_pred, y_true = sampled(subject)
    known = {
        "binary": rare_bits,
        "class_indices": rare_classes,
        "labels_of_embeddings": rare_labels,
        "values": unlike_the_example,
        "counts": unlike_the_example,
        "ranks": alike,
        None: unlike_the_example,
    }.get(subject.true_kind)
    known = rare_bits if is_binary(subject) else known
    if known is None:
        return
    dead = marked(subject, y_true)
    for rare in known(subject, y_pred, y_true):
        truth = torch.where(dead, y_true, rare.y_true) if rare.y_true.shape == dead.shape else rare.y_true
        yield Rare(rare.said, rare.y_pred, truth, rare.excused)


def rare_bits(subject: Subject, y_pred: Tensor, y_true: Tensor) -> Iterator[Rare]:
    """No positive, no negative: at all, in a sample, in a column."""
    low = -1 if bool((signs(subject, y_true) == y_true.to(y_pred)).all()) else 0
    for value, said in ((low, "no positive target"), (1, "no negative target")):
        yield Rare(said, y_pred, torch.full_like(y_true, value))
        if y_true.ndim < 2:
            continue
        for axis, where in ((0, "in one sample"), (1, "in one column")):
            if 1 < y_true.shape[axis] <= 256:
                changed = y_true.clone()
                changed.select(axis, 0).fill_(value)
                yield Rare(f"{said} {where}", y_pred, changed)


def rare_classes(subject: Subject, y_pred: Tensor, y_true: Tensor) -> Iterator[Rare]:
    """A class that is absent, and one that is alone."""
    axis = class_axis(subject)
    if axis is None or y_pred.shape[axis] < 2:
        return
    live = y_true[~marked(subject, y_true)]
    # Only of those that occur it is known that the loss takes them.
    seen: list[int] = live.unique().tolist()  # type: ignore[no-untyped-call]
    count = CLASSES if y_pred.numel() <= LARGE else 2
    for index, other in list(zip(seen, [*seen[1:], *seen[:1]], strict=True))[:count]:
        yield Rare(f"class {index} absent", y_pred, torch.where(y_true == index, other, y_true))
    for index in sorted({*seen[:1], *seen[-1:]}):
        yield Rare(f"every target of class {index}", y_pred, torch.full_like(y_true, index))


def rare_labels(subject: Subject, y_pred: Tensor, y_true: Tensor) -> Iterator[Rare]:
    """Samples without a partner, and without an opponent."""
    labels = y_true.unique()  # type: ignore[no-untyped-call]
    if y_true.ndim != 1 or len(labels) < 2:
        return
    first = int((y_true == labels[0]).nonzero()[0])
    alone = torch.where(y_true == labels[0], labels[1], y_true)
    alone[first] = labels[0]
    yield Rare("one sample alone in its class", y_pred, alone)
    rows = [int((y_true == label).nonzero()[0]) for label in labels]
    yield Rare("no two samples of one class", y_pred[rows], y_true[rows])
    yield Rare("all samples of one class", y_pred, torch.full_like(y_true, int(labels[0])))


def alike(subject: Subject, y_pred: Tensor, y_true: Tensor) -> Iterator[Rare]:
    """One target for all samples."""
    # Of integers beside classes nobody knows what they mean: they may point to rows.
    if y_true.is_floating_point() or (y_true.shape == y_pred.shape and y_true.dtype != torch.bool):
        live = (~marked(subject, y_true)).flatten(1).all(1) if y_true.ndim > 1 else ~marked(subject, y_true)
        if bool(live.any()):
            row = int(live.nonzero()[0])
            yield Rare("all targets alike", y_pred, _short(y_true[row : row + 1]).expand_as(y_true).clone())


def unlike_the_example(subject: Subject, y_pred: Tensor, y_true: Tensor) -> Iterator[Rare]:
    """One target for all samples; and where the loss asks which targets are 0, or 1, all of them, and none."""
    yield from alike(subject, y_pred, y_true)
    slope = subject.evaluate(y_pred, y_true).gradient
    if slope is None or slope.numel() != y_true.numel():
        return
    for value in singled_out(subject):
        at = y_true == value
        if bool(at.all()) or not bool(at.any()):
            continue
        every = torch.full_like(y_true, value)
        none = y_true.masked_fill(at, float(y_true[~at].median()))
        for said, truth, left in (("every target", every, at), ("no target", none, ~at)):
            # Nothing is left to average where the loss leaves such targets out.
            excused = not bool(slope.reshape(y_true.shape)[left].any())
            if excused and y_true.ndim > 1:
                yield Rare(f"{said} of one sample {value}", y_pred, torch.cat([truth[:1], y_true[1:]]))
            yield Rare(f"{said} {value}", y_pred, truth, excused)


def singled_out(subject: Subject) -> Iterator[int]:
    """Which of 0 and 1 come up repeatedly among other targets, and are told from them by a comparison in the loss."""
    y_true = subject.y_true
    if not y_true.is_floating_point():
        return
    masks = [
        call.outputs[0]
        for call in subject.trace.calls
        if call.name.strip("_") in COMPARISONS and call.sources == {"y_true"} and call.outputs[0].shape == y_true.shape
    ]
    for value in (0, 1):
        at = y_true == value
        if int(at.sum()) > 1 and any(torch.equal(mask, at) or torch.equal(mask, ~at) for mask in masks):
            yield value


def _short(values: Tensor) -> Tensor:
    """Numbers near by, of four binary digits: the mean of many equal ones is exactly that number."""
    if not values.is_floating_point():
        return values
    mantissa, exponent = torch.frexp(values)
    return torch.ldexp((16 * mantissa).round() / 16, exponent)


@check("rare-targets", needs=("number", "gradient", "samples"), unless=("broadcast", "argument-order"))
def rare_targets(subject: Subject) -> Iterator[Finding]:
    """The loss runs, and is finite, where a class or all contrast is missing."""
    attempts = [tried(subject, rare) for rare in rare_batches(subject)]
    yield from crashes(attempts)
    yield from not_finite(subject, attempts)


@check(
    "slope-on-empty-truth",
    needs=("number", "gradient", "samples"),
    unless=("broadcast", "argument-order", "empty-targets"),
)
def slope_on_empty_truth(subject: Subject) -> Iterator[Finding]:
    """An empty truth still says that positive predictions are wrong."""
    y_pred, y_true = sampled(subject)
    counts = ~marked(subject, y_true)
    if not (is_binary(subject) or subject.true_kind == "class_indices") or bool((y_true[counts] < 0).any()):
        return
    empty = torch.where(counts, torch.zeros_like(y_true), y_true)
    outcomes = [subject.evaluate(pred, empty) for pred in (y_pred, plausible(subject)[: len(y_pred)])]
    if any(outcome.gradient is None or not outcome.is_number for outcome in outcomes):
        return
    usual = subject.evaluate(y_pred, y_true).slope
    steepest = max(outcome.slope for outcome in outcomes)
    if not usual > 0 or steepest > 1e-4 * usual or _is_satisfied(subject, outcomes[0].number):
        return
    said = "no positive target" if is_binary(subject) else "every target of class 0"
    division = next((call for call in subject.traced(y_pred, empty).calls if call.name in DIVISIONS), None)
    where = f" In the division at {division.place} the numerator is 0." if division and division.place else ""
    slope = "exactly 0" if steepest == 0 else f"{number(steepest)}, usually {number(usual)}"
    yield Finding(
        "empty-targets",
        "error" if steepest == 0 and _is_of_masks(subject) else "note",
        f"With {said} the loss is {number(outcomes[0].number)} and the norm of its gradient {slope}, although the "
        f"predictions are not 0.{where} From an empty truth nothing is learnt.",
        "Smooth numerator and denominator with the same number, about 1: (2 * overlap + 1) / (total + 1)",
        {"value": outcomes[0].number, "slope": steepest, "usual": usual},
    )


def _is_of_masks(subject: Subject) -> bool:
    """Whether a sample is a mask, of which many are empty; a batch of labels without a positive one is rare."""
    return subject.y_true[0].numel() >= MASK


def _is_satisfied(subject: Subject, value: float) -> bool:
    """Whether a loss without a slope is where it should be, or one of order alone, to which one class says nothing."""
    y_pred = subject.y_pred
    best = right(subject)
    if best is None:
        truth = subject.y_true.to(y_pred)
        if truth.numel() != y_pred.numel():
            return True
        truth = truth.reshape(y_pred.shape)
        unit = bool(((y_pred >= 0) & (y_pred <= 1)).all())
        best = 0.998 * truth + 0.001 if unit else 12 * (2 * truth - 1)
    low, here = subject.value(best), subject.example.number
    # Only a number that is clearly above the least one is a reproach.
    clearly = value > low + 0.1 * max(here - low, abs(low), 1e-6)
    order = is_binary(subject) and not apart(here, subject.value(y_pred + 0.7), 1e-5)
    return order or not clearly


@check(
    "ignored-targets",
    needs=("number", "gradient", "samples", "ignore_index"),
    unless=("broadcast", "argument-order"),
)
def ignored_targets(subject: Subject) -> Iterator[Finding]:
    """The loss survives a sample, and a batch, of which nothing counts."""
    y_pred, y_true = sampled(subject)
    assert subject.marker is not None
    nothing = torch.where(markable(subject, y_true), torch.full_like(y_true, subject.marker), y_true)
    row = torch.cat([nothing[:1], y_true[1:]])
    one = tried(subject, Rare("one sample fully ignored", y_pred, row))
    all_of_them = tried(subject, Rare("all targets ignored", y_pred, nothing, excused=True))
    yield from crashes([one, all_of_them])
    # That nothing gives nan is told where something is ignored at all.
    occurs = subject.ignore_index is not None or bool(marked(subject, y_true).any())
    yield from not_finite(subject, [one] if one.not_finite or not occurs else [all_of_them])


CHECKS: tuple[Check, ...] = (
    rare_targets,
    slope_on_empty_truth,
    ignored_targets,
    batch_of_one,
    one_position,
    value_of_one,
)
