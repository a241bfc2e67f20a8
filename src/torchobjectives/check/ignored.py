"""The check of positions that are ignored, and must not count."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from torchobjectives.check._batch import apart, exact, sampled, steady
from torchobjectives.check._check import check
from torchobjectives.check._kinds import class_axis
from torchobjectives.check._rare import markable, marked
from torchobjectives.check._report import Finding, number
from torchobjectives.check._subject import Outcome, Subject

# What is taken for one of so many classes is looked for; of more, for the first or the last.
CLASSES = 16
# Of fewer positions everything is proportional to everything.
SEVERAL = 3


@check(
    "ignored-positions",
    needs=("number", "gradient", "samples", "ignore_index"),
    unless=("broadcast", "argument-order"),
)
def ignored_counted(subject: Subject) -> Iterator[Finding]:
    """Neither the share of ignored positions nor what is predicted there matters."""
    y_pred, y_true = sampled(subject)
    axis = class_axis(subject)
    if axis is None and y_pred.shape != y_true.shape:
        return
    if subject.true_kind not in ("class_indices", "binary", "values", "counts", None) or not steady(subject):
        return
    # Some of y_true holds something else: weights, a scale.
    if not bool(markable(subject, y_true).all()):
        return
    found = list(_in_denominator(subject, y_pred, y_true, axis)) or list(_prediction_counts(subject))
    yield from found


def _in_denominator(subject: Subject, y_pred: Tensor, y_true: Tensor, axis: int | None) -> Iterator[Finding]:
    """All positions alike: the loss stays where ignored ones are added."""
    live = ~marked(subject, y_true)
    if not bool(live.any()) or y_true.numel() < 3:
        return
    at = int(live.flatten().nonzero()[0])
    truth = torch.full_like(y_true, y_true.flatten()[at].item())
    if axis is None:
        pred = torch.full_like(y_pred, float(y_pred.flatten()[at]))
    else:
        vector = y_pred.movedim(axis, -1).flatten(0, -2)[at]
        pred = vector.expand(*y_true.shape, -1).movedim(-1, axis).clone()
    alone, added = _with_more(subject, pred, truth, axis)
    if not apart(alone, added, 0.01) or _is_a_penalty(subject, pred, truth, axis, y_true[live]):
        return
    shares = _shares(subject, pred, truth)
    count = y_true.shape[-1]
    seen = f"With {count} positions, all alike, the loss is {number(alone)}; with as many ignored ones besides it is "
    seen += number(added)
    if shares is not None:
        (few, many), (value_few, value_many) = shares
        seen = (
            f"With {few} of {count} positions ignored the loss is {number(value_few)}, with {many} of {count} it is "
            f"{number(value_many)}, although every valid position is the same"
        )
    yield Finding(
        "ignored-counted",
        "error",
        f"{seen}. Ignored positions are in the denominator, or count as a class: padding dilutes the loss.",
        "Divide by the number of valid positions: (values * valid).sum() / valid.sum().clamp(min=1)",
        {"alone": alone, "added": added, "shares": shares},
    )


def _with_more(subject: Subject, pred: Tensor, truth: Tensor, axis: int | None) -> tuple[float, float]:
    """The loss of a batch, and that with as many ignored positions besides."""
    assert subject.marker is not None
    nothing = torch.full_like(truth, subject.marker)
    place = truth.ndim - 1
    pred_place = place + (axis is not None and axis <= place)
    more = subject.value(torch.cat([pred, pred], pred_place), torch.cat([truth, nothing], place))
    return subject.value(pred, truth), more


def _is_a_penalty(subject: Subject, pred: Tensor, truth: Tensor, axis: int | None, live: Tensor) -> bool:
    """Whether what more ignored positions change is a term of the prediction alone: another truth costs as before."""
    others = live[live != truth.flatten()[0]]
    if not others.numel():
        return False
    calm = exact(subject)
    pred, truth = pred.to(calm.y_pred), truth.to(calm.y_true.dtype)
    truths = (truth, torch.full_like(truth, others[0].item()))
    (alone, added), (alone_too, added_too) = (_with_more(calm, pred, each, axis) for each in truths)
    return not apart(alone - alone_too, added - added_too, 0.01)


def _shares(subject: Subject, pred: Tensor, truth: Tensor) -> tuple[tuple[int, int], tuple[float, float]] | None:
    """Two counts of ignored positions along the last axis, and the loss with each, if they differ."""
    count = truth.shape[-1]
    counts = 1, max(2, 2 * count // 3)
    values = []
    for ignored in counts:
        some = truth.clone()
        assert subject.marker is not None
        some[..., count - ignored :] = subject.marker
        values.append(subject.value(pred, some))
    return (counts, (values[0], values[1])) if counts[1] < count and apart(values[0], values[1], 0.01) else None


def _prediction_counts(subject: Subject) -> Iterator[Finding]:
    """What is predicted where the target is ignored changes nothing, and gets no gradient."""
    subject = exact(subject)
    y_pred, y_true = sampled(subject)
    dead = marked(subject, y_true)
    if not bool(dead.any()) or bool(dead.all()):
        dead = (torch.arange(y_true.numel(), device=y_true.device) % 3 == 1).reshape(y_true.shape)
    assert subject.marker is not None
    truth = torch.where(dead, torch.full_like(y_true, subject.marker), y_true)
    axis = class_axis(subject)
    there = dead if axis is None else dead.unsqueeze(axis).expand_as(y_pred)
    outcome = subject.evaluate(y_pred, truth)
    if not outcome.is_number or not outcome.has_slope or outcome.gradient is None:
        return
    slope, usual = float(outcome.gradient[there].abs().max()), float(outcome.gradient[~there].abs().max())
    if _is_of_the_next(outcome.gradient, dead, axis, 1e-6 * usual):
        return
    other = subject.value(torch.where(there, y_pred.roll(1, 0).roll(1, -1), y_pred), truth)
    taken = None
    if slope > 1e-6 * usual:
        taken = _taken_for(subject, truth, dead, there, outcome)
        if taken is None and _is_of_predictions(subject, truth, dead, there, outcome.gradient):
            return
    # Far less than a valid position gets is what all predictions have to do with each other, which may be meant.
    if taken is None and slope < 0.1 * usual and not apart(outcome.number, other, 0.01):
        return
    yield Finding(
        "ignored-counted",
        "error",
        f"Positions whose target is ignored get a gradient up to {number(slope)}, valid ones up to {number(usual)}; "
        f"other predictions there change the loss from {number(outcome.number)} to {number(other)}. They count, "
        f"{taken or 'as if their target were a class or a value'}.",
        "Leave them out before the mean: valid = y_true != ignore_index; loss = values[valid].mean()",
        {"slope": slope, "usual": usual, "value": outcome.number, "changed": other},
    )


def _is_of_the_next(gradient: Tensor, dead: Tensor, axis: int | None, nothing: float) -> bool:
    """Whether each step of a sequence predicts the next one: then those before an ignored target are left out."""
    slope = gradient.abs() if axis is None else gradient.abs().amax(axis)
    for along in range(1, dead.ndim):
        for way in (-1, 1):
            before = dead.roll(way, along)
            before.select(along, -1 if way < 0 else 0).fill_(False)  # what came round the end
            if bool(before.any()) and not bool((slope > nothing)[before].any()) and bool((slope > nothing)[dead].any()):
                return True
    return False


def _is_of_predictions(subject: Subject, truth: Tensor, dead: Tensor, there: Tensor, gradient: Tensor) -> bool:
    """Whether ignored positions get the same whatever the truth of the others: a penalty, which may be meant."""
    other = truth.clone()
    other[~dead] = truth[~dead].flip(0)
    slope = subject.evaluate(sampled(subject)[0], other).gradient
    if slope is None or bool((other == truth)[~dead].all()):
        return False
    return _is_same(slope[there], gradient[there])


def _is_same(one: Tensor, other: Tensor, by: float = 1e-4) -> bool:
    return float((one - other).norm()) <= by * float(other.norm())


def _factor(one: Tensor, other: Tensor) -> float | None:
    """The positive number that makes the first of the other, if there is one."""
    factor = float((one * other).sum() / other.square().sum().clamp(min=1e-300))
    return factor if factor > 0 and _is_same(factor * other, one) else None


def _taken_for(subject: Subject, truth: Tensor, dead: Tensor, there: Tensor, outcome: Outcome) -> str | None:
    """What the target of ignored positions is taken for, if their gradient is that of such a target."""
    if int(dead.sum()) < SEVERAL or outcome.gradient is None:
        return None
    if class_axis(subject) is None:
        return _taken_for_a_number(subject, truth, dead, outcome)
    return _taken_for_a_class(subject, truth, dead, there, outcome.gradient)


def _taken_for_a_number(subject: Subject, truth: Tensor, dead: Tensor, outcome: Outcome) -> str | None:
    y_pred, _ = sampled(subject)
    assert subject.marker is not None
    assert outcome.gradient is not None
    zero = subject.evaluate(y_pred, truth.masked_fill(dead, 0)).gradient
    if zero is not None and subject.marker:
        factor = _factor(outcome.gradient[dead], zero[dead])
        # A penalty on y_pred may be a small share of that: it is the same, or that over the number of valid ones.
        whole = (1.0, dead.numel() / max(1, int((~dead).sum())))
        if factor is not None and any(math.isclose(factor, wanted, rel_tol=1e-4) for wanted in whole):
            return "as if their target were 0"
    if math.isnan(subject.marker):
        return None
    step = 1e-3 * max(1.0, abs(subject.marker)) if truth.is_floating_point() else -1
    near = [subject.evaluate(y_pred, truth.masked_fill(dead, subject.marker + times * step)) for times in (1, 2)]
    slopes = [outcome.gradient, *(each.gradient for each in near if each.gradient is not None)]
    # Where numbers near by cost something else, and nothing jumps on the way to them, it is one of them.
    if len(slopes) < 3 or not apart(outcome.number, near[0].number, 1e-9):
        return None
    first, second = slopes[1] - slopes[0], slopes[2] - slopes[1]
    smooth = float((first - second)[dead].norm()) <= 1e-2 * float(slopes[0][dead].norm())
    return f"as if their target were the number {number(subject.marker)}" if smooth else None


def _taken_for_a_class(subject: Subject, truth: Tensor, dead: Tensor, there: Tensor, gradient: Tensor) -> str | None:
    y_pred, _ = sampled(subject)
    axis = class_axis(subject)
    assert axis is not None
    count = y_pred.shape[axis]
    slopes = {}
    for index in range(count) if count <= CLASSES else (0, 1, count - 1):
        slope = subject.evaluate(y_pred, truth.masked_fill(dead, index)).gradient
        if slope is None:
            return None
        if _factor(gradient[there], slope[there]) is not None:
            return f"as if their target were class {index}"
        slopes[index] = slope
    # Where a class is not the true one its gradient is that of the others' being true.
    none = slopes[0].clone()
    none.select(axis, 0).copy_(slopes[1].select(axis, 0))
    if _factor(gradient[there], none[there]) is not None:
        return "as if no class were true there"
    if _is_smoothing(y_pred, truth, axis, dead, gradient):
        return "in a term that draws all predictions to equal probabilities"
    return None


def _is_smoothing(y_pred: Tensor, truth: Tensor, axis: int, dead: Tensor, gradient: Tensor) -> bool:
    """Whether labels are smoothed, and ignored positions too: both get a gradient towards equal probabilities."""
    chances, slopes = (tensor.movedim(axis, -1) for tensor in (y_pred.softmax(axis), gradient))
    count = y_pred.shape[axis]
    if count < 3 or _factor(slopes[dead], chances[dead] - 1 / count) is None:
        return False
    # Without smoothing, classes that are not true get a gradient in proportion to their probabilities.
    ratios = slopes[~dead] / chances[~dead]
    untrue = torch.arange(count, device=truth.device) != truth[~dead][:, None]
    wide = ratios.masked_fill(~untrue, -math.inf).amax(1) - ratios.masked_fill(~untrue, math.inf).amin(1)
    return bool((wide > 1e-4 * ratios.abs().amax(1)).any())
