"""References for tests/cases/robust.py."""

from __future__ import annotations

import decimal
import math
from decimal import Decimal


def log_cosh(p: float, t: float) -> float:
    with decimal.localcontext(prec=40):
        d = Decimal(float(p)) - Decimal(float(t))
        return float(((d.exp() + (-d).exp()) / 2).ln())


def charbonnier(p: float, t: float, eps: float = 1e-3) -> float:
    return math.dist((p, 0), (t, eps))


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


def cauchy(p: float, t: float, scale: float = 1.0) -> float:
    with decimal.localcontext(prec=40):
        x = (Decimal(float(p)) - Decimal(float(t))) / Decimal(scale)
        return float((1 + x * x / 2).ln())


def geman_mcclure(p: float, t: float, scale: float = 1.0) -> float:
    return barron(p, t, -2.0, scale)


def welsch(p: float, t: float, scale: float = 1.0) -> float:
    with decimal.localcontext(prec=40):
        x = (Decimal(float(p)) - Decimal(float(t))) / Decimal(scale)
        return float(1 - (-x * x / 2).exp())


def tukey(p: float, t: float, c: float = 4.685) -> float:
    with decimal.localcontext(prec=40):
        bound = Decimal(c)
        x = (Decimal(float(p)) - Decimal(float(t))) / bound
        return float(bound**2 / 6 * (1 - (1 - x * x) ** 3 if abs(x) <= 1 else 1))


def wing(p: float, t: float, width: float = 10.0, curvature: float = 2.0) -> float:
    d = abs(p - t)
    if d < width:
        return width * math.log1p(d / curvature)
    return d - (width - width * math.log1p(width / curvature))


def balanced_l1(p: float, t: float, alpha: float = 0.5, gamma: float = 1.5, beta: float = 1.0) -> float:
    with decimal.localcontext(prec=40):
        a, g, cut = Decimal(alpha), Decimal(gamma), Decimal(beta)
        d, b = abs(Decimal(float(p)) - Decimal(float(t))), (g / a).exp() - 1
        if d < cut:
            return float(a / b * (b * d + 1) * (b * d / cut + 1).ln() - a * d)
        return float(g * d + g / b - a * cut)
