"""Losses of noisy: cases and reference values."""

from __future__ import annotations

from tests.cases.base import SOME_WEIGHTS, WEIGHTS, Case, Golden, K, Variant, X, case, classes, pixels, soft_classes
from tests.references import noisy as ref

CASES: tuple[Case, ...] = (
    case(
        "symmetric_cross_entropy_loss",
        ref.symmetric_cross_entropy,
        Variant(classes),
        Variant(pixels, {"alpha": 6.0, "beta": 0.1, "class_weight": WEIGHTS}),
        Variant(soft_classes, {"log_zero": -2.0, "class_weight": SOME_WEIGHTS}),
        unit_axis=1,
    ),
)

GOLDEN: tuple[Golden, ...] = (
    ("symmetric_cross_entropy_loss", (X, K), {}, 2.036415641),
    ("symmetric_cross_entropy_loss", (X, K), {"alpha": 1.0, "beta": 0.0}, 1.212030709),
    ("symmetric_cross_entropy_loss", (X, K), {"alpha": 0.0, "log_zero": -2.0}, 0.9576062853),
)
