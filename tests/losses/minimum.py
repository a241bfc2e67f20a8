"""The minimiser of an expected loss, found numerically."""

from __future__ import annotations

import torch
from torch import Tensor

from torchobjectives import Loss


def minimiser(loss: Loss, truth: Tensor) -> Tensor:
    """The raw prediction (1, C) at which the expected loss is least, for the true probabilities η (C,); binary: (1,).

    The expectation is written with weights: each class once, weighted by its probability.
    """
    binary = type(loss).spec.task == "binary"
    width = 1 if binary else len(truth)
    labels = torch.tensor([[1], [0]]) if binary else torch.arange(width)
    weight = torch.stack((truth[0], 1 - truth[0])) if binary else truth
    # Off the saddle of losses that see a direction only.
    raw = torch.linspace(0.0, 0.1, width, dtype=torch.float64).requires_grad_()
    normalised = type(loss).spec.y_pred == "log_probabilities"
    search = torch.optim.LBFGS(
        [raw], max_iter=500, tolerance_grad=1e-13, tolerance_change=1e-16, line_search_fn="strong_wolfe"
    )

    def as_predicted() -> Tensor:
        return torch.log_softmax(raw, 0) if normalised else raw

    def expected() -> Tensor:
        search.zero_grad()
        value = loss.evaluate(as_predicted().expand(len(labels), width), labels, weight=weight, reduction="sum")
        value.backward()
        return value

    for _ in range(4):  # a restart forgets a poor curvature
        search.step(expected)
    return as_predicted().detach().unsqueeze(0)
