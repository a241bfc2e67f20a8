"""Losses of regression: cases and reference values."""

from __future__ import annotations

import math

import torch

from tests.cases.base import Case, Golden, R, Variant, case, flat_reals, reals, t64, upright_vectors, vectors
from tests.references import regression as ref

CASES: tuple[Case, ...] = (
    case("mse_loss", ref.mse, Variant(reals)),
    case("l1_loss", ref.l1, Variant(reals)),
    case(
        "smooth_l1_loss",
        ref.smooth_l1,
        Variant(reals),
        Variant(flat_reals, {"beta": 0.3}),
        Variant(reals, {"beta": 0.0}),
    ),
    case("huber_loss", ref.huber, Variant(reals), Variant(flat_reals, {"delta": 0.5})),
    case(
        "epsilon_insensitive_loss",
        ref.epsilon_insensitive,
        Variant(reals),
        Variant(flat_reals, {"epsilon": 0.7}),
        Variant(reals, {"epsilon": 0.3, "squared": True}),
        Variant(reals, {"epsilon": 0.0}),
    ),
    case("rmse_loss", ref.rmse, Variant(reals), kind="batch"),
    case(
        "cosine_similarity_loss",
        ref.cosine,
        Variant(vectors),
        Variant(upright_vectors, {"dim": 1}),
        unit_axis=1,
    ),
    case("ghmr_loss", ref.ghmr, Variant(reals), Variant(reals, {"mu": 0.5, "bins": 3}), kind="counted"),
)

GOLDEN: tuple[Golden, ...] = (
    ("mse_loss", R, {}, 1.125),
    ("mse_loss", (t64([3]), t64([1])), {}, 4.0),
    ("mse_loss", R, {"weight": t64([1, 0, 0, 1])}, 0.125),
    ("l1_loss", R, {}, 0.75),
    ("l1_loss", (t64([-1]), t64([1])), {}, 2.0),
    ("l1_loss", R, {"reduction": "sum"}, 3.0),
    ("huber_loss", (t64([3]), t64([0])), {}, 2.5),
    ("smooth_l1_loss", (t64([0.5]), t64([0])), {}, 0.125),
    ("huber_loss", R, {}, 0.4375),
    ("huber_loss", R, {"delta": 0.5}, 0.28125),
    ("smooth_l1_loss", R, {"beta": 0.5}, 0.5625),
    ("smooth_l1_loss", R, {"beta": 0.0}, 0.75),
    ("epsilon_insensitive_loss", R, {"epsilon": 0.25}, 0.5625),
    ("epsilon_insensitive_loss", R, {"epsilon": 0.25, "squared": True}, 0.796875),
    ("epsilon_insensitive_loss", R, {"epsilon": 3.0}, 0.0),
    ("epsilon_insensitive_loss", R, {}, 0.675),
    ("rmse_loss", R, {}, math.sqrt(1.125)),
    ("rmse_loss", (t64([3, 0]), t64([0, 4])), {}, math.sqrt(12.5)),
    ("rmse_loss", R, {"mask": torch.tensor([False, True, False, False])}, 2.0),
    ("cosine_similarity_loss", (t64([[3, 4]]), t64([[4, 3]])), {}, 1 - 24 / 25),
    ("cosine_similarity_loss", (t64([[0, 0]]), t64([[4, 3]])), {}, 1.0),
    ("cosine_similarity_loss", (t64([[1, 2]]), t64([[-1, -2]])), {}, 2.0),
    # d = 1, 1, −0.01 with mu = 1: bins 7, 7 and 0 of 10, so two values weigh 3/(2·2) and one 3/(1·2).
    (
        "ghmr_loss",
        (t64([1, 1, 0]), t64([0, 0, 0.01])),
        {"mu": 1.0},
        (2 * 0.75 * (math.sqrt(2) - 1) + 1.5 * (math.sqrt(1.0001) - 1)) / 3,
    ),
    ("ghmr_loss", (t64([1]), t64([0])), {"mu": 1.0}, math.sqrt(2) - 1),
    ("ghmr_loss", (t64([1, 1]), t64([0, 0])), {"mu": 1.0, "reduction": "sum"}, 2 * (math.sqrt(2) - 1)),
)
