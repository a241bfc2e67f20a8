"""References for tests/cases/distribution.py: densities and integrals, most of them by the standard library."""

from __future__ import annotations

import decimal
import itertools
import math
from decimal import Decimal
from statistics import NormalDist
from typing import Any

from tests.references.common import log_softmax


def gaussian_nll(p: Any, t: float, full: bool = False) -> float:
    mean, log_variance = map(float, p)
    constant = 0.0 if full else math.log(2 * math.pi) / 2
    deviation = math.exp(log_variance) ** 0.5
    return math.log(deviation) + ((t - mean) / deviation) ** 2 / 2 + math.log(2 * math.pi) / 2 - constant


def beta_nll(p: Any, t: float, beta: float = 0.5) -> float:
    return math.exp(float(p[1])) ** beta * gaussian_nll(p, t)


def laplace_nll(p: Any, t: float) -> float:
    b = math.exp(p[1])
    return math.log(2 * b) + abs(t - p[0]) / b


def _log_t_density(t: float, location: float, scale2: float, df: float) -> float:
    """By 40 digits of decimals: the gammas of a large df are large, and near one another."""
    with decimal.localcontext(prec=40):
        tail = (1 + Decimal((t - location) ** 2 / scale2) / Decimal(df)).ln() * Decimal(df + 1) / 2
        log_gammas = _log_gamma(Decimal(df) / 2 + Decimal("0.5")) - _log_gamma(Decimal(df) / 2)
        return float(log_gammas - tail) - math.log(df * math.pi * scale2) / 2


def _log_gamma(x: Decimal) -> Decimal:
    """Stirling's series at x + 60, and back by the product."""
    shift, n = Decimal(0), 60
    for k in range(n):
        shift += (x + k).ln()
    x += n
    bernoulli = [(1, 12), (-1, 360), (1, 1260), (-1, 1680), (1, 1188), (-691, 360360), (1, 156)]
    series = sum((Decimal(a) / b / x ** (2 * k + 1) for k, (a, b) in enumerate(bernoulli)), Decimal(0))
    two_pi = Decimal("6.283185307179586476925286766559005768394338798750")
    return (x - Decimal("0.5")) * x.ln() - x + two_pi.ln() / 2 + series - shift


def student_t_nll(p: Any, t: float, df: float = 4.0) -> float:
    return -_log_t_density(float(t), float(p[0]), math.exp(2 * p[1]), df)


def poisson_nll(p: float, t: float, full: bool = False) -> float:
    rate = math.exp(p)
    return rate - t * math.log(rate) + (math.log(math.gamma(t + 1)) if full else 0.0)


def negative_binomial_nll(p: Any, t: int) -> float:
    """For whole counts: P(y) = Π_{k<y} (1 + kα) · μ^y / (1 + αμ)^(y + 1/α) / y!."""
    with decimal.localcontext(prec=40):
        mean, alpha = Decimal(float(p[0])).exp(), Decimal(float(p[1])).exp()
        rising = sum(((1 + k * alpha).ln() for k in range(int(t))), Decimal(0))
        return float((int(t) + 1 / alpha) * (1 + alpha * mean).ln() - int(t) * Decimal(float(p[0])) - rising)


def gamma_nll(p: float, t: float) -> float:
    mean = math.exp(p)
    return math.log(mean) + t / mean


def tweedie(p: float, t: float, power: float = 1.5) -> float:
    mean = math.exp(p)
    return float(mean ** (2 - power) / (2 - power) - t * mean ** (1 - power) / (1 - power))


def crps_gaussian(p: Any, t: float) -> float:
    """E|X − y| − ½E|X − X'|, both by the moments of a folded normal distribution."""
    mean, deviation = float(p[0]), math.exp(p[1])
    normal = NormalDist(mean, deviation)
    below, density = normal.cdf(float(t)), normal.pdf(float(t))
    distance = (t - mean) * (2 * below - 1) + 2 * deviation**2 * density
    return float(distance - deviation / math.sqrt(math.pi))


def _softplus(raw: float) -> float:
    return math.log(1 + math.exp(raw))


def evidential_regression(p: Any, t: float, coefficient: float = 0.01) -> float:
    """The t distribution that the normal-inverse-gamma belief predicts, and the cost of wrong evidence."""
    gamma, nu, alpha, beta = float(p[0]), _softplus(p[1]), 1 + _softplus(p[2]), _softplus(p[3])
    likelihood = _log_t_density(float(t), gamma, beta * (1 + nu) / (nu * alpha), 2 * alpha)
    return float(-likelihood + coefficient * abs(t - gamma) * (2 * nu + alpha))


def hl_gauss(p: Any, t: float, low: float, high: float, sigma: float) -> float:
    bins = len(p)
    edges = [low + (high - low) * j / bins for j in range(bins + 1)]
    above = [math.erfc((e - t) / sigma / math.sqrt(2)) / 2 for e in edges]
    masses = [a - b for a, b in itertools.pairwise(above)]
    return -sum(m * q for m, q in zip(masses, log_softmax(p), strict=True)) / math.fsum(masses)
