"""Losses that are no loss: ``FAULTY[name] = (make, example, code, arguments)``."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.check.sound import bits, classes, drawn

Faulty = tuple[Callable[[], Callable[..., Any]], Callable[[], tuple[Tensor, Tensor]], str, dict[str, Any]]


def per_element(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return (y_pred - y_true) ** 2


def per_class(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(y_pred, y_true, reduction="none").mean(0)


def keeps_an_axis(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return ((y_pred - y_true) ** 2).mean(dim=0, keepdim=True)


def parts(y_pred: Tensor, y_true: Tensor) -> tuple[Tensor, Tensor]:
    return F.mse_loss(y_pred, y_true), F.l1_loss(y_pred, y_true)


def in_a_dict(y_pred: Tensor, y_true: Tensor) -> dict[str, Tensor]:
    return {"loss": F.mse_loss(y_pred, y_true)}


def as_item(y_pred: Tensor, y_true: Tensor) -> float:
    return F.mse_loss(y_pred, y_true).item()


def wrapped_again(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return torch.tensor(F.mse_loss(y_pred, y_true).item(), requires_grad=True)


def errors_counted(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return (y_pred.argmax(1) != y_true).float().mean()


def rounded(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return ((torch.sigmoid(y_pred).round() - y_true) ** 2).mean()


def detached(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.mse_loss(y_pred.detach(), y_true)


def in_numpy(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return torch.as_tensor(((y_pred.detach().numpy() - y_true.numpy()) ** 2).mean())


class WithoutGradient(nn.Module):
    @torch.no_grad()
    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return F.smooth_l1_loss(y_pred, y_true)


def masked_away(y_pred: Tensor, y_true: Tensor) -> Tensor:
    scores = (y_pred @ y_pred.T).masked_fill(torch.ones(len(y_pred), len(y_pred)) > 0, float("-1e9"))
    return torch.logsumexp(scores, 1).mean() + 1e9


def always_satisfied(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.relu((y_pred - y_true).abs().clamp(max=0.0)).mean()


def of_the_truth(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return ((y_true - y_true.mean()) ** 2).mean()


def softmax_of_one(y_pred: Tensor, y_true: Tensor) -> Tensor:
    p = y_pred.softmax(1).squeeze(1)
    return F.binary_cross_entropy(p.clamp(1e-6, 1 - 1e-6), y_true)


def keras_order(y_true: Tensor, y_pred: Tensor) -> Tensor:
    p = torch.sigmoid(y_pred)
    return -(y_true * torch.log(p + 1e-7) + (1 - y_true) * torch.log(1 - p + 1e-7)).mean()


def short_names(target: Tensor, inp: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(inp, target)


class SklearnOrder(nn.Module):
    def forward(self, target: Tensor, input: Tensor) -> Tensor:
        return torch.maximum(0.9 * (target - input), 0.1 * (input - target)).mean()


def crosses_the_wrong_way(targets: Tensor, logits: Tensor) -> Tensor:
    return F.cross_entropy(logits, targets)


def wrong_call(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.cross_entropy(y_pred, y_true.float())


def another_width(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.mse_loss(y_pred @ torch.ones(7, 1), y_true)


def backward_fails(y_pred: Tensor, y_true: Tensor) -> Tensor:
    root = torch.sqrt(y_pred.abs() + 1)
    value = ((root - y_true) ** 2).mean()
    root.add_(1)
    return value


REGRESSION = lambda: (drawn(16), drawn(16, seed=5))  # noqa: E731

FAULTY: dict[str, Faulty] = {
    "per_element": (lambda: per_element, REGRESSION, "not-scalar", {}),
    "per_class": (lambda: per_class, lambda: (drawn(16, 3), bits(16, 3)), "not-scalar", {}),
    "keeps_an_axis": (lambda: keeps_an_axis, REGRESSION, "not-scalar", {}),
    "parts": (lambda: parts, REGRESSION, "not-scalar", {}),
    "in_a_dict": (lambda: in_a_dict, REGRESSION, "not-scalar", {}),
    "reduction_none": (lambda: nn.MSELoss(reduction="none"), REGRESSION, "not-scalar", {}),
    "as_item": (lambda: as_item, REGRESSION, "no-gradient", {}),
    "wrapped_again": (lambda: wrapped_again, REGRESSION, "no-gradient", {}),
    "errors_counted": (lambda: errors_counted, lambda: (drawn(16, 3), classes(3, 16)), "no-gradient", {}),
    "rounded": (lambda: rounded, lambda: (drawn(16), bits(16)), "no-gradient", {}),
    "detached": (lambda: detached, REGRESSION, "no-gradient", {}),
    "in_numpy": (lambda: in_numpy, REGRESSION, "no-gradient", {}),
    "without_gradient": (WithoutGradient, REGRESSION, "no-gradient", {}),
    "of_the_truth": (lambda: of_the_truth, REGRESSION, "no-gradient", {}),
    "masked_away": (lambda: masked_away, lambda: (drawn(12, 4), classes(3, 12)), "constant-loss", {}),
    "always_satisfied": (lambda: always_satisfied, REGRESSION, "constant-loss", {}),
    "softmax_of_one": (lambda: softmax_of_one, lambda: (drawn(20, 1), bits(20)), "constant-loss", {}),
    "keras_order": (lambda: keras_order, lambda: (drawn(16), bits(16)), "argument-order", {}),
    "short_names": (lambda: short_names, lambda: (drawn(16), bits(16)), "argument-order", {}),
    "sklearn_order": (SklearnOrder, REGRESSION, "argument-order", {}),
    "crosses_the_wrong_way": (
        lambda: crosses_the_wrong_way,
        lambda: (drawn(16, 3), classes(3, 16)),
        "argument-order",
        {},
    ),
    "wrong_call": (lambda: wrong_call, lambda: (drawn(16, 3), classes(3, 16)), "could-not-run", {}),
    "another_width": (lambda: another_width, lambda: (drawn(16, 3), drawn(16, 1)), "could-not-run", {}),
    "backward_fails": (lambda: backward_fails, REGRESSION, "could-not-run", {}),
}
