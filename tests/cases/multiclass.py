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
)

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
)
