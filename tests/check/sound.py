"""Sound losses, many of them unusual: none may get an error or a warning.

``SOUND[name] = (make, example, arguments)``: arguments go to ``check_loss``.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Row = tuple[Callable[[], Callable[..., Any]], Callable[[], tuple[Tensor, Tensor]], dict[str, Any]]


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def classes(count: int, *shape: int, seed: int = 1) -> Tensor:
    return torch.randint(0, count, shape, generator=torch.Generator().manual_seed(seed))


def bits(*shape: int, seed: int = 2) -> Tensor:
    return (torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) > 0.6).float()


def positive(*shape: int, seed: int = 3) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) + 0.2


def with_ignored(target: Tensor, index: int = -100) -> Tensor:
    target = target.clone()
    target.view(-1)[::5] = index
    return target


# Regression


def mse(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return ((y_pred - y_true) ** 2).mean()


def mse_by_other_names(target: Tensor, estimate: Tensor) -> Tensor:
    return ((target - estimate) ** 2).mean()


def pinball(y_pred: Tensor, y_true: Tensor, q: float = 0.9) -> Tensor:
    error = y_true - y_pred
    return torch.maximum(q * error, (q - 1) * error).mean()


def quantiles(y_pred: Tensor, y_true: Tensor) -> Tensor:
    q = torch.tensor([0.1, 0.5, 0.9], dtype=y_pred.dtype)
    error = y_true.unsqueeze(1) - y_pred
    return torch.maximum(q * error, (q - 1) * error).sum(1).mean()


def linex(y_pred: Tensor, y_true: Tensor) -> Tensor:
    error = (y_pred - y_true).clamp(-30, 30)
    return (torch.exp(0.5 * error) - 0.5 * error - 1).mean()


def asymmetric_squares(y_pred: Tensor, y_true: Tensor) -> Tensor:
    error = y_pred - y_true
    return torch.where(error > 0, 4 * error**2, error**2).mean()


def log_cosh(y_pred: Tensor, y_true: Tensor) -> Tensor:
    error = y_pred - y_true
    return (error + F.softplus(-2 * error) - math.log(2)).mean()


def rmse_safe(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return torch.sqrt(((y_pred - y_true) ** 2).mean() + 1e-8)


def charbonnier(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return torch.sqrt((y_pred - y_true) ** 2 + 1e-6).mean()


def huber_sum(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.huber_loss(y_pred, y_true, reduction="sum")


def nan_is_missing(y_pred: Tensor, y_true: Tensor) -> Tensor:
    known = ~y_true.isnan()
    error = torch.where(known, y_pred - torch.where(known, y_true, 0.0), 0.0)
    return (error**2).sum() / known.sum().clamp(min=1)


def gaussian_nll(y_pred: Tensor, y_true: Tensor) -> Tensor:
    mean, log_var = y_pred.unbind(-1)
    log_var = log_var.clamp(-20, 20)
    return 0.5 * (log_var + (y_true - mean) ** 2 * torch.exp(-log_var)).mean()


def laplace_density(y_pred: Tensor, y_true: Tensor) -> Tensor:
    mean, log_scale = y_pred[:, 0], y_pred[:, 1].clamp(-10, 10)
    return (log_scale + math.log(2) + (y_true - mean).abs() * torch.exp(-log_scale)).mean()


def fixed_density(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """A Gaussian density of a small, fixed scale: below 0 near the truth."""
    scale = 0.05
    return (0.5 * ((y_true - y_pred) / scale) ** 2 + math.log(scale) + 0.5 * math.log(2 * math.pi)).mean()


def poisson(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.poisson_nll_loss(y_pred, y_true)


def ccc(y_pred: Tensor, y_true: Tensor) -> Tensor:
    a, b = y_pred - y_pred.mean(), y_true - y_true.mean()
    return 1 - 2 * (a * b).mean() / ((a * a).mean() + (b * b).mean() + (y_pred.mean() - y_true.mean()) ** 2 + 1e-8)


def weighted_by_truth(y_pred: Tensor, y_true: Tensor) -> Tensor:
    weight = 1 + y_true.abs()
    return (weight * (y_pred - y_true) ** 2).sum() / weight.sum()


def cosine(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return (1 - F.cosine_similarity(y_pred, y_true, dim=1, eps=1e-6)).mean()


def rank_and_value(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Rank-wise order next to squares."""
    order = torch.sign(y_true[:, None] - y_true[None])
    return mse(y_pred, y_true) + 0.1 * F.softplus(-order * (y_pred[:, None] - y_pred[None])).mean()


def quantile_huber_target_detached(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Weights that depend on the error, and stay constants: detached on purpose."""
    error = y_pred - y_true
    weight = (error.detach().abs() + 1).rsqrt()
    return (weight * error**2).mean()


def trimmed(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """The mean of the smaller 80 %."""
    errors = ((y_pred - y_true) ** 2).flatten()
    return errors.topk(max(1, int(0.8 * errors.numel())), largest=False).values.mean()


# Classification


def cross_entropy(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.cross_entropy(y_pred, y_true)


def smoothed(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.cross_entropy(y_pred, y_true, label_smoothing=0.1)


def ignoring(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.cross_entropy(y_pred, y_true, ignore_index=-100)


def own_ignoring(y_pred: Tensor, y_true: Tensor) -> Tensor:
    live = y_true != 255
    values = F.cross_entropy(y_pred, y_true.masked_fill(~live, 0), reduction="none")
    return (values * live).sum() / live.sum().clamp(min=1)


def soft_cross_entropy(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return -(y_true * F.log_softmax(y_pred, dim=1)).sum(1).mean()


def focal(y_pred: Tensor, y_true: Tensor, gamma: float = 2.0, alpha: float = 0.25) -> Tensor:
    bce = F.binary_cross_entropy_with_logits(y_pred, y_true, reduction="none")
    miss = torch.sigmoid(torch.where(y_true > 0.5, -y_pred, y_pred))
    return (torch.where(y_true > 0.5, alpha, 1 - alpha) * miss**gamma * bce).mean()


def focal_by_positives(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Divided by the positives, as detectors do."""
    bce = F.binary_cross_entropy_with_logits(y_pred, y_true, reduction="none")
    miss = torch.sigmoid(torch.where(y_true > 0.5, -y_pred, y_pred))
    return (miss**2 * bce).sum() / y_true.sum().clamp(min=1)


def pos_weighted(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(y_pred, y_true, pos_weight=torch.tensor(5.0, dtype=y_pred.dtype))


def brier(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return ((F.softmax(y_pred, dim=1) - F.one_hot(y_true, y_pred.shape[1])) ** 2).sum(1).mean()


def probabilities_bce(y_pred: Tensor, y_true: Tensor) -> Tensor:
    p = y_pred.clamp(1e-6, 1 - 1e-6)
    return -(y_true * p.log() + (1 - y_true) * torch.log1p(-p)).mean()


def nll(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.nll_loss(y_pred, y_true)


def kl(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.kl_div(y_pred, y_true, reduction="batchmean")


def distillation(y_pred: Tensor, y_true: Tensor, temperature: float = 2.0) -> Tensor:
    teacher = F.log_softmax(y_true / temperature, dim=1)
    return temperature**2 * F.kl_div(
        F.log_softmax(y_pred / temperature, dim=1), teacher, reduction="batchmean", log_target=True
    )


def hinge(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.relu(1 - (2 * y_true - 1) * y_pred).mean()


def hinge_of_signs(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.relu(1 - y_true * y_pred).mean()


def dice_with_smooth(y_pred: Tensor, y_true: Tensor) -> Tensor:
    p = torch.sigmoid(y_pred)
    return 1 - (2 * (p * y_true).sum() + 1) / (p.sum() + y_true.sum() + 1)


def dice_per_image(y_pred: Tensor, y_true: Tensor) -> Tensor:
    p, t = torch.sigmoid(y_pred).flatten(1), y_true.flatten(1)
    return (1 - (2 * (p * t).sum(1) + 1) / (p.sum(1) + t.sum(1) + 1)).mean()


def cross_entropy_and_dice(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(y_pred, y_true) + dice_with_smooth(y_pred, y_true)


def hard_examples(y_pred: Tensor, y_true: Tensor) -> Tensor:
    values = F.cross_entropy(y_pred, y_true, reduction="none").flatten()
    return values.topk(max(1, values.numel() // 2)).values.mean()


def class_balanced_in_batch(y_pred: Tensor, y_true: Tensor) -> Tensor:
    counts = torch.bincount(y_true, minlength=y_pred.shape[1]).clamp(min=1).to(y_pred.dtype)
    return F.cross_entropy(y_pred, y_true, weight=1 / counts)


def channels_last(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.cross_entropy(y_pred.flatten(0, -2), y_true.flatten())


def multi_label(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(y_pred, y_true, reduction="none").sum(1).mean()


# Whole batch


def contrastive(y_pred: Tensor, y_true: Tensor) -> Tensor:
    z = y_pred / (y_pred.square().sum(1, keepdim=True) + 1e-8).sqrt()
    eye = torch.eye(len(z), dtype=torch.bool)
    positives = (y_true[:, None] == y_true[None]) & ~eye
    scores = (z @ z.T / 0.2).masked_fill(eye, -1e4)
    values = -(F.log_softmax(scores, 1) * positives).sum(1) / positives.sum(1).clamp(min=1)
    return values.mean()


def triplet_hardest(y_pred: Tensor, y_true: Tensor) -> Tensor:
    squares = (y_pred[:, None] - y_pred[None]).square().sum(-1)
    same = y_true[:, None] == y_true[None]
    far, near = (squares * same).amax(1), (squares + 1e4 * same).amin(1)
    return F.relu(far - near + 0.3).mean()


def matched_pairs(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Each row of y_pred against its row of y_true, the others being wrong answers."""
    scores = F.normalize(y_pred, dim=1, eps=1e-6) @ F.normalize(y_true, dim=1, eps=1e-6).T / 0.1
    return F.cross_entropy(scores, torch.arange(len(scores)))


def pairwise_ranking(y_pred: Tensor, y_true: Tensor) -> Tensor:
    better = (y_true[:, None] > y_true[None]).to(y_pred.dtype)
    return (F.softplus(y_pred[None] - y_pred[:, None]) * better).sum() / better.sum().clamp(min=1)


def listnet(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return -(F.softmax(y_true.to(y_pred.dtype), 0) * F.log_softmax(y_pred, 0)).sum()


def barlow(y_pred: Tensor, y_true: Tensor) -> Tensor:
    a = (y_pred - y_pred.mean(0)) / (y_pred.var(0, correction=0) + 1e-4).sqrt()
    b = (y_true - y_true.mean(0)) / (y_true.var(0, correction=0) + 1e-4).sqrt()
    c = a.T @ b / len(a)
    eye = torch.eye(c.shape[0], dtype=c.dtype)
    return ((c - eye).square() * (eye + 0.005 * (1 - eye))).sum()


def distribution_match(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Of sorted numbers: which prediction belongs to which truth does not matter."""
    return (y_pred.sort().values - y_true.sort().values).abs().mean()


# With parameters, state and options


class Weighted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight: Tensor
        self.register_buffer("weight", torch.tensor([1.0, 2.0, 0.5]))

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return F.cross_entropy(y_pred, y_true, weight=self.weight)


class Uncertain(nn.Module):
    """A learnable weight of the loss."""

    def __init__(self) -> None:
        super().__init__()
        self.log_var = nn.Parameter(torch.zeros(()))

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return torch.exp(-self.log_var) * F.mse_loss(y_pred, y_true) + 0.5 * self.log_var


class Centers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.centers = nn.Parameter(drawn(4, 6, seed=9))

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return (y_pred - self.centers[y_true]).square().sum(1).mean()


class Proxies(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.proxies = nn.Parameter(drawn(4, 6, seed=9))

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        scores = F.normalize(y_pred, dim=1, eps=1e-6) @ F.normalize(self.proxies, dim=1).T
        return F.cross_entropy(8 * scores, y_true)


class RunningScale(nn.Module):
    """Errors in units of their running mean, which is a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.scale: Tensor
        self.register_buffer("scale", torch.ones(()))

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        error = (y_pred - y_true).abs()
        if self.training:
            with torch.no_grad():
                self.scale.mul_(0.9).add_(0.1 * error.mean())
        return (error / self.scale.clamp(min=1e-3)).mean()


class SampledNegatives(nn.Module):
    """Random in training, not in evaluation."""

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        values = F.binary_cross_entropy_with_logits(y_pred, y_true, reduction="none")
        if not self.training:
            return values.mean()
        kept = (torch.rand_like(values) < 0.5) | (y_true > 0.5)
        return (values * kept).sum() / kept.sum().clamp(min=1)


class WithHook(nn.Module):
    """Keeps the last value for logging, detached."""

    def __init__(self) -> None:
        super().__init__()
        self.last = 0.0

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        value = F.smooth_l1_loss(y_pred, y_true)
        self.last = float(value.detach())
        return value


class Straight(torch.autograd.Function):
    """A hand-written backward pass that is right."""

    @staticmethod
    def forward(ctx: Any, error: Tensor) -> Tensor:
        ctx.save_for_backward(error)
        return error**2

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (error,) = ctx.saved_tensors
        return 2 * error * grad


def by_hand(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return Straight.apply(y_pred - y_true).mean()  # type: ignore[no-any-return,no-untyped-call]


def pseudo_labels(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Bootstrapped targets, detached on purpose."""
    own = F.softmax(y_pred, dim=1).detach()
    target = 0.8 * F.one_hot(y_true, y_pred.shape[1]) + 0.2 * own
    return -(target * F.log_softmax(y_pred, dim=1)).sum(1).mean()


def penalised(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """A confidence penalty keeps logits small."""
    return F.cross_entropy(y_pred, y_true) + 1e-3 * y_pred.square().mean()


SOUND: dict[str, Row] = {
    "mse": (lambda: mse, lambda: (drawn(16), drawn(16, seed=5)), {}),
    "mse_of_two_axes": (lambda: mse, lambda: (drawn(16, 1), drawn(16, 1, seed=5)), {}),
    "mse_by_other_names": (lambda: mse_by_other_names, lambda: (drawn(16), drawn(16, seed=5)), {}),
    "pinball": (lambda: pinball, lambda: (drawn(32), drawn(32, seed=5)), {}),
    "quantiles": (lambda: quantiles, lambda: (drawn(32, 3), drawn(32, seed=5)), {}),
    "linex": (lambda: linex, lambda: (drawn(16), drawn(16, seed=5)), {}),
    "asymmetric_squares": (lambda: asymmetric_squares, lambda: (drawn(16), drawn(16, seed=5)), {}),
    "log_cosh": (lambda: log_cosh, lambda: (drawn(16), drawn(16, seed=5)), {}),
    "rmse_safe": (lambda: rmse_safe, lambda: (drawn(16), drawn(16, seed=5)), {}),
    "charbonnier": (lambda: charbonnier, lambda: (drawn(2, 3, 8, 8), drawn(2, 3, 8, 8, seed=5)), {}),
    "huber_sum": (lambda: huber_sum, lambda: (drawn(16), drawn(16, seed=5)), {}),
    "nan_is_missing": (
        lambda: nan_is_missing,
        lambda: (drawn(16), torch.where(bits(16) > 0, torch.nan, drawn(16, seed=5))),
        {},
    ),
    "gaussian_nll": (lambda: gaussian_nll, lambda: (drawn(32, 2), drawn(32, seed=5)), {}),
    "laplace_density": (lambda: laplace_density, lambda: (drawn(32, 2), drawn(32, seed=5)), {}),
    "fixed_density": (lambda: fixed_density, lambda: (drawn(32), drawn(32, seed=5)), {}),
    "poisson": (lambda: poisson, lambda: (drawn(16), classes(5, 16).float()), {}),
    "ccc": (lambda: ccc, lambda: (drawn(16), drawn(16, seed=5)), {}),
    "weighted_by_truth": (lambda: weighted_by_truth, lambda: (drawn(16), drawn(16, seed=5)), {}),
    "cosine": (lambda: cosine, lambda: (drawn(8, 5), drawn(8, 5, seed=5)), {}),
    "rank_and_value": (lambda: rank_and_value, lambda: (drawn(12), drawn(12, seed=5)), {}),
    "weights_detached": (lambda: quantile_huber_target_detached, lambda: (drawn(16), drawn(16, seed=5)), {}),
    "trimmed": (lambda: trimmed, lambda: (drawn(20), drawn(20, seed=5)), {}),
    "cross_entropy": (lambda: cross_entropy, lambda: (drawn(16, 5), classes(5, 16)), {}),
    "cross_entropy_of_pixels": (lambda: cross_entropy, lambda: (drawn(2, 4, 6, 6), classes(4, 2, 6, 6)), {}),
    "smoothed": (lambda: smoothed, lambda: (drawn(16, 5), classes(5, 16)), {}),
    "ignoring": (
        lambda: ignoring,
        lambda: (drawn(16, 5), with_ignored(classes(5, 16))),
        {"ignore_index": -100},
    ),
    "own_ignoring": (
        lambda: own_ignoring,
        lambda: (drawn(2, 4, 6, 6), with_ignored(classes(4, 2, 6, 6), 255)),
        {"ignore_index": 255},
    ),
    "soft_cross_entropy": (lambda: soft_cross_entropy, lambda: (drawn(16, 4), drawn(16, 4, seed=5).softmax(1)), {}),
    "focal": (lambda: focal, lambda: (drawn(32), bits(32)), {}),
    "focal_by_positives": (lambda: focal_by_positives, lambda: (drawn(32), bits(32)), {}),
    "pos_weighted": (lambda: pos_weighted, lambda: (drawn(32), bits(32)), {}),
    "brier": (lambda: brier, lambda: (drawn(16, 3), classes(3, 16)), {}),
    "probabilities_bce": (
        lambda: probabilities_bce,
        lambda: (drawn(16).sigmoid(), bits(16)),
        {"y_pred_kind": "probabilities", "y_true_kind": "binary"},
    ),
    "nll": (lambda: nll, lambda: (drawn(16, 4).log_softmax(1), classes(4, 16)), {}),
    "kl": (lambda: kl, lambda: (drawn(16, 4).log_softmax(1), drawn(16, 4, seed=5).softmax(1)), {}),
    "distillation": (lambda: distillation, lambda: (drawn(16, 4), drawn(16, 4, seed=5)), {}),
    "hinge": (lambda: hinge, lambda: (drawn(32), bits(32)), {}),
    "hinge_of_signs": (lambda: hinge_of_signs, lambda: (drawn(32), 2 * bits(32) - 1), {}),
    "dice_with_smooth": (lambda: dice_with_smooth, lambda: (drawn(2, 1, 8, 8), bits(2, 1, 8, 8)), {}),
    "dice_per_image": (lambda: dice_per_image, lambda: (drawn(3, 1, 8, 8), bits(3, 1, 8, 8)), {}),
    "cross_entropy_and_dice": (lambda: cross_entropy_and_dice, lambda: (drawn(2, 1, 8, 8), bits(2, 1, 8, 8)), {}),
    "hard_examples": (lambda: hard_examples, lambda: (drawn(16, 4), classes(4, 16)), {}),
    "class_balanced_in_batch": (lambda: class_balanced_in_batch, lambda: (drawn(16, 4), classes(4, 16)), {}),
    "channels_last": (lambda: channels_last, lambda: (drawn(2, 7, 5), classes(5, 2, 7)), {}),
    "multi_label": (lambda: multi_label, lambda: (drawn(12, 6), bits(12, 6)), {}),
    "contrastive": (lambda: contrastive, lambda: (drawn(12, 6), torch.arange(12) % 4), {}),
    "triplet_hardest": (lambda: triplet_hardest, lambda: (drawn(12, 6), torch.arange(12) % 4), {}),
    "matched_pairs": (lambda: matched_pairs, lambda: (drawn(8, 6), drawn(8, 6, seed=5)), {}),
    "pairwise_ranking": (lambda: pairwise_ranking, lambda: (drawn(10), classes(4, 10).float()), {}),
    "listnet": (lambda: listnet, lambda: (drawn(10), classes(4, 10)), {}),
    "barlow": (lambda: barlow, lambda: (drawn(16, 4), drawn(16, 4, seed=5)), {}),
    "distribution_match": (lambda: distribution_match, lambda: (drawn(16), drawn(16, seed=5)), {}),
    "weighted": (Weighted, lambda: (drawn(16, 3), classes(3, 16)), {}),
    "uncertain": (Uncertain, lambda: (drawn(16), drawn(16, seed=5)), {}),
    "centers": (Centers, lambda: (drawn(12, 6), torch.arange(12) % 4), {}),
    "proxies": (Proxies, lambda: (drawn(12, 6), torch.arange(12) % 4), {}),
    "running_scale": (RunningScale, lambda: (drawn(16), drawn(16, seed=5)), {}),
    "sampled_negatives": (SampledNegatives, lambda: (drawn(32), bits(32)), {}),
    "with_hook": (WithHook, lambda: (drawn(16), drawn(16, seed=5)), {}),
    "by_hand": (lambda: by_hand, lambda: (drawn(16), drawn(16, seed=5)), {}),
    "pseudo_labels": (lambda: pseudo_labels, lambda: (drawn(16, 4), classes(4, 16)), {}),
    "penalised": (lambda: penalised, lambda: (drawn(16, 4), classes(4, 16)), {}),
    "a_lambda": (lambda: lambda p, t: (p - t).abs().mean(), lambda: (drawn(16), drawn(16, seed=5)), {}),
    "logits_that_lie_in_the_unit_interval": (
        lambda: F.binary_cross_entropy_with_logits,
        lambda: (positive(16) / 1.5, bits(16)),
        {},
    ),
    "torch_l1": (nn.L1Loss, lambda: (drawn(16), drawn(16, seed=5)), {}),
    "torch_mse": (nn.MSELoss, lambda: (drawn(16), drawn(16, seed=5)), {}),
    "torch_huber": (nn.HuberLoss, lambda: (drawn(16), drawn(16, seed=5)), {}),
    "torch_smooth_l1": (nn.SmoothL1Loss, lambda: (drawn(16), drawn(16, seed=5)), {}),
    "torch_cross_entropy": (nn.CrossEntropyLoss, lambda: (drawn(16, 4), classes(4, 16)), {}),
    "torch_nll": (nn.NLLLoss, lambda: (drawn(16, 4).log_softmax(1), classes(4, 16)), {}),
    "torch_bce": (nn.BCELoss, lambda: (drawn(16).sigmoid(), bits(16)), {}),
    "torch_bce_with_logits": (nn.BCEWithLogitsLoss, lambda: (drawn(16), bits(16)), {}),
    "torch_kl": (
        lambda: nn.KLDivLoss(reduction="batchmean"),
        lambda: (drawn(16, 4).log_softmax(1), drawn(16, 4, seed=5).softmax(1)),
        {},
    ),
    "torch_poisson": (nn.PoissonNLLLoss, lambda: (drawn(16), classes(5, 16).float()), {}),
    "torch_multi_margin": (nn.MultiMarginLoss, lambda: (drawn(16, 4), classes(4, 16)), {}),
    "torch_multi_label_soft_margin": (nn.MultiLabelSoftMarginLoss, lambda: (drawn(16, 4), bits(16, 4)), {}),
    "torch_multi_label_margin": (
        nn.MultiLabelMarginLoss,
        lambda: (drawn(6, 4), torch.tensor([[1, 2, -1, 0]] * 6)),
        {},
    ),
    "torch_hinge_embedding": (nn.HingeEmbeddingLoss, lambda: (positive(16), 2 * bits(16) - 1), {}),
}
