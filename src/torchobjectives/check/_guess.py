"""Predictions that know nothing of the input, and what they cost: what a model has to beat."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from torchobjectives.check._kinds import class_axis, right
from torchobjectives.check._probes import lowest
from torchobjectives.check._subject import Subject

# How far apart the loss of a batch and the mean over its halves may lie.
APART = 0.05


def floor(subject: Subject) -> float | None:
    """The least loss of predictions that say the truth; None where nobody knows how they say it."""
    predictions = [right(subject, strength) for strength in (2.0, 4.0, 12.0)]
    return least(subject, [prediction for prediction in predictions if prediction is not None])


def least(subject: Subject, predictions: list[Tensor]) -> float | None:
    """The least finite loss of some predictions."""
    low = lowest(subject, predictions)
    return low if math.isfinite(low) else None


def is_mean_over_samples(subject: Subject) -> bool:
    """Whether the loss of the batch is the mean, or the sum, over its halves: only then a constant is a guess."""
    count, at = len(subject.y_pred), subject.value()
    half = count // 2
    parts = [subject.value(subject.y_pred[rows], subject.y_true[rows]) for rows in (slice(half), slice(half, count))]
    mean, total = (parts[0] * half + parts[1] * (count - half)) / count, sum(parts)
    return any(abs(together - at) <= APART * abs(at) for together in (mean, total))


def ignorant(subject: Subject) -> list[Tensor]:
    """Constants that need no fit: all classes alike, or the mean and the median of the targets."""
    y_pred = subject.y_pred
    own = y_pred.mean(0, keepdim=True).expand_as(y_pred)
    match subject.pred_kind:
        case "logits" | "scores":
            return [torch.zeros_like(y_pred), own]
        case "probabilities":
            return [torch.full_like(y_pred, 1 / _classes(subject)), own]
        case "log_probabilities":
            return [torch.full_like(y_pred, -math.log(_classes(subject)))]
        case "real" | "positive":
            truth = subject.y_true.to(y_pred)
            if truth.shape != y_pred.shape:
                return []
            typical = [truth.mean(0, keepdim=True), truth.median(0, keepdim=True).values]
            return [constant.expand_as(y_pred) for constant in typical]
    return []


def _classes(subject: Subject) -> int:
    axis = class_axis(subject) if subject.true_kind == "class_indices" else 1 if subject.y_pred.ndim > 1 else None
    return 2 if subject.true_kind == "binary" or axis is None else subject.y_pred.shape[axis]


class Targets:
    """What was seen of the targets so far, and the constant that fits them."""

    def __init__(self) -> None:
        self.batches = 0
        self._total: Tensor | None = None

    def add(self, subject: Subject) -> None:
        """Count a batch."""
        seen = self._summary(subject)
        if seen is None:
            return
        if self._total is None or self._total.shape != seen.shape:
            self._total, self.batches = torch.zeros_like(seen), 0
        self._total, self.batches = self._total + seen, self.batches + 1

    def _summary(self, subject: Subject) -> Tensor | None:
        y_true = subject.y_true
        if subject.true_kind == "class_indices":
            known = y_true[(y_true >= 0) & (y_true < _classes(subject))]
            return torch.bincount(known.flatten(), minlength=_classes(subject)).double() + 1 / _classes(subject)
        return y_true.double().mean(0) if subject.true_kind in ("values", "counts", "binary", "probabilities") else None

    def constant(self, subject: Subject) -> Tensor | None:
        """The prediction that fits the targets seen and knows nothing of the input."""
        if self._total is None or not self.batches:
            return None
        if subject.true_kind == "class_indices":
            axis = class_axis(subject)
            if axis is None:
                return None
            shape = [-1 if at == axis else 1 for at in range(subject.y_pred.ndim)]
            shares = (self._total / self._total.sum()).reshape(shape)
        else:
            shares = (self._total / self.batches).unsqueeze(0)
            if shares.shape[1:] != subject.y_pred.shape[1:]:
                return None
        constant = _said(shares, subject)
        return None if constant is None else constant.to(subject.y_pred).expand_as(subject.y_pred)


def _said(shares: Tensor, subject: Subject) -> Tensor | None:
    """Shares, or means, as a prediction of the kind."""
    match (subject.pred_kind, subject.true_kind):
        case ("logits" | "log_probabilities", "class_indices" | "probabilities"):
            return shares.clamp(min=1e-6).log()
        case ("logits", "binary"):
            return torch.logit(shares.clamp(1e-4, 1 - 1e-4))
        case ("probabilities", _) | ("real" | "positive", "values" | "counts"):
            return shares
    return None
