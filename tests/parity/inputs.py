"""What ``p`` and ``y`` are in the rows: float64 on the CPU, the same for every library."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from tests.cases.base import rand, randn

N, C = 6, 3
Pair = tuple[Tensor, Tensor]


def _index(rng: torch.Generator, *shape: int) -> Tensor:
    """Class indices in which every class occurs."""
    y = torch.randint(C, shape, generator=rng)
    y.view(-1)[:C] = torch.arange(C)
    return y


def _labels(rng: torch.Generator, *shape: int) -> Tensor:
    y = torch.randint(2, shape, generator=rng).double()
    y.view(-1)[:2] = torch.tensor([0.0, 1.0])
    return y


def _one_image(rng: torch.Generator) -> Pair:
    return 2 * randn(rng, 1, C, 3, 4), _index(rng, 1, 3, 4)


def _pixels(rng: torch.Generator) -> Pair:
    return 2 * randn(rng, 2, C, 3, 4), torch.stack([_index(rng, 3, 4), _index(rng, 3, 4)])


def _above(rng: torch.Generator) -> Pair:
    return 3 * rand(rng, N, C) - 0.9, 3 * rand(rng, N, C) - 0.9


def _zero_vector(rng: torch.Generator) -> Pair:
    p, y = randn(rng, 2, N, C)
    p[0] = 0
    return p, y


def _some_zero(rng: torch.Generator) -> Pair:
    p, y = randn(rng, 2, N, C)
    y[0] = 0
    return p, y


def _near(rng: torch.Generator) -> Pair:
    return torch.full((1, 1), 1e-4), torch.zeros(1, 1)


def _decided(rng: torch.Generator) -> Pair:
    return torch.tensor([1, 1, 0, 0, 1, 0]).double(), torch.tensor([1, 0, 0, 1, 1, 0]).double()


INPUTS: dict[str, tuple[str, Callable[[torch.Generator], Pair]]] = {
    "reals": ("real numbers (N, C)", lambda rng: (randn(rng, N, C), randn(rng, N, C))),
    "line": ("real numbers (N,)", lambda rng: (randn(rng, N), randn(rng, N))),
    "near": ("p − y = 1e-4, in float32", _near),
    "zero_vector": ("vectors, one of them 0", _zero_vector),
    "some_zero": ("real numbers (N, C), some targets 0", _some_zero),
    "positive": ("positive numbers (N, C)", lambda rng: (0.1 + rand(rng, N, C), 0.1 + rand(rng, N, C))),
    "positive_line": ("real p, positive y (N,)", lambda rng: (randn(rng, N), 0.1 + rand(rng, N))),
    "above_minus_one": ("numbers above −1 (N, C)", _above),
    "above_minus_one_line": ("numbers above −1 (N,)", lambda r: (3 * rand(r, N) - 0.9, 3 * rand(r, N) - 0.9)),
    "counts": (
        "log-rates and counts (N, C)",
        lambda r: (randn(r, N, C), torch.randint(5, (N, C), generator=r).double()),
    ),
    "counts_line": ("log-rates and counts (N,)", lambda rng: (randn(rng, N), torch.arange(N).double())),
    "binary": ("logits and labels (N, C)", lambda rng: (2 * randn(rng, N, C), _labels(rng, N, C))),
    "binary_line": ("logits and labels (N,)", lambda rng: (2 * randn(rng, N), _labels(rng, N))),
    "soft_binary": ("logits and soft labels (N, C)", lambda rng: (2 * randn(rng, N, C), rand(rng, N, C))),
    "decided": ("predictions and labels of 0 and 1 (N,)", _decided),
    "decided_one": ("predictions all 1, labels of 0 and 1", lambda rng: (torch.ones(N).double(), _labels(rng, N))),
    "classes": ("logits (N, C) and class indices", lambda rng: (2 * randn(rng, N, C), _index(rng, N))),
    "negative_scores": ("scores below −1 and class indices", lambda rng: (-2 - rand(rng, N, C), _index(rng, N))),
    "soft_classes": ("logits (N, C) and probabilities", lambda r: (2 * randn(r, N, C), randn(r, N, C).softmax(1))),
    "pixels": ("logits (2, C, 3, 4) and class indices, every class in every image", _pixels),
    "one_image": ("logits (1, C, 3, 4) and class indices", _one_image),
    "one_channel": (
        "logits (2, 1, 3, 4) and masks",
        lambda r: (randn(r, 2, 1, 3, 4), torch.stack([_labels(r, 1, 3, 4)] * 2)),
    ),
    "three_quantiles": ("y (N, C, 2), three predictions for each", lambda r: (randn(r, N, C, 2, 3), randn(r, N, C, 2))),
}
