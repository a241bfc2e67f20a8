"""The expected loss and where it is least."""

from __future__ import annotations

import torch
from torch import Tensor

from torchobjectives import Loss


def minimiser(loss: Loss, truth: Tensor) -> Tensor:
    """The logits (N, C) at which Σ_c η_c ℓ(c) is least for each row η of ``truth``, in float64, by Newton's method."""
    classes = truth.shape[1]
    factor = (
        torch.ones(classes, dtype=truth.dtype) if getattr(loss, "class_weight", None) is None else loss.class_weight
    )
    assert isinstance(factor, Tensor)

    def expected(x: Tensor, eta: Tensor) -> Tensor:
        rows = x.expand(classes, classes)
        return (eta * loss.evaluate(rows, torch.arange(classes), reduction="none")).sum()

    found = []
    for eta in truth:
        x = torch.log(eta * factor)
        # Bounded steps, down until the slope is nothing; the sum of the logits is free and kept.
        for _ in range(200):
            slope = torch.func.grad(expected)(x, eta)
            curve = torch.func.hessian(expected)(x, eta)
            values, vectors = torch.linalg.eigh(curve)
            along = vectors.T @ slope
            step = vectors @ torch.where(values.abs() > 1e-9, -along / values.abs().clamp(min=1e-9), 0.0)
            x = x + step * (0.5 / step.abs().max()).clamp(max=1.0)
            if slope.abs().max() < 1e-13:
                break
        found.append(x)
    return torch.stack(found)
