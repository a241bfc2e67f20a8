"""Losses that mean something else than they should, as people write them.

``FAULTY[name] = (make, example, code, arguments)``: arguments go to ``check_loss``, code is what must be found.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.check.sound import bits, classes, drawn, positive

Row = tuple[Callable[[], Callable[..., Any]], Callable[[], tuple[Tensor, Tensor]], str, dict[str, Any]]
LOGITS = {"y_pred_kind": "logits", "y_true_kind": "class_indices"}
BINARY = {"y_pred_kind": "logits", "y_true_kind": "binary"}
VALUES = {"y_pred_kind": "real", "y_true_kind": "values"}
PROBABILITIES = {"y_pred_kind": "probabilities", "y_true_kind": "binary"}


# Probabilities or logits


def twice_softmax(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.cross_entropy(F.softmax(y_pred, dim=1), y_true)


def twice_softmax_clamped(y_pred: Tensor, y_true: Tensor) -> Tensor:
    p = y_pred.softmax(1).clamp(1e-6, 1 - 1e-6)
    return -torch.log_softmax(p, dim=1).gather(1, y_true[:, None]).mean()


def twice_softmax_by_hand(y_pred: Tensor, y_true: Tensor) -> Tensor:
    e = torch.exp(y_pred - y_pred.amax(1, keepdim=True))
    p = e / e.sum(1, keepdim=True)
    return F.cross_entropy(p, y_true)


def twice_sigmoid(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(torch.sigmoid(y_pred), y_true)


def twice_sigmoid_focal(y_pred: Tensor, y_true: Tensor) -> Tensor:
    p = torch.sigmoid(y_pred)
    bce = F.binary_cross_entropy_with_logits(p, y_true, reduction="none")
    return ((1 - torch.exp(-bce)) ** 2 * bce).mean()


def twice_sigmoid_dice(y_pred: Tensor, y_true: Tensor) -> Tensor:
    p = torch.sigmoid(torch.sigmoid(y_pred).flatten(1))
    t = y_true.flatten(1)
    return (1 - (2 * (p * t).sum(1) + 1) / (p.sum(1) + t.sum(1) + 1)).mean()


def twice_sigmoid_balanced(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """The factor brings a right answer to 0: what shows is that a wrong one costs little."""
    p = y_pred.sigmoid()
    cost = F.binary_cross_entropy_with_logits(p, y_true, reduction="none")
    p_t = torch.where(y_true > 0.5, p, 1 - p)
    return (torch.where(y_true > 0.5, 0.25, 0.75) * (1 - p_t) ** 2 * cost).mean()


def twice_softmax_of_teacher(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return -(y_true * y_pred.softmax(1).log_softmax(1)).sum(1).mean()


class SoftmaxThenCrossEntropy(nn.Module):
    """Focal, with the softmax before the cross entropy."""

    def __init__(self, gamma: float = 2.0) -> None:
        super().__init__()
        self.gamma = gamma
        self.softmax = nn.Softmax(dim=1)
        self.ce = nn.CrossEntropyLoss(reduction="none")

    def forward(self, inputs: Tensor, targets: Tensor) -> Tensor:
        ce = self.ce(self.softmax(inputs), targets)
        pt = torch.exp(-ce)
        return ((1 - pt) ** self.gamma * ce).mean()


def log_of_logits(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return -(y_true * torch.log(y_pred) + (1 - y_true) * torch.log(1 - y_pred)).mean()


def log_of_logits_eps(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return -torch.log(y_pred.gather(1, y_true[:, None]) + 1e-8).mean()


def bce_of_logits(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.binary_cross_entropy(y_pred, y_true)


def nll_of_logits(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.nll_loss(y_pred, y_true)


def nll_by_hand(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return -(F.one_hot(y_true, y_pred.shape[1]) * y_pred).sum(1).mean()


def nll_gathered(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return -y_pred[torch.arange(len(y_true)), y_true].mean()


def kl_of_logits(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.kl_div(y_pred, y_true, reduction="batchmean")


def dice_of_logits(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return 1 - 2 * (y_pred * y_true).sum() / (y_pred.sum() + y_true.sum() + 1e-6)


def dice_of_class_logits(y_pred: Tensor, y_true: Tensor) -> Tensor:
    hot = F.one_hot(y_true, y_pred.shape[1]).movedim(-1, 1).to(y_pred.dtype)
    axes = (0, *range(2, y_pred.ndim))
    overlap = (y_pred * hot).sum(axes)
    return (1 - (2 * overlap + 1e-5) / (y_pred.sum(axes) + hot.sum(axes) + 1e-5)).mean()


def squares_of_logits(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return ((y_pred - y_true) ** 2).mean()


def kl_of_softmax(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.kl_div(F.softmax(y_pred / 2, 1), F.softmax(y_true / 2, 1), reduction="batchmean")


class NllOfSoftmax(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.nll = nn.NLLLoss()

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return self.nll(torch.softmax(y_pred, dim=1), y_true)


# Direction


def contrastive_reversed(y_pred: Tensor, y_true: Tensor) -> Tensor:
    z = F.normalize(y_pred, dim=1, eps=1e-6)
    eye = torch.eye(len(z), dtype=torch.bool)
    positives = (y_true[:, None] == y_true[None]) & ~eye
    scores = (z @ z.T / 0.5).masked_fill(eye, -1e4)
    return ((F.log_softmax(scores, 1) * positives).sum(1) / positives.sum(1).clamp(min=1)).mean()


def triplet_reversed(y_pred: Tensor, y_true: Tensor) -> Tensor:
    gaps = (y_pred[:, None] - y_pred[None]).square().sum(-1)
    same = y_true[:, None] == y_true[None]
    near = (gaps * same).sum(1) / same.sum(1)
    far = (gaps * ~same).sum(1) / (~same).sum(1).clamp(min=1)
    return F.relu(far - near + 0.5).mean()


def pairs_swapped(y_pred: Tensor, y_true: Tensor) -> Tensor:
    gaps = ((y_pred[:, None] - y_pred[None]).square().sum(-1) + 1e-6).sqrt()
    same = (y_true[:, None] == y_true[None]).to(y_pred.dtype)
    return ((1 - same) * gaps**2 + same * F.relu(1.5 - gaps) ** 2).mean()


def negated_cross_entropy(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.log_softmax(y_pred, dim=1).gather(1, y_true[:, None]).mean()


def negated_bce(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return (y_true * F.logsigmoid(y_pred) + (1 - y_true) * F.logsigmoid(-y_pred)).mean()


def negated_nll(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return y_pred.gather(1, y_true[:, None]).mean()


def negated_mse(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return -((y_pred - y_true) ** 2).mean()


def similarity_returned(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.cosine_similarity(y_pred, y_true, dim=1).mean()


def correlation_returned(y_pred: Tensor, y_true: Tensor) -> Tensor:
    a, b = y_pred - y_pred.mean(), y_true - y_true.mean()
    return (a * b).mean() / ((a * a).mean() * (b * b).mean() + 1e-8).sqrt()


def dice_returned(y_pred: Tensor, y_true: Tensor) -> Tensor:
    p = torch.sigmoid(y_pred).flatten(1)
    t = y_true.flatten(1)
    return ((2 * (p * t).sum(1) + 1) / (p.sum(1) + t.sum(1) + 1)).mean()


def accuracy_returned(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.softmax(y_pred, 1).gather(1, y_true[:, None]).mean()


def hinge_reversed(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.relu(1 + (2 * y_true - 1) * y_pred).mean()


def positives_reversed(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return -(-y_true * F.logsigmoid(y_pred) + (1 - y_true) * F.logsigmoid(-y_pred)).mean()


def negatives_reversed(y_pred: Tensor, y_true: Tensor) -> Tensor:
    p = torch.sigmoid(y_pred).clamp(1e-6, 1 - 1e-6)
    return (-y_true * p.log() + (1 - y_true) * (1 - p).log()).mean()


def focal_branches_swapped(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Both branches push up."""
    p = torch.sigmoid(y_pred)
    positive = -((1 - p) ** 2) * F.logsigmoid(y_pred) * y_true
    negative = -((1 - p) ** 2) * F.logsigmoid(y_pred) * (1 - y_true)
    return (positive + negative).mean()


def auc_reversed(y_pred: Tensor, y_true: Tensor) -> Tensor:
    up, down = y_pred[y_true > 0.5], y_pred[y_true < 0.5]
    return F.softplus(up[:, None] - down[None]).mean()


def bpr_reversed(y_pred: Tensor, y_true: Tensor) -> Tensor:
    better = (y_true[:, None] > y_true[None]).to(y_pred.dtype)
    return -(F.logsigmoid(y_pred[None] - y_pred[:, None]) * better).sum() / better.sum().clamp(min=1)


class WeightedBinary(nn.Module):
    """A negative weight turns the negatives round."""

    def __init__(self) -> None:
        super().__init__()
        self.negative = -0.5

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        values = F.binary_cross_entropy_with_logits(y_pred, y_true, reduction="none")
        return (torch.where(y_true > 0.5, 1.0, self.negative) * values).mean()


# Minimum


def doubled(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.mse_loss(y_pred, 2 * y_true)


def shifted_values(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return (y_pred - (y_true + 1)).abs().mean()


def rolled(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.mse_loss(y_pred, torch.roll(y_true, 1, 0))


def next_sample(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.smooth_l1_loss(y_pred[:-1], y_true[1:])


def truncated(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.mse_loss(y_pred, y_true.int().to(y_pred.dtype))


def one_side_squared(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return (y_pred - y_true**2).abs().mean()


def squares_of_each(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return (y_pred**2 - y_true).abs().mean()


def absolute_targets(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.huber_loss(y_pred, y_true.abs())


def plus_for_minus(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return ((y_pred + y_true) ** 2).mean()


def wrong_layout_of_values(y_pred: Tensor, y_true: Tensor) -> Tensor:
    flat = y_true.permute(0, 2, 3, 1).reshape(len(y_true), -1)
    return F.mse_loss(y_pred.reshape(len(y_pred), -1), flat)


def means_only(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return (y_pred - y_true.mean()).square().mean()


def with_cross_term(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return (y_pred**2 - y_pred * y_true + y_true**2).mean()


def classes_viewed(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.cross_entropy(y_pred.reshape(-1, y_pred.shape[1]), y_true.reshape(-1))


def sequence_viewed(y_pred: Tensor, y_true: Tensor) -> Tensor:
    batch, steps, count = y_pred.shape
    return F.cross_entropy(y_pred.reshape(batch, count, steps), y_true)


def classes_off_by_one(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.cross_entropy(y_pred, (y_true + 1) % y_pred.shape[1])


def softmax_over_samples(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.nll_loss(F.log_softmax(y_pred, dim=0), y_true)


def softmax_over_pixels(y_pred: Tensor, y_true: Tensor) -> Tensor:
    p = F.softmax(y_pred, dim=-1).clamp(min=1e-7)
    return -p.gather(1, y_true.unsqueeze(1)).log().mean()


class SoftmaxOfSequence(nn.Module):
    """(N, T, C), and the softmax runs over T."""

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        p = torch.log_softmax(y_pred, dim=1)
        return -p.gather(2, y_true.unsqueeze(2)).mean()


def kl_of_probabilities(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.kl_div(y_pred, y_true, reduction="batchmean")


def kl_swapped(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return (y_pred.exp() * (y_true - y_pred)).sum(1).mean()


def cross_entropy_swapped(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return -(y_pred * y_true.clamp(min=1e-6).log()).sum(1).mean()


# Without end


def difference_only(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return (y_pred - y_true).mean()


def pinball_one_side(y_pred: Tensor, y_true: Tensor) -> Tensor:
    error = y_true - y_pred
    return (0.9 * error).mean()


def bce_one_branch(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """log(1 + e^z) − y z, with the sign of y z lost."""
    return (F.softplus(y_pred) - 2 * y_true * y_pred).mean()


def margin_without_floor(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return (1 - (2 * y_true - 1) * y_pred).mean()


def margin_of_classes(y_pred: Tensor, y_true: Tensor) -> Tensor:
    right = y_pred.gather(1, y_true[:, None])
    wrong = y_pred.masked_fill(F.one_hot(y_true, y_pred.shape[1]).bool(), -torch.inf).amax(1, keepdim=True)
    return (1 + wrong - right).mean()


def cubed(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return ((y_pred - y_true) ** 3).mean()


def poisson_negated(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return (y_true * y_pred - y_pred.exp()).mean()


# Dead outputs


def clamped_logits(y_pred: Tensor, y_true: Tensor) -> Tensor:
    p = torch.clamp(y_pred, 1e-4, 1 - 1e-4)
    return F.binary_cross_entropy(p, y_true)


class ClampedDice(nn.Module):
    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        p = F.hardtanh(y_pred, 0.0, 1.0).flatten(1)
        t = y_true.flatten(1)
        return (1 - (2 * (p * t).sum(1) + 1) / (p.sum(1) + t.sum(1) + 1)).mean()


def clipped_errors(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return (y_pred - y_true).clamp(-1, 1).square().mean()


def logits_clipped_small(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.cross_entropy(y_pred.clamp(-0.5, 0.5), y_true)


# Hyper-parameters


class FocalAlpha(nn.Module):
    """Alpha on both classes alike."""

    def __init__(self, alpha: float = 0.25, gamma: float = 2.0) -> None:
        super().__init__()
        self.alpha, self.gamma = alpha, gamma

    def forward(self, inputs: Tensor, targets: Tensor) -> Tensor:
        bce = F.binary_cross_entropy_with_logits(inputs, targets, reduction="none")
        pt = torch.exp(-bce)
        return (self.alpha * (1 - pt) ** self.gamma * bce).mean()


class FocalClassesAlpha(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.alpha = 0.5

    def forward(self, inputs: Tensor, targets: Tensor) -> Tensor:
        ce = F.cross_entropy(inputs, targets, reduction="none")
        return self.alpha * ((1 - torch.exp(-ce)) ** 2 * ce).mean()


class FocalOfWeighted(nn.Module):
    """p_t comes of the weighted cross entropy."""

    def __init__(self) -> None:
        super().__init__()
        self.weight: Tensor
        self.register_buffer("weight", torch.tensor([1.0, 2.0, 0.5]))

    def forward(self, inputs: Tensor, targets: Tensor) -> Tensor:
        ce = F.cross_entropy(inputs, targets, weight=self.weight, reduction="none")
        return ((1 - torch.exp(-ce)) ** 2 * ce).mean()


def pinball_low(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Of the quantile 0.1, where 0.9 is wanted."""
    error = y_true - y_pred
    return torch.maximum(0.1 * error, -0.9 * error).mean()


def focal(y_pred: Tensor, y_true: Tensor) -> Tensor:
    bce = F.binary_cross_entropy_with_logits(y_pred, y_true, reduction="none")
    return ((1 - torch.exp(-bce)) ** 2 * bce).mean()


def unit(*shape: int, seed: int = 0) -> Tensor:
    return drawn(*shape, seed=seed).sigmoid()


def shares(*shape: int, seed: int = 0) -> Tensor:
    return drawn(*shape, seed=seed).softmax(1)


def c16() -> tuple[Tensor, Tensor]:
    return drawn(16, 4), classes(4, 16)


def c_pixels() -> tuple[Tensor, Tensor]:
    return 2 * drawn(2, 4, 6, 5), classes(4, 2, 6, 5)


def b32() -> tuple[Tensor, Tensor]:
    return 2 * drawn(32), bits(32)


def masks() -> tuple[Tensor, Tensor]:
    return 2 * drawn(3, 1, 8, 8), bits(3, 1, 8, 8)


def dice_of_mixed_layout(y_pred: Tensor, y_true: Tensor) -> Tensor:
    count = y_pred.shape[1]
    p = y_pred.softmax(1).reshape(count, -1)
    hot = F.one_hot(y_true, count).permute(3, 0, 1, 2).reshape(count, -1).to(p.dtype)
    return 1 - ((2 * (p * hot).sum(1) + 1e-3) / (p.sum(1) + hot.sum(1) + 1e-3)).mean()


def likeness_of_images(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """A structural similarity that nobody subtracted from 1."""
    x, y = F.avg_pool2d(y_pred, 3, 1), F.avg_pool2d(y_true, 3, 1)
    xx, yy = F.avg_pool2d(y_pred**2, 3, 1) - x**2, F.avg_pool2d(y_true**2, 3, 1) - y**2
    xy = F.avg_pool2d(y_pred * y_true, 3, 1) - x * y
    return ((2 * x * y + 1e-4) * (2 * xy + 9e-4) / ((x**2 + y**2 + 1e-4) * (xx + yy + 9e-4))).mean()


def raw_dice(y_pred: Tensor, y_true: Tensor) -> Tensor:
    p, t = y_pred.flatten(1), y_true.flatten(1)
    return (1 - (2 * (p * t).sum(1) + 1) / ((p**2).sum(1) + (t**2).sum(1) + 1)).mean()


def overlap_of_boxes(y_pred: Tensor, y_true: Tensor) -> Tensor:
    low, high = torch.maximum(y_pred[:, :2], y_true[:, :2]), torch.minimum(y_pred[:, 2:], y_true[:, 2:])
    inside = (high - low).clamp(min=0).prod(1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(1) for boxes in (y_pred, y_true)]
    return (inside / (areas[0] + areas[1] - inside + 1e-6)).mean()


def boxes(seed: int) -> Tensor:
    corners = 4 * uniform(8, 2, seed=seed)
    return torch.cat([corners, corners + 1 + 3 * uniform(8, 2, seed=seed + 1)], 1)


def teacher_squashed(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.kl_div(y_pred.log_softmax(1), y_true.log_softmax(1), log_target=True, reduction="batchmean")


def log_of_one_side(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return (torch.log1p(y_pred) - y_true).square().mean()


def labels_with_themselves(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Of one axis .t() turns nothing: every pair is taken for one of a kind."""
    z = F.normalize(y_pred, dim=1)
    others = 1 - torch.eye(len(z)).to(z)
    alike = (y_true == y_true.t()).to(z) * others
    logits = 5 * z @ z.T
    log_p = logits - (logits.exp() * others).sum(1, keepdim=True).log()
    return -((alike * log_p).sum(1) / alike.sum(1).clamp(min=1)).mean()


def uniform(*shape: int, seed: int = 3) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def r24() -> tuple[Tensor, Tensor]:
    return drawn(24), drawn(24, seed=5)


def r_rows() -> tuple[Tensor, Tensor]:
    return drawn(12, 3), 2 * drawn(12, 3, seed=5)


def away_from_the_other_view(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return (2 + 2 * F.cosine_similarity(y_pred, y_true, dim=-1, eps=1e-6)).mean()


class UncertaintyOfWrongSign(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.log_var = nn.Parameter(torch.zeros(2))

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        per_task = (y_pred - y_true).square().mean(0)
        return (torch.exp(-self.log_var) * per_task - self.log_var).sum()


P, D, M, U = "probs-vs-logits", "wrong-direction", "wrong-minimum", "unbounded-below"
FAULTY: dict[str, Row] = {
    "away_from_the_other_view": (
        lambda: away_from_the_other_view,
        lambda: (drawn(16, 8), drawn(16, 8, seed=5)),
        D,
        {"y_pred_kind": "embedding"},
    ),
    "uncertainty_of_wrong_sign": (
        UncertaintyOfWrongSign,
        lambda: (drawn(16, 2), drawn(16, 2, seed=5)),
        U,
        {},
    ),
    "twice_softmax": (lambda: twice_softmax, c16, P, {}),
    "twice_softmax_given": (lambda: twice_softmax, c16, P, LOGITS),
    "twice_softmax_pixels": (lambda: twice_softmax, c_pixels, P, {}),
    "twice_softmax_positive": (lambda: twice_softmax, lambda: (positive(16, 4), classes(4, 16)), P, {}),
    "twice_softmax_clamped": (lambda: twice_softmax_clamped, c16, P, {}),
    "twice_softmax_by_hand": (lambda: twice_softmax_by_hand, c16, P, {}),
    "twice_softmax_focal": (SoftmaxThenCrossEntropy, c16, P, {}),
    "twice_sigmoid": (lambda: twice_sigmoid, b32, P, {}),
    "twice_sigmoid_focal": (lambda: twice_sigmoid_focal, masks, P, {}),
    "twice_sigmoid_dice": (lambda: twice_sigmoid_dice, masks, P, {}),
    "twice_sigmoid_balanced": (lambda: twice_sigmoid_balanced, lambda: (drawn(32, 6), bits(32, 6)), P, {}),
    "twice_softmax_of_teacher": (
        lambda: twice_softmax_of_teacher,
        lambda: (drawn(16, 8), shares(16, 8)),
        P,
        {"y_pred_kind": "logits", "y_true_kind": "probabilities"},
    ),
    "dice_of_mixed_layout": (
        lambda: dice_of_mixed_layout,
        lambda: (drawn(4, 3, 6, 6), classes(3, 4, 6, 6)),
        M,
        LOGITS,
    ),
    "likeness_of_images": (
        lambda: likeness_of_images,
        lambda: (uniform(2, 1, 10, 10), uniform(2, 1, 10, 10, seed=5)),
        D,
        {},
    ),
    "raw_dice": (
        lambda: raw_dice,
        lambda: (3 * drawn(4, 10, 10), bits(4, 10, 10)),
        P,
        {"y_pred_kind": "logits"},
    ),
    "overlap_of_boxes": (lambda: overlap_of_boxes, lambda: (boxes(3), boxes(5)), D, {"y_true_kind": "boxes"}),
    "teacher_squashed": (lambda: teacher_squashed, lambda: (drawn(16, 6), shares(16, 6)), P, {}),
    "log_of_one_side": (
        lambda: log_of_one_side,
        lambda: (6 * uniform(24), (6 * uniform(24, seed=5)).round()),
        M,
        {"y_pred_kind": "positive", "y_true_kind": "counts"},
    ),
    "labels_with_themselves": (
        lambda: labels_with_themselves,
        lambda: (drawn(12, 6), torch.arange(12) % 4),
        M,
        {"y_pred_kind": "embedding", "y_true_kind": "labels_of_embeddings"},
    ),
    "cross_entropy_of_softmax": (nn.CrossEntropyLoss, lambda: (shares(16, 4), classes(4, 16)), P, {}),
    "cross_entropy_of_softmax_given": (
        nn.CrossEntropyLoss,
        lambda: (shares(16, 4), classes(4, 16)),
        P,
        {"y_pred_kind": "probabilities"},
    ),
    "cross_entropy_function_of_softmax": (
        lambda: F.cross_entropy,
        lambda: (shares(8, 3, 4, 4), classes(3, 8, 4, 4)),
        P,
        {},
    ),
    "bce_with_logits_of_sigmoid": (
        lambda: F.binary_cross_entropy_with_logits,
        lambda: (unit(32), bits(32)),
        P,
        PROBABILITIES,
    ),
    "bce_module_of_sigmoid": (nn.BCEWithLogitsLoss, lambda: (unit(8, 4), bits(8, 4)), P, PROBABILITIES),
    "dice_of_sigmoid": (
        lambda: dice_loss,
        lambda: (unit(2, 1, 8, 8), bits(2, 1, 8, 8)),
        P,
        PROBABILITIES,
    ),
    "log_of_logits": (lambda: log_of_logits, b32, P, {}),
    "log_of_logits_eps": (lambda: log_of_logits_eps, c16, P, {}),
    "log_of_unit_logits_given": (lambda: log_of_logits, lambda: (unit(32), bits(32)), P, BINARY),
    "bce_of_logits": (lambda: bce_of_logits, b32, P, {}),
    "bce_module_of_logits": (nn.BCELoss, masks, P, {}),
    "bce_module_of_unit_logits_given": (nn.BCELoss, lambda: (unit(32), bits(32)), P, BINARY),
    "nll_of_logits": (lambda: nll_of_logits, c16, P, {}),
    "nll_module_of_logits": (nn.NLLLoss, c_pixels, P, {}),
    "nll_module_of_probabilities": (nn.NLLLoss, lambda: (shares(16, 4), classes(4, 16)), P, {}),
    "nll_by_hand": (lambda: nll_by_hand, c16, P, {}),
    "nll_gathered": (lambda: nll_gathered, c16, P, LOGITS),
    "kl_of_logits": (lambda: kl_of_logits, lambda: (drawn(16, 4), shares(16, 4, seed=5)), P, {}),
    "kl_of_probabilities": (lambda: kl_of_probabilities, lambda: (shares(16, 4), shares(16, 4, seed=5)), P, {}),
    "kl_module_of_probabilities": (
        lambda: nn.KLDivLoss(reduction="batchmean"),
        lambda: (shares(16, 4), shares(16, 4, seed=5)),
        P,
        {},
    ),
    "dice_of_logits": (lambda: dice_of_logits, masks, P, {}),
    "dice_of_class_logits": (lambda: dice_of_class_logits, c_pixels, P, {}),
    "squares_of_logits_given": (lambda: squares_of_logits, b32, P, BINARY),
    "kl_of_softmax": (lambda: kl_of_softmax, lambda: (drawn(16, 4), drawn(16, 4, seed=5)), P, {}),
    "nll_of_softmax": (NllOfSoftmax, c16, P, {}),
    "contrastive_reversed": (lambda: contrastive_reversed, lambda: (drawn(12, 6), torch.arange(12) % 4), D, {}),
    "triplet_reversed": (lambda: triplet_reversed, lambda: (drawn(12, 6), torch.arange(12) % 4), D, {}),
    "pairs_swapped": (lambda: pairs_swapped, lambda: (drawn(12, 6), torch.arange(12) % 3), D, {}),
    "poisson_negated": (lambda: poisson_negated, lambda: (drawn(24), classes(5, 24).float()), U, {}),
    "negated_cross_entropy": (lambda: negated_cross_entropy, c16, D, {}),
    "negated_cross_entropy_given": (lambda: negated_cross_entropy, c16, D, LOGITS),
    "negated_bce": (lambda: negated_bce, b32, D, {}),
    "negated_nll": (lambda: negated_nll, lambda: (drawn(16, 4).log_softmax(1), classes(4, 16)), D, {}),
    "negated_mse": (lambda: negated_mse, r24, D, {}),
    "negated_mse_given": (lambda: negated_mse, lambda: (positive(24), positive(24, seed=5)), D, VALUES),
    "similarity_returned": (lambda: similarity_returned, r_rows, D, {}),
    "correlation_returned": (lambda: correlation_returned, r24, D, {}),
    "dice_returned": (lambda: dice_returned, masks, D, {}),
    "accuracy_returned": (lambda: accuracy_returned, c16, D, {}),
    "hinge_reversed": (lambda: hinge_reversed, b32, D, {}),
    "positives_reversed": (lambda: positives_reversed, b32, D, {}),
    "negatives_reversed": (lambda: negatives_reversed, b32, D, {}),
    "negatives_reversed_given": (lambda: negatives_reversed, masks, D, BINARY),
    "focal_branches_swapped": (lambda: focal_branches_swapped, b32, D, {}),
    "auc_reversed": (lambda: auc_reversed, b32, D, {}),
    "bpr_reversed": (lambda: bpr_reversed, lambda: (drawn(20), classes(3, 20)), D, {}),
    "bpr_reversed_given": (
        lambda: bpr_reversed,
        lambda: (drawn(20), drawn(20, seed=5)),
        D,
        {"y_pred_kind": "scores", "y_true_kind": "ranks"},
    ),
    "negative_weight": (WeightedBinary, b32, D, {}),
    "quantile_side": (
        lambda: pinball_low,
        r24,
        D,
        {"prefers": [(drawn(24, seed=5) + 1, drawn(24, seed=5) - 1)]},
    ),
    "doubled": (lambda: doubled, r24, M, {}),
    "doubled_given": (lambda: doubled, r_rows, M, VALUES),
    "shifted_values": (lambda: shifted_values, r24, M, {}),
    "rolled": (lambda: rolled, r_rows, M, {}),
    "next_sample": (lambda: next_sample, r24, M, {}),
    "truncated": (lambda: truncated, lambda: (3 * drawn(24), 3 * drawn(24, seed=5)), M, {}),
    "one_side_squared": (lambda: one_side_squared, r24, M, {}),
    "squares_of_each": (lambda: squares_of_each, r24, M, {}),
    "absolute_targets": (lambda: absolute_targets, r_rows, M, {}),
    "plus_for_minus": (lambda: plus_for_minus, r24, "wrong-direction | wrong-minimum", VALUES),
    "wrong_layout_of_values": (
        lambda: wrong_layout_of_values,
        lambda: (drawn(2, 3, 4, 4), drawn(2, 3, 4, 4, seed=5)),
        M,
        {},
    ),
    "means_only": (lambda: means_only, r24, M, {}),
    "with_cross_term": (lambda: with_cross_term, r24, M, VALUES),
    "classes_viewed": (lambda: classes_viewed, c_pixels, M, {}),
    "classes_viewed_given": (lambda: classes_viewed, c_pixels, M, LOGITS),
    "sequence_viewed": (lambda: sequence_viewed, lambda: (drawn(4, 6, 5), classes(5, 4, 6)), M, {}),
    "classes_off_by_one": (lambda: classes_off_by_one, c16, M, {}),
    "softmax_over_samples": (lambda: softmax_over_samples, c16, M, {}),
    "softmax_over_pixels": (lambda: softmax_over_pixels, c_pixels, M, {}),
    "softmax_of_sequence": (SoftmaxOfSequence, lambda: (drawn(4, 7, 5), classes(5, 4, 7)), M, {}),
    "kl_swapped": (lambda: cross_entropy_swapped, lambda: (shares(16, 4), shares(16, 4, seed=5)), M, {}),
    "difference_only": (lambda: difference_only, r24, U, {}),
    "difference_only_given": (lambda: difference_only, r24, U, VALUES),
    "pinball_one_side": (lambda: pinball_one_side, r24, U, {}),
    "margin_without_floor": (lambda: margin_without_floor, b32, U, BINARY),
    "margin_of_classes": (lambda: margin_of_classes, c16, U, {}),
    "bce_one_branch": (lambda: bce_one_branch, b32, U, {}),
    "cubed": (lambda: cubed, r24, U, {}),
    "clamped_logits": (lambda: clamped_logits, b32, "dead-outputs", {}),
    "clamped_dice": (ClampedDice, masks, "dead-outputs", {}),
    "clipped_errors": (lambda: clipped_errors, lambda: (4 * drawn(24), 4 * drawn(24, seed=5)), "dead-outputs", {}),
    "logits_clipped_small": (
        lambda: logits_clipped_small,
        lambda: (4 * drawn(16, 4), classes(4, 16)),
        "dead-outputs",
        {},
    ),
    "focal_alpha": (FocalAlpha, b32, "hyper-parameter", {}),
    "focal_classes_alpha": (FocalClassesAlpha, c16, "hyper-parameter", {}),
    "focal_of_weighted": (FocalOfWeighted, lambda: (drawn(16, 3), classes(3, 16)), "hyper-parameter", {}),
    "improper_focal": (lambda: focal, b32, "improper", {}),
    "improper_hinge": (nn.SoftMarginLoss, lambda: (drawn(8, 2), bits(8, 2)), "improper", BINARY),
    "improper_classes": (
        lambda: lambda p, t: F.cross_entropy(p, t, label_smoothing=0.4),
        lambda: (drawn(16, 3), classes(3, 16)),
        "improper",
        {},
    ),
}


def dice_loss(y_pred: Tensor, y_true: Tensor) -> Tensor:
    p = torch.sigmoid(y_pred)
    return 1 - (2 * (p * y_true).sum() + 1) / (p.sum() + y_true.sum() + 1)
