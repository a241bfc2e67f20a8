"""Losses of multiclass: cases and reference values."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from tests.cases.base import (
    SOFT,
    SOME_WEIGHTS,
    WEIGHTS,
    Case,
    Golden,
    K,
    Variant,
    W,
    X,
    case,
    classes,
    log_probabilities,
    pixels,
    soft_classes,
    soft_log_probabilities,
    t64,
)
from tests.references import multiclass as ref

CASES: tuple[Case, ...] = (
    case(
        "cross_entropy_loss",
        ref.cross_entropy,
        Variant(classes),
        Variant(pixels, {"class_weight": WEIGHTS, "label_smoothing": 0.1}),
        Variant(soft_classes, {"label_smoothing": 0.2}),
        Variant(soft_classes, {"class_weight": SOME_WEIGHTS}),
        unit_axis=1,
    ),
    case(
        "nll_loss",
        ref.nll,
        Variant(log_probabilities),
        Variant(log_probabilities, {"class_weight": WEIGHTS}),
        Variant(soft_log_probabilities, {"class_weight": WEIGHTS}),
        unit_axis=1,
    ),
    case(
        "softmax_focal_loss",
        ref.softmax_focal,
        Variant(classes),
        Variant(pixels, {"gamma": 0.5, "class_weight": WEIGHTS}),
        Variant(soft_classes, {"gamma": 0.5, "class_weight": WEIGHTS}),
        Variant(soft_classes, {"gamma": 1.5}),
        Variant(classes, {"gamma": 0.0}),
        unit_axis=1,
    ),
    case(
        "poly1_loss",
        ref.poly1,
        Variant(classes),
        Variant(pixels, {"epsilon": -1.0, "class_weight": WEIGHTS}),
        Variant(soft_classes, {"epsilon": 2.5, "class_weight": SOME_WEIGHTS}),
        unit_axis=1,
    ),
    case(
        "brier_loss",
        ref.brier,
        Variant(classes),
        Variant(pixels, {"class_weight": WEIGHTS}),
        Variant(soft_classes),
        Variant(soft_classes, {"class_weight": SOME_WEIGHTS}),
        unit_axis=1,
    ),
    case(
        "ohem_loss",
        ref.ohem,
        Variant(classes),
        Variant(pixels, {"fraction": 0.5, "class_weight": WEIGHTS}),
        Variant(soft_classes, {"fraction": 0.3, "class_weight": SOME_WEIGHTS}),
        Variant(classes, {"fraction": 1.0}, keeps=("duplication", "micro_batch")),
        unit_axis=1,
        kind="chosen",
    ),
)

ZEROS = t64([[0.0, 0.0, 0.0]]), torch.tensor([1])
SEVEN = t64([[0.7, 0.3]]).log(), torch.tensor([0])
HARDEST = math.log(math.exp(-1) + 1 + math.exp(3))
SECOND = math.log(math.exp(2) + math.exp(1) + math.exp(0.1)) - 2

GOLDEN: tuple[Golden, ...] = (
    ("cross_entropy_loss", (X, K), {}, 1.212030709),
    ("cross_entropy_loss", (X, K), {"label_smoothing": 0.1}, 1.28314182),
    ("cross_entropy_loss", (X, K), {"class_weight": W}, 1.371030848),
    ("cross_entropy_loss", (X, K), {"class_weight": W, "label_smoothing": 0.1}, 1.500945395),
    ("cross_entropy_loss", (X, SOFT), {}, 0.5753640424),
    ("cross_entropy_loss", (X, SOFT), {"class_weight": W}, 0.4746421574),
    ("cross_entropy_loss", (X, F.one_hot(K, 3)), {"class_weight": W}, 1.371030848),
    ("nll_loss", (torch.log_softmax(X, 1), K), {}, 1.212030709),
    ("nll_loss", (torch.log_softmax(X, 1), K), {"class_weight": W}, 1.371030848),
    ("nll_loss", (t64([[0.5, 0.5], [0.9, 0.1]]).log(), torch.tensor([0, 0])), {}, -math.log(0.45) / 2),
    ("softmax_focal_loss", (X, K), {}, 0.9461031737),
    ("softmax_focal_loss", (X, K), {"gamma": 0.5}, 1.098276203),
    ("softmax_focal_loss", (X, K), {"gamma": 0.0}, 1.212030709),
    ("poly1_loss", (X, K), {}, 1.690833852),
    ("poly1_loss", (X, K), {"epsilon": 0.0}, 1.212030709),
    ("poly1_loss", ZEROS, {"epsilon": -1.0}, math.log(3) - 2 / 3),
    ("brier_loss", ZEROS, {}, 4 / 9 + 2 / 9),
    ("brier_loss", SEVEN, {}, 0.18),
    ("brier_loss", (SEVEN[0], t64([[0.7, 0.3]])), {}, 0.0),
    ("brier_loss", (SEVEN[0], t64([[0.5, 0.5]])), {"class_weight": t64([1, 3])}, 0.08),
    ("ohem_loss", (X, K), {}, 1.212030709),
    ("ohem_loss", (X, K), {"fraction": 0.5}, (HARDEST + SECOND) / 2),
    ("ohem_loss", (X, K), {"fraction": 0.3}, HARDEST),
    ("ohem_loss", (X, K), {"fraction": 0.5, "class_weight": W}, (2 * HARDEST + SECOND) / 3),
)
