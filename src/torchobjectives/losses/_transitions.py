"""How true labels become observed ones: the transition table of forward correction, checked and applied."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from torchobjectives import _validate
from torchobjectives._link import class_axis


def by_product(y_pred: Tensor, table: Tensor) -> Tensor | None:
    """−log p·T of every label by one matrix product; None where that would lose digits, or none can be read."""
    if not y_pred.numel() or not _validate.readable(y_pred, table):
        return None
    axis = class_axis(y_pred)
    p = torch.softmax(y_pred, axis).movedim(axis, -1)
    possible = table > 0
    never = ~possible.any(0)
    held = torch.where(possible, table, 0.0)
    observed = p @ held + never
    limits = torch.finfo(p.dtype)
    # Its second derivative has 1/p² in it, which must not overflow.
    if float(observed.detach().amin()) <= limits.tiny ** (1 / 3):
        return None
    # Near 1 from what is missing from it, so that nothing cancels.
    near = observed >= 0.5
    missing = torch.where(near, p @ torch.where(never, 0.0, 1 - held), 0.0)
    log = torch.where(near, torch.log1p(-missing), torch.log(torch.where(near, 1.0, observed)))
    return torch.where(never, -math.log(limits.tiny), -log).movedim(-1, axis)


def log_transition_of(table: Tensor) -> Tensor:
    """The logarithm of the table; an impossible label costs as much as the dtype can say, not infinity."""
    possible = table > 0
    floor = torch.where(possible.any(0), table.new_full((), -torch.inf), math.log(torch.finfo(table.dtype).tiny))
    return torch.where(possible, torch.log(torch.where(possible, table, 1.0)), floor)


def checked_transition(y_pred: Tensor, transition: Tensor | Sequence[Sequence[float]]) -> Tensor:
    """The transition as a (C, C) table in y_pred's dtype; raise unless its rows are distributions."""
    table = transition if isinstance(transition, Tensor) else _validate.numbers("transition", transition)
    _validate.fraction.tensors(transition=table)
    classes = y_pred.shape[class_axis(y_pred)]
    if table.shape != (classes, classes):
        raise ValueError(
            f"transition has shape {_validate.shape(table)}, y_pred has {classes} classes (dim 1): "
            f"wanted ({classes}, {classes})."
        )
    if _validate.readable(table):
        sums = table.detach().double().sum(1)
        rough = table.is_floating_point() and table.dtype.itemsize < 4
        off = (sums - 1).abs() > (1e-2 if rough else 1e-4)
        if bool(off.any()):
            row = int(off.long().argmax())
            turned = bool(((table.detach().double().sum(0) - 1).abs() <= 1e-4).all())
            raise ValueError(
                f"transition's row {row} sums to {float(sums[row]):g}, wanted 1: the row of a true class holds the "
                "probabilities of the labels observed for it." + (" Did you mean transition.T?" if turned else "")
            )
    return table.to(y_pred.dtype).to(y_pred.device)


def observed_labels(prediction: Tensor, transition: Tensor | Sequence[Sequence[float]]) -> Tensor:
    """The probability of the observed label."""
    axis = class_axis(prediction)
    table = checked_transition(prediction, transition)
    return (prediction.movedim(axis, -1) @ table).movedim(-1, axis)
