"""Differences of log-gammas and of near numbers, exact where subtracting the two would leave nothing."""

from __future__ import annotations

import math
from typing import TypeVar

import torch
from torch import Tensor

X = TypeVar("X", float, Tensor)

# From here on the asymptotic series below are exact to 1e-13.
FAR = 10.0
# Below, the series of log1p_deficit is.
SMALL = 2.0**-7


def log_gamma_half_step(x: float) -> float:
    """Log Γ(x + ½) − log Γ(x) of a number x > 0."""
    return math.lgamma(x + 0.5) - math.lgamma(x) if x < FAR else math.log(x) / 2 + _half_step_series(x)


def log_gamma_half_steps(x: Tensor) -> Tensor:
    """Log Γ(x + ½) − log Γ(x) of a tensor of x > 0."""
    near, far = x.clamp(max=FAR), x.clamp(min=FAR)
    return torch.where(
        x < FAR, torch.lgamma(near + 0.5) - torch.lgamma(near), torch.log(far) / 2 + _half_step_series(far)
    )


def _half_step_series(x: X) -> X:
    v = 1 / x
    v2 = v * v
    return -v * (1 / 8 - v2 * (1 / 192 - v2 * (1 / 640 - v2 * (17 / 14336 - v2 * (31 / 18432)))))


def log_rising(y: Tensor, log_alpha: Tensor) -> Tensor:
    """Log Γ(y + r) − log Γ(r) − y log r with r = 1/α: for a whole y the sum of log(1 + kα) over k < y.

    For a small α by Stirling's formula, whose large terms cancel on paper: what is left vanishes with α, and so does
    its slope.
    """
    edge = -math.log(FAR)
    alpha = torch.exp(log_alpha.clamp(max=edge))
    t = alpha * y
    small = t < SMALL
    deficit = torch.where(small, log1p_deficit(torch.where(small, t, 0.0)), _deficit(torch.where(small, 1.0, t)))
    far = (y - 0.5) * torch.log1p(t) - y * deficit + _stirling_series(alpha / (1 + t)) - _stirling_series(alpha)
    log_alpha_near = log_alpha.clamp(min=edge)
    r = torch.exp(-log_alpha_near)
    near = torch.lgamma(y + r) - torch.lgamma(r) + y * log_alpha_near
    return torch.where(log_alpha < edge, far, near)


def _stirling_series(v: Tensor) -> Tensor:
    """Log Γ(x) − ((x − ½) log x − x + ½ log 2π) with v = 1/x."""
    v2 = v.square()
    return v * (1 / 12 - v2 * (1 / 360 - v2 * (1 / 1260 - v2 * (1 / 1680 - v2 / 1188))))


def log1p_deficit(x: Tensor) -> Tensor:
    """1 − log(1 + x) / x for 0 ≤ x < 2⁻⁷, by its series: the quotient is a difference of near numbers there."""
    return x * (1 / 2 - x * (1 / 3 - x * (1 / 4 - x * (1 / 5 - x * (1 / 6 - x * (1 / 7 - x * (1 / 8 - x / 9)))))))


def _deficit(x: Tensor) -> Tensor:
    return 1 - torch.log1p(x) / x
