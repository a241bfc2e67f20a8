"""Predictions that tell a good loss from a bad one, and how low a loss can be brought."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from torchobjectives.check._kinds import class_axis, one_hot, plausible, right, signs
from torchobjectives.check._subject import LARGE, Subject, once

STRENGTHS = (0.5, 1.0, 2.0, 4.0, 12.0, 30.0)
CLASSIFIED = ("class_indices", "binary", "probabilities")


def taken_for(subject: Subject, pred_kind: str, true_kind: str | None = None) -> Subject:
    """The same subject with other kinds."""
    other = copy.copy(subject)
    other.pred_kind, other.true_kind = pred_kind, true_kind or subject.true_kind
    return other


def strengths(subject: Subject) -> tuple[float, ...]:
    """How strongly to say the truth; fewer where a call takes long."""
    return STRENGTHS[1::2] if subject.y_pred.numel() > LARGE else STRENGTHS


def tells(subject: Subject) -> Iterator[Tensor]:
    """Predictions that say the truth, more and more strongly."""
    hot = hot_truth(subject)
    for strength in strengths(subject):
        said = right(subject, strength)
        if said is None:
            return
        yield said
        if subject.pred_kind in ("logits", "scores") and hot is not None:
            yield strength * hot
            if subject.true_kind == "class_indices":
                yield said.log_softmax(class_axis(subject) or 1)


def hot_truth(subject: Subject) -> Tensor | None:
    """The truth as a probability of each number of y_pred."""
    if subject.true_kind == "class_indices":
        return one_hot(subject, subject.y_true)
    if subject.y_true.shape != subject.y_pred.shape:
        return None
    if subject.true_kind == "binary":
        return (signs(subject, subject.y_true) + 1) / 2
    return subject.y_true.to(subject.y_pred) if subject.true_kind == "probabilities" else None


def is_hard(subject: Subject) -> bool:
    """Whether each target is of one class, not a share of several: only then can it be said with certainty."""
    return not subject.y_true.is_floating_point() or bool((subject.y_true == subject.y_true.round()).all())


def is_a_set(subject: Subject) -> bool:
    """Whether the order of the samples does not matter: where it does, as of times of survival, it says something."""
    at, order = subject.value(), torch.randperm(len(subject.y_pred), generator=subject.generator)
    shuffled = subject.value(subject.y_pred[order], subject.y_true[order])
    return abs(shuffled - at) <= 1e-4 * max(abs(at), 1e-3)


def undecided(subject: Subject) -> Tensor:
    """The prediction that says nothing."""
    nothing = torch.zeros_like(subject.y_pred)
    if subject.pred_kind not in ("probabilities", "log_probabilities"):
        return nothing
    axis = class_axis(subject) if subject.true_kind == "class_indices" else 1
    several = subject.true_kind != "binary" and axis is not None and subject.y_pred.ndim > 1
    share = 1 / subject.y_pred.shape[axis] if several and axis is not None else 0.5
    return nothing + (share if subject.pred_kind == "probabilities" else math.log(share))


def lowest(subject: Subject, predictions: Iterable[Tensor]) -> float:
    """The least value over predictions at which there is one; inf where there is none."""
    values = [subject.value(prediction) for prediction in predictions]
    return min((value for value in values if math.isfinite(value)), default=math.inf)


@dataclass(frozen=True)
class Reach:
    """How low a loss comes in several ways."""

    best: float
    """Over predictions that say the truth."""
    undecided: float
    """At the prediction that says nothing."""
    descended: float
    """After descending the gradient."""
    at: Tensor
    """Where that ended."""


@once
def reach(subject: Subject) -> Reach:
    """How low the loss comes, of logits."""
    nothing = undecided(subject)
    low, at = descended(subject, nothing + 0.1 * subject.random(), rate=1.0)
    return Reach(lowest(subject, tells(subject)), subject.value(nothing), low, at)


def descended(subject: Subject, start: Tensor, rate: float, steps: int = 40) -> tuple[float, Tensor]:
    """The least value on the way down the gradient, by steps of about a rate that shrinks, and where it was."""
    at, best = start.clone(), start
    mean, square, low = torch.zeros_like(start), torch.zeros_like(start), math.inf
    steps = steps // 2 if start.numel() > LARGE else steps
    for step in range(1, steps + 1):
        outcome = subject.evaluate(at)
        if not outcome.is_number or not outcome.has_slope or outcome.gradient is None:
            break
        if outcome.number < low:
            low, best = outcome.number, at
        mean, square = 0.8 * mean + 0.2 * outcome.gradient, 0.95 * square + 0.05 * outcome.gradient**2
        size = (square / (1 - 0.95**step)).sqrt() + 1e-12
        at = at - rate * (1 - 0.9 * step / steps) * (mean / (1 - 0.8**step)) / size
        if subject.pred_kind == "positive":
            at = at.clamp(min=1e-6)
    return low, best


def usual(subject: Subject, truth: Tensor) -> float:
    """The median loss of predictions that are of the right size, and wrong."""
    flat = truth.flatten()
    predictions = [plausible(subject)]
    spread = float(flat.std(correction=0)) or 1.0
    for _ in range(3):
        order = torch.randperm(flat.numel(), generator=subject.generator).to(flat.device)
        predictions += [flat[order].reshape(truth.shape), truth + spread * subject.random()]
    values = sorted(value for value in map(subject.value, predictions) if math.isfinite(value))
    return values[len(values) // 2] if values else math.nan
