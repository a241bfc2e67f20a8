"""The target of a histogram loss: the mass of a normal distribution around y_true in each bin."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from torchobjectives import _validate
from torchobjectives._link import (
    Domain,
    class_axis,
)
from torchobjectives._reduction import (
    fill_dead,
    live_slots,
    one_dtype,
    unit_weight,
)


def masses_of(y_true: Tensor, bins: int, low: float, high: float, sigma: float) -> Tensor:
    """The mass of N(y, σ) in each bin, (…, C), up to a factor per unit; never all 0."""
    edges = torch.linspace(low, high, bins + 1, dtype=y_true.dtype, device=y_true.device)
    # Where y cannot be read, one beyond the support counts as its border.
    y_true = y_true.clamp(low, high).unsqueeze(-1)
    if high - low < sigma * bins * torch.finfo(y_true.dtype).eps ** (1 / 3):
        # Bins so narrow that two erfc agree in most digits: the density at the centre is exact enough.
        return torch.exp(-((((edges[1:] + edges[:-1]) / 2 - y_true) / sigma).square()) / 2)
    z = (edges - y_true) / (sigma * math.sqrt(2))
    # erf = sign − sign·erfc|z|: the second part keeps its digits in both tails, the first steps in one bin only.
    sign = z.sign()
    return sign.diff() - (sign * torch.erfc(z.abs())).diff()


_OUTSIDE = " Clamp such targets, leave them out with mask, or widen low and high."


def prepare_histogram(
    y_pred: Tensor, y_true: Tensor, weight: Tensor | None, mask: Tensor | None, low: float, high: float
) -> tuple[Tensor, Tensor, Tensor | None]:
    _validate.prediction(y_pred)
    _validate.real_target(y_true)
    axis = class_axis(y_pred)
    if y_pred.ndim == 0 or y_pred.shape[axis] == 0 or y_pred.shape[:axis] + y_pred.shape[axis + 1 :] != y_true.shape:
        longer = y_true.ndim == y_pred.ndim and y_true.ndim and y_true.shape[axis] == 1
        last = y_pred.ndim > 2 and y_pred.shape[:-1] == y_true.shape
        hint = f" Did you mean y_true.squeeze({axis})?" if longer else ""
        hint = " Did you mean y_pred.movedim(-1, 1)?" if last else hint
        raise ValueError(
            f"y_pred has shape {_validate.shape(y_pred)}, y_true {_validate.shape(y_true)}: wanted y_pred (N, C, ...) "
            f"with the bins at dim 1, and y_true (N, ...).{hint}"
        )
    y_pred, y_true = one_dtype(y_pred, y_true)
    w = unit_weight(y_true, weight, mask)
    live = live_slots(w)
    if live is not None:
        y_pred, y_true = fill_dead(y_pred, live.unsqueeze(axis), 0.0), fill_dead(y_true, live, (low + high) / 2)
    if _validate.readable(y_true):
        # In y_true's dtype: a float32 of 0.1 lies above the number 0.1.
        low, high = y_true.new_tensor([low, high]).tolist()
        Domain(low, high, hint=_OUTSIDE).check("y_true", y_true)
    return y_pred, y_true, w
