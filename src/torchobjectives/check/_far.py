"""Predictions that a loss meets sooner or later: far out, and where things coincide."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from torchobjectives.check._kinds import class_axis, one_hot, right
from torchobjectives.check._subject import Subject

# Where the real line is the domain for sure, and where that is a guess.
KNOWN_SIZES, SIZES, SIZES_OF_PARAMETERS = (30.0, 300.0), (30.0, 100.0), (30.0,)
# Where a loss that can be called there at all is finite.
NEAR = 3.0


@dataclass(frozen=True)
class Probe:
    """A prediction, and one like it that is harmless."""

    said: str
    """What it is, in words."""
    y_pred: Tensor
    near: Tensor | None = None
    """The loss must be finite here for the probe to say anything; None if it says something in any case."""
    edge: bool = False
    """Whether it lies on the edge of the domain, where an infinite loss is not what training can use."""


def saying_truth(subject: Subject, strength: float) -> Tensor | None:
    """The prediction that says the truth, so strongly, in the shape of y_pred."""
    wanted = right(subject, strength)
    if wanted is None or wanted.numel() != subject.y_pred.numel():
        return None
    return wanted.reshape(subject.y_pred.shape)


def sizes(subject: Subject) -> tuple[float, ...]:
    """How far out a prediction may be; none where not every number is in the domain, as far as can be told."""
    kind, given = subject.pred_kind, "y_pred_kind" in subject.given
    same = subject.y_pred.shape == subject.y_true.shape
    if kind in ("probabilities", "log_probabilities", "positive", "embedding"):
        return ()
    if kind in ("logits", "scores") or (kind == "real" and (given or same)):
        return KNOWN_SIZES
    if subject.y_pred.numel() < 2 or float(subject.y_pred.abs().max()) <= 1:
        return ()
    # Scales are predicted in columns of their own, which hold numbers above 0 only - or logarithms, and 30 is far then.
    columns = subject.y_pred.flatten(1) if subject.y_pred.ndim > 1 else subject.y_pred.unsqueeze(1)
    both = bool(((columns > 0).any(0) & (columns < 0).any(0)).all())
    return () if not both else SIZES if same or subject.y_pred.ndim == 1 else SIZES_OF_PARAMETERS


def far(subject: Subject) -> Iterator[Probe]:
    """Predictions that are far out, the milder first."""
    match subject.pred_kind:
        case "probabilities":
            yield from _corners(subject)
        case "log_probabilities":
            yield from _far_logs(subject)
        case "positive":
            for size in (1e-30, 1e6):
                yield Probe(f"every prediction {size:g}", torch.full_like(subject.y_pred, size))
        case "embedding":
            yield Probe("the example times 30", 30 * subject.y_pred, NEAR * subject.y_pred)
        case _:
            yield from _far_numbers(subject)


def _far_numbers(subject: Subject) -> Iterator[Probe]:
    example = subject.y_pred
    largest = float(example.abs().max().clamp(min=1e-12))
    for size in sizes(subject):
        for strength in (size, -size):
            wanted, near = (saying_truth(subject, strong) for strong in (strength, math.copysign(NEAR, strength)))
            if wanted is not None and subject.pred_kind in ("logits", "scores"):
                said = "all correct" if strength > 0 else "all wrong"
                yield Probe(f"{subject.pred_kind} of +-{size:g} ({said})", wanted, None if subject.sure else near)
        yield Probe(f"the example scaled to +-{size:g}", example * (size / largest), example * (NEAR / largest))
        if subject.pred_kind == "real" and example.shape == subject.y_true.shape:
            truth = subject.y_true.to(example)
            yield Probe(f"predictions {size:g} above the truth", truth + size, truth + NEAR)
            yield Probe(f"predictions {size:g} below the truth", truth - size, truth - NEAR)
        for value in (size, -size):
            near = torch.full_like(example, NEAR if value > 0 else -NEAR)
            yield Probe(f"every prediction {value:g}", torch.full_like(example, value), near)


def _corners(subject: Subject) -> Iterator[Probe]:
    """Probabilities of exactly 0 and 1."""
    if subject.true_kind == "class_indices":
        hot, axis = one_hot(subject, subject.y_true), class_axis(subject)
    elif subject.true_kind in ("binary", "probabilities") and subject.y_true.shape == subject.y_pred.shape:
        truth, axis = subject.y_true.to(subject.y_pred), None if subject.true_kind == "binary" else 1
        if axis is None:
            hot = (truth > 0.5).to(subject.y_pred)
        else:
            hot = F.one_hot(truth.argmax(axis), truth.shape[axis]).movedim(-1, axis).to(subject.y_pred)
    else:
        return
    if hot is not None:
        wrong = 1 - hot if axis is None else hot.roll(1, axis)
        yield Probe("probabilities of exactly 0 and 1 (all correct)", hot, edge=True)
        yield Probe("probabilities of exactly 0 and 1 (all wrong)", wrong, edge=True)


def _far_logs(subject: Subject) -> Iterator[Probe]:
    axis = class_axis(subject) if subject.true_kind == "class_indices" else 1
    if axis is None or axis >= subject.y_pred.ndim:
        return
    scaled = F.log_softmax(subject.y_pred * (300 / float(subject.y_pred.abs().max().clamp(min=1e-6))), dim=axis)
    yield Probe("log-probabilities down to -300", scaled)
    for strength, said in ((150.0, "all correct"), (-150.0, "all wrong")):
        wanted = saying_truth(subject, strength)
        if wanted is not None and subject.true_kind == "class_indices":
            yield Probe(f"log-probabilities of -300 ({said})", wanted)


def coinciding(subject: Subject) -> Iterator[Probe]:
    """Predictions where things coincide: with the truth, with one another, with 0."""
    y_pred, y_true, kind = subject.y_pred, subject.y_true, subject.pred_kind
    if _same_kind(subject):
        truth = y_true.to(y_pred)
        spread = 0.01 * float(truth.std()) if truth.numel() > 1 else 0.01
        yield Probe("y_pred == y_true", truth, truth + spread * subject.random())
    if kind in ("logits", "scores", "real", "embedding") and (kind != "real" or y_pred.shape == y_true.shape):
        yield Probe("every prediction 0", torch.zeros_like(y_pred), y_pred)
    if y_pred.shape[:1] in ((), (0,), (1,)):
        return
    # The mean of predictions lies in any domain that two of them can be mixed in.
    yield Probe("all predictions equal", y_pred.mean(0, keepdim=True).expand_as(y_pred), y_pred)
    if y_pred.ndim > 1:
        twice = y_pred.clone()
        twice[1] = twice[0]
        yield Probe("a row of y_pred twice", twice, y_pred)
        if kind in ("embedding", "logits") or sizes(subject):
            empty = y_pred.clone()
            empty[0] = 0
            yield Probe("a row of y_pred all 0", empty, y_pred)


def _same_kind(subject: Subject) -> bool:
    """Whether the truth may be predicted as it is."""
    if subject.y_pred.shape != subject.y_true.shape or not subject.y_true.is_floating_point():
        return False
    pair = (subject.pred_kind, subject.true_kind)
    alike = pair[0] in ("real", "embedding", None) and pair[1] in ("values", None)
    return alike or pair == ("probabilities", "probabilities") or pair == ("positive", "values")
