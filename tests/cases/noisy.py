"""Losses of noisy: cases and reference values."""

from __future__ import annotations

import math
from typing import Final

import torch

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
    pixels,
    soft_classes,
    t64,
)
from tests.references import noisy as ref

FLIPS: Final = t64([[0.8, 0.2, 0], [0.1, 0.9, 0], [0, 0.3, 0.7]])
HALVES: Final = t64([[0.0, 0.0]]), torch.tensor([0])
QUARTER: Final = t64([[0.0, math.log(3)]]), torch.tensor([0])

UNMIXED = "no clean labels become these observed ones"

CASES: tuple[Case, ...] = (
    case(
        "symmetric_cross_entropy_loss",
        ref.symmetric_cross_entropy,
        Variant(classes),
        Variant(pixels, {"alpha": 6.0, "beta": 0.1, "class_weight": WEIGHTS}),
        Variant(soft_classes, {"log_zero": -2.0, "class_weight": SOME_WEIGHTS}),
        unit_axis=1,
    ),
    case(
        "gce_loss",
        ref.gce,
        Variant(classes),
        Variant(pixels, {"q": 0.3, "class_weight": WEIGHTS}),
        Variant(soft_classes, {"q": 1.0, "class_weight": SOME_WEIGHTS}),
        unit_axis=1,
    ),
    case(
        "mae_classification_loss",
        ref.mae_classification,
        Variant(classes),
        Variant(pixels, {"class_weight": WEIGHTS}),
        Variant(soft_classes, {"class_weight": SOME_WEIGHTS}),
        unit_axis=1,
    ),
    case(
        "normalized_cross_entropy_loss",
        ref.normalized_cross_entropy,
        Variant(classes),
        Variant(pixels, {"class_weight": WEIGHTS}),
        Variant(soft_classes, {"class_weight": SOME_WEIGHTS}),
        unit_axis=1,
    ),
    case(
        "active_passive_loss",
        ref.active_passive,
        Variant(classes),
        Variant(pixels, {"alpha": 2.0, "beta": 0.5, "passive": "mae", "class_weight": WEIGHTS}),
        Variant(soft_classes, {"beta": 0.1, "class_weight": SOME_WEIGHTS}),
        unit_axis=1,
    ),
    case(
        "bi_tempered_loss",
        ref.bi_tempered,
        Variant(classes),
        Variant(pixels, {"t1": 0.3, "t2": 4.0, "class_weight": WEIGHTS}),
        Variant(classes, {"t2": 1.7, "label_smoothing": 0.2, "class_weight": WEIGHTS}),
        Variant(soft_classes, {"t1": 1.0, "class_weight": SOME_WEIGHTS}),
        Variant(soft_classes, {"t1": 0.5, "t2": 1.0, "label_smoothing": 0.1}),
        unit_axis=1,
    ),
    case(
        "bootstrap_loss",
        ref.bootstrap,
        Variant(classes),
        Variant(pixels, {"beta": 0.6, "class_weight": WEIGHTS}),
        Variant(classes, {"beta": 0.8, "hard": True, "class_weight": WEIGHTS}),
        Variant(soft_classes, {"class_weight": SOME_WEIGHTS}),
        unit_axis=1,
    ),
    case(
        "forward_correction_loss",
        ref.forward_correction,
        Variant(classes, {"transition": FLIPS}, hides=UNMIXED),
        Variant(pixels, {"transition": FLIPS, "class_weight": WEIGHTS}, hides=UNMIXED),
        Variant(soft_classes, {"transition": FLIPS, "class_weight": SOME_WEIGHTS}),
        unit_axis=1,
    ),
    case(
        "generalized_jsd_loss",
        ref.generalized_jsd,
        Variant(classes),
        Variant(pixels, {"pi": 0.1, "class_weight": WEIGHTS}),
        Variant(soft_classes, {"pi": 0.9, "class_weight": SOME_WEIGHTS}),
        unit_axis=1,
    ),
)

GOLDEN: tuple[Golden, ...] = (
    ("symmetric_cross_entropy_loss", (X, K), {}, 2.036415641),
    ("symmetric_cross_entropy_loss", (X, K), {"alpha": 1.0, "beta": 0.0}, 1.212030709),
    ("symmetric_cross_entropy_loss", (X, K), {"alpha": 0.0, "log_zero": -2.0}, 0.9576062853),
    ("gce_loss", (X, K), {}, 0.5894817031),
    ("gce_loss", (X, K), {"q": 1.0}, 0.9576062853 / 2),
    ("gce_loss", QUARTER, {"q": 0.5}, 1.0),
    # A probability that is 0 in float64: 1/q.
    ("gce_loss", (t64([[-200, 0]]), torch.tensor([0])), {}, 1 / 0.7),
    ("mae_classification_loss", (X, K), {}, 0.9576062853),
    ("mae_classification_loss", QUARTER, {}, 1.5),
    ("mae_classification_loss", (t64([[math.log(3), 0]]), t64([[0.5, 0.5]])), {}, 1.0),
    ("normalized_cross_entropy_loss", HALVES, {}, 0.5),
    ("normalized_cross_entropy_loss", QUARTER, {}, math.log(4) / (2 * math.log(4) - math.log(3))),
    ("normalized_cross_entropy_loss", (t64([[1.0]]), torch.tensor([0])), {}, 0.0),
    ("active_passive_loss", HALVES, {}, 0.5 + 2.0),
    ("active_passive_loss", HALVES, {"alpha": 3.0, "beta": 0.5, "passive": "mae"}, 1.5 + 0.5),
    ("active_passive_loss", (X, K), {"alpha": 0.0, "passive": "mae"}, 0.9576062853),
    ("bi_tempered_loss", (X, K), {}, 0.785725193),
    ("bi_tempered_loss", (X, K), {"t1": 1.0, "t2": 1.0}, 1.212030709),
    ("bi_tempered_loss", (X, K), {"t1": 1.0, "t2": 1.0, "class_weight": W}, 1.371030848),
    # t1 = 0: half the squared distance to the label; t2 = 2: p = (1/3, 2/3) at x = (0, 3/2).
    ("bi_tempered_loss", (t64([[0, 1.5]]), torch.tensor([0])), {"t1": 0.0, "t2": 2.0}, 4 / 9),
    ("bootstrap_loss", (X, K), {"beta": 1.0}, 1.212030709),
    ("bootstrap_loss", (X, SOFT), {"beta": 1.0}, 0.5753640424),
    ("bootstrap_loss", (X, K), {"beta": 0.0}, 0.5323796068),
    ("bootstrap_loss", QUARTER, {"beta": 0.5, "hard": True}, math.log(4) - math.log(3) / 2),
    ("forward_correction_loss", (X, K), {"transition": torch.eye(3)}, 1.212030709),
    ("forward_correction_loss", HALVES, {"transition": [[0.9, 0.1], [0.3, 0.7]]}, -math.log(0.6)),
    ("forward_correction_loss", QUARTER, {"transition": [[0, 1], [1, 0]]}, math.log(4 / 3)),
    # Entropies: of m = (¾, ¼), less half that of p = (½, ½); Z = ½ log 2.
    ("generalized_jsd_loss", HALVES, {}, 0.75 * math.log(4 / 3) / (0.5 * math.log(2))),
    ("generalized_jsd_loss", (X, X.softmax(1)), {"pi": 0.3}, 0.0),
    ("generalized_jsd_loss", (t64([[-900, 0]]), torch.tensor([0])), {}, 2.0),
)
