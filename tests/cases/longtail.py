"""Losses of longtail: cases and reference values."""

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
from tests.references import longtail as ref

COUNTS: Final = t64([100, 10, 1])
HOLES: Final = t64([5, 0, 2])
CONSTANT: Final = ("gradcheck", "gradgradcheck")
GIVEN: Final = ("duplication", "micro_batch")

UNSEEN = "a class without samples has no probability"

CASES: tuple[Case, ...] = (
    case(
        "ldam_loss",
        ref.ldam,
        Variant(classes, {"class_counts": COUNTS}),
        Variant(pixels, {"class_counts": HOLES, "max_margin": 0.3, "scale": 2.0, "class_weight": WEIGHTS}),
        Variant(soft_classes, {"class_counts": COUNTS, "scale": 1.5}),
        Variant(soft_classes, {"class_counts": COUNTS, "max_margin": 0.0, "class_weight": SOME_WEIGHTS}),
        unit_axis=1,
    ),
    case(
        "balanced_softmax_loss",
        ref.balanced_softmax,
        Variant(classes, {"class_counts": COUNTS}),
        Variant(pixels, {"class_counts": HOLES, "class_weight": WEIGHTS}, hides=UNSEEN),
        Variant(soft_classes, {"class_counts": HOLES, "class_weight": SOME_WEIGHTS}),
        unit_axis=1,
    ),
    case(
        "logit_adjusted_loss",
        ref.logit_adjusted,
        Variant(classes, {"class_counts": COUNTS}),
        Variant(pixels, {"class_counts": COUNTS, "tau": 0.5, "class_weight": WEIGHTS}),
        Variant(soft_classes, {"class_counts": HOLES, "tau": 2.0}, hides=UNSEEN),
        Variant(classes, {"class_counts": HOLES, "tau": 1.3}, hides=UNSEEN),
        unit_axis=1,
    ),
    case(
        "seesaw_loss",
        ref.seesaw,
        Variant(classes, only_class={"num_classes": 3}),
        Variant(pixels, {"class_counts": HOLES, "class_weight": WEIGHTS}, keeps=GIVEN),
        Variant(soft_classes, {"p": 1.5, "q": 0.5, "class_weight": SOME_WEIGHTS}, only_class={"num_classes": 3}),
        Variant(soft_classes, {"class_counts": COUNTS, "q": 0.0}, keeps=(*GIVEN, *CONSTANT)),
        kind="counted",
        unit_axis=1,
    ),
)

GOLDEN: tuple[Golden, ...] = (
    ("ldam_loss", (X, K), {"class_counts": COUNTS}, 32.81170663),
    ("ldam_loss", (X, K), {"class_counts": COUNTS, "max_margin": 0.0, "scale": 1.0}, 1.212030709),
    # m = (4/12)^(1/4) and 1 of max_margin; log(1 + e^(s(x_1 − x_0 + m_0))).
    (
        "ldam_loss",
        (t64([[1.0, 0.0]]), torch.tensor([0])),
        {"class_counts": [16, 1], "max_margin": 1.0, "scale": 2.0},
        math.log1p(math.exp(-1.0)),
    ),
    ("balanced_softmax_loss", (X, K), {"class_counts": COUNTS}, 0.9316365944),
    ("balanced_softmax_loss", (X, K), {"class_counts": [7, 7, 7], "class_weight": W}, 1.371030848),
    ("balanced_softmax_loss", (t64([[0.0, 0.0]]), torch.tensor([0])), {"class_counts": [3, 1]}, math.log(4 / 3)),
    ("balanced_softmax_loss", (t64([[0.0, 0.0]]), torch.tensor([0])), {"class_counts": [3, 0]}, 0.0),
    ("balanced_softmax_loss", (t64([[0.0, 0.0]]), torch.tensor([1])), {"class_counts": [3, 0]}, math.log(4)),
    ("logit_adjusted_loss", (X, K), {"class_counts": COUNTS}, 0.9316365944),
    ("logit_adjusted_loss", (X, K), {"class_counts": [5, 0, 0], "tau": 0.0}, 1.212030709),
    ("logit_adjusted_loss", (X, SOFT), {"class_counts": [4, 4, 4], "tau": 3.0}, 0.5753640424),
    (
        "logit_adjusted_loss",
        (t64([[0.0, 0.0]]), torch.tensor([0])),
        {"class_counts": [3, 1], "tau": 2.0},
        math.log(10 / 9),
    ),
    ("seesaw_loss", (X, K), {"p": 0.0, "q": 0.0}, 1.212030709),
    # Two classes, 16 : 1 samples: mitigated by 1/16; the other way not; compensated by (3/1)².
    ("seesaw_loss", (t64([[0.0, 0.0]]), torch.tensor([0])), {"class_counts": [16, 1], "p": 1.0}, math.log(17 / 16)),
    ("seesaw_loss", (t64([[0.0, 0.0]]), torch.tensor([1])), {"class_counts": [16, 1], "p": 1.0}, math.log(2)),
    ("seesaw_loss", (t64([[0.0, math.log(3)]]), torch.tensor([0])), {}, math.log(28)),
    # p = 1e-6 of the true class is divided by as 0.01.
    ("seesaw_loss", (t64([[0.0, math.log(999999)]]), torch.tensor([0])), {"q": 1.0}, math.log(1 + 999999 * 99.9999)),
)
