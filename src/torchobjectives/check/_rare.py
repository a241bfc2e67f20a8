"""Batches that come up rarely: what a loss makes of one, and how that is said."""

from __future__ import annotations

import dis
import math
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import torch
from torch import Tensor

from torchobjectives.check._culprit import DIVISIONS
from torchobjectives.check._kinds import class_axis
from torchobjectives.check._report import Finding, number
from torchobjectives.check._subject import Outcome, Subject
from torchobjectives.check._trace import TORCH, Call, Trace, has, is_not_finite, located, makes, place_of

GUARD = "if nothing is left: return y_pred.sum() * 0"
SHORT = "selected index k out of range"
# Along an axis of more there are positions, not channels.
CHANNELS = 8


@dataclass(frozen=True)
class Rare:
    """A batch that comes up rarely."""

    said: str
    """With what: ``no positive target``."""
    y_pred: Tensor
    y_true: Tensor
    excused: bool = False
    """Whether there is nothing at all to average, so that nan is an answer."""


def is_binary(subject: Subject) -> bool:
    """Whether y_true holds two classes, one number each of y_pred, whatever their shapes."""
    if subject.true_kind is not None or subject.y_pred.numel() != subject.y_true.numel():
        return subject.true_kind == "binary"
    live = subject.y_true[~marked(subject, subject.y_true)]
    return bool(((live == 0) | (live == 1)).all()) and bool(live.any()) and not bool(live.all())


@dataclass(frozen=True)
class Tried:
    """What a loss made of a batch."""

    rare: Rare
    outcome: Outcome
    attached: bool
    """Whether the value has a graph behind it."""

    @property
    def broken(self) -> str | None:
        """How it fails, if it does and not on purpose."""
        outcome = self.outcome
        if outcome.error is not None:
            if refused(outcome.error):
                return None
            kind, text, place = (
                type(outcome.error).__name__,
                str(outcome.error).split("\n")[0].rstrip("."),
                place_of(outcome.error),
            )
            subject = "its backward pass raises" if outcome.backward else "the loss raises"
            return f"{subject} {kind}{located(place)}: {text}"
        if outcome.value is None:
            return f"the loss returns the {type(outcome.returned).__name__} {outcome.returned!r}, without backward()"
        if not self.attached and math.isfinite(outcome.number):
            return f"the loss returns {number(outcome.number)} as a tensor without a graph: backward() raises"
        return None

    @property
    def not_finite(self) -> str | None:
        """What is not finite, if something is."""
        outcome = self.outcome
        if outcome.value is None or outcome.value.numel() != 1:
            return None
        if not math.isfinite(outcome.number):
            return f"the loss is {number(outcome.number)}"
        if outcome.gradient is not None and not outcome.has_slope:
            return f"the loss is {number(outcome.number)}, but its gradient is not finite"
        return None


def tried(subject: Subject, rare: Rare) -> Tried:
    """Call the loss on a batch, and see whether what it gives has a graph."""
    loss, attached = subject.copy(), []

    def watched(y_pred: Tensor, y_true: Tensor) -> Any:
        value = loss(y_pred, y_true)
        attached.append(isinstance(value, Tensor) and value.requires_grad)
        return value

    outcome = subject.evaluate(rare.y_pred, rare.y_true, loss=watched)
    return Tried(rare, outcome, any(attached))


def refused(error: BaseException) -> bool:
    """Whether an error is raised on purpose, by a ``raise`` or ``assert`` of somebody's, or by linear algebra."""
    last: TracebackType | None = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    # What needs an inverse of the batch needs a batch that has one.
    singular: type[Exception] = torch.linalg.LinAlgError  # type: ignore[attr-defined]
    if last is None or isinstance(error, singular | NotImplementedError):
        return True
    code = last.tb_frame.f_code
    return code.co_code[last.tb_lasti] == dis.opmap["RAISE_VARARGS"] and not code.co_filename.startswith(TORCH)


def marked(subject: Subject, y_true: Tensor) -> Tensor:
    """Which positions do not count."""
    if subject.marker is None:
        return torch.zeros_like(y_true, dtype=torch.bool)
    return y_true.isnan() if math.isnan(subject.marker) else y_true == subject.marker


def markable(subject: Subject, y_true: Tensor) -> Tensor:
    """Where the mark may stand: where a channel never has it, though others often do, something else is held."""
    may, all_marked = torch.ones_like(y_true, dtype=torch.bool), marked(subject, subject.y_true)
    for axis in {1, y_true.ndim - 1} if y_true.ndim > 1 else ():
        count = y_true.shape[axis]
        rates = all_marked.movedim(axis, 0).flatten(1).double().mean(1)
        often = rates[rates > 0]
        # Of many slices some lack it by chance; where it comes up ever more often it is padding.
        if not 1 < count <= CHANNELS or len(often) in (0, count) or bool(often.max() > 2 * often.min()):
            continue
        by_chance = count * float(1 - often.min()) ** (all_marked.numel() // count)
        if by_chance < 0.05:
            may = may & (rates > 0).reshape(-1, *[1] * (y_true.ndim - 1 - axis))
    return may


def mark_in_labels(subject: Subject) -> int | None:
    """The mark that integer labels hold without anybody's saying so: -100, or 255 in maps of fewer classes."""
    y_true, axis = subject.y_true, class_axis(subject)
    if y_true.is_floating_point() or y_true.is_complex() or y_true.dtype == torch.bool:
        return None
    if axis is None and y_true.shape != subject.y_pred.shape:
        return None
    count = 2 if axis is None else subject.y_pred.shape[axis]
    for mark in (-100, 255):
        labels = y_true[y_true != mark]
        # Of a mask of 0 and 255 the latter is a class.
        plain = mark < 0 or (axis is not None and y_true.ndim > 1 and len(labels.unique()) > 1)  # type: ignore[no-untyped-call]
        known = bool(((labels >= 0) & (labels < count)).all()) and count <= 255
        if plain and known and 0 < labels.numel() < y_true.numel():
            return mark
    return None


def crashes(attempts: list[Tried]) -> Iterator[Finding]:
    """One finding for all batches that the loss fails on."""
    failed = [attempt for attempt in attempts if attempt.broken]
    if not failed:
        return
    first = failed[0]
    yield Finding(
        "crash-on-batch",
        "error",
        f"Works on the example, fails with {first.rare.said}: {first.broken}.{_also(failed)} Such a batch comes up "
        "in training, and stops it.",
        crash_fix(first),
        {"batches": [attempt.rare.said for attempt in failed], "error": first.broken},
    )


def _also(attempts: list[Tried]) -> str:
    others = [attempt.rare.said for attempt in attempts[1:4]]
    return f" The same with {'; '.join(others)}." if others else ""


def crash_fix(attempt: Tried) -> str:
    error = attempt.outcome.error
    if isinstance(error, NameError):
        return "Give the variable a value before the branch that sets it: loss = y_pred.sum() * 0"
    if isinstance(error, ZeroDivisionError):
        return "Divide by max(count, 1), or by count.clamp(min=1) where the count is a tensor."
    if error is not None and SHORT in str(error):
        return "Take no more than there are: values.topk(min(k, values.numel()))"
    if error is None:
        return "Return a zero that hangs on the prediction: return y_pred.sum() * 0"
    if attempt.rare.y_true.shape[0] == 1:
        return "Let it take a single sample, or leave such batches out: DataLoader(drop_last=True)"
    return f"Handle the case: {GUARD}"


def not_finite(subject: Subject, attempts: list[Tried]) -> Iterator[Finding]:
    """One finding for all batches whose loss or gradient is not finite."""
    failed = [attempt for attempt in attempts if attempt.not_finite]
    if not subject.example.has_slope:
        failed = [attempt for attempt in failed if not attempt.outcome.is_number]
    if not failed:
        return
    failed.sort(key=lambda attempt: attempt.rare.excused)
    first = failed[0]
    cause, fix = why(subject, first.rare.y_pred, first.rare.y_true)
    yield Finding(
        "empty-targets",
        "note" if first.rare.excused else "error",
        f"With {first.rare.said}, {first.not_finite}{cause}.{_also(failed)} "
        + (
            "nn.CrossEntropyLoss does so, too."
            if first.rare.excused
            else "One such batch makes every parameter of the model nan."
        ),
        f"Skip such batches, or {fix[0].lower()}{fix[1:]}" if first.rare.excused else fix,
        {"batches": [attempt.rare.said for attempt in failed], "value": first.outcome.number},
    )


def why(subject: Subject, y_pred: Tensor, y_true: Tensor) -> tuple[str, str]:
    """Where a batch makes the first number that is not finite, in words; and what to do about it."""
    call = first_bad(subject.traced(y_pred, y_true))
    usual = "Divide by a count that is never 0: total / count.clamp(min=1)"
    if call is None:
        return "", f"{usual}, and make the input of sqrt, log and / safe before they see it."
    where = located(call.place)
    if not any(tensor.numel() for tensor in call.inputs):
        return f": the {call.name} of no element{where}", f"{usual}; or, {GUARD}"
    if call.name in DIVISIONS:
        return f": a division by 0{where}", usual
    if call.name.startswith("log") and "softmax" not in call.name:
        return f": a log of 0{where}", "Add a small number before the logarithm: torch.log(x + eps)"
    if "softmax" in call.name or call.name == "logsumexp":
        return f": {call.name} over nothing but -inf{where}", f"Leave such rows out before {call.name}: x[mask.any(1)]"
    return f": {call.name}{where}", usual


def first_bad(trace: Trace) -> Call | None:
    """The first call that makes nan of finite numbers; if none does, the first that makes inf."""
    nan, infinite = (
        next((call for call in trace.calls if makes(bad, call)), None) for bad in (Tensor.isnan, is_not_finite)
    )
    # 0 * inf has its fault where the inf comes from; -inf that a mask puts there is none.
    if nan is None or (infinite is not None and infinite.name in DIVISIONS and has(Tensor.isinf, nan.inputs)):
        return infinite
    return nan
