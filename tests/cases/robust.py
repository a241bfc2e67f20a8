"""Losses of robust: cases and reference values."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from tests.cases.base import F64, Case, Golden, R, Variant, case, flat_reals, randn, reals, t64
from tests.references import robust as ref

ZERO = torch.zeros(1, dtype=F64)


def wide(rng: Generator, n: int) -> tuple[Tensor, Tensor]:
    return 10 * randn(rng, n), randn(rng, n)


def close_pairs(rng: Generator, n: int) -> tuple[Tensor, Tensor]:
    y_true = randn(rng, n)
    return y_true + 1e-3 * randn(rng, n), y_true


CASES: tuple[Case, ...] = (
    case("log_cosh_loss", ref.log_cosh, Variant(reals), Variant(wide), Variant(close_pairs)),
    case("charbonnier_loss", ref.charbonnier, Variant(reals), Variant(flat_reals, {"eps": 0.5})),
    case(
        "barron_loss",
        ref.barron,
        Variant(reals),
        *(Variant(reals, {"alpha": a, "scale": 0.7}) for a in (2.0, 0.0, -2.0, 1.3, 3.0, -float("inf"), float("inf"))),
        Variant(reals, {"alpha": 1e-6}),
        Variant(reals, {"alpha": 2 - 1e-9}),
    ),
    case("cauchy_loss", ref.cauchy, Variant(reals), Variant(wide, {"scale": 0.7})),
    case(
        "geman_mcclure_loss",
        ref.geman_mcclure,
        Variant(reals),
        Variant(wide, {"scale": 0.7}),
        Variant(close_pairs, {"scale": 2.0}),
    ),
    case("welsch_loss", ref.welsch, Variant(reals), Variant(reals, {"scale": 0.7}), Variant(close_pairs)),
    case("tukey_loss", ref.tukey, Variant(reals), Variant(wide, {"c": 9.0}), Variant(close_pairs, {"c": 0.1})),
    case(
        "wing_loss",
        ref.wing,
        Variant(reals),
        Variant(wide),
        Variant(reals, {"width": 0.8, "curvature": 0.3}),
    ),
    case(
        "balanced_l1_loss",
        ref.balanced_l1,
        Variant(reals),
        Variant(close_pairs),
        Variant(flat_reals, {"alpha": 1.0, "gamma": 0.7, "beta": 0.4}),
        Variant(wide, {"beta": 3.0}),
    ),
)

GOLDEN: tuple[Golden, ...] = (
    ("barron_loss", R, {"alpha": 1.0}, 0.3680339887),
    ("barron_loss", R, {"alpha": 0.0}, 0.33354459),
    ("barron_loss", R, {"alpha": -2.0}, 0.3088235294),
    ("barron_loss", R, {"alpha": -math.inf}, 0.2749177279),
    ("barron_loss", R, {"alpha": 2.0}, 0.5625),
    ("log_cosh_loss", R, {}, 0.3913079403),
    ("log_cosh_loss", (t64([1e-4]), ZERO), {}, 5e-9 - 1e-16 / 12),
    ("log_cosh_loss", (t64([-1e4]), ZERO), {}, 1e4 - math.log(2)),
    ("charbonnier_loss", R, {}, 0.7502505625),
    ("charbonnier_loss", R, {"eps": 1.0}, 1.3680339887),
    ("charbonnier_loss", (t64([3]), ZERO), {"eps": 4.0}, 5.0),
    ("charbonnier_loss", (ZERO, ZERO), {}, 1e-3),
    ("cauchy_loss", R, {}, 0.33354459),
    ("cauchy_loss", (t64([2]), ZERO), {}, math.log(3)),
    ("cauchy_loss", (t64([4]), ZERO), {"scale": 2.0}, math.log(3)),
    ("geman_mcclure_loss", R, {}, 0.3088235294),
    ("geman_mcclure_loss", (t64([2]), ZERO), {}, 1.0),
    ("geman_mcclure_loss", (t64([1]), ZERO), {"scale": 0.5}, 1.0),
    ("geman_mcclure_loss", (t64([1e200]), ZERO), {}, 2.0),
    ("welsch_loss", R, {}, 0.2749177279),
    ("welsch_loss", (t64([2]), ZERO), {"scale": 2.0}, 1 - math.exp(-0.5)),
    ("welsch_loss", (t64([100]), ZERO), {}, 1.0),
    ("tukey_loss", R, {}, 0.4762066044),
    ("tukey_loss", (t64([9]), ZERO), {}, 4.685**2 / 6),
    ("tukey_loss", (t64([1]), ZERO), {"c": 2.0}, 4 / 6 * (1 - 27 / 64)),
    ("wing_loss", R, {}, 2.848585708),
    ("wing_loss", (t64([10]), ZERO), {}, 10 * math.log(6)),
    ("wing_loss", (t64([13]), ZERO), {}, 10 * math.log(6) + 3),
    ("balanced_l1_loss", R, {}, 0.8449321396),
    # At beta = 1 both branches are γ + γ/b − α.
    ("balanced_l1_loss", (t64([1]), ZERO), {}, 1.0 + 1.5 / math.expm1(3)),
    ("balanced_l1_loss", (t64([3]), ZERO), {}, 4.0 + 1.5 / math.expm1(3)),
)
