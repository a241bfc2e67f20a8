"""Sound losses that come close to a numerical fault: none may get an error or a warning.

``SOUND[name] = (make, example, arguments)``: arguments go to ``check_loss``.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.check.sound import Row, bits, classes, drawn, positive

# Decisions that select what counts


def above_threshold(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """The mean over what costs more than a threshold."""
    values = F.cross_entropy(y_pred, y_true, reduction="none").flatten()
    kept = values > 0.7
    return (values * kept).sum() / kept.sum().clamp(min=1)


def confident_only(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """A term of entropy for predictions that are sure of themselves."""
    p = y_pred.softmax(1)
    sure = p.amax(1) > 0.6
    entropy = -(p * F.log_softmax(y_pred, 1)).sum(1)
    return F.cross_entropy(y_pred, y_true) + 0.1 * torch.where(sure, entropy, 0.0).mean()


def wrong_side_costs_more(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Errors of the wrong sign weigh five times as much."""
    weight = torch.where(y_pred * y_true < 0, 5.0, 1.0)
    return (weight * (y_pred - y_true).abs()).mean()


def semi_hard(y_pred: Tensor, y_true: Tensor, margin: float = 0.5) -> Tensor:
    squares = (y_pred[:, None] - y_pred[None]).square().sum(-1)
    same = y_true[:, None] == y_true[None]
    far = (squares * same).amax(1, keepdim=True)
    beyond = torch.where(~same & (squares > far), squares, squares.detach().max() + 1.0)
    return F.relu(far.squeeze(1) - beyond.amin(1) + margin).mean()


def own_labels(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Cross-entropy with the predicted class, next to that with the true one."""
    return 0.9 * F.cross_entropy(y_pred, y_true) + 0.1 * F.cross_entropy(y_pred, y_pred.argmax(1))


def nearly_whole(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """How far predictions are from whole numbers: a kink in the middle, and no jump."""
    return F.l1_loss(y_pred, y_true) + 0.1 * (y_pred - y_pred.round()).square().mean()


def three_negatives_each(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """All positives, and three times as many of the worst negatives."""
    values = F.binary_cross_entropy_with_logits(y_pred, y_true, reduction="none")
    count = int(y_true.sum())
    worst = (values * (1 - y_true)).flatten().topk(min(3 * count, values.numel())).values
    return ((values * y_true).sum() + worst.sum()) / max(count, 1)


def steep(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """A soft threshold that is nearly a step."""
    return F.mse_loss(y_pred, y_true) + 0.3 * torch.sigmoid(80 * (y_pred - 0.5)).mean()


class Logged(nn.Module):
    """Decisions and numbers that are only watched."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, float] = {}

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        value = F.cross_entropy(y_pred, y_true)
        self.seen["accuracy"] = (y_pred.argmax(1) == y_true).float().mean().item()
        self.seen["loss"] = value.item()
        return value


class Smoothed(torch.autograd.Function):
    """Swish, with a backward pass that is right and can be differentiated again."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * torch.sigmoid(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        s = torch.sigmoid(x)
        return grad * (s + x * s * (1 - s))


def swish(y_pred: Tensor, y_true: Tensor) -> Tensor:
    sign = 2 * y_true.to(y_pred.dtype) - 1
    return Smoothed.apply(1 - sign * y_pred).mean() + F.softplus(-sign * y_pred).mean()  # type: ignore[no-any-return,no-untyped-call]


# Finite, and near what is not


def stable_bce(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return -(y_true * F.logsigmoid(y_pred) + (1 - y_true) * F.logsigmoid(-y_pred)).mean()


def exponential(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """AdaBoost's: it is exp(300) there in truth."""
    return torch.exp(-(2 * y_true - 1) * y_pred).mean()


def safe_where(y_pred: Tensor, y_true: Tensor) -> Tensor:
    squares = (y_pred - y_true) ** 2
    safe = torch.where(squares > 1e-12, squares, 1.0)
    return torch.where(squares > 1e-12, safe.sqrt(), 0.0).mean()


def masked_scores(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Minus infinity as a mask within a softmax."""
    scores = y_pred.masked_fill(torch.arange(y_pred.shape[1]) == y_pred.shape[1] - 1, -torch.inf)
    return F.cross_entropy(scores, y_true.clamp(max=y_pred.shape[1] - 2))


def norms_of_torch(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """The norm of torch has the slope 0 at 0."""
    return (y_pred - y_true).norm(dim=1).mean()


def normalized(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return (1 - (F.normalize(y_pred, dim=1) * F.normalize(y_true, dim=1)).sum(1)).mean()


def safe_pearson(y_pred: Tensor, y_true: Tensor) -> Tensor:
    a, b = y_pred - y_pred.mean(), y_true - y_true.mean()
    return 1 - (a * b).sum() / ((a.square().sum() + 1e-6).sqrt() * (b.square().sum() + 1e-6).sqrt())


def gamma_deviance(y_pred: Tensor, y_true: Tensor) -> Tensor:
    ratio = y_true / y_pred
    return 2 * (ratio - ratio.log() - 1).mean()


def gamma_of_logs(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return (y_pred + y_true * torch.exp(-y_pred)).mean()


def scale_of_its_own(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """A mean, and a scale that the model makes positive."""
    return (y_pred[:, 1].log() + (y_true - y_pred[:, 0]).abs() / y_pred[:, 1]).mean()


def fisher_z(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Of correlations, which lie between -1 and 1."""
    return (torch.atanh(y_pred) - torch.atanh(y_true)).square().mean()


def squared_logs(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return (torch.log1p(y_pred) - torch.log1p(y_true)).square().mean()


def variance_kept(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.mse_loss(y_pred, y_true) + F.relu(1 - (y_pred.var(0) + 1e-4).sqrt()).mean()


def angular_margin(y_pred: Tensor, y_true: Tensor) -> Tensor:
    cosine = (F.normalize(y_pred, dim=1) @ F.normalize(y_pred, dim=1).T).clamp(-1 + 1e-4, 1 - 1e-4)
    same = y_true[:, None] == y_true[None]
    return torch.where(same, torch.acos(cosine), F.relu(1 - torch.acos(cosine))).mean()


def signal_to_noise(y_pred: Tensor, y_true: Tensor) -> Tensor:
    share = (y_pred * y_true).sum(-1, keepdim=True) / (y_true.square().sum(-1, keepdim=True) + 1e-6)
    noise = (y_pred - share * y_true).square().sum(-1)
    return -10 * torch.log10(((share * y_true).square().sum(-1) + 1e-6) / (noise + 1e-6)).mean()


def large_sum(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Beyond what float16 holds, in truth."""
    return (100 * (y_pred - y_true)).square().sum()


def far_outlier(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """The square of one number is beyond float16, of torch's own loss as well."""
    return (y_pred - y_true).square().mean()


def sum_beyond(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """The loss itself is beyond float16, in truth."""
    return (y_pred - y_true).abs().flatten(1).sum(1).mean()


def bounded_squares(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """A bound beyond float16, which torch refuses on a CPU alone."""
    return (y_pred - y_true).square().clamp(max=1e6).mean()


def in_single(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Computes in float32 whatever comes in."""
    p = torch.sigmoid(y_pred.float()).clamp(1e-6, 1 - 1e-6)
    return F.binary_cross_entropy(p, y_true.float())


def partly_in_half(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """A term in bfloat16, which goes up in steps."""
    return F.l1_loss(y_pred.bfloat16(), y_true.bfloat16()) + F.mse_loss(y_pred, y_true)


def spectra(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Logarithms of magnitudes in float32: many kinks, and sharp bends between them."""
    values = []
    for signal in (y_pred, y_true):
        bins = torch.stft(signal.float(), 64, 16, window=torch.hann_window(64), return_complex=True)
        values.append((bins.real**2 + bins.imag**2 + 1e-6).sqrt())
    share = (values[0] - values[1]).norm() / values[1].norm()
    return share + F.l1_loss(values[0].log(), values[1].log())


def boxes(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Generalised overlap of a few boxes, in float32, some of which do not count."""
    p, t, weight = y_pred.float(), y_true[:, :4].float(), y_true[:, 4].float()
    inner = (torch.minimum(p[:, 2:], t[:, 2:]) - torch.maximum(p[:, :2], t[:, :2])).clamp(min=0).prod(1)
    outer = (torch.maximum(p[:, 2:], t[:, 2:]) - torch.minimum(p[:, :2], t[:, :2])).clamp(min=0).prod(1)
    union = sum((box[:, 2:] - box[:, :2]).clamp(min=0).prod(1) for box in (p, t)) - inner
    values = 1 - inner / (union + 1e-6) + (outer - union) / (outer + 1e-6)
    return (values * weight).sum() / weight.sum().clamp(min=1)


def box_example() -> tuple[Tensor, Tensor]:
    corners = drawn(12, 2, seed=5), drawn(12, 2, seed=6)
    y_pred, y_true = (torch.cat([corner, corner + positive(12, 2, seed=5)], 1) for corner in corners)
    return y_pred, torch.cat([y_true, bits(12, 1)], 1)


def perceptual(activation: type[nn.Module], *, cast: bool = False) -> Any:
    """A frozen network from outside, which is float32 whatever comes in."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Conv2d(1, 4, 3), activation(), nn.Conv2d(4, 4, 3)).requires_grad_(False)

    def loss(y_pred: Tensor, y_true: Tensor) -> Tensor:
        if not cast:
            return F.l1_loss(y_pred, y_true) + 0.1 * F.mse_loss(net(y_pred), net(y_true).detach())
        return F.l1_loss(y_pred, y_true) + 0.1 * F.l1_loss(net(y_pred.float()), net(y_true.float()))

    return loss


def images() -> tuple[Tensor, Tensor]:
    return drawn(2, 1, 8, 8, seed=6), drawn(2, 1, 8, 8, seed=11)


def sharp_margin(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """A scale that makes rounding show."""
    scores = F.normalize(y_pred, dim=1) @ F.normalize(torch.eye(6)[:4].to(y_pred.dtype) + 0.1, dim=1).T
    return F.cross_entropy(64 * (scores - 0.35 * F.one_hot(y_true, 4)), y_true)


def connectionist(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """CTC by torch, of log-probabilities (N, T, C), as it is documented."""
    lengths = (torch.full((len(part),), part.shape[1]) for part in (y_pred, y_true))
    return F.ctc_loss(y_pred.transpose(0, 1).float(), y_true, *lengths, zero_infinity=True)


# Targets


def by_threshold(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Soft masks, cut at one half."""
    return F.binary_cross_entropy_with_logits(y_pred, (y_true > 0.5).to(y_pred.dtype))


def bins_of_truth(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """A class for each tenth of the range."""
    return F.cross_entropy(y_pred, (10 * y_true).long().clamp(0, 9))


def between_bins(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Both neighbours of a truth between them, each by its share."""
    low = y_true.long().clamp(0, 8)
    share = y_true - low
    values = -F.log_softmax(y_pred, 1)
    left, right = values.gather(1, low[:, None]), values.gather(1, low[:, None] + 1)
    return (left.squeeze(1) * (1 - share) + right.squeeze(1) * share).mean()


def class_and_value(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """A class in the first column of the truth, a value in the second."""
    return F.cross_entropy(y_pred[:, :3], y_true[:, 0].long()) + F.l1_loss(y_pred[:, 3], y_true[:, 1])


def converted(y_pred: Tensor, y_true: Tensor) -> Tensor:
    sign = 2 * y_true.to(y_pred.dtype) - 1
    return F.softplus(-sign * y_pred).mean()


def ordered(y_pred: Tensor, y_true: Tensor) -> Tensor:
    order = torch.sign((y_true[:, None] - y_true[None]).to(y_pred.dtype))
    return F.softplus(-order * (y_pred[:, None] - y_pred[None])).mean()


def parts_of_mask(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """A mask of bools, used as one."""
    positive = F.softplus(-y_pred[y_true]).sum() / y_true.sum().clamp(min=1)
    return positive + F.softplus(y_pred[~y_true]).sum() / (~y_true).sum().clamp(min=1)


def unequal_lengths(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return (y_pred.logsumexp(1) - y_pred.gather(1, y_true[:, None]).squeeze(1)).mean() + math.log(1)


def examples_of_reals() -> tuple[Tensor, Tensor]:
    return drawn(16), drawn(16, seed=5)


SOUND: dict[str, Row] = {
    "above_threshold": (lambda: above_threshold, lambda: (drawn(32, 4), classes(4, 32)), {}),
    "confident_only": (lambda: confident_only, lambda: (drawn(16, 4), classes(4, 16)), {}),
    "wrong_side_costs_more": (lambda: wrong_side_costs_more, examples_of_reals, {}),
    "semi_hard": (lambda: semi_hard, lambda: (drawn(12, 6), torch.arange(12) % 4), {}),
    "own_labels": (lambda: own_labels, lambda: (drawn(16, 4), classes(4, 16)), {}),
    "nearly_whole": (lambda: nearly_whole, lambda: (2 * drawn(16), 2 * drawn(16, seed=5)), {}),
    "three_negatives_each": (lambda: three_negatives_each, lambda: (drawn(64), bits(64)), {}),
    "steep": (lambda: steep, examples_of_reals, {}),
    "logged": (Logged, lambda: (drawn(16, 4), classes(4, 16)), {}),
    "swish": (lambda: swish, lambda: (drawn(16), bits(16)), {}),
    "stable_bce": (lambda: stable_bce, lambda: (drawn(16), bits(16)), {}),
    "exponential": (lambda: exponential, lambda: (drawn(16), bits(16)), {}),
    "safe_where": (lambda: safe_where, examples_of_reals, {}),
    "masked_scores": (lambda: masked_scores, lambda: (drawn(16, 5), classes(4, 16)), {}),
    "norms_of_torch": (lambda: norms_of_torch, lambda: (drawn(16, 3), drawn(16, 3, seed=5)), {}),
    "normalized": (lambda: normalized, lambda: (drawn(16, 3), drawn(16, 3, seed=5)), {}),
    "safe_pearson": (lambda: safe_pearson, examples_of_reals, {}),
    "gamma_deviance": (
        lambda: gamma_deviance,
        lambda: (positive(16), positive(16, seed=5)),
        {"y_pred_kind": "positive", "y_true_kind": "values"},
    ),
    "gamma_of_logs": (lambda: gamma_of_logs, lambda: (drawn(16), positive(16, seed=5)), {}),
    "scale_of_its_own": (
        lambda: scale_of_its_own,
        lambda: (torch.stack([drawn(16), positive(16)], 1), drawn(16, seed=5)),
        {},
    ),
    "fisher_z": (lambda: fisher_z, lambda: (drawn(16).tanh(), drawn(16, seed=5).tanh()), {}),
    "squared_logs": (lambda: squared_logs, lambda: (positive(16), positive(16, seed=5)), {}),
    "variance_kept": (lambda: variance_kept, lambda: (drawn(16, 3), drawn(16, 3, seed=5)), {}),
    "angular_margin": (lambda: angular_margin, lambda: (drawn(12, 6), torch.arange(12) % 4), {}),
    "signal_to_noise": (lambda: signal_to_noise, lambda: (drawn(4, 40), drawn(4, 40, seed=5)), {}),
    "large_sum": (lambda: large_sum, lambda: (drawn(8, 20), drawn(8, 20, seed=5)), {}),
    "far_outlier": (
        lambda: far_outlier,
        lambda: (torch.cat([drawn(15), torch.tensor([400.0])]), drawn(16, seed=5)),
        {},
    ),
    "sum_beyond": (lambda: sum_beyond, lambda: (300 * drawn(4, 400), 300 * drawn(4, 400, seed=5)), {}),
    "bounded_squares": (lambda: bounded_squares, examples_of_reals, {}),
    "in_single": (lambda: in_single, lambda: (drawn(16), bits(16)), {}),
    "spectra": (lambda: spectra, lambda: (0.3 * drawn(2, 512), 0.3 * drawn(2, 512, seed=5)), {}),
    "boxes": (lambda: boxes, box_example, {}),
    "partly_in_half": (lambda: partly_in_half, lambda: (drawn(50), drawn(50, seed=5)), {}),
    "connectionist": (
        lambda: connectionist,
        lambda: (drawn(4, 14, 6).log_softmax(-1), 1 + classes(5, 4, 5)),
        {},
    ),
    "perceptual_relu": (lambda: perceptual(nn.ReLU), images, {}),
    "perceptual_gelu": (lambda: perceptual(nn.GELU), images, {}),
    "perceptual_cast": (lambda: perceptual(nn.ReLU, cast=True), images, {}),
    "sharp_margin": (lambda: sharp_margin, lambda: (drawn(16, 6), classes(4, 16)), {}),
    "by_threshold": (lambda: by_threshold, lambda: (drawn(16), positive(16) - 0.2), {}),
    "bins_of_truth": (lambda: bins_of_truth, lambda: (drawn(16, 10), positive(16) - 0.2), {}),
    "between_bins": (lambda: between_bins, lambda: (drawn(16, 10), 7 * positive(16)), {}),
    "class_and_value": (
        lambda: class_and_value,
        lambda: (drawn(16, 4), torch.stack([classes(3, 16).float(), drawn(16, seed=5)], 1)),
        {},
    ),
    "converted": (lambda: converted, lambda: (drawn(16), bits(16).to(torch.uint8)), {}),
    "ordered": (lambda: ordered, lambda: (drawn(10), classes(4, 10)), {}),
    "parts_of_mask": (lambda: parts_of_mask, lambda: (drawn(16), bits(16).bool()), {}),
    "unequal_lengths": (lambda: unequal_lengths, lambda: (drawn(16, 5), classes(5, 16)), {}),
}
