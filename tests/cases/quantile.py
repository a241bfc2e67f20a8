"""Losses of quantile: cases and reference values."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from tests.cases.base import Case, Golden, R, Variant, case, flat_reals, randn, reals, t64
from tests.references import quantile as ref


def three(rng: Generator, n: int) -> tuple[Tensor, Tensor]:
    return randn(rng, n, 2, 3), randn(rng, n, 2)


def flat_two(rng: Generator, n: int) -> tuple[Tensor, Tensor]:
    return randn(rng, n, 2), randn(rng, n)


CASES: tuple[Case, ...] = (
    case(
        "quantile_loss",
        ref.quantile,
        Variant(reals),
        Variant(flat_reals, {"quantiles": 0.9}),
        Variant(three, {"quantiles": (0.1, 0.5, 0.9)}, unit_axis=-1),
        Variant(flat_two, {"quantiles": [0.75, 0.2]}, unit_axis=-1),
    ),
    case("expectile_loss", ref.expectile, Variant(reals), Variant(flat_reals, {"tau": 0.9})),
)

GOLDEN: tuple[Golden, ...] = (
    ("quantile_loss", R, {"quantiles": 0.9}, 0.575),
    ("quantile_loss", R, {"quantiles": 0.1}, (0.9 * 0.5 + 0.1 * 2 + 0.1 * 0.5) / 4),
    ("quantile_loss", R, {}, 0.375),
    ("quantile_loss", (t64([0]), t64([2])), {"quantiles": 0.9}, 1.8),
    ("quantile_loss", (t64([2]), t64([0])), {"quantiles": 0.9}, 0.2),
    ("quantile_loss", (t64([[2, 2]]), t64([0])), {"quantiles": (0.9, 0.4)}, (0.2 + 1.2) / 2),
    ("quantile_loss", (t64([[1, 3], [0, 9]]), t64([2, 0])), {"quantiles": (0.1, 0.9), "weight": t64([1, 0])}, 0.1),
    ("expectile_loss", R, {"tau": 0.9}, 0.9625),
    ("expectile_loss", R, {}, 0.5625),
    ("expectile_loss", (t64([0]), t64([2])), {"tau": 0.9}, 3.6),
    ("expectile_loss", (t64([2]), t64([0])), {"tau": 0.9}, 0.4),
    ("expectile_loss", R, {"tau": 0.9, "mask": torch.tensor([True, False, False, False])}, 0.025),
)
