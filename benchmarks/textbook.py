"""Every loss as a textbook or a gist writes it: reduced to the mean, no weights, no care for the tails.

These are what the catalogue's benchmark compares with; the benchmark checks that the values agree on ordinary inputs.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

COUNTS = torch.arange(1.0, 101.0)


def log_cosh(p: Tensor, t: Tensor) -> Tensor:
    return torch.log(torch.cosh(p - t)).mean()


def rmse(p: Tensor, t: Tensor) -> Tensor:
    return torch.sqrt(F.mse_loss(p, t))


def charbonnier(p: Tensor, t: Tensor) -> Tensor:
    return torch.sqrt((p - t) ** 2 + 1e-6).mean()


def barron(p: Tensor, t: Tensor) -> Tensor:
    return (torch.sqrt((p - t) ** 2 + 1) - 1).mean()


def cauchy(p: Tensor, t: Tensor) -> Tensor:
    return torch.log(0.5 * (p - t) ** 2 + 1).mean()


def geman_mcclure(p: Tensor, t: Tensor) -> Tensor:
    square = (p - t) ** 2
    return (2 * square / (square + 4)).mean()


def welsch(p: Tensor, t: Tensor) -> Tensor:
    return (1 - torch.exp(-0.5 * (p - t) ** 2)).mean()


def tukey(p: Tensor, t: Tensor) -> Tensor:
    c = 4.685
    d = p - t
    inside = c**2 / 6 * (1 - (1 - (d / c) ** 2) ** 3)
    return torch.where(d.abs() <= c, inside, torch.full_like(d, c**2 / 6)).mean()


def epsilon_insensitive(p: Tensor, t: Tensor) -> Tensor:
    return torch.relu((p - t).abs() - 0.1).mean()


def msle(p: Tensor, t: Tensor) -> Tensor:
    return ((torch.log1p(p) - torch.log1p(t)) ** 2).mean()


def mape(p: Tensor, t: Tensor) -> Tensor:
    return ((p - t).abs() / t.abs().clamp(min=1e-8)).mean()


def smape(p: Tensor, t: Tensor) -> Tensor:
    return (2 * (p - t).abs() / (p.abs() + t.abs())).mean()


def wing(p: Tensor, t: Tensor) -> Tensor:
    d = (p - t).abs()
    c = 10 - 10 * math.log1p(10 / 2)
    return torch.where(d < 10, 10 * torch.log1p(d / 2), d - c).mean()


def balanced_l1(p: Tensor, t: Tensor) -> Tensor:
    alpha, gamma, beta = 0.5, 1.5, 1.0
    b = math.exp(gamma / alpha) - 1
    d = (p - t).abs()
    near = alpha / b * (b * d + 1) * torch.log(b * d / beta + 1) - alpha * d
    return torch.where(d < beta, near, gamma * d + gamma / b - alpha * beta).mean()


def silog(p: Tensor, t: Tensor) -> Tensor:
    g = torch.log(p) - torch.log(t)
    return (g**2).mean() - 0.5 * g.mean() ** 2


def cosine_similarity(p: Tensor, t: Tensor) -> Tensor:
    return (1 - F.cosine_similarity(p, t, dim=-1)).mean()


def ccc(p: Tensor, t: Tensor) -> Tensor:
    p_mean, t_mean = p.mean(), t.mean()
    covariance = ((p - p_mean) * (t - t_mean)).mean()
    total = p.var(correction=0) + t.var(correction=0) + (p_mean - t_mean) ** 2
    return 1 - 2 * covariance / (total + 1e-8)


def pearson(p: Tensor, t: Tensor) -> Tensor:
    p, t = p - p.mean(), t - t.mean()
    return 1 - (p * t).mean() / (torch.sqrt((p**2).mean() * (t**2).mean()) + 1e-8)


def ghmr(p: Tensor, t: Tensor) -> Tensor:
    mu, bins = 0.02, 10
    d = p - t
    root = torch.sqrt(d**2 + mu**2)
    norm = (d / root).abs().detach()
    weights = torch.zeros_like(d)
    occupied = 0
    for i in range(bins):
        inside = (norm >= i / bins) & (norm < (i + 1) / bins if i < bins - 1 else norm <= 1)
        count = inside.sum().item()
        if count:
            occupied += 1
            weights[inside] = d.numel() / count
    return ((root - mu) * weights / occupied).mean()


def quantile(p: Tensor, t: Tensor) -> Tensor:
    e = t - p
    return torch.maximum(0.5 * e, -0.5 * e).mean()


def expectile(p: Tensor, t: Tensor) -> Tensor:
    e = t - p
    return (torch.abs(0.5 - (e < 0).float()) * e**2).mean()


def gaussian_nll(p: Tensor, t: Tensor) -> Tensor:
    mean, log_variance = p[..., 0], p[..., 1]
    return (0.5 * (log_variance + (mean - t) ** 2 / torch.exp(log_variance))).mean()


def beta_nll(p: Tensor, t: Tensor) -> Tensor:
    mean, log_variance = p[..., 0], p[..., 1]
    variance = torch.exp(log_variance)
    return (0.5 * (log_variance + (mean - t) ** 2 / variance) * variance.detach() ** 0.5).mean()


def laplace_nll(p: Tensor, t: Tensor) -> Tensor:
    mean, log_scale = p[..., 0], p[..., 1]
    return (math.log(2) + log_scale + (mean - t).abs() / torch.exp(log_scale)).mean()


def student_t_nll(p: Tensor, t: Tensor) -> Tensor:
    return -torch.distributions.StudentT(4.0, p[..., 0], torch.exp(p[..., 1])).log_prob(t).mean()


def poisson_nll(p: Tensor, t: Tensor) -> Tensor:
    return (torch.exp(p) - t * p).mean()


def negative_binomial_nll(p: Tensor, t: Tensor) -> Tensor:
    mean, size = torch.exp(p[..., 0]), torch.exp(-p[..., 1])
    density = torch.lgamma(t + size) - torch.lgamma(size)
    density = density + size * torch.log(size / (size + mean)) + t * torch.log(mean / (size + mean))
    return -density.mean()


def gamma_nll(p: Tensor, t: Tensor) -> Tensor:
    return (p + t / torch.exp(p)).mean()


def tweedie(p: Tensor, t: Tensor) -> Tensor:
    mean = torch.exp(p)
    return (-t * mean**-0.5 / -0.5 + mean**0.5 / 0.5).mean()


def crps_gaussian(p: Tensor, t: Tensor) -> Tensor:
    normal = torch.distributions.Normal(0.0, 1.0)
    scale = torch.exp(p[..., 1])
    z = (t - p[..., 0]) / scale
    density = torch.exp(normal.log_prob(z))
    return (scale * (z * (2 * normal.cdf(z) - 1) + 2 * density - 1 / math.sqrt(math.pi))).mean()


def evidential_regression(p: Tensor, t: Tensor) -> Tensor:
    gamma, nu, alpha, beta = p.unbind(-1)
    nu, alpha, beta = F.softplus(nu), 1 + F.softplus(alpha), F.softplus(beta)
    omega = 2 * beta * (1 + nu)
    error = t - gamma
    likelihood = 0.5 * torch.log(math.pi / nu) - alpha * torch.log(omega)
    likelihood = likelihood + (alpha + 0.5) * torch.log(error**2 * nu + omega)
    likelihood = likelihood + torch.lgamma(alpha) - torch.lgamma(alpha + 0.5)
    return (likelihood + 0.01 * error.abs() * (2 * nu + alpha)).mean()


def hl_gauss(p: Tensor, t: Tensor) -> Tensor:
    support = torch.linspace(-5, 5, p.shape[1] + 1)
    cdf = torch.special.erf((support - t.unsqueeze(-1)) / (math.sqrt(2) * 0.5))
    mass = cdf[:, 1:] - cdf[:, :-1]
    return F.cross_entropy(p, mass / (cdf[:, -1] - cdf[:, 0]).unsqueeze(-1))


def focal(p: Tensor, t: Tensor) -> Tensor:
    likelihood = F.binary_cross_entropy_with_logits(p, t, reduction="none")
    return ((1 - torch.exp(-likelihood)) ** 2 * likelihood).mean()


def ghmc(p: Tensor, t: Tensor) -> Tensor:
    bins = 30
    norm = (torch.sigmoid(p) - t).abs().detach()
    weights = torch.zeros_like(p)
    occupied = 0
    for i in range(bins):
        inside = (norm >= i / bins) & (norm < (i + 1) / bins if i < bins - 1 else norm <= 1)
        count = inside.sum().item()
        if count:
            occupied += 1
            weights[inside] = p.numel() / count
    return (F.binary_cross_entropy_with_logits(p, t, reduction="none") * weights / occupied).mean()


def asymmetric(p: Tensor, t: Tensor) -> Tensor:
    positive = torch.sigmoid(p)
    negative = (1 - positive + 0.05).clamp(max=1)
    likelihood = t * torch.log(positive.clamp(min=1e-8)) + (1 - t) * torch.log(negative.clamp(min=1e-8))
    focus = t * (1 - positive) + (1 - t) * (1 - negative) ** 4
    return -(likelihood * focus).mean()


def hinge(p: Tensor, t: Tensor) -> Tensor:
    return torch.relu(1 - (2 * t - 1) * p).mean()


def soft_margin(p: Tensor, t: Tensor) -> Tensor:
    return torch.log(1 + torch.exp(-(2 * t - 1) * p)).mean()


def zlpr(p: Tensor, t: Tensor) -> Tensor:
    negative = torch.where(t > 0, -1e12, p)
    positive = torch.where(t > 0, -p, -1e12)
    zero = torch.zeros_like(p[:, :1])
    return (
        torch.logsumexp(torch.cat((negative, zero), 1), 1) + torch.logsumexp(torch.cat((positive, zero), 1), 1)
    ).mean()


def soft_fbeta(p: Tensor, t: Tensor) -> Tensor:
    p = torch.sigmoid(p)
    tp, fn, fp = (p * t).sum(), ((1 - p) * t).sum(), (p * (1 - t)).sum()
    return 1 - 2 * tp / (2 * tp + fn + fp)


def mcc(p: Tensor, t: Tensor) -> Tensor:
    p = torch.sigmoid(p).double()
    tp, fn, fp, tn = (p * t).sum(), ((1 - p) * t).sum(), (p * (1 - t)).sum(), ((1 - p) * (1 - t)).sum()
    return (1 - (tp * tn - fp * fn) / torch.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))).float()


def pairwise_auc(p: Tensor, t: Tensor) -> Tensor:
    gap = p[t == 1].unsqueeze(1) - p[t == 0].unsqueeze(0)
    return (torch.relu(1 - gap) ** 2).mean()


def nnpu(p: Tensor, t: Tensor) -> Tensor:
    positive, unlabelled = p[t == 1], p[t == 0]
    prior = 0.4
    risk = torch.sigmoid(unlabelled).mean() - prior * torch.sigmoid(positive).mean()
    return prior * torch.sigmoid(-positive).mean() + torch.clamp(risk, min=0.0)


def own(p: Tensor, t: Tensor) -> Tensor:
    return torch.softmax(p, 1).gather(1, t.unsqueeze(1)).squeeze(1)


def softmax_focal(p: Tensor, t: Tensor) -> Tensor:
    likelihood = F.cross_entropy(p, t, reduction="none")
    return ((1 - torch.exp(-likelihood)) ** 2 * likelihood).mean()


def poly1(p: Tensor, t: Tensor) -> Tensor:
    return (F.cross_entropy(p, t, reduction="none") + 1 - own(p, t)).mean()


def crammer_singer(p: Tensor, t: Tensor) -> Tensor:
    where = t.unsqueeze(1)
    others = p.scatter(1, where, -torch.inf).amax(1)
    return torch.relu(1 + others - p.gather(1, where).squeeze(1)).mean()


def sparsemax_projection(p: Tensor) -> Tensor:
    ordered = p.sort(1, descending=True).values
    total = ordered.cumsum(1) - 1
    rank = torch.arange(1, p.shape[1] + 1, dtype=p.dtype)
    size = (rank * ordered > total).sum(1, keepdim=True)
    return torch.relu(p - total.gather(1, size - 1) / size)


def sparsemax(p: Tensor, t: Tensor) -> Tensor:
    with torch.no_grad():
        q = sparsemax_projection(p)
    value = (q * p).sum(1) - 0.5 * (q**2).sum(1) + 0.5 - p.gather(1, t.unsqueeze(1)).squeeze(1)
    return value.mean()


def entmax15_projection(p: Tensor) -> Tensor:
    x = p / 2
    ordered = x.sort(1, descending=True).values
    rank = torch.arange(1, p.shape[1] + 1, dtype=p.dtype)
    mean = ordered.cumsum(1) / rank
    square = (ordered**2).cumsum(1) / rank
    spread = rank * (square - mean**2)
    threshold = mean - torch.sqrt(torch.relu((1 - spread) / rank))
    size = (threshold <= ordered).sum(1, keepdim=True)
    return torch.relu(x - threshold.gather(1, size - 1)) ** 2


def entmax(p: Tensor, t: Tensor) -> Tensor:
    with torch.no_grad():
        q = entmax15_projection(p)
    entropy = (1 - (q * torch.sqrt(q)).sum(1)) / 0.75
    return ((q * p).sum(1) - p.gather(1, t.unsqueeze(1)).squeeze(1) + entropy).mean()


def brier(p: Tensor, t: Tensor) -> Tensor:
    return ((torch.softmax(p, 1) - F.one_hot(t, p.shape[1])) ** 2).sum(1).mean()


def confidence_penalty(p: Tensor, t: Tensor) -> Tensor:
    log_q = torch.log_softmax(p, 1)
    entropy = -(log_q.exp() * log_q).sum(1)
    return F.cross_entropy(p, t) - 0.1 * entropy.mean()


def z(p: Tensor, t: Tensor) -> Tensor:
    return F.cross_entropy(p, t) + 1e-4 * (torch.logsumexp(p, 1) ** 2).mean()


def logit_norm(p: Tensor, t: Tensor) -> Tensor:
    norm = torch.norm(p, p=2, dim=-1, keepdim=True) + 1e-7
    return F.cross_entropy(p / norm / 0.04, t)


def ohem(p: Tensor, t: Tensor) -> Tensor:
    values = F.cross_entropy(p, t, reduction="none")
    return values.topk(math.ceil(0.7 * len(values))).values.mean()


def gce(p: Tensor, t: Tensor) -> Tensor:
    return ((1 - own(p, t) ** 0.7) / 0.7).mean()


def mae_classification(p: Tensor, t: Tensor) -> Tensor:
    return (torch.softmax(p, 1) - F.one_hot(t, p.shape[1])).abs().sum(1).mean()


def normalized_cross_entropy(p: Tensor, t: Tensor) -> Tensor:
    log_q = torch.log_softmax(p, 1)
    return (log_q.gather(1, t.unsqueeze(1)).squeeze(1) / log_q.sum(1)).mean()


def active_passive(p: Tensor, t: Tensor) -> Tensor:
    return normalized_cross_entropy(p, t) + (4 * (1 - own(p, t))).mean()


def symmetric_cross_entropy(p: Tensor, t: Tensor) -> Tensor:
    q = torch.softmax(p, 1)
    reverse = -(q * torch.log(F.one_hot(t, p.shape[1]).float().clamp(min=math.exp(-4)))).sum(1)
    return 0.1 * F.cross_entropy(p, t) + reverse.mean()


def bi_tempered(p: Tensor, t: Tensor) -> Tensor:
    t1, t2 = 0.8, 1.2
    top = p.amax(1, keepdim=True)
    centred = p - top
    scaled = centred
    for _ in range(20):
        total = torch.relu(1 + (1 - t2) * scaled).pow(1 / (1 - t2)).sum(1, keepdim=True)
        scaled = centred * total ** (1 - t2)
    total = torch.relu(1 + (1 - t2) * scaled).pow(1 / (1 - t2)).sum(1, keepdim=True)
    normaliser = -((1 / total) ** (1 - t2) - 1) / (1 - t2) + top
    q = torch.relu(1 + (1 - t2) * (p - normaliser)).pow(1 / (1 - t2))
    y = F.one_hot(t, p.shape[1]).to(p.dtype)
    first = y * (((y + 1e-10) ** (1 - t1) - 1) / (1 - t1) - (q ** (1 - t1) - 1) / (1 - t1))
    return (first - (y ** (2 - t1) - q ** (2 - t1)) / (2 - t1)).sum(1).mean()


def bootstrap(p: Tensor, t: Tensor) -> Tensor:
    q = torch.softmax(p, 1)
    target = 0.95 * F.one_hot(t, p.shape[1]) + 0.05 * q
    return -(target * torch.log_softmax(p, 1)).sum(1).mean()


def generalized_jsd(p: Tensor, t: Tensor) -> Tensor:
    y, q = F.one_hot(t, p.shape[1]).to(p.dtype), torch.softmax(p, 1)
    middle = torch.log((0.5 * y + 0.5 * q).clamp(1e-7, 1))
    divergence = 0.5 * F.kl_div(middle, y, reduction="none") + 0.5 * F.kl_div(middle, q, reduction="none")
    return divergence.sum(1).mean() / (-0.5 * math.log(0.5))


def forward_correction(p: Tensor, t: Tensor) -> Tensor:
    classes = p.shape[1]
    transition = torch.full((classes, classes), 0.2 / (classes - 1)).fill_diagonal_(0.8)
    return F.nll_loss(torch.log(torch.softmax(p, 1) @ transition), t)


def ldam(p: Tensor, t: Tensor) -> Tensor:
    margins = COUNTS[: p.shape[1]] ** -0.25
    margins = 0.5 * margins / margins.max()
    shifted = p - F.one_hot(t, p.shape[1]) * margins
    return F.cross_entropy(30 * shifted, t)


def balanced_softmax(p: Tensor, t: Tensor) -> Tensor:
    return F.cross_entropy(p + torch.log(COUNTS[: p.shape[1]]), t)


def logit_adjusted(p: Tensor, t: Tensor) -> Tensor:
    counts = COUNTS[: p.shape[1]]
    return F.cross_entropy(p + torch.log(counts / counts.sum()), t)


def seesaw(p: Tensor, t: Tensor) -> Tensor:
    counts = COUNTS[: p.shape[1]]
    one_hot = F.one_hot(t, p.shape[1])
    mitigation = (counts[None, :] / counts[t][:, None]).clamp(max=1) ** 0.8
    scores = torch.softmax(p.detach(), 1)
    own_score = scores.gather(1, t.unsqueeze(1)).clamp(min=0.01)
    compensation = (scores / own_score).clamp(min=1) ** 2
    return F.cross_entropy(p + torch.log(mitigation * compensation) * (1 - one_hot), t)


def dice(p: Tensor, t: Tensor) -> Tensor:
    q = torch.softmax(p, 1)
    y = F.one_hot(t, p.shape[1]).movedim(-1, 1).to(p.dtype)
    axes = (0, 2)
    return (1 - 2 * (q * y).sum(axes) / (q + y).sum(axes).clamp(min=1e-7)).mean()
