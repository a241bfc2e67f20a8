"""Losses of rates: cases and reference values."""

from __future__ import annotations

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
    rand,
    randn,
    t64,
)
from tests.references import rates as ref


def flat_binary(rng: Generator, n: int) -> tuple[Tensor, Tensor]:
    return 2 * randn(rng, n), torch.randint(2, (n,), generator=rng)


def maps(rng: Generator, n: int) -> tuple[Tensor, Tensor]:
    return 2 * randn(rng, n, 2, 3), torch.randint(2, (n, 2, 3), generator=rng)


def overfitted(rng: Generator, n: int) -> tuple[Tensor, Tensor]:
    """Labelled positives far up, unlabelled ones far down: the estimated risk of negatives is below 0."""
    y_pred = torch.stack((2 + rand(rng, n), -3 + rand(rng, n)), 1)
    return y_pred, torch.tensor([1, 0]).repeat(n, 1)


CASES: tuple[Case, ...] = (
    case(
        "soft_fbeta_loss",
        ref.soft_fbeta,
        Variant(hard_binary, keeps=("scaling",)),
        Variant(flat_binary, {"beta": 2.0}, keeps=("scaling",)),
        Variant(maps, {"beta": 0.0}, keeps=("scaling",)),
        Variant(hard_binary, {"eps": 1.0}),
        Variant(binary_probabilities, {"from_logits": False, "beta": 0.5}, keeps=("scaling",)),
        kind="batch",
    ),
    case(
        "mcc_loss",
        ref.mcc,
        Variant(hard_binary),
        Variant(flat_binary),
        Variant(binary_probabilities, {"from_logits": False}),
        kind="batch",
    ),
    case(
        "pairwise_auc_loss",
        ref.pairwise_auc,
        Variant(hard_binary),
        Variant(flat_binary, {"margin": 0.25}),
        kind="batch",
    ),
    case(
        "nnpu_loss",
        ref.nnpu,
        Variant(overfitted, {"prior": 0.4}),
        Variant(hard_binary, {"prior": 0.3, "beta": 0.5}, keeps=("gradcheck",)),
        Variant(overfitted, {"prior": 0.6, "gamma": 0.3, "beta": 0.1}),
        Variant(binary_probabilities, {"prior": 0.2, "beta": 1.0, "from_logits": False}, keeps=("gradcheck",)),
        kind="batch",
    ),
)

SHARES = t64([0.9, 0.6, 0.3, 0.1]), t64([1, 1, 0, 0])
LABELLED = t64([0.8, 0.5, 0.3]), t64([1, 0, 0])

GOLDEN: tuple[Golden, ...] = (
    ("soft_fbeta_loss", BIN, {}, 0.5139715202),
    # tp 1.5, fn 0.5, fp 0.4
    ("soft_fbeta_loss", SHARES, {"beta": 2.0, "from_logits": False}, 2.4 / 9.9),
    ("soft_fbeta_loss", SHARES, {"beta": 0.0, "from_logits": False}, 0.4 / 1.9),
    ("soft_fbeta_loss", SHARES, {"eps": 1.0, "from_logits": False}, 1.9 / 4.9),
    ("soft_fbeta_loss", (t64([0, 0]), t64([0, 0])), {"from_logits": False}, 0.0),
    ("soft_fbeta_loss", (t64([[1, 0.5], [0, 0.5]]), t64([[1, 1], [0, 0]])), {"from_logits": False}, 0.25),
    ("mcc_loss", SHARES, {"from_logits": False}, 0.4493112082),
    ("mcc_loss", (t64([1, 0, 0]), t64([1, 0, 0])), {"from_logits": False}, 0.0),
    ("mcc_loss", (t64([0, 1, 1]), t64([1, 0, 0])), {"from_logits": False}, 2.0),
    ("mcc_loss", (t64([0.2, 0.4]), t64([1, 1])), {"from_logits": False}, 1.0),
    ("mcc_loss", (t64([0, 0]), t64([1, 0])), {"from_logits": False}, 1.0),
    ("pairwise_auc_loss", BIN, {}, 7.3125),
    ("pairwise_auc_loss", BIN, {"margin": 0.0}, 4.0625),
    ("pairwise_auc_loss", (t64([2, 1, 0]), t64([1, 0, 0])), {}, 0.0),
    ("pairwise_auc_loss", (t64([2, 1, 0]), t64([0, 0, 0])), {}, 0.0),
    ("pairwise_auc_loss", (t64([0, 0]), t64([1, 0])), {"margin": 3.0}, 9.0),
    # R_p⁺ 0.2, R_p⁻ 0.8, R_u⁻ 0.4
    ("nnpu_loss", LABELLED, {"prior": 0.4, "from_logits": False}, 0.16),
    ("nnpu_loss", LABELLED, {"prior": 0.6, "from_logits": False}, 0.12),
    ("nnpu_loss", LABELLED, {"prior": 0.6, "beta": 0.05, "from_logits": False}, 0.07),
    ("nnpu_loss", (t64([0.8]), t64([1])), {"prior": 0.5, "from_logits": False}, 0.1),
    ("nnpu_loss", (t64([0.8]), t64([0])), {"prior": 0.5, "from_logits": False}, 0.8),
)
