"""The minimiser of an expected loss over classes, found numerically."""

from __future__ import annotations

import torch
from torch import Tensor

from torchobjectives import Loss


def minimiser(loss: Loss, truth: Tensor) -> Tensor:
    """The logits (1, C) at which Σ_c η_c ℓ(c) is least, for the true probabilities η (C,)."""
    classes = len(truth)
    x = torch.zeros(classes, dtype=torch.float64)
    x[0] = 0.1  # off the saddle of losses that see a direction only
    x.requires_grad_()
    optimizer = torch.optim.LBFGS(
        [x], max_iter=2000, tolerance_grad=1e-13, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def expected() -> Tensor:
        optimizer.zero_grad()
        value = loss.evaluate(x.expand(classes, classes), torch.arange(classes), weight=truth, reduction="sum")
        value.backward()
        return value

    optimizer.step(expected)
    return x.detach().unsqueeze(0)
