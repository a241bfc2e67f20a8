"""Losses that leave something behind, own too little, or cannot be kept.

``FAULTY[name] = (make, example, code, arguments)``: arguments go to ``check_loss``.
"""

import functools
import random
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.check.sound import bits, classes, drawn

Row = tuple[Callable[[], Callable[..., Any]], Callable[[], tuple[Tensor, Tensor]], str, dict[str, Any]]


def vectors() -> tuple[Tensor, Tensor]:
    return drawn(16), drawn(16, seed=5)


def rows() -> tuple[Tensor, Tensor]:
    return drawn(16, 3), drawn(16, 3, seed=5)


def logits() -> tuple[Tensor, Tensor]:
    return drawn(16, 4), classes(4, 16)


def masks() -> tuple[Tensor, Tensor]:
    return drawn(2, 1, 8, 8), bits(2, 1, 8, 8)


def pixels() -> tuple[Tensor, Tensor]:
    target = classes(4, 2, 6, 6)
    target[0, 0] = 255
    return drawn(2, 4, 6, 6), target


# mutates-input


def clamps_in_place(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return (y_pred.clamp_(-1, 1) - y_true).square().mean()


def fills_the_ignored(y_pred: Tensor, y_true: Tensor) -> Tensor:
    live = y_true != 255
    y_true[~live] = 0
    return (F.cross_entropy(y_pred, y_true, reduction="none") * live).sum() / live.sum().clamp(min=1)


def fills_nothing_today(y_pred: Tensor, y_true: Tensor) -> Tensor:
    y_true[y_true == 255] = 0
    return F.cross_entropy(y_pred, y_true)


def normalises_the_truth(y_pred: Tensor, y_true: Tensor) -> Tensor:
    y_true -= y_true.mean()
    y_true /= y_true.std() + 1e-6
    return F.mse_loss(y_pred, y_true)


def thresholds_a_view(y_pred: Tensor, y_true: Tensor) -> Tensor:
    flat = y_true.view(-1)
    flat[flat < 0.5] = -1
    return F.softplus(-flat * y_pred.view(-1)).mean()


def smooths_labels_in_place(y_pred: Tensor, y_true: Tensor) -> Tensor:
    y_true.mul_(0.9).add_(0.05)
    return F.binary_cross_entropy_with_logits(y_pred, y_true)


def squeezes_in_place(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.mse_loss(y_pred.flatten(), y_true.unsqueeze_(0).flatten())


def through_data(y_pred: Tensor, y_true: Tensor) -> Tensor:
    y_true.data.add_(0.1)
    return F.l1_loss(y_pred, y_true)


def through_numpy(y_pred: Tensor, y_true: Tensor) -> Tensor:
    values = y_true.numpy()
    values[values < 0] = 0
    return F.l1_loss(y_pred, y_true)


def breaks_backward(y_pred: Tensor, y_true: Tensor) -> Tensor:
    p = torch.sigmoid(y_pred)
    y_pred.exp_()
    p.mul_(2)
    return ((p - y_true) ** 2).mean() + (y_pred.exp_() ** 2).mean()


def with_out(y_pred: Tensor, y_true: Tensor) -> Tensor:
    torch.clamp(y_true, -1, 1, out=y_true)
    return F.mse_loss(y_pred, y_true)


class Relu(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.act = nn.ReLU(inplace=True)

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return F.mse_loss(self.act(y_pred), y_true.abs())


# nondeterministic


def dropout_in_a_function(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.mse_loss(F.dropout(y_pred, 0.2), y_true)


class DropoutAlways(nn.Module):
    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return F.cross_entropy(F.dropout(y_pred, 0.1, training=True), y_true)


class NoiseAlways(nn.Module):
    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return F.mse_loss(y_pred + 0.1 * torch.randn_like(y_pred), y_true)


def python_random(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.mse_loss(y_pred, y_true) * random.uniform(0.5, 1.5)


class NumpyRandom(nn.Module):
    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        kept = torch.from_numpy(np.random.choice(len(y_pred), 8, replace=False))
        return F.cross_entropy(y_pred[kept], y_true[kept])


def fresh_generator(y_pred: Tensor, y_true: Tensor) -> Tensor:
    weight = torch.from_numpy(np.random.default_rng().random(len(y_pred))).float()
    return (weight * (y_pred - y_true) ** 2).mean()


def random_subset(y_pred: Tensor, y_true: Tensor) -> Tensor:
    kept = torch.randperm(len(y_pred))[:8]
    return F.mse_loss(y_pred[kept], y_true[kept])


def random_negatives(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.softplus(y_true[torch.randint(len(y_true), y_true.shape)] - y_pred).mean() + F.l1_loss(y_pred, y_true)


class LayersWithDropout(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.p = 0.3

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        kept = torch.bernoulli(torch.full_like(y_pred, 1 - self.p))
        return ((y_pred - y_true) ** 2 * kept).sum() / kept.sum().clamp(min=1)


# keeps-graph


class History(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.history: list[Tensor] = []

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        loss = F.mse_loss(y_pred, y_true)
        self.history.append(loss)
        return loss


class Logs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.logs: dict[str, list[Tensor]] = {"mse": [], "l1": []}

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        mse, l1 = F.mse_loss(y_pred, y_true), F.l1_loss(y_pred, y_true)
        self.logs["mse"].append(mse)
        self.logs["l1"].append(l1)
        return mse + l1


class RunningAttached(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.running: Any = 0.0

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        loss = F.mse_loss(y_pred, y_true)
        self.running = 0.9 * self.running + 0.1 * loss
        return loss / (self.running + 1e-6)


class Total(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.total: Any = 0
        self.count = 0

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        loss = F.l1_loss(y_pred, y_true)
        self.total += loss
        self.count += 1
        return loss


class AttachedBuffer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.center: Tensor
        self.register_buffer("center", torch.zeros(3))

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        self.center = 0.9 * self.center + 0.1 * y_pred.mean(0)
        return ((y_pred - self.center) ** 2).mean() + F.mse_loss(y_pred, y_true)


class Bank(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.bank: deque[Tensor] = deque(maxlen=32)

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        loss = F.mse_loss(y_pred, y_true)
        for old in self.bank:
            loss = loss + 0.01 * F.mse_loss(y_pred, old)
        self.bank.append(y_pred)
        return loss


class Previous(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.previous: Tensor | None = None

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        loss = F.mse_loss(y_pred, y_true)
        total = loss if self.previous is None else loss + 0.1 * (loss - self.previous).abs()
        self.previous = loss
        return total


def global_log() -> Callable[..., Tensor]:
    seen: list[Tensor] = []

    def loss(y_pred: Tensor, y_true: Tensor) -> Tensor:
        value = F.mse_loss(y_pred, y_true)
        seen.append(value)
        return value

    return loss


class InObject:
    def __init__(self) -> None:
        self.values: list[Tensor] = []

    def __call__(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        value = (y_pred - y_true).abs().mean()
        self.values.append(value)
        return value


class KeepsPredictions(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[Tensor, Tensor]] = []

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        self.seen.append((y_pred, y_true))
        return F.cross_entropy(y_pred, y_true)


# hidden-parameters


class WeightsInAList(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.log_vars = [nn.Parameter(torch.zeros(())) for _ in range(2)]

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        terms = F.mse_loss(y_pred, y_true), F.l1_loss(y_pred, y_true)
        return torch.stack([torch.exp(-s) * t + s for s, t in zip(self.log_vars, terms, strict=True)]).sum()


class WeightsInADict(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = {"a": nn.Parameter(torch.ones(())), "b": nn.Parameter(torch.ones(()))}

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return self.scale["a"].exp() * F.mse_loss(y_pred, y_true) - self.scale["a"] + 0 * self.scale["b"]


class PlainLeaf(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.centers = drawn(4, 6, seed=9).requires_grad_()

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return (y_pred - self.centers[y_true]).square().sum(1).mean()


class HeadsInAList(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.heads = [nn.Linear(6, 4), nn.Linear(6, 4)]

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return torch.stack([F.cross_entropy(head(y_pred), y_true) for head in self.heads]).sum()


class _Temperature:
    def __init__(self) -> None:
        self.log = nn.Parameter(torch.zeros(()))

    def __call__(self, scores: Tensor) -> Tensor:
        return scores * torch.exp(-self.log)


class WithHelper(nn.Module):
    """What learns is in an object that is no module."""

    def __init__(self) -> None:
        super().__init__()
        self.temperature = _Temperature()

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return F.cross_entropy(self.temperature(y_pred), y_true)


class NoModule:
    def __init__(self) -> None:
        self.log_var = nn.Parameter(torch.zeros(()))

    def __call__(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return torch.exp(-self.log_var) * F.mse_loss(y_pred, y_true) + self.log_var


class NoModuleWithModule:
    def __init__(self) -> None:
        torch.manual_seed(0)
        self.net = nn.Linear(3, 3)

    def __call__(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return F.mse_loss(self.net(y_pred), self.net(y_true))


def captures_a_network() -> Callable[..., Tensor]:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))

    def perceptual(y_pred: Tensor, y_true: Tensor) -> Tensor:
        return F.mse_loss(net(y_pred), net(y_true)) + F.mse_loss(y_pred, y_true)

    return perceptual


def regularised_by_lambda() -> Callable[..., Tensor]:
    model = nn.Linear(3, 1)
    return lambda y_pred, y_true: F.mse_loss(y_pred, y_true) + 0.01 * sum(p.square().sum() for p in model.parameters())


def _weighted(y_pred: Tensor, y_true: Tensor, net: nn.Module) -> Tensor:
    return F.mse_loss(net(y_pred), y_true)


def partial_of_a_network() -> Callable[..., Tensor]:
    return functools.partial(_weighted, net=nn.Linear(3, 3))


GLOBAL = nn.Linear(3, 3)


def uses_a_global(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.mse_loss(GLOBAL(y_pred), y_true)


class UsesAGlobal(nn.Module):
    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return F.mse_loss(GLOBAL(y_pred), y_true)


class MadeInForward(nn.Module):
    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        scale = nn.Parameter(torch.ones(()))
        return scale * F.mse_loss(y_pred, y_true)


# not-buffer


class PlainWeight(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.tensor([1.0, 2.0, 3.0, 4.0])

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return F.cross_entropy(y_pred, y_true, weight=self.weight)


class PlainIndexed(nn.Module):
    def __init__(self, alpha: list[float]) -> None:
        super().__init__()
        self.alpha = torch.tensor(alpha)

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        log_p = F.log_softmax(y_pred, 1)
        picked = log_p.gather(1, y_true[:, None]).squeeze(1)
        return -(self.alpha[y_true] * (1 - picked.exp()) ** 2 * picked).mean()


class PlainInAList(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.kernels = [torch.ones(1, 1, k, k) / k**2 for k in (3, 5)]

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        difference = torch.sigmoid(y_pred) - y_true
        return torch.stack([F.conv2d(difference, k, padding=1).square().mean() for k in self.kernels]).sum()


class PlainInADict(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stats = {"mean": torch.zeros(3), "std": torch.ones(3)}

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return F.mse_loss((y_pred - self.stats["mean"]) / self.stats["std"], y_true)


class PlainWithItem(nn.Module):
    """Asks for values, which a device without any cannot give."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.tensor([1.0, 2.0, 3.0])

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        if y_true.abs().max().item() > 1e6:
            raise ValueError("too large")
        live = ~y_true.isnan()
        return (((y_pred - torch.where(live, y_true, 0.0)) ** 2) * self.weight)[live].mean()


class Inner(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.quantiles = torch.tensor([0.1, 0.5, 0.9])

    def forward(self, error: Tensor) -> Tensor:
        return torch.maximum(self.quantiles * error, (self.quantiles - 1) * error).mean()


class PlainInside(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = Inner()

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return self.inner(y_true[:, None] - y_pred)  # type: ignore[no-any-return]


class ClassAttribute(nn.Module):
    WEIGHT = torch.tensor([1.0, 2.0, 3.0])

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return (self.WEIGHT * (y_pred - y_true) ** 2).mean()


class DtypeOnly(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = torch.ones(3, dtype=torch.float64)

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return (self.w.to(y_pred.dtype).expand_as(y_pred) * (y_pred - y_true) ** 2).mean()


class Matrix(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.costs = (torch.arange(4)[:, None] - torch.arange(4)[None]).abs().float()

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return (F.softmax(y_pred, 1) * torch.index_select(self.costs, 0, y_true)).sum(1).mean()


class InAPartial(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.base = functools.partial(F.cross_entropy, weight=torch.tensor([1.0, 1.0, 2.0, 1.0]))

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return self.base(y_pred, y_true)


# state-not-saved


class EmaAttribute(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.ema = 1.0

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        loss = F.mse_loss(y_pred, y_true)
        if self.training:
            self.ema = 0.9 * self.ema + 0.1 * float(loss.detach())
        return loss / self.ema


class CentersAttribute(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.center: Tensor | None = None

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        mean = y_pred.detach().mean(0)
        self.center = mean if self.center is None else 0.9 * self.center + 0.1 * mean
        return F.mse_loss(y_pred - 0.5 * self.center, y_true)


class WarmUp(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.step = 0

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        weight = min(1.0, self.step / 10)
        if self.training:
            self.step += 1
        return F.mse_loss(y_pred, y_true) + weight * F.l1_loss(y_pred, y_true)


class FirstLoss(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first: list[float] = []

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        loss = (y_pred - y_true).square().sum()
        self.first.append(loss.item())
        return loss / (sum(self.first) / len(self.first))


class Momentum(nn.Module):
    """Bins with moving counts, as gradient harmonising has."""

    def __init__(self, bins: int = 5) -> None:
        super().__init__()
        self.bins = bins
        self.acc_sum = [0.0] * bins

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        g = (torch.sigmoid(y_pred).detach() - y_true).abs()
        weight = torch.zeros_like(y_pred)
        for at in range(self.bins):
            inside = (g >= at / self.bins) & (g < (at + 1) / self.bins + (at == self.bins - 1))
            count = int(inside.sum())
            if count:
                self.acc_sum[at] = 0.75 * self.acc_sum[at] + 0.25 * count
                weight[inside] = y_pred.numel() / self.acc_sum[at]
        return F.binary_cross_entropy_with_logits(y_pred, y_true, weight)


class Queue(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.queue: deque[Tensor] = deque(maxlen=64)

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        old = torch.stack(list(self.queue)).mean() if self.queue else y_pred.new_zeros(())
        self.queue.append(y_pred.detach().mean())
        return F.mse_loss(y_pred, y_true) + 0.1 * (y_pred.mean() - old) ** 2


class NoneBuffer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mean: Tensor | None
        self.register_buffer("mean", None)

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        new = y_pred.detach().mean(0)
        self.mean = new if self.mean is None else 0.9 * self.mean + 0.1 * new
        return F.mse_loss(y_pred - self.mean, y_true)


# not-picklable


class LambdaWeight(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = lambda t: 1.0 / (t.sum() ** 2 + 1.0)

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return (self.w(y_true) * (torch.sigmoid(y_pred) - y_true) ** 2).sum()


class LocalFunction(nn.Module):
    def __init__(self, power: int = 2) -> None:
        super().__init__()

        def distance(a: Tensor, b: Tensor) -> Tensor:
            return (a - b).abs() ** power

        self.distance = distance

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return self.distance(y_pred, y_true).mean()


class LambdasInAList(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.terms = [F.mse_loss, lambda a, b: (a - b).abs().mean()]

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return torch.stack([term(y_pred, y_true) for term in self.terms]).sum()


class LambdaInAPartial(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.reduce = functools.partial(lambda x, dim: x.mean(dim), dim=0)

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return self.reduce((y_pred - y_true) ** 2)  # type: ignore[no-any-return]


class WithLock(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        with self.lock:
            return F.mse_loss(y_pred, y_true)


class WithModule(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.backend = np

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return F.mse_loss(y_pred, y_true) * float(self.backend.sqrt(4.0))


class WithGenerator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.schedule = (0.9**step for step in range(1000))
        self.weight = next(self.schedule)

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return self.weight * F.mse_loss(y_pred, y_true)


class CallableWithLambda:
    def __init__(self) -> None:
        self.transform = lambda x: torch.log1p(x.abs())

    def __call__(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return F.mse_loss(self.transform(y_pred), self.transform(y_true))


class InnerLambda(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = LambdaWeight()

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return self.inner(y_pred, y_true)  # type: ignore[no-any-return]


class AttachedAttribute(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.raw = nn.Parameter(torch.zeros(3))
        self.weight = F.softplus(self.raw)

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return (self.weight.detach() * (y_pred - y_true) ** 2).mean()


class CachedGraph(nn.Module):
    """Calculates with its parameter once, in the constructor."""

    def __init__(self) -> None:
        super().__init__()
        self.raw = nn.Parameter(torch.zeros(3))
        self.weight = F.softplus(self.raw)

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return (self.weight * (y_pred - y_true) ** 2).mean()


def features() -> tuple[Tensor, Tensor]:
    return drawn(12, 6), torch.arange(12) % 4


FAULTY: dict[str, Row] = {
    "clamps_in_place": (lambda: clamps_in_place, vectors, "mutates-input", {}),
    "fills_the_ignored": (lambda: fills_the_ignored, pixels, "mutates-input", {"ignore_index": 255}),
    "fills_nothing_today": (lambda: fills_nothing_today, logits, "mutates-input", {}),
    "normalises_the_truth": (lambda: normalises_the_truth, vectors, "mutates-input", {}),
    "thresholds_a_view": (lambda: thresholds_a_view, masks, "mutates-input", {}),
    "smooths_labels_in_place": (lambda: smooths_labels_in_place, masks, "mutates-input", {}),
    "squeezes_in_place": (lambda: squeezes_in_place, vectors, "mutates-input", {}),
    "through_data": (lambda: through_data, vectors, "mutates-input", {}),
    "through_numpy": (lambda: through_numpy, vectors, "mutates-input", {}),
    "breaks_backward": (lambda: breaks_backward, vectors, "mutates-input", {}),
    "with_out": (lambda: with_out, vectors, "mutates-input", {}),
    "relu_in_place": (Relu, rows, "mutates-input", {}),
    "dropout_in_a_function": (lambda: dropout_in_a_function, vectors, "nondeterministic", {}),
    "dropout_always": (DropoutAlways, logits, "nondeterministic", {}),
    "noise_always": (NoiseAlways, vectors, "nondeterministic", {}),
    "python_random": (lambda: python_random, vectors, "nondeterministic", {}),
    "numpy_random": (NumpyRandom, logits, "nondeterministic", {}),
    "fresh_generator": (lambda: fresh_generator, vectors, "nondeterministic", {}),
    "random_subset": (lambda: random_subset, vectors, "nondeterministic", {}),
    "random_negatives": (lambda: random_negatives, vectors, "nondeterministic", {}),
    "bernoulli": (LayersWithDropout, masks, "nondeterministic", {}),
    "history": (History, rows, "keeps-graph", {}),
    "logs": (Logs, rows, "keeps-graph", {}),
    "running_attached": (RunningAttached, vectors, "keeps-graph", {}),
    "total": (Total, vectors, "keeps-graph", {}),
    "attached_buffer": (AttachedBuffer, rows, "keeps-graph", {}),
    "bank": (Bank, rows, "keeps-graph", {}),
    "previous": (Previous, rows, "keeps-graph", {}),
    "global_log": (global_log, rows, "keeps-graph", {}),
    "in_object": (InObject, rows, "keeps-graph", {}),
    "keeps_predictions": (KeepsPredictions, logits, "keeps-graph", {}),
    "cached_graph": (CachedGraph, rows, "keeps-graph", {}),
    "weights_in_a_list": (WeightsInAList, vectors, "hidden-parameters", {}),
    "weights_in_a_dict": (WeightsInADict, vectors, "hidden-parameters", {}),
    "plain_leaf": (PlainLeaf, features, "hidden-parameters", {}),
    "heads_in_a_list": (HeadsInAList, features, "hidden-parameters", {}),
    "with_helper": (WithHelper, logits, "hidden-parameters", {}),
    "no_module": (NoModule, vectors, "hidden-parameters", {}),
    "no_module_with_module": (NoModuleWithModule, rows, "hidden-parameters", {}),
    "captures_a_network": (captures_a_network, rows, "hidden-parameters", {}),
    "regularised_by_lambda": (regularised_by_lambda, rows, "hidden-parameters", {}),
    "partial_of_a_network": (partial_of_a_network, rows, "hidden-parameters", {}),
    "uses_a_global": (lambda: uses_a_global, rows, "hidden-parameters", {}),
    "module_uses_a_global": (UsesAGlobal, rows, "hidden-parameters", {}),
    "made_in_forward": (MadeInForward, rows, "hidden-parameters", {}),
    "plain_weight": (PlainWeight, logits, "not-buffer", {}),
    "plain_indexed": (lambda: PlainIndexed([0.1, 0.2, 0.3, 0.4]), logits, "not-buffer", {}),
    "plain_in_a_list": (PlainInAList, masks, "not-buffer", {}),
    "plain_in_a_dict": (PlainInADict, rows, "not-buffer", {}),
    "plain_with_item": (PlainWithItem, rows, "not-buffer", {}),
    "plain_inside": (PlainInside, lambda: (drawn(16, 3), drawn(16, seed=5)), "not-buffer", {}),
    "class_attribute": (ClassAttribute, rows, "not-buffer", {}),
    "dtype_only": (DtypeOnly, rows, "not-buffer", {}),
    "matrix": (Matrix, logits, "not-buffer", {}),
    "in_a_partial": (InAPartial, logits, "not-buffer", {}),
    "ema_attribute": (EmaAttribute, vectors, "state-not-saved", {}),
    "centers_attribute": (CentersAttribute, rows, "state-not-saved", {}),
    "warm_up": (WarmUp, vectors, "state-not-saved", {}),
    "first_loss": (FirstLoss, vectors, "state-not-saved", {}),
    "momentum": (Momentum, masks, "state-not-saved", {}),
    "queue": (Queue, vectors, "state-not-saved", {}),
    "none_buffer": (NoneBuffer, rows, "state-not-saved", {}),
    "lambda_weight": (LambdaWeight, masks, "not-picklable", {}),
    "local_function": (LocalFunction, vectors, "not-picklable", {}),
    "lambdas_in_a_list": (LambdasInAList, vectors, "not-picklable", {}),
    "lambda_in_a_partial": (LambdaInAPartial, vectors, "not-picklable", {}),
    "with_lock": (WithLock, vectors, "not-picklable", {}),
    "with_module": (WithModule, vectors, "not-picklable", {}),
    "with_generator": (WithGenerator, vectors, "not-picklable", {}),
    "callable_with_lambda": (CallableWithLambda, vectors, "not-picklable", {}),
    "inner_lambda": (InnerLambda, masks, "not-picklable", {}),
    "attached_attribute": (AttachedAttribute, rows, "not-picklable", {}),
}
