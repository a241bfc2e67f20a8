"""Gradient harmonizing (GHM): a unit weighs the less, the more common its gradient norm is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final

import torch
from torch import Tensor

from torchobjectives import _validate
from torchobjectives._loss import Loss
from torchobjectives._reduction import Reduction, prepare, widened

LEAST_COUNT: Final = 1e-6
_COUNTS: Final = "the weight of a unit follows from the counts of its batch"


def harmonized(
    gradient_norm: Tensor, w: Tensor | None, *, bins: int, momentum: float, bin_counts: Tensor | None
) -> Tensor:
    """N / (c·n) per unit: N live units, c the count of the unit's bin, n the bins with a count above 0."""
    _validate.whole(low=1, bins=bins)
    _validate.fraction(momentum=momentum)
    own_bin, counts = _count(gradient_norm, w, bins)
    live = counts.sum()
    if bin_counts is not None:
        counts = _mixed(bin_counts, counts, momentum)
    density = torch.where(counts > 0, counts, 1.0)[own_bin]
    occupied = (counts > 0).sum().clamp(min=1)
    return (live / (density * occupied)).to(gradient_norm.dtype)


def _count(gradient_norm: Tensor, w: Tensor | None, bins: int) -> tuple[Tensor, Tensor]:
    """The bin of every unit, and how many live units each bin holds (float64)."""
    # NaN has no bin; it goes to the first, and its loss stays NaN.
    own_bin = (gradient_norm.detach().nan_to_num() * bins).long().clamp(0, bins - 1)
    live = torch.ones_like(own_bin, dtype=torch.float64) if w is None else (w.detach() > 0).double()
    counts = torch.zeros(bins, dtype=torch.float64, device=own_bin.device)
    return own_bin, counts.index_add(0, own_bin.flatten(), live.flatten())


def _mixed(stored: Tensor, batch: Tensor, momentum: float) -> Tensor:
    """Stored counts and the batch's, mixed; one of them alone while the other holds nothing."""
    _validate.tensor("bin_counts", stored)
    if stored.shape != batch.shape:
        raise ValueError(
            f"bin_counts has shape {_validate.shape(stored)}, wanted one count per bin: {_validate.shape(batch)}."
        )
    _validate.non_negative.tensors(bin_counts=stored)
    stored = stored.detach().to(batch.dtype)
    counts = torch.where(stored.sum() > 0, momentum * stored + (1 - momentum) * batch, batch)
    # What is left of a bin long empty is no count: as a density it would make the loss infinite.
    counts = torch.where(counts < LEAST_COUNT, 0.0, counts)
    return torch.where(batch.sum() > 0, counts, stored)


class HarmonizingLoss(Loss):
    """Abstract: a loss that keeps running counts of gradient norms.

    In training each call mixes its batch's counts into ``bin_counts``; in ``eval()`` they are used as they
    stand and not changed. A subclass names ``gradient_norm(y_pred, y_true, **hyper_parameters)``.
    """

    gradient_norm: ClassVar[Callable[..., Tensor]]
    exemptions: ClassVar[dict[str, str]] = {
        "duplication": _COUNTS,
        "micro_batch": _COUNTS,
    }
    float64_buffers = ("bin_counts",)

    bins: int
    momentum: float

    def _check(self) -> None:
        _validate.whole(low=1, bins=self.bins)
        self.register_buffer("bin_counts", torch.zeros(self.bins, dtype=torch.float64))
        super()._check()

    def evaluate(
        self,
        y_pred: Tensor,
        y_true: Tensor,
        *,
        weight: Tensor | None = None,
        mask: Tensor | None = None,
        reduction: Reduction = "mean",
    ) -> Tensor:
        """Evaluate under any reduction; in training, count the batch first."""
        _validate.fraction(momentum=self.momentum)
        population: dict[str, Any] = {"weight": weight, "mask": mask}
        given = self.hyper_parameters()
        stored = counts = self.get_buffer("bin_counts")
        if self.training:
            with torch.no_grad():
                counts = _mixed(stored, self._batch_counts(y_pred, y_true, **population), self.momentum)
        # Momentum 1: the counts hold this batch already (or, in eval(), the stored ones are used alone).
        given |= {"momentum": 1.0, "bin_counts": counts}
        value = self.function(y_pred, y_true, **given, **population, reduction=reduction)
        if self.training:
            # Last: what the function refuses is not counted.
            with torch.no_grad():
                stored.copy_(counts)
        return value

    def _batch_counts(self, y_pred: Tensor, y_true: Tensor, **population: Any) -> Tensor:
        _validate.tensor("y_pred", y_pred)
        _validate.tensor("y_true", y_true)
        y_pred, y_true, w = prepare(widened(y_pred), widened(y_true), **population)
        hyper_parameters = self.hyper_parameters()
        del hyper_parameters["bins"], hyper_parameters["momentum"]
        return _count(self.gradient_norm(y_pred, y_true, **hyper_parameters), w, self.bins)[1]
