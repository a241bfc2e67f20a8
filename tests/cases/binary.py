"""Losses of binary: cases and reference values."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from tests.cases.base import (
    BIN,
    Case,
    Golden,
    Variant,
    binary_probabilities,
    case,
    hard_binary,
    randn,
    soft_binary,
    t64,
)
from tests.references import binary as ref


def label_sets(rng: Generator, n: int) -> tuple[Tensor, Tensor]:
    return 2 * randn(rng, n, 3, 2), torch.randint(2, (n, 3, 2), generator=rng)


CASES: tuple[Case, ...] = (
    case(
        "binary_cross_entropy_loss",
        ref.bce,
        Variant(hard_binary),
        Variant(soft_binary, {"pos_weight": 3.0, "label_smoothing": 0.1}),
        Variant(binary_probabilities, {"from_logits": False}),
        Variant(binary_probabilities, {"from_logits": False, "pos_weight": 2.0, "label_smoothing": 0.2}),
    ),
    case(
        "focal_loss",
        ref.focal,
        Variant(hard_binary),
        Variant(soft_binary, {"gamma": 0.5, "alpha": 0.25}),
        Variant(hard_binary, {"gamma": 0.0}),
        Variant(binary_probabilities, {"from_logits": False, "alpha": 0.75}),
        Variant(binary_probabilities, {"from_logits": False, "gamma": 0.5}),
    ),
    case(
        "ghmc_loss",
        ref.ghmc,
        Variant(hard_binary),
        Variant(binary_probabilities, {"bins": 4, "from_logits": False}),
        kind="counted",
    ),
    case(
        "asymmetric_loss",
        ref.asymmetric,
        Variant(hard_binary),
        Variant(hard_binary, {"gamma_pos": 0.5, "gamma_neg": 1.5, "margin": 0.0}),
        Variant(hard_binary, {"gamma_pos": 0.0, "gamma_neg": 0.0, "margin": 0.2}, hides="rare truths share the margin"),
        Variant(binary_probabilities, {"from_logits": False}),
        Variant(binary_probabilities, {"from_logits": False, "gamma_pos": 0.5, "gamma_neg": 0.5, "margin": 0.0}),
    ),
    case(
        "hinge_loss",
        ref.hinge,
        Variant(hard_binary),
        Variant(hard_binary, {"squared": True, "margin": 0.5}),
        Variant(hard_binary, {"margin": 0.0}),
    ),
    case("soft_margin_loss", ref.soft_margin, Variant(hard_binary)),
    case("zlpr_loss", ref.zlpr, Variant(hard_binary), Variant(label_sets), unit_axis=1),
)

GOLDEN: tuple[Golden, ...] = (
    ("binary_cross_entropy_loss", BIN, {}, 1.115713509),
    ("binary_cross_entropy_loss", BIN, {"pos_weight": 3.0}, 2.70347119),
    ("binary_cross_entropy_loss", BIN, {"label_smoothing": 0.1}, 1.109463509),
    ("binary_cross_entropy_loss", (t64([[0.5], [0.5]]), t64([[1], [0]])), {"from_logits": False}, math.log(2)),
    ("binary_cross_entropy_loss", (t64([[0.9], [0.1]]), t64([[1], [0]])), {"from_logits": False}, -math.log(0.9)),
    ("focal_loss", BIN, {}, 0.7920384156),
    ("focal_loss", BIN, {"alpha": 0.25}, 0.2480183112),
    ("focal_loss", BIN, {"alpha": 0.25, "reduction": "sum"}, 0.9920732447),
    ("focal_loss", BIN, {"gamma": 0.5}, 0.9875515058),
    (
        "focal_loss",
        (t64([[0.5], [0.5]]), t64([[1], [0]])),
        {"gamma": 2.0, "alpha": 0.75, "from_logits": False},
        0.125 * math.log(2),
    ),
    (
        "focal_loss",
        (t64([[0.9], [0.1]]), t64([[1], [0]])),
        {"gamma": 2.0, "alpha": 0.75, "from_logits": False},
        -0.005 * math.log(0.9),
    ),
    # g of the three easy positives shares a bin, the hard one is alone: N/(c·n) = 4/(3·2) and 4/(1·2).
    (
        "ghmc_loss",
        (t64([3, 3, 3, -2]), t64([1, 1, 1, 1])),
        {},
        (3 * 4 / 6 * math.log1p(math.exp(-3)) + 2 * (2 + math.log1p(math.exp(-2)))) / 4,
    ),
    ("ghmc_loss", (t64([0]), t64([1])), {}, math.log(2)),
    ("ghmc_loss", (t64([0, 0]), t64([0, 1])), {}, math.log(2)),
    ("asymmetric_loss", BIN, {"reduction": "sum"}, 3.010956426),
    ("asymmetric_loss", BIN, {"gamma_pos": 0.0, "reduction": "sum"}, 3.267336164),
    ("asymmetric_loss", BIN, {"gamma_pos": 0.0, "gamma_neg": 0.0, "margin": 0.0}, 1.115713509),
    # A negative at 0.3 beyond a margin of 0.05 counts 0.25² · −log(0.75); one at 0.04 nothing.
    (
        "asymmetric_loss",
        (t64([0.3, 0.04]), t64([0, 0])),
        {"gamma_neg": 2.0, "from_logits": False},
        -0.0625 * math.log(0.75) / 2,
    ),
    ("hinge_loss", BIN, {}, 1.375),
    ("hinge_loss", BIN, {"squared": True}, 4.5625),
    ("hinge_loss", BIN, {"margin": 0.0}, 0.875),
    ("soft_margin_loss", BIN, {}, 1.115713509),
    ("soft_margin_loss", (t64([-100]), t64([1])), {}, 100.0),
    ("soft_margin_loss", (t64([0, 0]), t64([0, 1])), {}, math.log(2)),
    ("zlpr_loss", (BIN[0][None], BIN[1][None]), {}, 4.159115841),
    ("zlpr_loss", (t64([[0, 0]]), t64([[1, 0]])), {}, 2 * math.log(2)),
    ("zlpr_loss", (t64([[0, 0, 0]]), t64([[0, 0, 0]])), {}, math.log(4)),
    ("zlpr_loss", (BIN[0][:, None], BIN[1][:, None]), {}, 1.115713509),
)
