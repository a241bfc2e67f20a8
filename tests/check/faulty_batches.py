"""Losses with a fault that other batches bring to light.

``FAULTY[name] = (make, example, code, arguments)``: the code is the one expected, arguments go to ``check_loss``.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.check.sound import bits, classes, drawn, positive, with_ignored

Row = tuple[Callable[[], Callable[..., Any]], Callable[[], tuple[Tensor, Tensor]], str, dict[str, Any]]


# empty-targets


def dice_squared(y_pred: Tensor, y_true: Tensor) -> Tensor:
    p = torch.sigmoid(y_pred)
    return 1 - 2 * (p * y_true).sum() / ((p * p).sum() + (y_true * y_true).sum() + 1e-5)


class NegativeDice(nn.Module):
    """Dice as its negative, per image."""

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        p, t = y_pred.sigmoid().flatten(1), y_true.flatten(1)
        return -(2 * (p * t).sum(1) / (p.sum(1) + t.sum(1)).clamp(min=1e-6)).mean()


def jaccard_of_foreground(y_pred: Tensor, y_true: Tensor) -> Tensor:
    p, t = y_pred.softmax(1)[:, 1:], F.one_hot(y_true, y_pred.shape[1]).movedim(-1, 1)[:, 1:].to(y_pred.dtype)
    inter = (p * t).sum((0, 2, 3))
    return (1 - inter / (p.sum((0, 2, 3)) + t.sum((0, 2, 3)) - inter + 1e-6)).mean()


def recall_loss(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return 1 - (y_pred.sigmoid() * y_true).sum() / y_true.sum()


def positives_and_negatives(y_pred: Tensor, y_true: Tensor) -> Tensor:
    values = F.binary_cross_entropy_with_logits(y_pred, y_true, reduction="none")
    return values[y_true > 0.5].mean() + values[y_true < 0.5].mean()


def per_image_balance(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """A weight per image, infinite where an image has no positive."""
    axes = tuple(range(1, y_true.ndim))
    share = y_true.mean(axes, keepdim=True)
    values = F.binary_cross_entropy_with_logits(y_pred, y_true, reduction="none")
    return (torch.where(y_true > 0.5, 0.5 / share, 0.5 / (1 - share)) * values * y_true.clamp(min=0.1)).mean() + (
        0 / share
    ).mean()


def focal_by_count(y_pred: Tensor, y_true: Tensor) -> Tensor:
    bce = F.binary_cross_entropy_with_logits(y_pred, y_true, reduction="none")
    return ((1 - torch.exp(-bce)) ** 2 * bce).sum() / y_true.sum()


def pos_weight_in_batch(y_pred: Tensor, y_true: Tensor) -> Tensor:
    weight = (1 - y_true).sum(0) / y_true.sum(0)
    return F.binary_cross_entropy_with_logits(y_pred, y_true, pos_weight=weight)


def inverse_frequency(y_pred: Tensor, y_true: Tensor) -> Tensor:
    hot = F.one_hot(y_true, y_pred.shape[1]).to(y_pred.dtype)
    weight = 1 / hot.mean(0)
    return -(weight * hot * F.log_softmax(y_pred, 1)).sum(1).mean()


class MeanOfClasses(nn.Module):
    """The mean over the classes of the mean of each."""

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        values = F.cross_entropy(y_pred, y_true, reduction="none")
        return torch.stack([values[y_true == index].mean() for index in range(y_pred.shape[1])]).mean()


def soft_auc(y_pred: Tensor, y_true: Tensor) -> Tensor:
    up, down = y_pred[y_true == 1], y_pred[y_true == 0]
    return torch.sigmoid(down[None] - up[:, None]).mean()


def supervised_contrast(y_pred: Tensor, y_true: Tensor) -> Tensor:
    z = F.normalize(y_pred, dim=1)
    itself = torch.eye(len(z), dtype=torch.bool)
    same = (y_true[:, None] == y_true) & ~itself
    logs = F.log_softmax((z @ z.T / 0.2).masked_fill(itself, -1e9), 1)
    return (-(logs * same).sum(1) / same.sum(1)).mean()


def mean_of_triplets(y_pred: Tensor, y_true: Tensor) -> Tensor:
    far = torch.cdist(y_pred, y_pred)
    same = y_true[:, None] == y_true
    triplets = same[:, :, None] & ~same[:, None, :] & ~torch.eye(len(far), dtype=torch.bool)[:, :, None]
    return F.relu(far[:, :, None] - far[:, None, :] + 0.3)[triplets].mean()


def correlation(y_pred: Tensor, y_true: Tensor) -> Tensor:
    a, b = y_pred - y_pred.mean(), y_true - y_true.mean()
    return 1 - (a * b).sum() / (a.norm() * b.norm())


class Determination(nn.Module):
    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return ((y_true - y_pred) ** 2).sum() / ((y_true - y_true.mean()) ** 2).sum()


def in_units_of_spread(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return ((y_pred - y_true).abs() / (y_true.max(0).values - y_true.min(0).values)).mean()


def mean_of_rows(y_pred: Tensor, y_true: Tensor) -> Tensor:
    values = F.cross_entropy(y_pred.transpose(1, 2), y_true, ignore_index=-100, reduction="none")
    valid = (y_true != -100).to(values.dtype)
    return ((values * valid).sum(1) / valid.sum(1)).mean()


class MeanOfImages(nn.Module):
    """nn.CrossEntropyLoss image by image."""

    def __init__(self) -> None:
        super().__init__()
        self.ignore_index = 255
        self.inner = nn.CrossEntropyLoss(ignore_index=255)

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return sum(self.inner(p[None], t[None]) for p, t in zip(y_pred, y_true, strict=True)) / len(y_pred)


def gaps_per_series(y_pred: Tensor, y_true: Tensor) -> Tensor:
    known = ~y_true.isnan()
    squares = (y_pred - y_true.nan_to_num()) ** 2 * known
    return (squares.sum(1) / known.sum(1)).mean()


def hardest_half(y_pred: Tensor, y_true: Tensor) -> Tensor:
    values = F.cross_entropy(y_pred, y_true, reduction="none")
    return values.topk(int(0.5 * len(values))).values.mean()


def focal_tversky(y_pred: Tensor, y_true: Tensor) -> Tensor:
    p = torch.sigmoid(y_pred)
    tp, fp, fn = (p * y_true).sum(), (p * (1 - y_true)).sum(), ((1 - p) * y_true).sum()
    return (1 - tp / (tp + 0.7 * fn + 0.3 * fp + 1e-7)) ** 0.75


def dice_of_squeezed_channel(y_pred: Tensor, y_true: Tensor) -> Tensor:
    p, t = y_pred.sigmoid().squeeze(1), y_true.to(y_pred.dtype)
    return (1 - 2 * (p * t).sum((1, 2)) / (p + t).sum((1, 2)).clamp(min=1e-6)).mean()


def noise_contrast(y_pred: Tensor, y_true: Tensor) -> Tensor:
    z = F.normalize(y_pred, dim=1)
    itself = torch.eye(len(z), dtype=torch.bool)
    same = (y_true[:, None] == y_true) & ~itself
    logs = (z @ z.T / 0.1).masked_fill(itself, -torch.inf).log_softmax(1)
    return -(logs.masked_fill(~same, 0).sum(1) / same.sum(1)).mean()


# crash-on-batch


def eight_images(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Of a batch of eight alone; that is written into it."""
    p, t = torch.sigmoid(y_pred).view(8, 6 * 6), y_true.view(8, 6 * 6)
    return 1 - ((2 * (p * t).sum(1) + 1) / ((p + t).sum(1) + 1)).mean()


def pairs_of_twelve(y_pred: Tensor, y_true: Tensor) -> Tensor:
    views = F.normalize(torch.cat([y_pred, y_true]), dim=1)
    alike = (2 * views @ views.T).masked_fill(torch.eye(24, dtype=torch.bool), -1e4)
    return F.cross_entropy(alike, (torch.arange(24) + 12) % 24)


def stacked_positives(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return torch.stack([F.softplus(-p) for p, t in zip(y_pred, y_true, strict=True) if t > 0]).mean()


def listed_positives(y_pred: Tensor, y_true: Tensor) -> Tensor:
    values = [F.softplus(-p) for p, t in zip(y_pred, y_true, strict=True) if t > 0]
    return sum(values) / len(values)  # type: ignore[return-value]


def counted_classes(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Without minlength there are fewer weights than classes where the last one is absent."""
    return F.cross_entropy(y_pred, y_true, weight=1 / torch.bincount(y_true).to(y_pred.dtype))


def squeezed_logits(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(y_pred.squeeze(), y_true)


class SqueezedPixels(nn.Module):
    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return F.cross_entropy(y_pred.squeeze(), y_true)


def squeezed_rows(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """No error for a single sample, but another mean: over its numbers."""
    return (y_pred.squeeze() - y_true.squeeze()).square().mean(0).sum()


def rows_of_squeezed(y_pred: Tensor, y_true: Tensor) -> Tensor:
    p, t = y_pred.squeeze(), y_true.squeeze()
    return (
        torch.stack([(a - b).square().sum() for a, b in zip(p.unbind(0), t.unbind(0), strict=True)]).mean()
        + 0 * (p.mean(1)).sum()
    )


def unbound(y_pred: Tensor, y_true: Tensor) -> Tensor:
    if (y_true > 0).any():
        loss = F.binary_cross_entropy_with_logits(y_pred, y_true)
    return loss


class FirstPositive(nn.Module):
    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        first = y_pred[(y_true > 0).nonzero()[0]]
        return F.softplus(y_pred - first).mean() + F.softplus(-first).mean()


def largest_of_each(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """The largest of an empty tensor, where a class is absent."""
    values = F.cross_entropy(y_pred, y_true, reduction="none")
    return torch.stack([values[y_true == index].max() for index in range(y_pred.shape[1])]).mean()


def three_negatives_each(y_pred: Tensor, y_true: Tensor) -> Tensor:
    values = F.binary_cross_entropy_with_logits(y_pred, y_true, reduction="none")
    up, down = values[y_true > 0.5], values[y_true < 0.5]
    return up.mean() + down.topk(max(1, len(up) // 2)).values.mean()


def by_python_count(y_pred: Tensor, y_true: Tensor) -> Tensor:
    values = F.binary_cross_entropy_with_logits(y_pred, y_true, reduction="none")
    return values.sum() * (1 / int((y_true > 0).sum()))


class PlainZero(nn.Module):
    def forward(self, y_pred: Tensor, y_true: Tensor) -> Any:
        if not (y_true > 0).any():
            return 0.0
        return F.binary_cross_entropy_with_logits(y_pred, y_true)


def zero_without_graph(y_pred: Tensor, y_true: Tensor) -> Tensor:
    valid = y_true != -100
    if not valid.any():
        return torch.tensor(0.0)
    return F.cross_entropy(y_pred[valid], y_true[valid])


def fixed_number_of_hard(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.cross_entropy(y_pred, y_true, reduction="none").topk(8).values.mean()


def neighbours(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """A second sample, that is not always there."""
    return F.mse_loss(y_pred, y_true) + 0 * y_pred[1].sum()


class Peaks(nn.Module):
    """A map of which the 1s are objects: over their number, which may be 0."""

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        p, peak = y_pred.sigmoid().clamp(1e-4, 1 - 1e-4), y_true.eq(1).to(y_pred.dtype)
        near = (1 - p).log() * p**2 * (1 - y_true) ** 4
        return -(p.log() * (1 - p) ** 2 * peak + near * (1 - peak)).sum() / peak.sum()


def depth_where_known(y_pred: Tensor, y_true: Tensor) -> Tensor:
    known = y_true > 0
    return F.smooth_l1_loss(y_pred[known], y_true[known]) + 0.1 * F.l1_loss(y_pred, y_true)


def depth_per_image(y_pred: Tensor, y_true: Tensor) -> Tensor:
    known = (y_true > 0).to(y_pred.dtype)
    return (((y_pred - y_true).abs() * known).flatten(1).sum(1) / known.flatten(1).sum(1)).mean()


# ignored-counted


def masked_then_mean(y_pred: Tensor, y_true: Tensor) -> Tensor:
    values = F.cross_entropy(y_pred, y_true.clamp(min=0), reduction="none")
    return (values * (y_true != -100)).mean()


def unreduced_mean(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.cross_entropy(y_pred, y_true, ignore_index=-100, reduction="none").mean()


class SumByPositions(nn.Module):
    def __init__(self, ignore_index: int = 255) -> None:
        super().__init__()
        self.ignore_index = ignore_index

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        total = F.cross_entropy(y_pred, y_true, ignore_index=self.ignore_index, reduction="sum")
        return total / y_true.numel()


def padding_as_class(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.cross_entropy(y_pred.flatten(0, 1), y_true.clamp(min=0).flatten())


def logits_masked(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Logits are masked where losses should be: an ignored position costs log 2."""
    valid = (y_true != -1).to(y_pred.dtype)
    return F.binary_cross_entropy_with_logits(y_pred * valid, y_true * valid)


def gaps_as_zero(y_pred: Tensor, y_true: Tensor) -> Tensor:
    known = ~y_true.isnan()
    return ((y_pred - y_true.nan_to_num()) ** 2 * known).mean()


def focal_with_padding(y_pred: Tensor, y_true: Tensor) -> Tensor:
    logs = F.log_softmax(y_pred, -1).gather(-1, y_true.clamp(min=0)[..., None]).squeeze(-1)
    values = -((1 - logs.exp()) ** 2) * logs
    return (values * (y_true >= 0)).sum(1).div(y_true.shape[1]).mean()


def gaps_filled_with_mean(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """What is missing is taken for 0, and counts."""
    return F.l1_loss(y_pred, torch.where(y_true == -999, 0.0, y_true), reduction="sum")


def padded_rows(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Only in its labels stands what is ignored."""
    values = F.cross_entropy(y_pred.flatten(0, 1), y_true.flatten(), reduction="none")
    return values.view(y_true.shape).mean(1).mean()


def void_pixels(y_pred: Tensor, y_true: Tensor) -> Tensor:
    values = F.cross_entropy(y_pred, y_true.masked_fill(y_true == 255, 0), reduction="none")
    return values.masked_fill(y_true == 255, 0).mean()


def smoothed_everywhere(y_pred: Tensor, y_true: Tensor) -> Tensor:
    uniform = -F.log_softmax(y_pred, 1).mean(1).mean()
    return 0.99 * F.cross_entropy(y_pred, y_true, ignore_index=-100) + 0.01 * uniform


def mark_as_a_number(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.huber_loss(y_pred, y_true, reduction="sum")


def mark_as_a_class(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.cross_entropy(y_pred, y_true.clamp(min=0), reduction="sum")


def mark_as_no_class(y_pred: Tensor, y_true: Tensor) -> Tensor:
    hot = F.one_hot(y_true.clamp(min=0), y_pred.shape[1]) * (y_true >= 0)[:, None]
    return F.binary_cross_entropy_with_logits(y_pred, hot.to(y_pred.dtype), reduction="sum")


# broadcast


def mse(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return ((y_pred - y_true) ** 2).mean()


def squeezed_prediction(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.l1_loss(y_pred.squeeze(1), y_true)


def column_of_truth(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.smooth_l1_loss(y_pred, y_true.view(-1, 1))


def unsqueezed_truth(y_pred: Tensor, y_true: Tensor) -> Tensor:
    p = y_pred.sigmoid()
    t = y_true.unsqueeze(1)
    return -(t * (p + 1e-7).log() + (1 - t) * (1 - p + 1e-7).log()).mean()


class GaussianColumns(nn.Module):
    """The mean keeps its axis, the truth has none."""

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        mean, log_var = y_pred[:, :1], y_pred[:, 1:].clamp(-10, 10)
        return 0.5 * (log_var + (y_true - mean) ** 2 * torch.exp(-log_var)).mean()


def focal_gathered(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Of shapes (N, 1) and (N,): every weight meets every loss."""
    p = F.softmax(y_pred, 1).gather(1, y_true[:, None])
    return ((1 - p) ** 2 * F.cross_entropy(y_pred, y_true, reduction="none")).mean()


def margin_kept(y_pred: Tensor, y_true: Tensor) -> Tensor:
    best_other = y_pred.scatter(1, y_true[:, None], -1e4).amax(1, keepdim=True)
    own = y_pred.gather(1, y_true[:, None]).squeeze(1)
    return F.relu(1 + best_other - own).mean()


def mean_over_time(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return (y_pred.mean(1) - y_true).square().mean()


def column_of_weights(y_pred: Tensor, y_true: Tensor) -> Tensor:
    weight = torch.tensor([1.0, 2.0, 3.0, 0.5], dtype=y_pred.dtype)[y_true].unsqueeze(1)
    return (weight * F.cross_entropy(y_pred, y_true, reduction="none")).mean()


def chosen_by_truth(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return torch.where(y_true > 0, -F.logsigmoid(y_pred), -F.logsigmoid(-y_pred)).mean()


# batch-scaling


def reconstruction_and_divergence(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.mse_loss(y_pred, y_true) + 0.1 * 0.5 * (y_pred.exp() - y_pred - 1).sum()


def mean_and_small_sum(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return 0.05 * F.mse_loss(y_pred[:, :3], y_true) + y_pred[:, 3:].square().sum()


class SumAndMean(nn.Module):
    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return F.cross_entropy(y_pred, y_true, reduction="sum") + y_pred.square().mean()


def squares_and_norm(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.l1_loss(y_pred, y_true, reduction="sum") + 5 * F.mse_loss(y_pred, y_true)


def pixels_and_sizes(y_pred: Tensor, y_true: Tensor) -> Tensor:
    sizes = (y_pred.sigmoid().mean((1, 2, 3)) - y_true.mean((1, 2, 3))).square()
    return F.binary_cross_entropy_with_logits(y_pred, y_true) + sizes.sum()


# order-dependent


def neighbour_smooth(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.mse_loss(y_pred, y_true) + 0.1 * (y_pred[1:] - y_pred[:-1]).abs().mean()


def rolled_negatives(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.softplus((y_pred * y_true.roll(1, 0)).sum(1) - (y_pred * y_true).sum(1)).mean()


def cox_unsorted(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Right for samples sorted by time, which nobody does."""
    return -((y_pred - torch.logcumsumexp(y_pred, 0)) * y_true).sum() / y_true.sum().clamp(min=1)


class LastOne(nn.Module):
    """The total is assigned where it should be added to."""

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        loss = y_pred.sum() * 0
        for p, t in zip(y_pred, y_true, strict=True):
            loss = F.cross_entropy(p[None], t[None])
        return loss


def weights_by_place(y_pred: Tensor, y_true: Tensor) -> Tensor:
    weight = torch.linspace(1, 2, len(y_pred), dtype=y_pred.dtype)
    return (weight * F.cross_entropy(y_pred, y_true, reduction="none")).mean()


def first_half_against_second(y_pred: Tensor, y_true: Tensor) -> Tensor:
    half = len(y_pred) // 2
    a, b = y_pred[:half], y_pred[half : 2 * half]
    sign = torch.sign(y_true[:half] - y_true[half : 2 * half])
    return F.relu(0.5 - sign * (a - b)).mean()


def shifted_truth(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.cross_entropy(y_pred, y_true) + 0.2 * F.cross_entropy(y_pred, y_true.roll(1, 0))


# whole-batch: a note


def by_positives(y_pred: Tensor, y_true: Tensor) -> Tensor:
    values = F.binary_cross_entropy_with_logits(y_pred, y_true, reduction="none")
    return values.sum() / y_true.sum().clamp(min=1)


def by_weights_in_truth(y_pred: Tensor, y_true: Tensor) -> Tensor:
    weight = torch.where(y_true > 0.5, 4.0, 1.0)
    values = F.binary_cross_entropy_with_logits(y_pred, y_true, reduction="none")
    return (weight * values).sum() / weight.sum()


def root(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return torch.sqrt(F.mse_loss(y_pred, y_true) + 1e-8)


def padded(count: int, *shape: int, index: int = -100) -> Tensor:
    """Classes, of which the ends of rows are padding."""
    target = classes(count, *shape)
    for row in range(shape[0]):
        target[row, shape[1] - 1 - row % (shape[1] - 2) :] = index
    return target


def gaps(*shape: int) -> Tensor:
    return torch.where(bits(*shape) > 0, torch.nan, drawn(*shape, seed=5))


def peaks(*shape: int) -> Tensor:
    return torch.where(drawn(*shape, seed=6) > 1.2, 1.0, 0.5 * positive(*shape))


def known_depth(*shape: int) -> Tensor:
    return torch.where(drawn(*shape, seed=6) > 0.8, 0.0, positive(*shape))


def labelled(count: int) -> tuple[Tensor, Tensor]:
    return drawn(count, 6), torch.arange(count) % 4


FAULTY: dict[str, Row] = {
    "dice_squared": (lambda: dice_squared, lambda: (drawn(2, 8, 8), bits(2, 8, 8)), "empty-targets", {}),
    "dice_of_channels": (lambda: dice_squared, lambda: (drawn(3, 1, 6, 6), bits(3, 1, 6, 6)), "empty-targets", {}),
    "dice_of_flat_masks": (lambda: dice_squared, lambda: (drawn(4, 36), bits(4, 36)), "empty-targets", {}),
    "negative_dice": (NegativeDice, lambda: (drawn(4, 1, 6, 6), bits(4, 1, 6, 6)), "empty-targets", {}),
    "jaccard_of_foreground": (
        lambda: jaccard_of_foreground,
        lambda: (drawn(2, 3, 6, 6), classes(3, 2, 6, 6)),
        "empty-targets",
        {},
    ),
    "recall_loss": (lambda: recall_loss, lambda: (drawn(2, 8, 8), bits(2, 8, 8)), "empty-targets", {}),
    "focal_tversky": (lambda: focal_tversky, lambda: (drawn(2, 8, 8), bits(2, 8, 8)), "empty-targets", {}),
    "dice_of_squeezed_channel": (
        lambda: dice_of_squeezed_channel,
        lambda: (drawn(3, 1, 6, 6), bits(3, 6, 6).long()),
        "empty-targets",
        {},
    ),
    "noise_contrast": (lambda: noise_contrast, lambda: labelled(12), "empty-targets", {}),
    "positives_and_negatives": (lambda: positives_and_negatives, lambda: (drawn(32), bits(32)), "empty-targets", {}),
    "per_image_balance": (lambda: per_image_balance, lambda: (drawn(4, 6, 6), bits(4, 6, 6)), "empty-targets", {}),
    "focal_by_count": (lambda: focal_by_count, lambda: (drawn(32), bits(32)), "empty-targets", {}),
    "focal_by_count_of_columns": (lambda: focal_by_count, lambda: (drawn(16, 3), bits(16, 3)), "empty-targets", {}),
    "pos_weight_in_batch": (lambda: pos_weight_in_batch, lambda: (drawn(16, 4), bits(16, 4)), "empty-targets", {}),
    "inverse_frequency": (
        lambda: inverse_frequency,
        lambda: (drawn(12, 3), torch.arange(12) % 3),
        "empty-targets",
        {},
    ),
    "mean_of_classes": (MeanOfClasses, lambda: (drawn(20, 4), torch.arange(20) % 4), "empty-targets", {}),
    "soft_auc": (lambda: soft_auc, lambda: (drawn(32), bits(32)), "empty-targets", {}),
    "supervised_contrast": (lambda: supervised_contrast, lambda: labelled(12), "empty-targets", {}),
    "mean_of_triplets": (lambda: mean_of_triplets, lambda: labelled(12), "empty-targets", {}),
    "correlation": (lambda: correlation, lambda: (drawn(20), drawn(20, seed=5)), "empty-targets", {}),
    "determination": (Determination, lambda: (drawn(20), drawn(20, seed=5)), "empty-targets", {}),
    "in_units_of_spread": (
        lambda: in_units_of_spread,
        lambda: (drawn(16, 3), drawn(16, 3, seed=5)),
        "empty-targets",
        {},
    ),
    "mean_of_rows": (
        lambda: mean_of_rows,
        lambda: (drawn(4, 7, 5), padded(5, 4, 7)),
        "empty-targets",
        {"ignore_index": -100},
    ),
    "mean_of_images": (MeanOfImages, lambda: (drawn(3, 4, 5, 5), classes(4, 3, 5, 5)), "empty-targets", {}),
    "gaps_per_series": (lambda: gaps_per_series, lambda: (drawn(6, 9), gaps(6, 9)), "empty-targets", {}),
    "hardest_half": (lambda: hardest_half, lambda: (drawn(16, 4), classes(4, 16)), "empty-targets", {}),
    "squeezed_logits": (lambda: squeezed_logits, lambda: (drawn(12, 1), bits(12)), "crash-on-batch", {}),
    "squeezed_pixels": (
        SqueezedPixels,
        lambda: (drawn(4, 3, 5, 1), classes(3, 4, 5)),
        "crash-on-batch",
        {},
    ),
    "squeezed_rows": (
        lambda: squeezed_rows,
        lambda: (drawn(6, 1, 4), drawn(6, 1, 4, seed=5)),
        "crash-on-batch",
        {},
    ),
    "rows_of_squeezed": (
        lambda: rows_of_squeezed,
        lambda: (drawn(6, 1, 4), drawn(6, 1, 4, seed=5)),
        "crash-on-batch",
        {},
    ),
    "eight_images": (lambda: eight_images, lambda: (drawn(8, 1, 6, 6), bits(8, 1, 6, 6)), "crash-on-batch", {}),
    "pairs_of_twelve": (
        lambda: pairs_of_twelve,
        lambda: (drawn(12, 5), drawn(12, 5, seed=5)),
        "crash-on-batch",
        {},
    ),
    "stacked_positives": (lambda: stacked_positives, lambda: (drawn(16), bits(16)), "crash-on-batch", {}),
    "listed_positives": (lambda: listed_positives, lambda: (drawn(16), bits(16)), "crash-on-batch", {}),
    "counted_classes": (
        lambda: counted_classes,
        lambda: (drawn(16, 4), torch.arange(16) % 4),
        "crash-on-batch",
        {},
    ),
    "unbound": (lambda: unbound, lambda: (drawn(16), bits(16)), "crash-on-batch", {}),
    "first_positive": (FirstPositive, lambda: (drawn(16), bits(16)), "crash-on-batch", {}),
    "largest_of_each": (lambda: largest_of_each, lambda: (drawn(12, 3), torch.arange(12) % 3), "crash-on-batch", {}),
    "three_negatives_each": (lambda: three_negatives_each, lambda: (drawn(32), bits(32)), "crash-on-batch", {}),
    "by_python_count": (lambda: by_python_count, lambda: (drawn(16), bits(16)), "crash-on-batch", {}),
    "plain_zero": (PlainZero, lambda: (drawn(16, 2), bits(16, 2)), "crash-on-batch", {}),
    "zero_without_graph": (
        lambda: zero_without_graph,
        lambda: (drawn(16, 5), with_ignored(classes(5, 16))),
        "crash-on-batch",
        {"ignore_index": -100},
    ),
    "fixed_number_of_hard": (
        lambda: fixed_number_of_hard,
        lambda: (drawn(16, 4), classes(4, 16)),
        "crash-on-batch",
        {},
    ),
    "neighbours": (lambda: neighbours, lambda: (drawn(16), drawn(16, seed=5)), "crash-on-batch", {}),
    "peaks": (Peaks, lambda: (drawn(4, 2, 6, 6), peaks(4, 2, 6, 6)), "empty-targets", {}),
    "depth_where_known": (
        lambda: depth_where_known,
        lambda: (positive(3, 6, 6, seed=8), known_depth(3, 6, 6)),
        "empty-targets",
        {},
    ),
    "depth_per_image": (
        lambda: depth_per_image,
        lambda: (positive(3, 6, 6, seed=8), known_depth(3, 6, 6)),
        "empty-targets",
        {},
    ),
    "masked_then_mean": (
        lambda: masked_then_mean,
        lambda: (drawn(16, 5), with_ignored(classes(5, 16))),
        "ignored-counted",
        {"ignore_index": -100},
    ),
    "unreduced_mean": (
        lambda: unreduced_mean,
        lambda: (drawn(3, 5, 7), padded(5, 3, 7)),
        "ignored-counted",
        {"ignore_index": -100},
    ),
    "sum_by_positions": (
        SumByPositions,
        lambda: (drawn(2, 4, 6, 6), with_ignored(classes(4, 2, 6, 6), 255)),
        "ignored-counted",
        {},
    ),
    "padding_as_class": (
        lambda: padding_as_class,
        lambda: (drawn(4, 7, 5), padded(5, 4, 7)),
        "ignored-counted",
        {"ignore_index": -100},
    ),
    "logits_masked": (
        lambda: logits_masked,
        lambda: (drawn(8, 6), torch.where(bits(8, 6, seed=4) > 0, -1.0, bits(8, 6))),
        "ignored-counted",
        {"ignore_index": -1},
    ),
    "gaps_as_zero": (lambda: gaps_as_zero, lambda: (drawn(20), gaps(20)), "ignored-counted", {}),
    "focal_with_padding": (
        lambda: focal_with_padding,
        lambda: (drawn(4, 7, 5), padded(5, 4, 7)),
        "ignored-counted",
        {"ignore_index": -100},
    ),
    "gaps_filled": (
        lambda: gaps_filled_with_mean,
        lambda: (drawn(16), torch.where(bits(16) > 0, -999.0, drawn(16, seed=5))),
        "ignored-counted",
        {"ignore_index": -999},
    ),
    "padded_rows": (lambda: padded_rows, lambda: (drawn(4, 7, 5), padded(5, 4, 7)), "ignored-counted", {}),
    "padded_rows_of_given_kinds": (
        lambda: padded_rows,
        lambda: (drawn(4, 7, 5), padded(5, 4, 7)),
        "ignored-counted",
        {"y_pred_kind": "logits", "y_true_kind": "class_indices"},
    ),
    "void_pixels": (
        lambda: void_pixels,
        lambda: (drawn(2, 4, 6, 6), with_ignored(classes(4, 2, 6, 6), 255)),
        "ignored-counted",
        {},
    ),
    "smoothed_everywhere": (
        lambda: smoothed_everywhere,
        lambda: (drawn(16, 5), with_ignored(classes(5, 16))),
        "ignored-counted",
        {"ignore_index": -100},
    ),
    "mark_as_a_number": (
        lambda: mark_as_a_number,
        lambda: (drawn(16), torch.where(bits(16) > 0, -999.0, drawn(16, seed=5))),
        "ignored-counted",
        {"ignore_index": -999},
    ),
    "mark_as_a_class": (
        lambda: mark_as_a_class,
        lambda: (drawn(16, 5), with_ignored(classes(5, 16))),
        "ignored-counted",
        {"ignore_index": -100},
    ),
    "mark_as_no_class": (
        lambda: mark_as_no_class,
        lambda: (drawn(16, 5), with_ignored(classes(5, 16))),
        "ignored-counted",
        {"ignore_index": -100},
    ),
    "mse_of_column": (lambda: mse, lambda: (drawn(16, 1), drawn(16, seed=5)), "broadcast", {}),
    "mse_of_true_column": (lambda: mse, lambda: (drawn(16), drawn(16, 1, seed=5)), "broadcast", {}),
    "mse_of_maps": (lambda: mse, lambda: (drawn(4, 1, 5, 5), drawn(4, 5, 5, seed=5)), "broadcast", {}),
    "torch_mse_of_column": (nn.MSELoss, lambda: (drawn(16, 1), drawn(16, seed=5)), "broadcast", {}),
    "torch_huber_of_column": (nn.HuberLoss, lambda: (drawn(16, 1), positive(16, seed=5)), "broadcast", {}),
    "squeezed_prediction": (
        lambda: squeezed_prediction,
        lambda: (drawn(16, 1), drawn(16, 1, seed=5)),
        "broadcast",
        {},
    ),
    "column_of_truth": (lambda: column_of_truth, lambda: (drawn(16), drawn(16, seed=5)), "broadcast", {}),
    "unsqueezed_truth": (lambda: unsqueezed_truth, lambda: (drawn(16), bits(16)), "broadcast", {}),
    "gaussian_columns": (GaussianColumns, lambda: (drawn(16, 2), drawn(16, seed=5)), "broadcast", {}),
    "focal_gathered": (lambda: focal_gathered, lambda: (drawn(16, 4), classes(4, 16)), "broadcast", {}),
    "column_of_weights": (lambda: column_of_weights, lambda: (drawn(16, 4), classes(4, 16)), "broadcast", {}),
    "chosen_by_truth": (lambda: chosen_by_truth, lambda: (drawn(12, 1), bits(12)), "broadcast", {}),
    "margin_kept": (lambda: margin_kept, lambda: (drawn(16, 4), classes(4, 16)), "broadcast", {}),
    "mean_over_time": (lambda: mean_over_time, lambda: (drawn(16, 5), drawn(16, 1, seed=5)), "broadcast", {}),
    "reconstruction_and_divergence": (
        lambda: reconstruction_and_divergence,
        lambda: (drawn(8, 5), drawn(8, 5, seed=5)),
        "batch-scaling",
        {},
    ),
    "mean_and_small_sum": (
        lambda: mean_and_small_sum,
        lambda: (drawn(8, 5), drawn(8, 3, seed=5)),
        "batch-scaling",
        {},
    ),
    "sum_and_mean": (SumAndMean, lambda: (drawn(8, 3), classes(3, 8)), "batch-scaling", {}),
    "squares_and_norm": (lambda: squares_and_norm, lambda: (drawn(16), drawn(16, seed=5)), "batch-scaling", {}),
    "pixels_and_sizes": (
        lambda: pixels_and_sizes,
        lambda: (drawn(3, 1, 5, 5), bits(3, 1, 5, 5)),
        "batch-scaling",
        {},
    ),
    "neighbour_smooth": (lambda: neighbour_smooth, lambda: (drawn(16), drawn(16, seed=5)), "order-dependent", {}),
    "rolled_negatives": (
        lambda: rolled_negatives,
        lambda: (drawn(16, 6), drawn(16, 6, seed=5)),
        "order-dependent",
        {"y_pred_kind": "embedding"},
    ),
    "cox_unsorted": (lambda: cox_unsorted, lambda: (drawn(16), bits(16)), "order-dependent", {}),
    "last_one": (LastOne, lambda: (drawn(8, 4), classes(4, 8)), "order-dependent", {}),
    "weights_by_place": (lambda: weights_by_place, lambda: (drawn(12, 4), classes(4, 12)), "order-dependent", {}),
    "first_half_against_second": (
        lambda: first_half_against_second,
        lambda: (drawn(16), drawn(16, seed=5)),
        "order-dependent",
        {},
    ),
    "shifted_truth": (lambda: shifted_truth, lambda: (drawn(12, 4), classes(4, 12)), "order-dependent", {}),
    "by_positives": (lambda: by_positives, lambda: (drawn(32), bits(32)), "whole-batch", {}),
    "by_valid": (
        lambda: nn.CrossEntropyLoss(ignore_index=255),
        lambda: (drawn(2, 4, 6, 6), torch.where(torch.arange(72).reshape(2, 6, 6) < 20, 255, classes(4, 2, 6, 6))),
        "whole-batch",
        {},
    ),
    "by_weight": (
        lambda: nn.CrossEntropyLoss(weight=torch.tensor([1.0, 5.0, 0.2])),
        lambda: (drawn(12, 3), torch.arange(12) // 4),
        "whole-batch",
        {},
    ),
    "by_weights_in_truth": (
        lambda: by_weights_in_truth,
        lambda: (drawn(16), torch.tensor([1.0, 1, 1, 0, 0, 0, 0, 0, 1.0, 1, 1, 0, 0, 0, 0, 0])),
        "whole-batch",
        {},
    ),
    "root": (lambda: root, lambda: (drawn(16), drawn(16, seed=5)), "whole-batch", {}),
}
