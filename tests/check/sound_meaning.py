"""Sound losses that mean something unusual: none may get an error or a warning.

``SOUND[name] = (make, example, arguments)``: arguments go to ``check_loss``.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.check.sound import Centers, Proxies, Row, bits, classes, contrastive, drawn, positive

# A reference to beat, and other quantities that are not the one predicted


def preferred(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Log-probabilities of the chosen and the rejected answer, and those of a reference."""
    gain = (y_pred[:, 0] - y_pred[:, 1]) - (y_true[:, 0] - y_true[:, 1]).detach()
    return -F.logsigmoid(0.3 * gain).mean()


def preferred_by_so_much(y_pred: Tensor, y_true: Tensor) -> Tensor:
    gain = (y_pred[:, 0] - y_pred[:, 1]) - (y_true[:, 0] - y_true[:, 1])
    return (gain - 5).square().mean()


def above_reference(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.softplus(0.5 * (y_true - y_pred)).mean()


def residual(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Of u'' = f with u = 0 at both ends: y_pred is u, y_true f."""
    second = (y_pred[:, 2:] - 2 * y_pred[:, 1:-1] + y_pred[:, :-2]) / 0.25
    return (second - y_true[:, 1:-1]).square().mean() + 5 * (y_pred[:, 0] ** 2 + y_pred[:, -1] ** 2).mean()


def one_step(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Of the heat equation: y_true is the state now, y_pred the next one."""
    wanted = y_true.clone()
    wanted[:, 1:-1] = y_true[:, 1:-1] + 0.2 * (y_true[:, 2:] - 2 * y_true[:, 1:-1] + y_true[:, :-2])
    return F.mse_loss(y_pred, wanted)


def velocities(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.huber_loss(y_pred[:, 1:], (y_true[:, 1:] - y_true[:, :-1]) / 0.1)


def deblurred(y_pred: Tensor, y_true: Tensor) -> Tensor:
    kernel = y_pred.new_full((1, 1, 3, 3), 1 / 9)
    blurred = F.conv2d(F.pad(y_pred, (1, 1, 1, 1), mode="replicate"), kernel)
    return (blurred - y_true).square().mean() + 0.01 * (y_pred[..., 1:] - y_pred[..., :-1]).square().mean()


def score_of_noise(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return 0.1 * (y_pred + 4 * y_true).square().sum(1).mean()


def differences_of_scores(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return ((y_pred[:, :1] - y_pred[:, 1:]) - (y_true[:, :1] - y_true[:, 1:])).square().mean()


def quantiles_of_samples(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Each row of y_true holds samples, in no order."""
    count = y_pred.shape[1]
    level = ((torch.arange(count, dtype=y_pred.dtype) + 0.5) / count)[None, :, None]
    error = y_true[:, None, :] - y_pred[:, :, None]
    return torch.maximum(level * error, (level - 1) * error).mean()


def better_item(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Of two items the first is the better one; y_true is a weight."""
    return -(F.logsigmoid(y_pred[:, 0] - y_pred[:, 1]) * y_true[:, 0]).mean()


def first_is_best(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return -((-y_true).softmax(1) * y_pred.log_softmax(1)).sum(1).mean()


def compound(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Tweedie's deviance, of the logarithm of the mean."""
    return (torch.exp(0.5 * y_pred) / 0.5 + y_true * torch.exp(-0.5 * y_pred) / 0.5).mean()


def linear_critic(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return -(y_pred * (2 * y_true - 1)).mean()


def one_bit(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """A straight-through estimator."""
    soft = torch.tanh(y_pred)
    hard = soft + (torch.sign(y_pred) - soft).detach()
    return (hard - y_true).square().mean()


def list_net(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return -(y_true.softmax(1) * y_pred.log_softmax(1)).sum(1).mean()


def complementary_log1p(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """y_true names a class that the sample is not of."""
    p = y_pred.softmax(1).gather(1, y_true[:, None]).squeeze(1)
    return -torch.log1p(-p.float() * (1 - 1e-6)).mean()


def known_labels(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Several labels, of which those that are nan are not known."""
    known = ~y_true.isnan()
    cost = F.binary_cross_entropy_with_logits(y_pred, y_true.nan_to_num(), reduction="none")
    return torch.where(known, cost, torch.zeros_like(cost)).sum() / known.sum().clamp(min=1)


def pixels_of_bytes(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Labels in a byte, of which 255 counts for nothing."""
    total = F.cross_entropy(y_pred, y_true.long(), ignore_index=255, reduction="sum")
    return total / (y_true != 255).sum().clamp(min=1)


def byte_labels() -> Tensor:
    labels = classes(4, 2, 8, 8)
    labels[bits(2, 8, 8) > 0.5] = 255
    return labels.to(torch.uint8)


def some_unknown() -> Tensor:
    labels = bits(10, 5)
    labels[bits(10, 5, seed=8) > 0.5] = math.nan
    return labels


# Values


def symlog(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """The logarithm of the size is predicted: a link."""
    return 0.5 * (y_pred - torch.sign(y_true) * torch.log1p(y_true.abs())).square().mean()


class Standardised(nn.Module):
    """The model predicts in units of the training targets."""

    def __init__(self) -> None:
        super().__init__()
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(0.7))
        self.register_buffer("std", torch.tensor(1.9))

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return F.huber_loss(y_pred, (y_true - self.mean) / self.std)


def in_hundreds(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.mse_loss(y_pred, y_true / 100)


def clipped_rewards(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.smooth_l1_loss(y_pred, y_true.clamp(-1, 1))


def next_step(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.mse_loss(y_pred[:, :-1], y_true[:, 1:])


def with_total_variation(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.mse_loss(y_pred, y_true) + 0.2 * y_pred.diff(dim=-1).abs().mean() + 0.2 * y_pred.diff(dim=-2).abs().mean()


def with_penalty(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.l1_loss(y_pred, y_true) + 0.5 * y_pred.square().mean()


def with_gradient_difference(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.l1_loss(y_pred, y_true) + F.l1_loss(y_pred.diff(dim=-1), y_true.diff(dim=-1))


def spectral(y_pred: Tensor, y_true: Tensor) -> Tensor:
    a, b = torch.fft.rfft(y_pred, dim=-1), torch.fft.rfft(y_true, dim=-1)
    return torch.view_as_real(a - b).square().mean()


def scale_invariant_distortion(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """SI-SDR: falls far below 0 at the truth."""
    scale = (y_pred * y_true).sum(-1, keepdim=True) / (y_true.square().sum(-1, keepdim=True) + 1e-8)
    aim = scale * y_true
    rest = y_pred - aim
    ratio = aim.square().sum(-1) / (rest.square().sum(-1) + 1e-4)
    return -10 * torch.log10(ratio + 1e-4).mean()


def unexplained(y_pred: Tensor, y_true: Tensor) -> Tensor:
    rest = (y_pred - y_true).square().sum()
    return rest / ((y_true - y_true.mean()).square().sum() + 1e-6)


def correlation(y_pred: Tensor, y_true: Tensor) -> Tensor:
    a, b = y_pred - y_pred.mean(), y_true - y_true.mean()
    return 1 - (a * b).sum() / (a.square().sum() * b.square().sum() + 1e-6).sqrt()


def truncated_squares(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return (y_pred - y_true).square().clamp(max=1.0).mean()


def tukey(y_pred: Tensor, y_true: Tensor, c: float = 1.5) -> Tensor:
    ratio = ((y_pred - y_true) / c).square()
    return (c**2 / 6) * (1 - (1 - ratio).clamp(min=0) ** 3).mean()


def insensitive(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.relu((y_pred - y_true).abs() - 0.3).mean()


def percentage(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return ((y_pred - y_true).abs() / y_true.abs().clamp(min=0.1)).mean()


def logarithms(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return (torch.log1p(y_pred.clamp(min=0)) - torch.log1p(y_true)).square().mean()


def itakura_saito(y_pred: Tensor, y_true: Tensor) -> Tensor:
    ratio = y_true / y_pred.clamp(min=1e-3)
    return (ratio - ratio.log() - 1).mean()


def overlap_of_boxes(y_pred: Tensor, y_true: Tensor) -> Tensor:
    low, high = torch.maximum(y_pred[:, :2], y_true[:, :2]), torch.minimum(y_pred[:, 2:], y_true[:, 2:])
    inner = (high - low).clamp(min=0).prod(1)
    both = (y_pred[:, 2:] - y_pred[:, :2]).prod(1).abs() + (y_true[:, 2:] - y_true[:, :2]).prod(1).abs() - inner
    return (1 - inner / (both + 1e-6)).mean() + F.l1_loss(y_pred, y_true)


def boxes(*, seed: int) -> Tensor:
    corner, size = positive(12, 2, seed=seed), positive(12, 2, seed=seed + 1)
    return torch.cat([corner, corner + size], 1)


def angle(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return (1 - torch.cos(y_pred - y_true)).mean()


def moments(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return (y_pred.mean(0) - y_true.mean(0)).square().sum() + (y_pred.std(0) - y_true.std(0)).square().sum()


def gram(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Which rows are alike, as in style and relational distillation."""
    return F.mse_loss(y_pred @ y_pred.T, y_true @ y_true.T)


def vicreg(y_pred: Tensor, y_true: Tensor) -> Tensor:
    spread = F.relu(1 - (y_pred.var(0) + 1e-4).sqrt()).mean() + F.relu(1 - (y_true.var(0) + 1e-4).sqrt()).mean()
    a, b = y_pred - y_pred.mean(0), y_true - y_true.mean(0)
    off = ~torch.eye(a.shape[1], dtype=torch.bool)
    covariance = ((a.T @ a / len(a))[off].square().sum() + (b.T @ b / len(b))[off].square().sum()) / a.shape[1]
    return 25 * F.mse_loss(y_pred, y_true) + 25 * spread + covariance


def clip_of_both(y_pred: Tensor, y_true: Tensor) -> Tensor:
    scores = F.normalize(y_pred, dim=1, eps=1e-6) @ F.normalize(y_true, dim=1, eps=1e-6).T
    own = torch.arange(len(scores))
    return (F.cross_entropy(scores, own) + F.cross_entropy(scores.T, own)) / 2


def views_of_one_batch(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """NT-Xent of the two views together."""
    z = F.normalize(torch.cat([y_pred, y_true]), dim=1, eps=1e-6)
    scores = (z @ z.T / 0.5).masked_fill(torch.eye(len(z), dtype=torch.bool), -1e4)
    size = len(y_pred)
    return F.cross_entropy(scores, torch.cat([torch.arange(size) + size, torch.arange(size)]))


def policy_gradient(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return -(y_pred * y_true).mean()


def clipped_policy(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """PPO: y_pred are log-ratios, y_true advantages."""
    ratio = y_pred.clamp(-5, 5).exp()
    return -torch.minimum(ratio * y_true, ratio.clamp(0.8, 1.2) * y_true).mean()


def cox(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """The sign of a time says whether it is an event; whoever dies earlier has the greater risk."""
    at_risk = y_true.abs()[None] >= y_true.abs()[:, None]
    event = (y_true > 0).to(y_pred.dtype)
    values = y_pred - torch.logsumexp(y_pred[None].masked_fill(~at_risk, -1e4), 1)
    return -(values * event).sum() / event.sum().clamp(min=1)


def dqn(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.smooth_l1_loss(y_pred, 0.9 * y_true + 0.1 * y_true.detach())


# Classes


class LanguageModel(nn.Module):
    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return F.cross_entropy(y_pred[:, :-1].flatten(0, 1), y_true[:, 1:].flatten())


def coral(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Ordered classes: logit k says whether the class is above k."""
    above = (y_true[:, None] > torch.arange(y_pred.shape[1])[None]).to(y_pred.dtype)
    return F.binary_cross_entropy_with_logits(y_pred, above)


def least_squares(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return (y_pred - F.one_hot(y_true, y_pred.shape[1])).square().sum(1).mean()


def rescaled_squares(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return (y_pred - 15 * F.one_hot(y_true, y_pred.shape[1])).square().sum(1).mean()


def one_against_rest(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(y_pred, F.one_hot(y_true, y_pred.shape[1]).to(y_pred.dtype))


def crammer_singer(y_pred: Tensor, y_true: Tensor) -> Tensor:
    right = y_pred.gather(1, y_true[:, None])
    wrong = y_pred.masked_fill(F.one_hot(y_true, y_pred.shape[1]).bool(), -1e4).amax(1, keepdim=True)
    return F.relu(1 + wrong - right).mean()


def complementary(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """y_true names a class that it is not."""
    p = F.softmax(y_pred, 1).gather(1, y_true[:, None])
    return -torch.log((1 - p).clamp(min=1e-6)).mean()


def generalised(y_pred: Tensor, y_true: Tensor) -> Tensor:
    p = F.softmax(y_pred, 1).gather(1, y_true[:, None]).clamp(min=1e-6)
    return ((1 - p**0.7) / 0.7).mean()


def generalised_truncated(y_pred: Tensor, y_true: Tensor) -> Tensor:
    p = F.softmax(y_pred, 1).gather(1, y_true[:, None]).clamp(min=0.3)
    return ((1 - p**0.7) / 0.7).mean()


def absolute(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return (1 - F.softmax(y_pred, 1).gather(1, y_true[:, None])).mean()


def redundant_log_softmax(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Twice, and harmless: the second time nothing changes."""
    return F.cross_entropy(F.log_softmax(y_pred, 1), y_true)


def sharpened(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """A softmax of cosines, at a temperature."""
    return F.cross_entropy(10 * torch.tanh(y_pred), y_true)


def arc_of_cosines(y_pred: Tensor, y_true: Tensor) -> Tensor:
    turned = torch.cos(torch.acos(y_pred.clamp(-1 + 1e-6, 1 - 1e-6)) + 0.3)
    hot = F.one_hot(y_true, y_pred.shape[1]).bool()
    return F.cross_entropy(16 * torch.where(hot, turned, y_pred), y_true)


def prior_corrected(y_pred: Tensor, y_true: Tensor) -> Tensor:
    prior = torch.tensor([0.7, 0.2, 0.1], dtype=y_pred.dtype)
    return F.cross_entropy(y_pred + prior.log(), y_true)


def entropy_penalised(y_pred: Tensor, y_true: Tensor) -> Tensor:
    logs = F.log_softmax(y_pred, 1)
    return F.nll_loss(logs, y_true) + 0.1 * (logs.exp() * logs).sum(1).mean()


def attended(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Positions are averaged by a softmax of their own before the classes are."""
    weight = F.softmax(y_pred.amax(1, keepdim=True), dim=2)
    return F.cross_entropy((weight * y_pred).sum(2, keepdim=True).expand_as(y_pred), y_true)


def batch_normalised(y_pred: Tensor, y_true: Tensor) -> Tensor:
    scale = (y_pred.var(0, correction=0) + 1e-4).sqrt()
    return F.cross_entropy(2 * y_pred / scale, y_true)


def text_to_image(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """A matrix of similarities, read along its columns."""
    return F.cross_entropy(y_pred.T, y_true)


def mixed_up(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return 0.7 * F.cross_entropy(y_pred, y_true) + 0.3 * F.cross_entropy(y_pred, y_true.flip(0))


def mixture_of_softmaxes(y_pred: Tensor, y_true: Tensor) -> Tensor:
    p = 0.5 * F.softmax(y_pred, 1) + 0.5 * F.softmax(2 * y_pred, 1)
    return F.nll_loss(p.log(), y_true)


class ForwardCorrected(nn.Module):
    """Labels are wrong at known rates: y_pred says what the true class is."""

    def __init__(self) -> None:
        super().__init__()
        self.rates: Tensor
        self.register_buffer("rates", 0.7 * torch.eye(3) + 0.1)

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        p = F.softmax(y_pred, 1) @ self.rates
        return F.nll_loss(p.log(), y_true)


def unit_margin(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """A margin of probabilities: no softmax is missing, and none is too much."""
    return F.multi_margin_loss(y_pred, y_true)


def nll_of_unit(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return -y_pred.gather(1, y_true[:, None]).clamp(min=1e-8).log().mean()


def tempered_teacher(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return 9 * F.kl_div(F.log_softmax(y_pred / 3, 1), y_true, reduction="batchmean")


def reverse_divergence(y_pred: Tensor, y_true: Tensor) -> Tensor:
    logs = F.log_softmax(y_pred, 1)
    return (logs.exp() * (logs - y_true.clamp(min=1e-6).log())).sum(1).mean()


def jensen_shannon(y_pred: Tensor, y_true: Tensor) -> Tensor:
    p, q = y_pred.clamp(min=1e-6), y_true.clamp(min=1e-6)
    middle = (p + q) / 2
    return 0.5 * ((p * (p / middle).log()).sum(1) + (q * (q / middle).log()).sum(1)).mean()


def hellinger(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return ((y_pred + 1e-8).sqrt() - (y_true + 1e-8).sqrt()).square().sum(1).mean()


def earth_mover(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return (F.softmax(y_pred, 1).cumsum(1) - y_true.cumsum(1)).square().sum(1).mean()


# Two classes


def pair_distance(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Distances of pairs: those of like ones are small."""
    return (y_true * y_pred.square() + (1 - y_true) * F.relu(1.5 - y_pred).square()).mean()


def critic(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return (y_pred * y_true).mean()


def critic_of_bits(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return ((1 - 2 * y_true) * y_pred).mean()


def least_squares_gan(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return (y_pred - y_true).square().mean()


def squares_of_signs(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return (y_pred - (2 * y_true - 1)).square().mean()


def ramp(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.relu(1 - (2 * y_true - 1) * y_pred).clamp(max=2).mean()


def positive_unlabelled(y_pred: Tensor, y_true: Tensor, prior: float = 0.5) -> Tensor:
    positives, others = y_pred[y_true > 0.5], y_pred[y_true < 0.5]
    risk = F.softplus(others).mean() - prior * F.softplus(positives).mean()
    return prior * F.softplus(-positives).mean() + F.relu(risk)


def auc(y_pred: Tensor, y_true: Tensor) -> Tensor:
    up, down = y_pred[y_true > 0.5], y_pred[y_true < 0.5]
    return F.softplus(down[:, None] - up[None]).mean()


def soft_f1(y_pred: Tensor, y_true: Tensor) -> Tensor:
    p = torch.sigmoid(y_pred)
    return 1 - 2 * (p * y_true).sum() / (p.sum() + y_true.sum() + 1e-6)


def tversky(y_pred: Tensor, y_true: Tensor) -> Tensor:
    p = torch.sigmoid(y_pred)
    hit, false, missed = (p * y_true).sum(), (p * (1 - y_true)).sum(), ((1 - p) * y_true).sum()
    return (1 - (hit + 1) / (hit + 0.3 * false + 0.7 * missed + 1)) ** 0.75


def log_cosh_dice(y_pred: Tensor, y_true: Tensor) -> Tensor:
    value = soft_f1(y_pred, y_true)
    return value + F.softplus(-2 * value) - math.log(2)


def asymmetric_focal(y_pred: Tensor, y_true: Tensor) -> Tensor:
    p = (torch.sigmoid(y_pred) - 0.05).clamp(min=0)
    return -(y_true * F.logsigmoid(y_pred) + (1 - y_true) * p**4 * (1 - p).clamp(min=1e-8).log()).mean()


def heat_map(y_pred: Tensor, y_true: Tensor) -> Tensor:
    p = torch.sigmoid(y_pred).clamp(1e-6, 1 - 1e-6)
    peak = y_true == 1
    values = torch.where(peak, (1 - p) ** 2 * p.log(), (1 - y_true) ** 4 * p**2 * (1 - p).log())
    return -values.sum() / peak.sum().clamp(min=1)


def smoothed_bits(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(y_pred, 0.9 * y_true + 0.05)


def exponential(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return torch.exp((-(2 * y_true - 1) * y_pred).clamp(max=30)).mean()


def squared_hinge(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.relu(1 - (2 * y_true - 1) * y_pred).square().mean()


def hardest_negatives(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """As many negatives as positives."""
    values = F.binary_cross_entropy_with_logits(y_pred, y_true, reduction="none")
    count = max(1, int(y_true.sum()))
    negatives = values[y_true < 0.5]
    hardest = negatives.topk(min(count, negatives.numel())).values
    return (values[y_true > 0.5].sum() + hardest.sum()) / (count + hardest.numel())


def clamped_logits_far(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(y_pred.clamp(-15, 15), y_true)


class PerClassAlpha(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.alpha, self.gamma = 0.25, 2.0

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        bce = F.binary_cross_entropy_with_logits(y_pred, y_true, reduction="none")
        alpha = torch.where(y_true > 0.5, self.alpha, 1 - self.alpha)
        return (alpha * (1 - torch.exp(-bce)) ** self.gamma * bce).mean()


# Embeddings


def pairs(y_pred: Tensor, y_true: Tensor) -> Tensor:
    gaps = ((y_pred[:, None] - y_pred[None]).square().sum(-1) + 1e-6).sqrt()
    same = (y_true[:, None] == y_true[None]).to(y_pred.dtype)
    return (same * gaps**2 + (1 - same) * F.relu(1.5 - gaps) ** 2).mean()


def prototypes(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Distances to the means of the batch's classes."""
    means = torch.stack([y_pred[y_true == label].mean(0) for label in y_true.unique()])
    own = torch.unique(y_true, return_inverse=True)[1]
    return F.cross_entropy(-(y_pred[:, None] - means[None]).square().sum(-1), own)


def scatter(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Within classes against between them."""
    means = torch.stack([y_pred[y_true == label].mean(0) for label in y_true.unique()])
    own = means[torch.unique(y_true, return_inverse=True)[1]]
    return (y_pred - own).square().mean() / (means.var(0).mean() + 1e-3)


# Ranking


def list_mle(y_pred: Tensor, y_true: Tensor) -> Tensor:
    scores = y_pred[y_true.argsort(descending=True, stable=True)]
    return (scores.flip(0).logcumsumexp(0).flip(0) - scores).mean()


def approximate_gain(y_pred: Tensor, y_true: Tensor) -> Tensor:
    place = 1 + torch.sigmoid((y_pred[None] - y_pred[:, None]) / 0.1).sum(1) - 0.5
    gain = 2.0**y_true - 1
    best = (gain.sort(descending=True).values / torch.log2(torch.arange(len(gain)) + 2.0)).sum()
    return 1 - (gain / torch.log2(1 + place)).sum() / best.clamp(min=1e-6)


def margin_of_grades(y_pred: Tensor, y_true: Tensor) -> Tensor:
    gap = (y_true[:, None] - y_true[None]).clamp(min=0).to(y_pred.dtype)
    return F.relu(gap - (y_pred[:, None] - y_pred[None]) * (gap > 0)).mean()


def two(*shape: int) -> tuple[Tensor, Tensor]:
    return drawn(*shape), drawn(*shape, seed=5)


def c16() -> tuple[Tensor, Tensor]:
    return drawn(16, 4), classes(4, 16)


def c3() -> tuple[Tensor, Tensor]:
    return 2 * drawn(18, 3), classes(3, 18)


def b32() -> tuple[Tensor, Tensor]:
    return 2 * drawn(32), bits(32)


def masks() -> tuple[Tensor, Tensor]:
    return 2 * drawn(3, 1, 8, 8), bits(3, 1, 8, 8)


def soft() -> tuple[Tensor, Tensor]:
    return drawn(16, 4), drawn(16, 4, seed=5).softmax(1)


def unit_rows() -> tuple[Tensor, Tensor]:
    return drawn(16, 4).softmax(1), drawn(16, 4, seed=5).softmax(1)


class RaisedMultiplier(nn.Module):
    """A constraint, whose multiplier another optimizer raises: it falls without end along the multiplier."""

    def __init__(self) -> None:
        super().__init__()
        self.multiplier = nn.Parameter(torch.tensor(0.5))

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return F.mse_loss(y_pred, y_true) + self.multiplier * (y_pred.square().mean() - 1)


class OneScale(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(0.0))

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return ((y_pred - y_true).abs() * torch.exp(-self.log_scale) + self.log_scale).mean()


VALUES = {"y_pred_kind": "real", "y_true_kind": "values"}
BINARY = {"y_pred_kind": "logits", "y_true_kind": "binary"}
CLASSES = {"y_pred_kind": "logits", "y_true_kind": "class_indices"}
EMBEDDED = {"y_pred_kind": "embedding", "y_true_kind": "labels_of_embeddings"}
SOUND: dict[str, Row] = {
    "raised_multiplier": (RaisedMultiplier, lambda: two(24), {}),
    "one_scale": (OneScale, lambda: two(24), {}),
    "other_view_given": (
        lambda: lambda p, t: (2 - 2 * F.cosine_similarity(p, t.detach(), dim=-1, eps=1e-6)).mean(),
        lambda: (drawn(16, 8), drawn(16, 8, seed=5)),
        {"y_pred_kind": "embedding"},
    ),
    "symlog": (lambda: symlog, lambda: (drawn(40), 8 * drawn(40, seed=5)), {}),
    "symlog_of_rows": (lambda: symlog, lambda: (drawn(12, 3), 4 * drawn(12, 3, seed=5)), {}),
    "standardised": (Standardised, lambda: two(24), {}),
    "standardised_given": (Standardised, lambda: two(24), VALUES),
    "in_hundreds_given": (lambda: in_hundreds, lambda: (drawn(24), 100 * drawn(24, seed=5)), VALUES),
    "next_step_given": (lambda: next_step, lambda: two(4, 10), VALUES),
    "symlog_given": (lambda: symlog, lambda: (drawn(40), 8 * drawn(40, seed=5)), VALUES),
    "vicreg_small_given": (lambda: vicreg, lambda: (0.2 * drawn(16, 6), 0.2 * drawn(16, 6, seed=5)), VALUES),
    "in_hundreds": (lambda: in_hundreds, lambda: (drawn(24), 100 * drawn(24, seed=5)), {}),
    "clipped_rewards": (lambda: clipped_rewards, lambda: (drawn(32), 2 * drawn(32, seed=5)), {}),
    "next_step": (lambda: next_step, lambda: two(4, 10), {}),
    "next_step_of_vectors": (lambda: next_step, lambda: two(4, 10, 3), {}),
    "with_total_variation": (lambda: with_total_variation, lambda: two(2, 1, 8, 8), {}),
    "with_total_variation_given": (lambda: with_total_variation, lambda: two(2, 1, 8, 8), VALUES),
    "with_penalty": (lambda: with_penalty, lambda: two(24), {}),
    "with_penalty_given": (lambda: with_penalty, lambda: two(24, 2), VALUES),
    "with_gradient_difference": (lambda: with_gradient_difference, lambda: two(2, 1, 8, 8), {}),
    "spectral": (lambda: spectral, lambda: two(4, 32), {}),
    "scale_invariant_distortion": (lambda: scale_invariant_distortion, lambda: two(4, 64), {}),
    "scale_invariant_distortion_given": (lambda: scale_invariant_distortion, lambda: two(4, 64), VALUES),
    "unexplained": (lambda: unexplained, lambda: two(24), {}),
    "correlation": (lambda: correlation, lambda: two(24), {}),
    "correlation_given": (lambda: correlation, lambda: two(24), VALUES),
    "truncated_squares": (lambda: truncated_squares, lambda: (3 * drawn(24), 3 * drawn(24, seed=5)), {}),
    "tukey": (lambda: tukey, lambda: (3 * drawn(24), 3 * drawn(24, seed=5)), {}),
    "tukey_given": (lambda: tukey, lambda: (3 * drawn(24), 3 * drawn(24, seed=5)), VALUES),
    "insensitive": (lambda: insensitive, lambda: two(24), VALUES),
    "percentage": (lambda: percentage, lambda: two(24), {}),
    "logarithms": (lambda: logarithms, lambda: (positive(24), positive(24, seed=5)), {}),
    "itakura_saito": (lambda: itakura_saito, lambda: (positive(24), positive(24, seed=5)), {}),
    "overlap_of_boxes": (lambda: overlap_of_boxes, lambda: (boxes(seed=3), boxes(seed=7)), {}),
    "overlap_of_boxes_given": (
        lambda: overlap_of_boxes,
        lambda: (boxes(seed=3), boxes(seed=7)),
        {"y_pred_kind": "real", "y_true_kind": "boxes"},
    ),
    "angle": (lambda: angle, lambda: two(24), {}),
    "angle_given": (lambda: angle, lambda: two(24), VALUES),
    "moments": (lambda: moments, lambda: two(24, 3), {}),
    "gram": (lambda: gram, lambda: two(8, 5), {}),
    "vicreg": (lambda: vicreg, lambda: two(16, 6), {}),
    "vicreg_small": (lambda: vicreg, lambda: (0.2 * drawn(16, 6), 0.2 * drawn(16, 6, seed=5)), {}),
    "clip_of_both": (lambda: clip_of_both, lambda: two(8, 6), {}),
    "views_of_one_batch": (lambda: views_of_one_batch, lambda: two(8, 6), {}),
    "policy_gradient": (lambda: policy_gradient, lambda: (-positive(24), drawn(24, seed=5)), {}),
    "clipped_policy": (lambda: clipped_policy, lambda: (0.1 * drawn(24), drawn(24, seed=5)), {}),
    "cox": (lambda: cox, lambda: (drawn(24), positive(24) * (2 * bits(24) - 1)), {}),
    "dqn": (lambda: dqn, lambda: two(24), {}),
    "language_model": (LanguageModel, lambda: (drawn(4, 12, 7), classes(7, 4, 12)), {}),
    "language_model_given": (LanguageModel, lambda: (drawn(4, 12, 7), classes(7, 4, 12)), CLASSES),
    "coral": (lambda: coral, lambda: (drawn(20, 4), classes(4, 20)), {}),
    "coral_with_top": (lambda: coral, lambda: (drawn(20, 4), classes(5, 20)), {}),
    "least_squares": (lambda: least_squares, c16, {}),
    "rescaled_squares": (lambda: rescaled_squares, c16, {}),
    "one_against_rest": (lambda: one_against_rest, c16, CLASSES),
    "crammer_singer": (lambda: crammer_singer, c16, CLASSES),
    "complementary": (lambda: complementary, c16, {}),
    "generalised": (lambda: generalised, c16, CLASSES),
    "generalised_truncated": (lambda: generalised_truncated, c16, {}),
    "generalised_truncated_given": (lambda: generalised_truncated, c16, CLASSES),
    "absolute": (lambda: absolute, c16, CLASSES),
    "redundant_log_softmax": (lambda: redundant_log_softmax, c16, CLASSES),
    "sharpened": (lambda: sharpened, c16, CLASSES),
    "tanh_bounded": (lambda: lambda p, t: F.cross_entropy(torch.tanh(p), t), c16, CLASSES),
    "arc_of_cosines": (lambda: arc_of_cosines, lambda: (torch.tanh(drawn(16, 4)), classes(4, 16)), {}),
    "prior_corrected": (lambda: prior_corrected, c3, CLASSES),
    "entropy_penalised": (lambda: entropy_penalised, c16, CLASSES),
    "attended": (lambda: attended, lambda: (drawn(6, 4, 1), classes(4, 6, 1)), {}),
    "batch_normalised": (lambda: batch_normalised, c16, CLASSES),
    "text_to_image": (lambda: text_to_image, lambda: (drawn(8, 8), torch.arange(8)), {}),
    "mixed_up": (lambda: mixed_up, c16, {}),
    "mixture_of_softmaxes": (lambda: mixture_of_softmaxes, c16, CLASSES),
    "forward_corrected": (ForwardCorrected, c3, CLASSES),
    "unit_margin": (lambda: unit_margin, lambda: (drawn(16, 4).softmax(1), classes(4, 16)), {}),
    "nll_of_unit": (lambda: nll_of_unit, lambda: (drawn(16, 4).softmax(1), classes(4, 16)), {}),
    "nll_of_unit_given": (
        lambda: nll_of_unit,
        lambda: (drawn(16, 4).softmax(1), classes(4, 16)),
        {"y_pred_kind": "probabilities", "y_true_kind": "class_indices"},
    ),
    "tempered_teacher": (lambda: tempered_teacher, soft, {"y_pred_kind": "logits", "y_true_kind": "probabilities"}),
    "reverse_divergence": (lambda: reverse_divergence, soft, {"y_pred_kind": "logits", "y_true_kind": "probabilities"}),
    "jensen_shannon": (lambda: jensen_shannon, unit_rows, {}),
    "hellinger": (lambda: hellinger, unit_rows, {"y_pred_kind": "probabilities", "y_true_kind": "probabilities"}),
    "earth_mover": (lambda: earth_mover, soft, {}),
    "squares_of_shares": (lambda: F.mse_loss, unit_rows, {}),
    "pair_distance": (lambda: pair_distance, lambda: (positive(24) * 2, bits(24)), {}),
    "preferred": (lambda: preferred, lambda: (3 * drawn(12, 2) - 20, 3 * drawn(12, 2, seed=5) - 20), {}),
    "preferred_by_so_much": (
        lambda: preferred_by_so_much,
        lambda: (3 * drawn(12, 2) - 20, 3 * drawn(12, 2, seed=5) - 20),
        {},
    ),
    "above_reference": (lambda: above_reference, lambda: (drawn(12), drawn(12, seed=5)), {}),
    "residual": (lambda: residual, lambda: (drawn(4, 12), drawn(4, 12, seed=5)), {}),
    "list_net": (lambda: list_net, lambda: (drawn(6, 8), classes(4, 6, 8).float()), {"y_pred_kind": "scores"}),
    "one_step": (lambda: one_step, lambda: (drawn(5, 10), drawn(5, 10, seed=5)), {}),
    "velocities": (lambda: velocities, lambda: (drawn(5, 8), 0.1 * drawn(5, 8, seed=5).cumsum(1)), {}),
    "deblurred": (lambda: deblurred, lambda: (positive(2, 1, 8, 8), positive(2, 1, 8, 8, seed=5)), {}),
    "score_of_noise": (
        lambda: score_of_noise,
        lambda: (drawn(12, 4), 0.5 * drawn(12, 4, seed=5)),
        {"y_pred_kind": "real"},
    ),
    "differences_of_scores": (
        lambda: differences_of_scores,
        lambda: (drawn(8, 4), drawn(8, 4, seed=5)),
        {"y_pred_kind": "scores", "y_true_kind": "values"},
    ),
    "quantiles_of_samples": (
        lambda: quantiles_of_samples,
        lambda: (drawn(10, 8), drawn(10, 8, seed=5)),
        {"y_pred_kind": "real", "y_true_kind": "values"},
    ),
    "critic_of_scores": (
        lambda: critic_of_bits,
        b32,
        {"y_pred_kind": "scores", "y_true_kind": "binary"},
    ),
    "better_item": (lambda: better_item, lambda: (drawn(16, 2), torch.ones(16, 2)), {}),
    "better_item_scores": (lambda: better_item, lambda: (drawn(16, 2), torch.ones(16, 2)), {"y_pred_kind": "scores"}),
    "first_is_best": (
        lambda: first_is_best,
        lambda: (drawn(6, 8), drawn(6, 8, seed=5).argsort(1).float()),
        {"y_pred_kind": "scores", "y_true_kind": "ranks"},
    ),
    "compound": (
        lambda: compound,
        lambda: (drawn(24), classes(6, 24).float()),
        {"y_pred_kind": "real", "y_true_kind": "counts"},
    ),
    "linear_critic": (lambda: linear_critic, lambda: (drawn(24), bits(24)), {}),
    "one_bit": (lambda: one_bit, lambda: (drawn(24), drawn(24, seed=5)), {}),
    "complementary_log1p": (lambda: complementary_log1p, lambda: (drawn(16, 4), classes(4, 16)), {}),
    "known_labels": (lambda: known_labels, lambda: (drawn(10, 5), some_unknown()), BINARY),
    "pixels_of_bytes": (lambda: pixels_of_bytes, lambda: (drawn(2, 4, 8, 8), byte_labels()), {}),
    "pixels_of_bytes_ignored": (
        lambda: pixels_of_bytes,
        lambda: (drawn(2, 4, 8, 8), byte_labels()),
        {"ignore_index": 255},
    ),
    "critic": (lambda: critic, lambda: (drawn(24), 2 * bits(24) - 1), {}),
    "critic_of_bits": (lambda: critic_of_bits, b32, {}),
    "least_squares_gan": (lambda: least_squares_gan, b32, {}),
    "squares_of_signs": (lambda: squares_of_signs, b32, {}),
    "ramp": (lambda: ramp, b32, BINARY),
    "positive_unlabelled": (lambda: positive_unlabelled, b32, BINARY),
    "auc": (lambda: auc, b32, BINARY),
    "soft_f1": (lambda: soft_f1, lambda: (drawn(12, 5), bits(12, 5)), BINARY),
    "tversky": (lambda: tversky, masks, BINARY),
    "log_cosh_dice": (lambda: log_cosh_dice, masks, {}),
    "asymmetric_focal": (lambda: asymmetric_focal, b32, BINARY),
    "heat_map": (lambda: heat_map, lambda: (drawn(2, 1, 6, 6), positive(2, 1, 6, 6).clamp(max=1)), {}),
    "smoothed_bits": (lambda: smoothed_bits, b32, BINARY),
    "exponential": (lambda: exponential, b32, BINARY),
    "squared_hinge": (lambda: squared_hinge, b32, BINARY),
    "hardest_negatives": (lambda: hardest_negatives, b32, BINARY),
    "clamped_logits_far": (lambda: clamped_logits_far, b32, BINARY),
    "per_class_alpha": (PerClassAlpha, b32, BINARY),
    "torch_hinge_embedding_of_any": (nn.HingeEmbeddingLoss, lambda: (drawn(24), 2 * bits(24) - 1), {}),
    "torch_soft_margin": (nn.SoftMarginLoss, lambda: (drawn(24), 2 * bits(24) - 1), {}),
    "torch_poisson_given": (nn.PoissonNLLLoss, lambda: (drawn(24), classes(5, 24).float()), {}),
    "torch_cross_entropy_soft": (nn.CrossEntropyLoss, soft, {}),
    "pairs": (lambda: pairs, lambda: (drawn(12, 6), torch.arange(12) % 3), {}),
    "prototypes": (lambda: prototypes, lambda: (drawn(12, 6), torch.arange(12) % 3), {}),
    "scatter": (lambda: scatter, lambda: (drawn(12, 6), torch.arange(12) % 3), {}),
    "proxies_given": (Proxies, lambda: (drawn(12, 6), torch.arange(12) % 4), EMBEDDED),
    "centers_given": (Centers, lambda: (drawn(12, 6), torch.arange(12) % 4), EMBEDDED),
    "contrastive_given": (lambda: contrastive, lambda: (drawn(12, 6), torch.arange(12) % 4), EMBEDDED),
    "list_mle": (lambda: list_mle, lambda: (drawn(16), classes(4, 16)), {}),
    "approximate_gain": (lambda: approximate_gain, lambda: (drawn(16), classes(4, 16)), {}),
    "margin_of_grades": (lambda: margin_of_grades, lambda: (drawn(16), classes(4, 16)), {}),
    "prefers_kept": (
        lambda: F.mse_loss,
        lambda: two(8),
        {"prefers": [(drawn(8, seed=5), drawn(8))]},
    ),
}
