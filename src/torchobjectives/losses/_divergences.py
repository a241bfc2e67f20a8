"""Divergences of a prediction from the label: Bregman's of tempered logarithms, and Jensen and Shannon's."""

from __future__ import annotations

import math
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from torchobjectives._link import class_axis
from torchobjectives.losses._softmax import Classes, one_hot

# Newton's steps from below the root, each of them monotone: 8 reach 1e-10 in every case tried (t2 up to 4).
STEPS: Final = 10


def tempered_divergence(log_p: Tensor, given: Classes, t1: float, label_smoothing: float) -> Tensor:
    """The Bregman divergence of the (smoothed) target from p."""
    axis, power = class_axis(log_p), 2 - t1
    if given.class_index is not None and not label_smoothing:
        # Without the class itself in the sum nothing cancels where its probability is near 1.
        own = log_p.gather(axis, given.class_index.unsqueeze(axis)).squeeze(axis)
        others = torch.where(one_hot(given.class_index, log_p), 0.0, torch.exp(power * log_p))
        return (others.sum(axis) + torch.expm1(power * own)) / power - tempered_log(own, t1)
    y = one_hot(given.class_index, log_p).to(log_p.dtype) if given.class_index is not None else given.probabilities
    assert y is not None
    q = (1 - label_smoothing) * y + label_smoothing / y.shape[axis]
    # 0 · log 0 = 0.
    log_q = torch.log(torch.where(q > 0, q, 1.0))
    terms = q * (tempered_log(log_q, t1) - tempered_log(log_p, t1)) - (q**power - torch.exp(power * log_p)) / power
    return terms.sum(axis)


def tempered_log(log_v: Tensor, t: float) -> Tensor:
    return torch.expm1((1 - t) * log_v) / (1 - t) if t != 1 else log_v


def tempered_log_softmax(y_pred: Tensor, t: float) -> Tensor:
    """Log p of p_c = (1 + (t − 1)(μ − a_c))^(−1 / (t − 1)) with a = y_pred − max and the μ ≥ 0 that makes Σp = 1."""
    axis = class_axis(y_pred)
    if t == 1:
        return F.log_softmax(y_pred, axis)
    below = y_pred - y_pred.detach().amax(axis, keepdim=True)

    def log_p(mu: Tensor, a: Tensor) -> Tensor:
        return -torch.log1p((t - 1) * (mu - a)) / (t - 1)

    def step(mu: Tensor, a: Tensor) -> Tensor:
        """Newton's for (Σp)^(1 − t) = 1, which is concave in μ: never beyond the root from below."""
        logs = log_p(mu, a)
        total = torch.logsumexp(logs, axis, keepdim=True)
        slope = torch.exp(t * (logs - total)).sum(axis, keepdim=True)
        return mu - torch.expm1((1 - t) * total) / ((t - 1) * slope)

    mu, constant = torch.zeros_like(below.detach().narrow(axis, 0, 1)), below.detach()
    for _ in range(STEPS):
        mu = step(mu, constant)
    # From the root as a constant, a step with gradient makes the first derivative exact, a second one the second.
    return log_p(step(step(mu, below), below), below)


def tempered_softmax(y_pred: Tensor, t2: float) -> Tensor:
    return torch.exp(tempered_log_softmax(y_pred, t2))


def jsd_of_label(u: Tensor, pi: float) -> Tensor:
    """−π log m_k − (1 − π) [p_k log(m_k / p_k) + (1 − p_k) log(1 − π)], of u = −log p_k."""
    p, against = torch.exp(-u), -torch.expm1(-u)
    # The form that loses nothing near 0, and the one that loses nothing near 1.
    log_m = torch.where(p < 0.5, torch.log(pi + (1 - pi) * p), torch.log1p((pi - 1) * against))
    # Beyond 80, p is below 1e-34 and its term nothing, while e^u would overflow.
    ratio = torch.log1p(pi * torch.expm1(u.clamp(max=80)))
    return -pi * log_m - (1 - pi) * (p * ratio + against * math.log1p(-pi))


def jsd_of_distribution(given: Classes, pi: float) -> Tensor:
    assert given.probabilities is not None
    axis, y = class_axis(given.y_pred), given.probabilities
    # 0 · log 0 = 0: as low as a number or a logarithm goes instead of −inf.
    log_p = F.log_softmax(given.y_pred, axis).clamp(min=torch.finfo(y.dtype).min)
    log_y = torch.log(y.clamp(min=torch.finfo(y.dtype).tiny))
    # Not logaddexp, whose second derivative is NaN where one of the two is far below the other.
    log_m = torch.logsumexp(torch.stack((log_y + math.log(pi), log_p + math.log1p(-pi))), 0)
    return (pi * y * (log_y - log_m) + (1 - pi) * torch.exp(log_p) * (log_p - log_m)).sum(axis)
