"""Losses with one numerical fault each, as people write them.

``FAULTY[name] = (make, example, code, arguments)``: arguments go to ``check_loss``.
"""

from collections.abc import Callable
from typing import Any

import numpy
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.check.sound import bits, classes, drawn, positive

Row = tuple[Callable[[], Callable[..., Any]], Callable[[], tuple[Tensor, Tensor]], str, dict[str, Any]]


# A part without gradient


def bce_and_hard_dice(y_pred: Tensor, y_true: Tensor) -> Tensor:
    mask = (torch.sigmoid(y_pred) > 0.5).float()
    dice = (2 * (mask * y_true).sum() + 1) / (mask.sum() + y_true.sum() + 1)
    return F.binary_cross_entropy_with_logits(y_pred, y_true) + 1 - dice


def ce_and_accuracy(y_pred: Tensor, y_true: Tensor) -> Tensor:
    accuracy = (y_pred.argmax(1) == y_true).float().mean()
    return F.cross_entropy(y_pred, y_true) + 0.5 * (1 - accuracy)


class RoundedCount(nn.Module):
    """Counts objects by rounding."""

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        counts = torch.round(y_pred).sum(-1)
        return F.mse_loss(y_pred, y_true) + 0.2 * (counts - y_true.sum(-1)).abs().mean()


def dice_by_item(y_pred: Tensor, y_true: Tensor) -> Tensor:
    p = torch.sigmoid(y_pred)
    dice = 1 - (2 * (p * y_true).sum() + 1) / (p.sum() + y_true.sum() + 1)
    return F.binary_cross_entropy_with_logits(y_pred, y_true) + dice.item()


def wrapped_variance(y_pred: Tensor, y_true: Tensor) -> Tensor:
    penalty = torch.tensor(float((y_pred.mean() - y_true.mean()) ** 2 + y_pred.var()))
    return F.l1_loss(y_pred, y_true) + penalty


def numpy_term(y_pred: Tensor, y_true: Tensor) -> Tensor:
    error = y_pred.detach().cpu().numpy() - y_true.cpu().numpy()
    return F.l1_loss(y_pred, y_true) + float(numpy.sqrt((error**2).mean()))


def direction_of_change(y_pred: Tensor, y_true: Tensor) -> Tensor:
    wrong = (torch.sign(y_pred) != torch.sign(y_true)).float()
    return (y_pred - y_true).abs().mean() + wrong.mean()


class TverskyOfDecisions(nn.Module):
    """True positives of decisions, the rest of probabilities."""

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        p = y_pred.softmax(1)
        hot = F.one_hot(y_true, y_pred.shape[1]).movedim(-1, 1).to(p.dtype)
        hard = F.one_hot(p.argmax(1), y_pred.shape[1]).movedim(-1, 1).to(p.dtype)
        right = (hard * hot).sum()
        return 1 - right / (right + 0.3 * ((1 - hot) * p).sum() + 0.7 * (hot * (1 - p)).sum() + 1)


# A gradient that is not the slope


class SquareBy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, error: Tensor) -> Tensor:
        ctx.save_for_backward(error)
        return error**2

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (error,) = ctx.saved_tensors
        return error * grad


class DiceFn(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, p: Tensor, t: Tensor) -> Tensor:
        ctx.save_for_backward(p, t)
        return 1 - 2 * (p * t).sum() / (p.sum() + t.sum() + 1e-6)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        p, t = ctx.saved_tensors
        union = p.sum() + t.sum() + 1e-6
        return grad * 2 * (t * union - (p * t).sum()) / union**2, None


class CrossEntropyFn(torch.autograd.Function):
    """Forgets to divide by the batch size, backward only."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, target: Tensor) -> Tensor:
        ctx.save_for_backward(logits, target)
        return F.cross_entropy(logits, target)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        logits, target = ctx.saved_tensors
        return grad * (logits.softmax(1) - F.one_hot(target, logits.shape[1])), None


class OnlyNew(torch.autograd.Function):
    """The newer form, with setup_context."""

    @staticmethod
    def forward(error: Tensor) -> Tensor:
        return torch.log1p(error**2)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (error,) = ctx.saved_tensors
        return grad * 2 * error / (1 + error**4)


class Handmade(nn.Module):
    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return OnlyNew.apply(y_pred - y_true).sum() / len(y_pred)  # type: ignore[no-any-return,no-untyped-call]


def l1_and_squares_in_single(y_pred: Tensor, y_true: Tensor) -> Tensor:
    squares: Tensor = SquareBy.apply((y_pred - y_true).float())  # type: ignore[no-untyped-call]
    return F.l1_loss(y_pred, y_true) + squares.mean()


# Stopped on purpose


def straight_through(y_pred: Tensor, y_true: Tensor) -> Tensor:
    hard = (y_pred > 0).to(y_pred.dtype)
    p = torch.sigmoid(y_pred)
    return ((p + (hard - p).detach() - y_true) ** 2).mean()


class NoGradWeights(nn.Module):
    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        with torch.no_grad():
            weight = torch.exp(-(y_pred - y_true).abs())
        return (weight * (y_pred - y_true) ** 2).mean()


def by_data(y_pred: Tensor, y_true: Tensor) -> Tensor:
    error = (y_pred - y_true).abs()
    return (error / (error.data.mean() + 1e-6) * error).mean()


def balanced_by_item(y_pred: Tensor, y_true: Tensor) -> Tensor:
    first, second = F.mse_loss(y_pred, y_true), F.l1_loss(y_pred, y_true)
    return first + second * (first.item() / (second.item() + 1e-8))


class Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return -0.5 * grad


def reversed_gradient(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(Reverse.apply(y_pred), y_true)  # type: ignore[no-untyped-call]


# Not finite far out


def log_of_sigmoid(y_pred: Tensor, y_true: Tensor) -> Tensor:
    p = torch.sigmoid(y_pred)
    return -(y_true * torch.log(p) + (1 - y_true) * torch.log(1 - p)).mean()


class LogOfSoftmax(nn.Module):
    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        p = torch.softmax(y_pred, dim=1)
        hot = F.one_hot(y_true, y_pred.shape[1]).to(p.dtype)
        return -(hot * torch.log(p)).sum(1).mean()


def naive_softmax(y_pred: Tensor, y_true: Tensor) -> Tensor:
    e = y_pred.exp()
    p = e / e.sum(1, keepdim=True)
    return -torch.log(p.gather(1, y_true[:, None]) + 1e-8).mean()


def naive_logsumexp(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return (y_pred.exp().sum(1).log() - y_pred.gather(1, y_true[:, None]).squeeze(1)).mean()


def naive_softplus(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return torch.log(1 + torch.exp(-(2 * y_true - 1) * y_pred)).mean()


def logcosh(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return torch.log(torch.cosh(y_pred - y_true)).mean()


def pixel_log_softmax(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.nll_loss(torch.log(F.softmax(y_pred, dim=1)), y_true)


class FocalOfProbabilities(nn.Module):
    def __init__(self, gamma: float = 2.0) -> None:
        super().__init__()
        self.gamma = gamma

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        p = torch.sigmoid(y_pred)
        pt = torch.where(y_true == 1, p, 1 - p)
        return (-((1 - pt) ** self.gamma) * pt.log()).mean()


def entropy_regularised(y_pred: Tensor, y_true: Tensor) -> Tensor:
    p = y_pred.softmax(1)
    return F.cross_entropy(y_pred, y_true) - 0.1 * -(p * p.log()).sum(1).mean()


def kl_of_probabilities(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return (y_true * (y_true.log() - y_pred.log())).sum(1).mean()


def bce_of_probabilities(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return -(y_true * y_pred.log() + (1 - y_true) * (1 - y_pred).log()).mean()


def nll_of_exp(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return -torch.log(y_pred.exp().gather(1, y_true[:, None])).mean()


def squared_tanh_inverse(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return torch.atanh(torch.tanh(y_pred) - 0 * y_true).sub(y_true).square().mean()


# A gradient that is not finite


def both_logarithms(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Of probabilities, which it tells by having no value beyond 0 and 1."""
    return -(y_true * torch.log(y_pred) + (1 - y_true) * torch.log(1 - y_pred)).mean()


def gaps_left_out_afterwards(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """The slope of what torch.where leaves out is nan all the same."""
    known = ~y_true.isnan()
    return torch.where(known, (y_pred - y_true) ** 2, 0.0).sum() / known.sum().clamp(min=1)


def gaps_made_zero_afterwards(y_pred: Tensor, y_true: Tensor) -> Tensor:
    values = F.softplus(y_pred) - y_pred * y_true
    return torch.nan_to_num(values).sum() / (~y_true.isnan()).sum().clamp(min=1)


def rmse(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return torch.sqrt(F.mse_loss(y_pred, y_true))


class Euclidean(nn.Module):
    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return ((y_pred - y_true) ** 2).sum(1).sqrt().mean()


def joints(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return ((y_pred - y_true).pow(2).sum(-1) ** 0.5).mean()


def focal_of_half(y_pred: Tensor, y_true: Tensor, gamma: float = 0.5) -> Tensor:
    ce = F.cross_entropy(y_pred, y_true, reduction="none")
    return ((1 - torch.exp(-ce)) ** gamma * ce).mean()


def where_log(y_pred: Tensor, y_true: Tensor) -> Tensor:
    p = torch.sigmoid(y_pred)
    return -torch.where(
        y_true > 0.5, torch.where(p > 0, p.log(), -100.0), torch.where(p < 1, (1 - p).log(), -100.0)
    ).mean()


def where_sqrt(y_pred: Tensor, y_true: Tensor) -> Tensor:
    squares = (y_pred - y_true) ** 2
    return torch.where(squares > 0, squares.sqrt(), 0.0).mean()


def distances_within(y_pred: Tensor, y_true: Tensor) -> Tensor:
    d = ((y_pred[:, None] - y_pred[None]) ** 2).sum(-1).sqrt()
    same = y_true[:, None] == y_true[None]
    return (torch.where(same, d, F.relu(1 - d))).mean()


def unit_vectors(y_pred: Tensor, y_true: Tensor) -> Tensor:
    z = y_pred / y_pred.norm(dim=1, keepdim=True)
    scores = (z @ z.T / 0.1).masked_fill(torch.eye(len(z), dtype=torch.bool), -1e4)
    same = (y_true[:, None] == y_true[None]) & ~torch.eye(len(z), dtype=torch.bool)
    return -(F.log_softmax(scores, 1) * same).sum(1).div(same.sum(1).clamp(min=1)).mean()


def pearson(y_pred: Tensor, y_true: Tensor) -> Tensor:
    a, b = y_pred - y_pred.mean(), y_true - y_true.mean()
    return 1 - (a * b).sum() / (a.norm() * b.norm())


def variance_term(y_pred: Tensor, y_true: Tensor) -> Tensor:
    spread = torch.sqrt(y_pred.var(0))
    return F.mse_loss(y_pred, y_true) + F.relu(1 - spread).mean()


def angle(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return torch.acos((F.normalize(y_pred, dim=1) * F.normalize(y_true, dim=1)).sum(1).clamp(-1, 1)).mean()


def hellinger(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return (y_pred.sqrt() - y_true.sqrt()).square().sum(1).sqrt().mean()


# Half precision


def clamped(y_pred: Tensor, y_true: Tensor) -> Tensor:
    p = torch.sigmoid(y_pred).clamp(1e-6, 1 - 1e-6)
    return -(y_true * p.log() + (1 - y_true) * (1 - p).log()).mean()


class Epsilon(nn.Module):
    def __init__(self, eps: float = 1e-8) -> None:
        super().__init__()
        self.eps = eps

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        p = y_pred.softmax(1)
        hot = F.one_hot(y_true, y_pred.shape[1]).movedim(-1, 1).to(p.dtype)
        return -(hot * (p + self.eps).log()).sum(1).mean()


def naive_partition(y_pred: Tensor, y_true: Tensor) -> Tensor:
    shifted = y_pred - y_pred.amax(1, keepdim=True)
    p = shifted.exp() / shifted.exp().sum(1, keepdim=True)
    return -(torch.log(p + 1e-10).gather(1, y_true[:, None])).mean()


def asymmetric(y_pred: Tensor, y_true: Tensor) -> Tensor:
    p = torch.sigmoid(y_pred)
    positive_part = y_true * torch.log(p.clamp(min=1e-8))
    negative_part = (1 - y_true) * torch.log((1 - p).clamp(min=1e-8)) * p**4
    return -(positive_part + negative_part).mean()


def squares_by_image(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Adds up before it divides."""
    return (((y_pred - y_true) ** 2).flatten(1).sum(1) / y_pred[0].numel()).mean()


def masked_by_a_number(y_pred: Tensor, y_true: Tensor) -> Tensor:
    z = F.normalize(y_pred, dim=1, eps=1e-4)
    itself = torch.eye(len(z), dtype=torch.bool)
    same = (y_true[:, None] == y_true[None]) & ~itself
    logs = F.log_softmax((z @ z.T / 0.2).masked_fill(itself, -1e9), 1)
    return -((logs * same).sum(1) / same.sum(1).clamp(min=1)).mean()


# Dtypes


def hinge_of_labels(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.relu(1 - (2 * y_true - 1) * y_pred).mean()


class SoftMarginOfMasks(nn.Module):
    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return F.softplus(-(y_true * 2 - 1) * y_pred).mean()


def negated(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.softplus(y_pred).mean() + (-y_true * y_pred).mean()


def rank_differences(y_pred: Tensor, y_true: Tensor) -> Tensor:
    order = torch.sign(y_true[:, None] - y_true[None])
    return F.relu(0.1 - order * (y_pred[:, None] - y_pred[None])).mean()


def by_byte(y_pred: Tensor, y_true: Tensor) -> Tensor:
    sign = 2 * (y_true > 0.5).byte() - 1
    return F.softplus(-sign * y_pred).mean()


def cut_regression(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.l1_loss(y_pred, y_true.long().to(y_pred.dtype))


class IntTargets(nn.Module):
    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        target = y_true.to(torch.int64)
        return ((y_pred - target) ** 2).mean()


def full_of_fractions(y_pred: Tensor, y_true: Tensor) -> Tensor:
    weight = torch.full_like(y_true, 0.25)
    weight[y_true > 0] = 1
    return (weight * F.binary_cross_entropy_with_logits(y_pred, y_true.to(y_pred.dtype), reduction="none")).mean()


WEIGHT = numpy.array([0.5, 2.0])


def numpy_weights(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return (torch.from_numpy(WEIGHT) * (y_pred - y_true) ** 2).mean()


def double_constant(y_pred: Tensor, y_true: Tensor) -> Tensor:
    q = torch.tensor([0.1, 0.9], dtype=torch.float64)
    error = y_true - y_pred
    return torch.maximum(q * error, (q - 1) * error).mean()


# Second derivatives


class Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, error: Tensor) -> Tensor:
        ctx.save_for_backward(error)
        return error**3

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (error,) = ctx.saved_tensors
        return 3 * error**2 * grad


class Kept(torch.autograd.Function):
    """Keeps numbers, not tensors of the graph."""

    @staticmethod
    def forward(ctx: Any, error: Tensor) -> Tensor:
        ctx.slope = error.detach().tanh()
        return error + F.softplus(-2 * error)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad * ctx.slope


R = drawn


def with_gaps(y_true: Tensor) -> Tensor:
    """Every third number is not known."""
    return y_true.flatten().masked_fill(torch.arange(y_true.numel()) % 3 == 1, torch.nan).view(y_true.shape)


PIXELS = lambda: (R(2, 3, 6, 6), classes(3, 2, 6, 6))  # noqa: E731
IMAGES = lambda: (R(2, 1, 8, 8), bits(2, 1, 8, 8))  # noqa: E731
REALS = lambda: (R(16), R(16, seed=5))  # noqa: E731
ROWS = lambda: (R(12, 4), R(12, 4, seed=5))  # noqa: E731
BINARY = lambda: (2 * R(24), bits(24))  # noqa: E731
CLASSES = lambda: (2 * R(16, 5), classes(5, 16))  # noqa: E731
VECTORS = lambda: (R(12, 6), torch.arange(12) % 4)  # noqa: E731
BYTES = lambda: (2 * R(24), bits(24).to(torch.uint8))  # noqa: E731
PROBABILITIES = {"y_pred_kind": "probabilities"}

FAULTY: dict[str, Row] = {
    "bce_and_hard_dice": (lambda: bce_and_hard_dice, IMAGES, "part-without-gradient", {}),
    "bce_and_hard_dice_of_batch": (lambda: bce_and_hard_dice, BINARY, "part-without-gradient", {}),
    "ce_and_accuracy": (lambda: ce_and_accuracy, CLASSES, "part-without-gradient", {}),
    "ce_and_accuracy_of_pixels": (lambda: ce_and_accuracy, PIXELS, "part-without-gradient", {}),
    "rounded_count": (RoundedCount, ROWS, "part-without-gradient", {}),
    "dice_by_item": (lambda: dice_by_item, IMAGES, "part-without-gradient", {}),
    "wrapped_variance": (lambda: wrapped_variance, REALS, "part-without-gradient", {}),
    "numpy_term": (lambda: numpy_term, REALS, "part-without-gradient", {}),
    "direction_of_change": (lambda: direction_of_change, REALS, "part-without-gradient", {}),
    "tversky_of_decisions": (TverskyOfDecisions, PIXELS, "part-without-gradient", {}),
    "square_by": (lambda: lambda p, t: SquareBy.apply(p - t).mean(), REALS, "gradient-mismatch", {}),
    "dice_fn": (lambda: lambda p, t: DiceFn.apply(p.sigmoid(), t), IMAGES, "gradient-mismatch", {}),
    "cross_entropy_fn": (lambda: CrossEntropyFn.apply, CLASSES, "gradient-mismatch", {}),
    "only_new": (Handmade, REALS, "gradient-mismatch", {}),
    "square_by_in_single": (
        lambda: lambda p, t: SquareBy.apply((p - t).float()).mean(),
        REALS,
        "gradient-mismatch",
        {},
    ),
    "l1_and_squares_in_single": (
        lambda: l1_and_squares_in_single,
        lambda: (R(100), R(100, seed=5)),
        "gradient-mismatch",
        {},
    ),
    "straight_through": (lambda: straight_through, BINARY, "stopped-on-purpose", {}),
    "no_grad_weights": (NoGradWeights, REALS, "stopped-on-purpose", {}),
    "by_data": (lambda: by_data, ROWS, "stopped-on-purpose", {}),
    "balanced_by_item": (lambda: balanced_by_item, REALS, "stopped-on-purpose", {}),
    "reversed_gradient": (lambda: reversed_gradient, BINARY, "stopped-on-purpose", {}),
    "log_of_sigmoid": (lambda: log_of_sigmoid, BINARY, "nan-at-extremes", {}),
    "log_of_softmax": (LogOfSoftmax, CLASSES, "nan-at-extremes", {}),
    "naive_softmax": (lambda: naive_softmax, CLASSES, "nan-at-extremes", {}),
    "naive_logsumexp": (lambda: naive_logsumexp, CLASSES, "nan-at-extremes", {}),
    "naive_softplus": (lambda: naive_softplus, BINARY, "nan-at-extremes", {}),
    "logcosh": (lambda: logcosh, REALS, "nan-at-extremes", {}),
    "pixel_log_softmax": (lambda: pixel_log_softmax, PIXELS, "nan-at-extremes", {}),
    "focal_of_probabilities": (FocalOfProbabilities, BINARY, "nan-at-extremes", {}),
    "entropy_regularised": (lambda: entropy_regularised, CLASSES, "nan-at-extremes", {}),
    "bce_of_probabilities": (
        lambda: bce_of_probabilities,
        lambda: (R(24).sigmoid(), bits(24)),
        "nan-at-extremes",
        PROBABILITIES,
    ),
    "nll_of_exp": (lambda: nll_of_exp, lambda: (R(16, 4).log_softmax(1), classes(4, 16)), "nan-at-extremes", {}),
    "kl_of_probabilities": (
        lambda: kl_of_probabilities,
        lambda: (R(16, 4).softmax(1), R(16, 4, seed=5).softmax(1)),
        "nan-at-extremes",
        PROBABILITIES,
    ),
    "squared_tanh_inverse": (lambda: squared_tanh_inverse, REALS, "nan-at-extremes", {}),
    "both_logarithms": (
        lambda: both_logarithms,
        lambda: (torch.sigmoid(R(16, 4)), bits(16, 4)),
        "nan-at-extremes",
        {},
    ),
    "gaps_left_out_afterwards": (
        lambda: gaps_left_out_afterwards,
        lambda: (R(16, 3), with_gaps(R(16, 3, seed=5))),
        "nan-gradient",
        {},
    ),
    "gaps_made_zero_afterwards": (
        lambda: gaps_made_zero_afterwards,
        lambda: (R(24), with_gaps(bits(24))),
        "nan-gradient",
        {},
    ),
    "rmse": (lambda: rmse, REALS, "nan-gradient", {}),
    "euclidean": (Euclidean, ROWS, "nan-gradient", {}),
    "joints": (lambda: joints, ROWS, "nan-gradient", {}),
    "focal_of_half": (lambda: focal_of_half, CLASSES, "nan-gradient", {}),
    "where_log": (lambda: where_log, BINARY, "nan-gradient", {}),
    "where_sqrt": (lambda: where_sqrt, REALS, "nan-gradient", {}),
    "distances_within": (lambda: distances_within, VECTORS, "nan-gradient", {}),
    "unit_vectors": (lambda: unit_vectors, VECTORS, "nan-gradient", {}),
    "pearson": (lambda: pearson, REALS, "nan-gradient", {}),
    "variance_term": (lambda: variance_term, ROWS, "nan-gradient", {}),
    "angle": (lambda: angle, ROWS, "nan-gradient", {}),
    "hellinger": (
        lambda: hellinger,
        lambda: (R(16, 4).softmax(1), R(16, 4, seed=5).softmax(1)),
        "nan-gradient",
        PROBABILITIES,
    ),
    "clamped": (lambda: clamped, BINARY, "half-precision", {}),
    "clamped_images": (lambda: clamped, IMAGES, "half-precision", {}),
    "epsilon": (Epsilon, CLASSES, "half-precision", {}),
    "epsilon_of_pixels": (Epsilon, PIXELS, "half-precision", {}),
    "naive_partition": (lambda: naive_partition, CLASSES, "half-precision", {}),
    "asymmetric": (lambda: asymmetric, BINARY, "half-precision", {}),
    "squares_by_image": (
        lambda: squares_by_image,
        lambda: (255 * R(4, 1, 16, 16).sigmoid(), 255 * R(4, 1, 16, 16, seed=5).sigmoid()),
        "half-precision",
        {},
    ),
    "masked_by_a_number": (lambda: masked_by_a_number, VECTORS, "half-precision", {}),
    "hinge_of_labels": (lambda: hinge_of_labels, BYTES, "dtype-hazard", {}),
    "hinge_of_whole_numbers": (
        lambda: hinge_of_labels,
        lambda: (2 * R(24), bits(24).long()),
        "dtype-hazard",
        {},
    ),
    "soft_margin_of_masks": (
        SoftMarginOfMasks,
        lambda: (R(2, 8, 8), bits(2, 8, 8).to(torch.uint8)),
        "dtype-hazard",
        {},
    ),
    "negated": (lambda: negated, BYTES, "dtype-hazard", {}),
    "rank_differences": (
        lambda: rank_differences,
        lambda: (R(10), classes(4, 10).to(torch.uint8)),
        "dtype-hazard",
        {},
    ),
    "by_byte": (lambda: by_byte, BINARY, "dtype-hazard", {}),
    "cut_regression": (lambda: cut_regression, lambda: (3 * R(16), 3 * R(16, seed=5)), "dtype-hazard", {}),
    "int_targets": (IntTargets, lambda: (9 * R(8, 2), 9 * positive(8, 2)), "dtype-hazard", {}),
    "full_of_fractions": (
        lambda: full_of_fractions,
        lambda: (2 * R(24), bits(24).long()),
        "dtype-hazard",
        {},
    ),
    "numpy_weights": (lambda: numpy_weights, lambda: (R(16, 2), R(16, 2, seed=5)), "float64-promotion", {}),
    "double_constant": (lambda: double_constant, lambda: (R(16, 2), R(16, 2, seed=5)), "float64-promotion", {}),
    "once": (lambda: lambda p, t: Once.apply(p - t).square().mean(), REALS, "no-double-backward", {}),
    "kept": (lambda: lambda p, t: Kept.apply(p - t).mean(), REALS, "no-double-backward", {}),
}
