"""Losses of confidence: cases and reference values."""

from __future__ import annotations

import math

import torch

from tests.cases.base import (
    SOME_WEIGHTS,
    WEIGHTS,
    Case,
    Golden,
    K,
    Variant,
    X,
    case,
    classes,
    pixels,
    soft_classes,
    t64,
)
from tests.references import confidence as ref

CASES: tuple[Case, ...] = (
    case(
        "confidence_penalty_loss",
        ref.confidence_penalty,
        Variant(classes),
        Variant(pixels, {"beta": 0.5, "class_weight": WEIGHTS}),
        Variant(soft_classes, {"beta": 1.0, "class_weight": SOME_WEIGHTS}),
        unit_axis=1,
    ),
    case(
        "z_loss",
        ref.z,
        Variant(classes),
        Variant(pixels, {"coefficient": 0.1, "class_weight": WEIGHTS}),
        Variant(soft_classes, {"coefficient": 0.01, "class_weight": SOME_WEIGHTS}),
        unit_axis=1,
    ),
    case(
        "logit_norm_loss",
        ref.logit_norm,
        Variant(classes),
        Variant(pixels, {"temperature": 1.0, "class_weight": WEIGHTS}, hides="short logits are never sure"),
        Variant(soft_classes, {"temperature": 0.5, "class_weight": SOME_WEIGHTS}),
        unit_axis=1,
    ),
)

ZEROS = t64([[0.0, 0.0, 0.0]]), torch.tensor([1])

GOLDEN: tuple[Golden, ...] = (
    ("confidence_penalty_loss", (X, K), {}, 1.212030709 - 0.1 * 0.5323796068),
    ("confidence_penalty_loss", (X, K), {"beta": 0.0}, 1.212030709),
    ("confidence_penalty_loss", ZEROS, {"beta": 0.25}, 0.75 * math.log(3)),
    ("z_loss", (X, K), {}, 1.212030709 + 7.427010937e-4),
    ("z_loss", (X, K), {"coefficient": 0.0}, 1.212030709),
    ("z_loss", ZEROS, {"coefficient": 0.5}, math.log(3) + math.log(3) ** 2 / 2),
    ("logit_norm_loss", (t64([[3, 4]]), torch.tensor([0])), {"temperature": 1.0}, math.log1p(math.exp(0.2))),
    ("logit_norm_loss", (t64([[30, 40]]), torch.tensor([1])), {"temperature": 0.1}, math.log1p(math.exp(-2))),
    ("logit_norm_loss", ZEROS, {}, math.log(3)),
)
