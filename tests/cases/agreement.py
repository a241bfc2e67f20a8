"""Losses that compare two sets of samples: cases and reference values."""

from __future__ import annotations

from torch import Generator, Tensor

from tests.cases.base import Case, Golden, R, Variant, case, flat_reals, randn, reals, t64
from tests.references import agreement as ref


def far_from_zero(rng: Generator, n: int) -> tuple[Tensor, Tensor]:
    return 1e3 + randn(rng, n), 1e3 + randn(rng, n)


CASES: tuple[Case, ...] = (
    case("ccc_loss", ref.ccc, Variant(reals), Variant(flat_reals, {"eps": 0.5}), Variant(far_from_zero), kind="batch"),
    case("pearson_loss", ref.pearson, Variant(reals), Variant(flat_reals, {"eps": 0.5}), kind="batch"),
)

SHIFTED = t64([2, 4, 6]), t64([1, 2, 3])

GOLDEN: tuple[Golden, ...] = (
    # Variances 1.171875 and 1.046875 (÷ 4), covariance 0.671875, means 0.375 and 0.875.
    ("ccc_loss", R, {}, 1 - 2 * 0.671875 / (1.171875 + 1.046875 + 0.25 + 1e-8)),
    # Variances 8/3 and 2/3, covariance 4/3, means 4 and 2.
    ("ccc_loss", SHIFTED, {}, 1 - (8 / 3) / (10 / 3 + 4 + 1e-8)),
    ("ccc_loss", (t64([1, 3]), t64([3, 1])), {}, 2 - 1e-8 / (2 + 1e-8)),
    ("ccc_loss", (t64([5]), t64([7])), {}, 1.0),
    ("pearson_loss", SHIFTED, {}, 1e-8 / (4 / 3 + 1e-8)),
    ("pearson_loss", (t64([1, 3]), t64([3, 1])), {}, 1 + 1 / (1 + 1e-8)),
    ("pearson_loss", (t64([1, 1]), t64([3, 1])), {}, 1.0),
    ("pearson_loss", (t64([1, 0, 0]), t64([1, 0, 1])), {"eps": 0.25}, 1 - (1 / 9) / (2 / 9 + 0.25)),
)
