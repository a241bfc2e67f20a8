"""Losses of robust: cases and reference values."""

from __future__ import annotations

import math

from tests.cases.base import Case, Golden, R, Variant, case, reals
from tests.references import robust as ref

CASES: tuple[Case, ...] = (
    case(
        "barron_loss",
        ref.barron,
        Variant(reals),
        *(Variant(reals, {"alpha": a, "scale": 0.7}) for a in (2.0, 0.0, -2.0, 1.3, 3.0, -float("inf"), float("inf"))),
        Variant(reals, {"alpha": 1e-6}),
        Variant(reals, {"alpha": 2 - 1e-9}),
    ),
)

GOLDEN: tuple[Golden, ...] = (
    ("barron_loss", R, {"alpha": 1.0}, 0.3680339887),
    ("barron_loss", R, {"alpha": 0.0}, 0.33354459),
    ("barron_loss", R, {"alpha": -2.0}, 0.3088235294),
    ("barron_loss", R, {"alpha": -math.inf}, 0.2749177279),
    ("barron_loss", R, {"alpha": 2.0}, 0.5625),
)
