"""Losses of positive numbers and of proportions: cases and reference values."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from tests.cases.base import F64, Case, Golden, R, Variant, case, flat_reals, rand, reals, t64
from tests.references import relative as ref


def above_minus_one(rng: Generator, n: int) -> tuple[Tensor, Tensor]:
    return 3 * rand(rng, n, 2) - 0.99, 3 * rand(rng, n, 2) - 0.99


def positives(rng: Generator, n: int) -> tuple[Tensor, Tensor]:
    return 0.01 + 3 * rand(rng, n, 2), 0.01 + 3 * rand(rng, n, 2)


def near_positives(rng: Generator, n: int) -> tuple[Tensor, Tensor]:
    y_true = 0.01 + 3 * rand(rng, n)
    return y_true * (1 + 1e-3 * rand(rng, n)), y_true


CASES: tuple[Case, ...] = (
    case("msle_loss", ref.msle, Variant(above_minus_one), Variant(near_positives)),
    case("mape_loss", ref.mape, Variant(reals), Variant(flat_reals, {"eps": 0.7})),
    case("smape_loss", ref.smape, Variant(reals), Variant(positives)),
    case(
        "silog_loss",
        ref.silog,
        Variant(positives),
        Variant(near_positives, {"lambd": 0.0}),
        Variant(positives, {"lambd": 1.0}),
        kind="batch",
    ),
)

RP = t64([0.5, 1, 2, 0.1]), t64([1, 1, 2.5, 0.2])
ZERO = torch.zeros(1, dtype=F64)

GOLDEN: tuple[Golden, ...] = (
    ("msle_loss", RP, {}, 0.02852359666),
    ("msle_loss", (t64([math.e - 1]), ZERO), {}, 1.0),
    ("msle_loss", (t64([-0.5]), t64([1.0])), {}, math.log(4) ** 2),
    ("mape_loss", RP, {}, 0.3),
    ("mape_loss", (t64([3]), t64([-2])), {}, 2.5),
    ("mape_loss", (t64([3]), ZERO), {"eps": 0.5}, 6.0),
    ("smape_loss", RP, {}, 7 / 18),
    ("smape_loss", R, {}, (2 + 2 + 2 / 9 + 0) / 4),
    ("smape_loss", (ZERO, ZERO), {}, 0.0),
    ("smape_loss", (t64([5]), ZERO), {}, 2.0),
    ("silog_loss", RP, {}, 0.1717281933),
    ("silog_loss", (t64([2, 4, 6]), t64([1, 2, 3])), {}, math.log(2) ** 2 / 2),
    ("silog_loss", (t64([2, 4, 6]), t64([1, 2, 3])), {"lambd": 1.0}, 0.0),
)
