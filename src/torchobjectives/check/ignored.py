"""The check of positions that are ignored, and must not count."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from torchobjectives.check._batch import apart, sampled, steady
from torchobjectives.check._check import check
from torchobjectives.check._kinds import class_axis
from torchobjectives.check._rare import marked
from torchobjectives.check._report import Finding, number
from torchobjectives.check._subject import Subject


@check("ignored-positions", needs=("number", "gradient", "samples", "ignore_index"), unless=("broadcast",))
def ignored_counted(subject: Subject) -> Iterator[Finding]:
    """Neither the share of ignored positions nor what is predicted there matters."""
    y_pred, y_true = sampled(subject)
    axis = class_axis(subject)
    if axis is None and y_pred.shape != y_true.shape:
        return
    if subject.true_kind not in ("class_indices", "binary", "values", "counts", None) or not steady(subject):
        return
    found = list(_in_denominator(subject, y_pred, y_true, axis)) or list(_prediction_counts(subject, y_pred, y_true))
    yield from found


def _in_denominator(subject: Subject, y_pred: Tensor, y_true: Tensor, axis: int | None) -> Iterator[Finding]:
    """All positions alike: the loss stays where ignored ones are added."""
    live = ~marked(subject, y_true)
    if not bool(live.any()) or y_true.numel() < 3:
        return
    assert subject.marker is not None
    at = int(live.flatten().nonzero()[0])
    truth = torch.full_like(y_true, y_true.flatten()[at].item())
    if axis is None:
        pred = torch.full_like(y_pred, float(y_pred.flatten()[at]))
    else:
        vector = y_pred.movedim(axis, -1).flatten(0, -2)[at]
        pred = vector.expand(*y_true.shape, -1).movedim(-1, axis).clone()
    nothing = torch.full_like(y_true, subject.marker)
    place = y_true.ndim - 1
    pred_place = place + (axis is not None and axis <= place)
    alone = subject.value(pred, truth)
    added = subject.value(torch.cat([pred, pred], pred_place), torch.cat([truth, nothing], place))
    if not apart(alone, added, 0.01):
        return
    shares = _shares(subject, pred, truth)
    count = y_true.shape[place]
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


def _prediction_counts(subject: Subject, y_pred: Tensor, y_true: Tensor) -> Iterator[Finding]:
    """What is predicted where the target is ignored changes nothing, and gets no gradient."""
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
    other = subject.value(torch.where(there, y_pred.roll(1, 0).roll(1, -1), y_pred), truth)
    # Far less than a valid position gets is a penalty on all predictions, which may be meant.
    if slope < 0.1 * usual and not apart(outcome.number, other, 0.01):
        return
    yield Finding(
        "ignored-counted",
        "error",
        f"Positions whose target is ignored get a gradient up to {number(slope)}, valid ones up to {number(usual)}; "
        f"other predictions there change the loss from {number(outcome.number)} to {number(other)}. They count, "
        "as if their target were a class or a value.",
        "Leave them out before the mean: valid = y_true != ignore_index; loss = values[valid].mean()",
        {"slope": slope, "usual": usual, "value": outcome.number, "changed": other},
    )
