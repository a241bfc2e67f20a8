"""Sound losses that come near to what the checks of batches look for: see ``tests.check.sound``."""

import functools
import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.check.faulty_batches import gaps, known_depth, labelled, padded
from tests.check.sound import Row, bits, classes, drawn, positive, with_ignored

# Pairs that are meant


def energy_distance(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Of two samples of numbers: all pairs, between and within."""
    between = (y_pred[:, None] - y_true[None]).abs().mean()
    within = (y_pred[:, None] - y_pred[None]).abs().mean() + (y_true[:, None] - y_true[None]).abs().mean()
    return 2 * between - within


def energy_distance_short(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """The same with one index spared."""
    between = (y_pred[:, None] - y_true).abs().mean()
    return 2 * between - (y_pred[:, None] - y_pred).abs().mean() - (y_true[:, None] - y_true).abs().mean()


def kernel_distance(y_pred: Tensor, y_true: Tensor) -> Tensor:
    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return torch.exp(-(a[:, None] - b[None]).square().sum(-1)).mean()

    return kernel(y_pred, y_pred) + kernel(y_true, y_true) - 2 * kernel(y_pred, y_true)


def chamfer(y_pred: Tensor, y_true: Tensor) -> Tensor:
    squares = (y_pred[:, None] - y_true[None]).square().sum(-1)
    return squares.amin(0).mean() + squares.amin(1).mean()


def chamfer_by_products(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Squared distances by the binomial formula: (N, 1) meets (N,) on purpose."""
    squares = (y_pred**2).sum(1, keepdim=True) + (y_true**2).sum(1) - 2 * y_pred @ y_true.T
    return squares.amin(0).mean() + squares.amin(1).mean()


def one_quantile(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """A column per quantile, here a single one."""
    q = torch.tensor([0.9], dtype=y_pred.dtype)
    error = y_true.unsqueeze(1) - y_pred
    return torch.maximum(q * error, (q - 1) * error).sum(1).mean()


def flat(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Takes columns and rows alike."""
    return F.mse_loss(y_pred.reshape(-1), y_true.reshape(-1))


def crps_of_ensemble(y_pred: Tensor, y_true: Tensor) -> Tensor:
    members = y_pred.shape[1]
    spread = (y_pred[:, :, None] - y_pred[:, None, :]).abs().sum((1, 2)) / (2 * members**2)
    return ((y_pred - y_true[:, None]).abs().mean(1) - spread).mean()


def proxy_of_all(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """As many samples as classes."""
    scores = F.normalize(y_pred, dim=1, eps=1e-6)
    return F.cross_entropy(8 * scores, y_true)


def smooth_ap(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Ranks by all pairs of scores, for a query."""
    above = torch.sigmoid((y_pred[None] - y_pred[:, None]) / 0.1) * (1 - torch.eye(len(y_pred), dtype=y_pred.dtype))
    rank, rank_up = 1 + above.sum(1), 1 + (above * y_true).sum(1)
    return 1 - (y_true * rank_up / rank).sum() / y_true.sum().clamp(min=1)


# Sums, means, and counts


def sum_over_features(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return (y_pred - y_true).square().sum(1).mean()


def evidence_bound(y_pred: Tensor, y_true: Tensor) -> Tensor:
    mean, log_var = y_pred.chunk(2, 1)
    divergence = 0.5 * (mean.square() + log_var.exp() - log_var - 1).sum(1)
    return ((mean - y_true).square().sum(1) + divergence).mean()


def sum_and_sum(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.mse_loss(y_pred, y_true, reduction="sum") + 0.1 * y_pred.abs().sum()


def mean_and_largest(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.l1_loss(y_pred, y_true) + 0.1 * (y_pred - y_true).abs().max()


def sum_of_classes(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """A sum over classes of means within each, of those that are there."""
    values = F.cross_entropy(y_pred, y_true, reduction="none")
    total = y_pred.sum() * 0
    for index in y_true.unique():  # type: ignore[no-untyped-call]
        total = total + values[y_true == index].mean()
    return total


class Learnable(nn.Module):
    """A sum over the batch, with a learnable width that has a term of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.log_width = nn.Parameter(torch.tensor(0.3))

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return ((y_pred - y_true) ** 2).sum() * torch.exp(-2 * self.log_width) + 3 * self.log_width


def concordance(y_pred: Tensor, y_true: Tensor) -> Tensor:
    a, b = y_pred - y_pred.mean(), y_true - y_true.mean()
    return 1 - (a * b).sum() / ((a.square().sum() + 1e-6) * (b.square().sum() + 1e-6)).sqrt()


def variance_kept(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """The spread of a batch, which takes two samples."""
    return F.mse_loss(y_pred, y_true) + F.relu(1 - (y_pred.var(0) + 1e-4).sqrt()).mean()


# Order


def sorted_partial_likelihood(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Cox's, of times and events, sorted inside; ties by Breslow."""
    time, event = y_true.unbind(1)
    at_risk = time[None] >= time[:, None]
    log_risk = y_pred[None].masked_fill(~at_risk, -1e4).logsumexp(1)
    return -((y_pred - log_risk) * event).sum() / event.sum().clamp(min=1)


def cumulative_partial_likelihood(y_pred: Tensor, y_true: Tensor) -> Tensor:
    order = y_true[:, 0].argsort(descending=True)
    y_pred, event = y_pred[order], y_true[order, 1]
    return -((y_pred - torch.logcumsumexp(y_pred, 0)) * event).sum() / event.sum().clamp(min=1)


def list_likelihood(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Plackett and Luce; ties are broken as they stand."""
    ranked = y_pred[y_true.argsort(descending=True)]
    return (ranked.flip(0).logcumsumexp(0).flip(0) - ranked).mean()


def stacked_views(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """SimCLR: samples i and i + N are views of one."""
    z = F.normalize(y_pred, dim=1, eps=1e-6)
    half = len(z) // 2
    partner = torch.arange(2 * half).roll(half)
    scores = (z[: 2 * half] @ z[: 2 * half].T / 0.5).masked_fill(torch.eye(2 * half, dtype=torch.bool), -1e4)
    return F.cross_entropy(scores, partner)


def chunked_views(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Two views in one tensor."""
    a, b = y_pred.chunk(2)
    return (1 - F.cosine_similarity(a, b, eps=1e-6)).mean()


def pointed_to(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """y_true names the row that belongs to each."""
    z = F.normalize(y_pred, dim=1, eps=1e-6)
    scores = (z @ z.T / 0.5).masked_fill(torch.eye(len(z), dtype=torch.bool), -1e4)
    return F.cross_entropy(scores, y_true)


def time_major(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """(T, N, C): smooth over time."""
    steps = (y_pred[1:] - y_pred[:-1]).square().mean()
    return F.cross_entropy(y_pred.flatten(0, 1), y_true.flatten()) + 0.1 * steps


def total_variation(y_pred: Tensor, y_true: Tensor) -> Tensor:
    steps = (y_pred.diff(dim=-1).abs().mean() + y_pred.diff(dim=-2).abs().mean()) / 2
    return F.mse_loss(y_pred, y_true) + 0.1 * steps


def slopes_of_series(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.l1_loss(y_pred, y_true) + F.l1_loss(y_pred.diff(dim=1), y_true.diff(dim=1))


class Shuffled(nn.Module):
    """Compares with the samples in a random order."""

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        order = torch.randperm(len(y_pred))
        sign = torch.sign(y_true - y_true[order])
        return F.softplus(-sign * (y_pred - y_pred[order])).mean()


# Nothing to average


def dice_absent_left_out(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """A mask that is empty costs nothing, as segmentation_models has it."""
    p, t = y_pred.sigmoid().flatten(1), y_true.flatten(1)
    values = 1 - 2 * (p * t).sum(1) / (p.sum(1) + t.sum(1)).clamp(min=1e-7)
    return (values * (t.sum(1) > 0)).mean()


def dice_and_overflow(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Empty images cost what is predicted."""
    p, t = y_pred.sigmoid().flatten(1), y_true.flatten(1)
    values = 1 - (2 * (p * t).sum(1) + 1e-5) / (p.sum(1) + t.sum(1) + 1e-5)
    return torch.where(t.sum(1) > 0, values, p.mean(1)).mean()


def of_positives(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """-log p of the positives alone, all of a row competing."""
    return -(y_true * F.log_softmax(y_pred, 1)).sum(1).div(y_true.sum(1).clamp(min=1)).mean()


def guarded_auc(y_pred: Tensor, y_true: Tensor) -> Tensor:
    up, down = y_pred[y_true == 1], y_pred[y_true == 0]
    if not len(up) or not len(down):
        return y_pred.sum() * 0
    return F.softplus(down[None] - up[:, None]).mean()


def one_minus_auc(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """1 where there is no pair: of order alone nothing can be said."""
    pairs = y_true[:, None] * (1 - y_true[None])
    return 1 - (torch.sigmoid(y_pred[:, None] - y_pred[None]) * pairs).sum() / pairs.sum().clamp(min=1)


def refuses_one_class(y_pred: Tensor, y_true: Tensor) -> Tensor:
    if y_true.min() == y_true.max():
        raise ValueError("y_true has one class only: sample batches with both")
    share = y_true.mean()
    values = F.binary_cross_entropy_with_logits(y_pred, y_true, reduction="none")
    return (torch.where(y_true > 0.5, 0.5 / share, 0.5 / (1 - share)) * values).mean()


def takes_two(y_pred: Tensor, y_true: Tensor) -> Tensor:
    assert len(y_pred) > 1, "a correlation takes two samples"
    return concordance(y_pred, y_true)


def hardest_quarter(y_pred: Tensor, y_true: Tensor) -> Tensor:
    values = F.binary_cross_entropy_with_logits(y_pred, y_true, reduction="none").flatten()
    return values.sort(descending=True).values[: max(1, len(values) // 4)].mean()


def anchors_with_partner(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Contrast of those that have a partner; a zero with a graph if none has."""
    z = F.normalize(y_pred, dim=1, eps=1e-6)
    itself = torch.eye(len(z), dtype=torch.bool)
    same = (y_true[:, None] == y_true) & ~itself
    has = same.any(1)
    if not has.any():
        return y_pred.sum() * 0
    logs = F.log_softmax((z @ z.T / 0.2).masked_fill(itself, -1e4), 1)
    return (-(logs * same).sum(1)[has] / same.sum(1)[has]).mean()


def squeeze_of_a_column(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(y_pred.squeeze(1), y_true)


def squeeze_then_sum(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Harmless without an axis: both lose the same ones."""
    return (y_pred.squeeze() - y_true.squeeze()).square().mean()


def pairs_of_rows(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Rows 2i and 2i + 1 belong together; odd batches are none."""
    return (1 - F.cosine_similarity(*y_pred.view(-1, 2, y_pred.shape[1]).unbind(1), eps=1e-6)).mean()


def whitened(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Distance of Gaussians, of a covariance that must have an inverse."""
    centred = y_pred - y_pred.mean(0)
    inverse = torch.linalg.inv(centred.T @ centred / len(y_pred) + 1e-3 * torch.eye(y_pred.shape[1]).to(y_pred))
    error = y_pred - y_true
    return torch.einsum("ni,ij,nj->n", error, inverse.detach(), error).mean()


# Ignored


def valid_mean(y_pred: Tensor, y_true: Tensor) -> Tensor:
    valid = y_true != -100
    if not valid.any():
        return y_pred.sum() * 0
    return F.cross_entropy(y_pred[valid], y_true[valid])


def valid_sum(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.cross_entropy(y_pred.flatten(0, 1), y_true.flatten(), ignore_index=-100, reduction="sum")


def sum_of_rows(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """The sum over the steps, the mean over sequences."""
    values = F.cross_entropy(y_pred.transpose(1, 2), y_true, ignore_index=-100, reduction="none")
    return values.sum(1).mean()


def row_means(y_pred: Tensor, y_true: Tensor) -> Tensor:
    values = F.cross_entropy(y_pred.transpose(1, 2), y_true, ignore_index=-100, reduction="none")
    valid = y_true != -100
    return (values.sum(1) / valid.sum(1).clamp(min=1)).mean()


class DiceIgnoring(nn.Module):
    def __init__(self, ignore_index: int = 255, smooth: float = 1.0) -> None:
        super().__init__()
        self.ignore_index, self.smooth = ignore_index, smooth

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        valid = (y_true != self.ignore_index)[:, None]
        hot = F.one_hot(y_true.masked_fill(~valid[:, 0], 0), y_pred.shape[1]).movedim(-1, 1) * valid
        p = y_pred.softmax(1) * valid
        overlap, total = (p * hot).sum((0, 2, 3)), (p + hot).sum((0, 2, 3))
        return 1 - ((2 * overlap + self.smooth) / (total + self.smooth)).mean()


def hard_pixels(y_pred: Tensor, y_true: Tensor, ignore_index: int = 255) -> Tensor:
    """The hardest half of the valid pixels."""
    valid = y_true != ignore_index
    values = F.cross_entropy(y_pred, y_true, ignore_index=ignore_index, reduction="none")[valid]
    return values.topk(max(1, len(values) // 2)).values.mean() if len(values) else y_pred.sum() * 0


def valid_and_penalty(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """All logits are kept small, ignored ones too."""
    return F.cross_entropy(y_pred, y_true, ignore_index=-100) + 1e-3 * y_pred.logsumexp(1).square().mean()


def known_labels(y_pred: Tensor, y_true: Tensor) -> Tensor:
    known = (y_true >= 0).to(y_pred.dtype)
    values = F.binary_cross_entropy_with_logits(y_pred, y_true.clamp(min=0), reduction="none")
    return (values * known).sum() / known.sum().clamp(min=1)


def gaps_by_series(y_pred: Tensor, y_true: Tensor) -> Tensor:
    known = ~y_true.isnan()
    errors = torch.where(known, y_pred - y_true.nan_to_num(), 0.0).abs()
    return (errors.sum(1) / known.sum(1).clamp(min=1)).mean()


def over_scale_in_truth(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Observations with gaps, and beside them the deviation of their place, which has none."""
    seen, deviation = y_true[..., 0], y_true[..., 1]
    known = ~seen.isnan()
    errors = torch.where(known, y_pred - seen.nan_to_num(), 0.0)
    return (errors / (deviation + 0.1)).square().sum() / known.sum().clamp(min=1)


def gaps_and_scale() -> tuple[Tensor, Tensor]:
    return drawn(8, 10), torch.stack([gaps(8, 10), positive(8, 1).expand(8, 10)], -1)


def gaps_with_weights(y_pred: Tensor, y_true: Tensor) -> Tensor:
    values, known = y_true[:, 0], ~y_true[:, 0].isnan()
    weights = y_true[:, 1] * known
    return (weights * (y_pred - values.nan_to_num()).abs()).sum() / weights.sum().clamp(min=1e-3)


def gaps_with_penalty(penalty: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """What is missing counts for nothing in the errors; of all predictions something else is wanted."""

    def loss(y_pred: Tensor, y_true: Tensor) -> Tensor:
        known = ~y_true.isnan()
        errors = torch.where(known, y_pred - y_true.nan_to_num(), 0.0)
        return errors.square().sum() / known.sum().clamp(min=1) + penalty(y_pred)

    return loss


def sure_where_unlabelled(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Entropy is least at the samples without a label."""
    logs = F.log_softmax(y_pred, 1)
    entropy = -(logs.exp() * logs).sum(1)
    return F.cross_entropy(y_pred, y_true, ignore_index=-100) + 0.5 * entropy[y_true == -100].sum() / len(y_true)


def unsure_outside(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Samples from elsewhere, which are of no class, shall look so."""
    known = y_true >= 0
    uniform = -F.log_softmax(y_pred, 1).mean(1)
    inside = F.cross_entropy(y_pred, y_true, ignore_index=-1, reduction="sum") / known.sum().clamp(min=1)
    return inside + 0.5 * (uniform * ~known).sum() / (~known).sum().clamp(min=1)


def tokens(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Nobody says what is ignored: torch does it."""
    values = F.cross_entropy(y_pred.flatten(0, 1), y_true.flatten(), reduction="sum")
    return values / (y_true != -100).sum().clamp(min=1)


def white_is_foreground(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.cross_entropy(y_pred, (y_true > 127).long())


class SigmoidOfPairs(nn.Module):
    """Every image with every text, over the number of images: it grows with the batch, and shall."""

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.shift = nn.Parameter(torch.tensor(2.3)), nn.Parameter(torch.tensor(-10.0))

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        scores = F.normalize(y_pred, dim=1) @ F.normalize(y_true, dim=1).T * self.scale.exp() + self.shift
        return -F.logsigmoid(scores * (2 * torch.eye(len(scores), dtype=scores.dtype) - 1)).sum() / len(scores)


def depth_guarded(y_pred: Tensor, y_true: Tensor) -> Tensor:
    known = (y_true > 0).to(y_pred.dtype)
    return ((y_pred - y_true).abs() * known).sum() / known.sum().clamp(min=1)


def rain(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Whether it rains, and how much: y_pred holds a logit and a logarithm."""
    wet = (y_true > 0).to(y_pred.dtype)
    amount = (y_pred[:, 1] - y_true.clamp(min=1e-3).log()).square() * wet
    return F.binary_cross_entropy_with_logits(y_pred[:, 0], wet) + amount.sum() / wet.sum().clamp(min=1)


def correlation_with_dry_days(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Of a batch without any rain nothing is said."""
    a, b = y_pred - y_pred.mean(), y_true - y_true.mean()
    return 1 - (a * b).sum() / (a.norm() * b.norm()).clamp(min=1e-6)


def times_and_events() -> tuple[Tensor, Tensor]:
    return drawn(16), torch.stack([positive(16), 1 - bits(16)], 1)


def tied_times_and_events() -> tuple[Tensor, Tensor]:
    return drawn(16), torch.stack([classes(6, 16).float(), 1 - bits(16)], 1)


def next_word(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """A causal language model: each step predicts the next word."""
    wanted = F.pad(y_true, (0, 1), value=-100)[:, 1:].contiguous().view(-1)
    total = F.cross_entropy(y_pred.float().view(-1, y_pred.shape[-1]), wanted, ignore_index=-100, reduction="sum")
    return total / (wanted != -100).sum().clamp(min=1)


def next_value(y_pred: Tensor, y_true: Tensor) -> Tensor:
    wanted, said = y_true[:, 1:], y_pred[:, :-1]
    known = ~wanted.isnan()
    return (torch.where(known, said - wanted.nan_to_num(), torch.zeros_like(said)) ** 2).sum() / known.sum().clamp(
        min=1
    )


def some_words() -> tuple[Tensor, Tensor]:
    words = classes(11, 8, 7)
    words[bits(8, 7) > 0.5] = -100
    return drawn(8, 7, 11), words


def some_values() -> tuple[Tensor, Tensor]:
    values = drawn(16, 5, seed=5)
    values[bits(16, 5) > 0.5] = math.nan
    return drawn(16, 5), values


def likeness_of_all_pairs(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """For y_true of a row and a column per sample."""
    unit = F.normalize(y_pred, dim=1)
    return (unit @ unit.T - y_true).square().mean()


SOUND: dict[str, Row] = {
    "likeness_of_all_pairs": (
        lambda: likeness_of_all_pairs,
        lambda: (drawn(12, 5), torch.tanh(drawn(12, 12, seed=5))),
        {},
    ),
    "next_word": (lambda: next_word, some_words, {}),
    "next_word_given": (
        lambda: next_word,
        some_words,
        {"y_pred_kind": "logits", "y_true_kind": "class_indices", "ignore_index": -100},
    ),
    "next_value": (lambda: next_value, some_values, {}),
    "next_value_given": (lambda: next_value, some_values, {"y_pred_kind": "real", "y_true_kind": "values"}),
    "energy_distance": (lambda: energy_distance, lambda: (drawn(16), drawn(16, seed=5)), {}),
    "energy_distance_short": (lambda: energy_distance_short, lambda: (drawn(16), drawn(16, seed=5)), {}),
    "kernel_distance": (lambda: kernel_distance, lambda: (drawn(12, 3), drawn(12, 3, seed=5)), {}),
    "kernel_distance_of_columns": (lambda: kernel_distance, lambda: (drawn(12, 1), drawn(12, 1, seed=5)), {}),
    "chamfer": (lambda: chamfer, lambda: (drawn(10, 3), drawn(10, 3, seed=5)), {}),
    "chamfer_by_products": (lambda: chamfer_by_products, lambda: (drawn(10, 3), drawn(10, 3, seed=5)), {}),
    "one_quantile": (lambda: one_quantile, lambda: (drawn(16, 1), drawn(16, seed=5)), {}),
    "flat_of_column": (lambda: flat, lambda: (drawn(16, 1), drawn(16, seed=5)), {}),
    "crps_of_ensemble": (lambda: crps_of_ensemble, lambda: (drawn(8, 8), drawn(8, seed=5)), {}),
    "proxy_of_all": (lambda: proxy_of_all, lambda: (drawn(6, 6), torch.arange(6)), {}),
    "smooth_ap": (lambda: smooth_ap, lambda: (drawn(16), bits(16)), {}),
    "sum_over_features": (lambda: sum_over_features, lambda: (drawn(8, 5), drawn(8, 5, seed=5)), {}),
    "evidence_bound": (lambda: evidence_bound, lambda: (drawn(8, 6), drawn(8, 3, seed=5)), {}),
    "sum_and_sum": (lambda: sum_and_sum, lambda: (drawn(8, 5), drawn(8, 5, seed=5)), {}),
    "mean_and_largest": (lambda: mean_and_largest, lambda: (drawn(16), drawn(16, seed=5)), {}),
    "sum_of_classes": (lambda: sum_of_classes, lambda: (drawn(16, 4), classes(4, 16)), {}),
    "learnable": (Learnable, lambda: (drawn(8), drawn(8, seed=5)), {}),
    "concordance": (lambda: concordance, lambda: (drawn(16), drawn(16, seed=5)), {}),
    "variance_kept": (lambda: variance_kept, lambda: (drawn(8, 4), drawn(8, 4, seed=5)), {}),
    "sorted_partial_likelihood": (lambda: sorted_partial_likelihood, times_and_events, {}),
    "cumulative_partial_likelihood": (lambda: cumulative_partial_likelihood, times_and_events, {}),
    "cumulative_with_ties": (lambda: cumulative_partial_likelihood, tied_times_and_events, {}),
    "list_likelihood": (lambda: list_likelihood, lambda: (drawn(10), classes(4, 10)), {}),
    "stacked_views": (lambda: stacked_views, lambda: (drawn(12, 5), torch.arange(12) % 6), {}),
    "stacked_views_without_labels": (lambda: stacked_views, lambda: (drawn(12, 5), torch.zeros(12)), {}),
    "chunked_views": (lambda: chunked_views, lambda: (drawn(12, 5), torch.zeros(12)), {}),
    "pointed_to": (lambda: pointed_to, lambda: (drawn(8, 5), torch.arange(8).roll(4)), {}),
    "time_major": (lambda: time_major, lambda: (drawn(9, 4, 3), classes(3, 9, 4)), {}),
    "total_variation": (lambda: total_variation, lambda: (drawn(3, 1, 6, 6), drawn(3, 1, 6, 6, seed=5)), {}),
    "slopes_of_series": (lambda: slopes_of_series, lambda: (drawn(5, 8), drawn(5, 8, seed=5)), {}),
    "shuffled": (Shuffled, lambda: (drawn(16), drawn(16, seed=5)), {}),
    "dice_absent_left_out": (lambda: dice_absent_left_out, lambda: (drawn(3, 6, 6), bits(3, 6, 6)), {}),
    "dice_and_overflow": (lambda: dice_and_overflow, lambda: (drawn(3, 6, 6), bits(3, 6, 6)), {}),
    "of_positives": (lambda: of_positives, lambda: (drawn(8, 20), bits(8, 20)), {}),
    "guarded_auc": (lambda: guarded_auc, lambda: (drawn(24), bits(24)), {}),
    "one_minus_auc": (lambda: one_minus_auc, lambda: (drawn(24), bits(24)), {}),
    "refuses_one_class": (lambda: refuses_one_class, lambda: (drawn(24), bits(24)), {}),
    "takes_two": (lambda: takes_two, lambda: (drawn(16), drawn(16, seed=5)), {}),
    "hardest_quarter": (lambda: hardest_quarter, lambda: (drawn(4, 6), bits(4, 6)), {}),
    "anchors_with_partner": (lambda: anchors_with_partner, lambda: labelled(12), {}),
    "squeeze_of_a_column": (lambda: squeeze_of_a_column, lambda: (drawn(12, 1), bits(12)), {}),
    "squeeze_then_sum": (lambda: squeeze_then_sum, lambda: (drawn(6, 1, 4), drawn(6, 1, 4, seed=5)), {}),
    "pairs_of_rows": (lambda: pairs_of_rows, lambda: (drawn(12, 5), torch.zeros(12)), {}),
    "whitened": (lambda: whitened, lambda: (drawn(12, 4), drawn(12, 4, seed=5)), {}),
    "valid_mean": (
        lambda: valid_mean,
        lambda: (drawn(16, 5), with_ignored(classes(5, 16))),
        {"ignore_index": -100},
    ),
    "valid_sum": (lambda: valid_sum, lambda: (drawn(4, 7, 5), padded(5, 4, 7)), {"ignore_index": -100}),
    "sum_of_rows": (lambda: sum_of_rows, lambda: (drawn(4, 7, 5), padded(5, 4, 7)), {"ignore_index": -100}),
    "row_means": (lambda: row_means, lambda: (drawn(4, 7, 5), padded(5, 4, 7)), {"ignore_index": -100}),
    "dice_ignoring": (DiceIgnoring, lambda: (drawn(2, 3, 6, 6), with_ignored(classes(3, 2, 6, 6), 255)), {}),
    "hard_pixels": (lambda: hard_pixels, lambda: (drawn(2, 3, 6, 6), with_ignored(classes(3, 2, 6, 6), 255)), {}),
    "valid_and_penalty": (
        lambda: valid_and_penalty,
        lambda: (drawn(16, 5), with_ignored(classes(5, 16))),
        {"ignore_index": -100},
    ),
    "known_labels": (
        lambda: known_labels,
        lambda: (drawn(8, 6), torch.where(bits(8, 6, seed=4) > 0, -1.0, bits(8, 6))),
        {"ignore_index": -1},
    ),
    "gaps_by_series": (lambda: gaps_by_series, lambda: (drawn(6, 9), gaps(6, 9)), {}),
    "torch_ignoring": (
        lambda: nn.CrossEntropyLoss(ignore_index=255, label_smoothing=0.1),
        lambda: (drawn(2, 3, 6, 6), with_ignored(classes(3, 2, 6, 6), 255)),
        {},
    ),
    "bound_ignoring": (
        lambda: functools.partial(F.cross_entropy, ignore_index=0),
        lambda: (drawn(16, 5), classes(5, 16)),
        {},
    ),
    "torch_ignoring_sum": (
        lambda: nn.CrossEntropyLoss(reduction="sum"),
        lambda: (drawn(16, 5), with_ignored(classes(5, 16))),
        {},
    ),
    "torch_weighted": (
        lambda: nn.CrossEntropyLoss(weight=torch.tensor([1.0, 4.0, math.pi])),
        lambda: (drawn(16, 3), classes(3, 16)),
        {},
    ),
    "over_scale_in_truth": (lambda: over_scale_in_truth, gaps_and_scale, {}),
    "gaps_with_weights": (
        lambda: gaps_with_weights,
        lambda: (drawn(20), torch.stack([gaps(20), positive(20)], 1)),
        {},
    ),
    "gaps_and_conservation": (
        lambda: gaps_with_penalty(lambda x: 0.1 * (x.sum(1) - 1).square().mean()),
        lambda: (drawn(8, 6), gaps(8, 6)),
        {},
    ),
    "gaps_filled_smoothly": (
        lambda: gaps_with_penalty(lambda x: (x[:, 1:] - x[:, :-1]).square().mean()),
        lambda: (drawn(6, 12), gaps(6, 12)),
        {},
    ),
    "gaps_and_ridge": (
        lambda: gaps_with_penalty(lambda x: 0.5 * x.square().mean()),
        lambda: (drawn(8, 6), gaps(8, 6)),
        {},
    ),
    "sure_where_unlabelled": (
        lambda: sure_where_unlabelled,
        lambda: (drawn(16, 5), with_ignored(classes(5, 16))),
        {"ignore_index": -100},
    ),
    "unsure_outside": (
        lambda: unsure_outside,
        lambda: (drawn(20, 5), with_ignored(classes(5, 20), -1)),
        {"ignore_index": -1},
    ),
    "tokens": (lambda: tokens, lambda: (drawn(4, 7, 5), padded(5, 4, 7)), {}),
    "white_is_foreground": (
        lambda: white_is_foreground,
        lambda: (drawn(2, 2, 6, 6), (255 * bits(2, 6, 6)).long()),
        {},
    ),
    "sigmoid_of_pairs": (
        SigmoidOfPairs,
        lambda: (drawn(8, 6) + drawn(8, 6, seed=5), drawn(8, 6, seed=5)),
        {},
    ),
    "depth_guarded": (
        lambda: depth_guarded,
        lambda: (positive(3, 6, 6, seed=8), known_depth(3, 6, 6)),
        {},
    ),
    "rain": (lambda: rain, lambda: (drawn(24, 2), known_depth(24)), {}),
    "correlation_with_dry_days": (lambda: correlation_with_dry_days, lambda: (drawn(24), known_depth(24)), {}),
    "torch_soft_margin": (nn.SoftMarginLoss, lambda: (drawn(16, 2), 2 * bits(16, 2) - 1), {}),
}
