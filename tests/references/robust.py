"""References for tests/cases/robust.py."""

from __future__ import annotations

import decimal
import math
from decimal import Decimal


def barron(p: float, t: float, alpha: float = 1.0, scale: float = 1.0) -> float:
    x2 = ((p - t) / scale) ** 2
    if alpha == 2:
        return x2 / 2
    if alpha == 0:
        return math.log(x2 / 2 + 1)
    if alpha == math.inf:
        return math.exp(x2 / 2) - 1
    if alpha == -math.inf:
        return 1 - math.exp(-x2 / 2)
    # 40 digits: near alpha = 0 and 2 the textbook form loses most of a float's 16.
    with decimal.localcontext(prec=40):
        exact_alpha, exact_x2 = Decimal(alpha), ((Decimal(p) - Decimal(t)) / Decimal(scale)) ** 2
        gap = abs(exact_alpha - 2)
        return float(gap / exact_alpha * ((exact_x2 / gap + 1) ** (exact_alpha / 2) - 1))
