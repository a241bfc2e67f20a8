"""Losses of segmentation: cases and reference values."""

from __future__ import annotations

from tests.cases.base import SEG, Case, Golden, Variant, case, mask_probabilities, masks, one_channel, pixels
from tests.references import segmentation as ref

CASES: tuple[Case, ...] = (
    case(
        "dice_loss",
        ref.dice,
        Variant(pixels, keeps=("duplication", "scaling")),
        Variant(masks, {"smooth": 1.0, "absent": "count"}, keeps=("duplication",)),
        Variant(pixels, {"sum_over": "sample", "absent": "zero"}, keeps=("scaling",)),
        Variant(one_channel, {"squared": True, "sum_over": "sample"}, keeps=("scaling",)),
        Variant(
            mask_probabilities, {"from_logits": False, "absent": "count", "sum_over": "sample"}, keeps=("scaling",)
        ),
        kind="batch",
        unit_axis=1,
    ),
)

GOLDEN: tuple[Golden, ...] = (
    ("dice_loss", SEG, {"from_logits": False}, 0.2307692308),
    ("dice_loss", SEG, {"from_logits": False, "squared": True}, 0.08256880734),
    ("dice_loss", SEG, {"from_logits": False, "smooth": 1.0}, 1 - 4.0 / 4.9),
)
