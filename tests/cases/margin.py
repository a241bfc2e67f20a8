"""Losses of margin: cases and reference values."""

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
from tests.references import margin as ref

CASES: tuple[Case, ...] = (
    case(
        "multi_margin_loss",
        ref.multi_margin,
        Variant(classes),
        Variant(pixels, {"p": 2, "margin": 0.5, "class_weight": WEIGHTS}),
        Variant(soft_classes, {"class_weight": WEIGHTS}),
        Variant(soft_classes, {"p": 2, "margin": 2.0, "class_weight": SOME_WEIGHTS}),
        unit_axis=1,
    ),
    case(
        "crammer_singer_loss",
        ref.crammer_singer,
        Variant(classes),
        Variant(pixels, {"margin": 2.0, "class_weight": WEIGHTS}),
        Variant(soft_classes, {"class_weight": SOME_WEIGHTS}),
        unit_axis=1,
    ),
    case(
        "sparsemax_loss",
        ref.sparsemax,
        Variant(classes),
        Variant(pixels, {"class_weight": WEIGHTS}),
        Variant(soft_classes, {"class_weight": SOME_WEIGHTS}),
        unit_axis=1,
    ),
    case(
        "entmax_loss",
        ref.entmax,
        Variant(classes),
        Variant(pixels, {"alpha": 1.3, "class_weight": WEIGHTS}),
        Variant(soft_classes, {"class_weight": SOME_WEIGHTS}),
        Variant(soft_classes, {"alpha": 2.5}),
        unit_axis=1,
    ),
)

SCORES = t64([[1, 0.5, 0]]), torch.tensor([0])
NEGATIVE = t64([[-5, -4, -6]]), torch.tensor([0])
TWO = t64([[0.5, 0]]), torch.tensor([0])
FOUR = t64([[3, 3, 3, 3]]), torch.tensor([2])

GOLDEN: tuple[Golden, ...] = (
    ("multi_margin_loss", (X, K), {}, 4 / 9),
    ("multi_margin_loss", SCORES, {}, 0.5 / 3),
    ("multi_margin_loss", SCORES, {"p": 2}, 0.25 / 3),
    ("multi_margin_loss", SCORES, {"p": 2, "margin": 3.0}, (2.5**2 + 2**2) / 3),
    ("crammer_singer_loss", (X, K), {}, 4 / 3),
    ("crammer_singer_loss", SCORES, {}, 0.5),
    ("crammer_singer_loss", NEGATIVE, {}, 2.0),
    ("sparsemax_loss", (X, K), {}, 1.0),
    ("sparsemax_loss", TWO, {}, 0.0625),
    ("sparsemax_loss", FOUR, {}, 0.375),
    ("sparsemax_loss", (TWO[0] * 2, TWO[1]), {}, 0.0),
    ("entmax_loss", (X, K), {"alpha": 2.0}, 1.0),
    ("entmax_loss", FOUR, {}, 2 / 3),
    ("entmax_loss", FOUR, {"alpha": 3.0}, (1 - 4 / 64) / 6),
    ("entmax_loss", FOUR, {"alpha": 1 + 1e-12}, math.log(4)),
    ("entmax_loss", (TWO[0] * 4, TWO[1]), {}, 0.0),
)
