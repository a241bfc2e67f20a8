"""A healthy training is left in peace; each fault is found, with its number; and nothing of the training changes."""

from __future__ import annotations

import copy
import functools
import io
import itertools
import math
import pickle
import random
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import torchobjectives
from torchobjectives import Objective
from torchobjectives.check import watch as module
from torchobjectives.check._look import Look
from torchobjectives.check._signals import signals_of
from torchobjectives.check.watch import LossWarning, Watch, watch

Batch = tuple[Tensor, Tensor]
FEATURES = 10


def net(outputs: int = 1, *last: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(FEATURES, 32), nn.ReLU(), nn.Linear(32, outputs), *last)


def batches(target: Callable[[Tensor], Tensor], size: int = 32, seed: int = 1) -> Iterator[Batch]:
    generator = torch.Generator().manual_seed(seed)
    while True:
        x = torch.randn(size, FEATURES, generator=generator)
        noise = torch.randn(size, FEATURES, generator=generator)
        yield x, target(x + 0.3 * noise)


def values(x: Tensor) -> Tensor:
    return x[:, :1] - 2 * x[:, 1:2] + 0.5


def labels(x: Tensor) -> Tensor:
    return x[:, :4].argmax(1)


def bits(x: Tensor) -> Tensor:
    return (x[:, :1] + x[:, 1:2] > 0).float()


def several_bits(x: Tensor) -> Tensor:
    return (x[:, :3] > 0.5).float()


def signed(x: Tensor) -> Tensor:
    return 2 * bits(x) - 1


def noise(x: Tensor) -> Tensor:
    return torch.roll(x[:, :1], 1, 0)


def train(
    loss: Any,
    target: Callable[[Tensor], Tensor] = values,
    model: nn.Module | None = None,
    *,
    steps: int = 60,
    size: int = 32,
    prepare: Callable[[Tensor], Any] = lambda y_pred: y_pred,
    optimizer: Callable[[Any], Any] = lambda parameters: torch.optim.Adam(parameters, 1e-2),
    parameters: Any = (),
    every_step: Callable[[Tensor, Tensor], None] = lambda y_pred, value: None,
    accumulate: int = 1,
    **watching: Any,
) -> Watch:
    """Train, and be watched; every fifth step unless another is asked for."""
    model = net() if model is None else model
    watched = watch(loss, **{"every": 5, "callback": lambda finding: None, **watching})
    chosen = optimizer([*model.parameters(), *parameters])
    for number, (x, y_true) in zip(range(steps), batches(target, size), strict=False):
        y_pred = prepare(model(x))
        value = watched(y_pred, y_true)
        every_step(y_pred, value)
        value.div(accumulate).backward()
        if number % accumulate == accumulate - 1:
            chosen.step()
            chosen.zero_grad()
    assert watched.stopped is None or watched.findings, watched.stopped
    return watched


def only(watched: Watch, code: str) -> Any:
    (finding,) = watched.findings
    assert finding.code == code, str(finding)
    assert re.search(r"\d", finding.message)
    return finding


class AsDouble(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.double()


# Healthy


def focal(y_pred: Tensor, y_true: Tensor) -> Tensor:
    cross = F.cross_entropy(y_pred, y_true, reduction="none")
    return ((1 - torch.exp(-cross)) ** 2 * cross).mean()


def gaussian(y_pred: Tensor, y_true: Tensor) -> Tensor:
    mean, log_scale = y_pred[:, :1], y_pred[:, 1:].clamp(-5, 5)
    return (log_scale + 0.5 * ((y_true - mean) * torch.exp(-log_scale)) ** 2).mean()


def contrastive(y_pred: Tensor, y_true: Tensor) -> Tensor:
    unit = F.normalize(y_pred, dim=1)
    likeness = (unit @ unit.T / 0.1).masked_fill(torch.eye(len(unit), dtype=torch.bool), -1e9)
    same = (y_true[:, None] == y_true) & ~torch.eye(len(unit), dtype=torch.bool)
    return -(F.log_softmax(likeness, 1) * same).sum(1).div(same.sum(1).clamp(min=1)).mean()


def chosen_action(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return (y_pred.gather(1, y_true[:, None]).squeeze(1) - y_true.float()).square().mean()


def padded(x: Tensor) -> Tensor:
    return torch.where(torch.arange(len(x)) % 4 == 0, labels(x), -100)


def dice(y_pred: Tensor, y_true: Tensor) -> Tensor:
    p = torch.sigmoid(y_pred)
    return 1 - (2 * (p * y_true).sum() + 1) / (p.sum() + y_true.sum() + 1)


class Uncertain(nn.Module):
    """A loss that learns its own scale."""

    def __init__(self) -> None:
        super().__init__()
        self.log_var = nn.Parameter(torch.zeros(()))

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return torch.exp(-self.log_var) * F.mse_loss(y_pred, y_true) + self.log_var


def slow(parameters: Any) -> Any:
    return torch.optim.SGD(parameters, 1e-3)


HEALTHY: dict[str, tuple[Callable[[], Any], Callable[[Tensor], Tensor], Callable[[], nn.Module], dict[str, Any]]] = {
    "mse": (nn.MSELoss, values, net, {}),
    "mse, sum": (lambda: nn.MSELoss(reduction="sum"), values, net, {"optimizer": lambda p: torch.optim.Adam(p, 1e-3)}),
    "l1": (nn.L1Loss, values, net, {}),
    "huber of ours": (torchobjectives.HuberLoss, values, net, {}),
    "pinball of ours": (lambda: torchobjectives.QuantileLoss(quantiles=0.9), values, net, {}),
    "mse of ours, float64": (torchobjectives.MSELoss, values, lambda: nn.Sequential(net(), AsDouble()), {}),
    "mse, shifted a little": (nn.MSELoss, lambda x: values(x) + 3, net, {}),
    "mse, several": (nn.MSELoss, lambda x: x[:, :3].tanh(), lambda: net(3), {}),
    "gaussian": (lambda: gaussian, values, lambda: net(2), {}),
    "cross entropy": (nn.CrossEntropyLoss, labels, lambda: net(4), {}),
    "cross entropy, smooth": (lambda: nn.CrossEntropyLoss(label_smoothing=0.1), labels, lambda: net(4), {}),
    "cross entropy, weighted": (lambda: nn.CrossEntropyLoss(torch.tensor([1.0, 2, 3, 4])), labels, lambda: net(4), {}),
    "cross entropy, padded": (nn.CrossEntropyLoss, padded, lambda: net(4), {}),
    "cross entropy of ours": (torchobjectives.CrossEntropyLoss, labels, lambda: net(4), {}),
    "cross entropy, small batch": (nn.CrossEntropyLoss, labels, lambda: net(40), {"size": 8}),
    "focal": (lambda: focal, labels, lambda: net(4), {}),
    "focal of ours": (torchobjectives.FocalLoss, bits, net, {}),
    "nll": (nn.NLLLoss, labels, lambda: net(4, nn.LogSoftmax(1)), {}),
    "hinge of classes": (nn.MultiMarginLoss, labels, lambda: net(4), {}),
    "margin on probabilities": (nn.MultiMarginLoss, labels, lambda: net(4, nn.Softmax(1)), {}),
    "bce of logits": (nn.BCEWithLogitsLoss, bits, net, {}),
    "bce of probabilities": (nn.BCELoss, bits, lambda: net(1, nn.Sigmoid()), {}),
    "bce of ours, several": (torchobjectives.BinaryCrossEntropyLoss, several_bits, lambda: net(3), {}),
    "mse of probabilities": (nn.MSELoss, bits, lambda: net(1, nn.Sigmoid()), {}),
    "soft margin": (nn.SoftMarginLoss, signed, net, {}),
    "dice": (lambda: dice, bits, net, {}),
    "contrastive": (lambda: contrastive, labels, lambda: net(8), {}),
    "one action of many": (lambda: chosen_action, labels, lambda: net(8), {}),
    "tiny learning rate": (
        nn.CrossEntropyLoss,
        labels,
        lambda: net(4),
        {"optimizer": lambda p: torch.optim.SGD(p, 1e-3)},
    ),
    "accumulated": (nn.MSELoss, values, net, {"accumulate": 8}),
    "one output for each of the classes": (lambda: F.cross_entropy, labels, lambda: net(4), {}),
    "batches of one": (nn.MSELoss, values, net, {"size": 1, "optimizer": lambda p: torch.optim.SGD(p, 1e-2)}),
}


@pytest.mark.parametrize("every", [5, pytest.param(50, marks=pytest.mark.grid)])
@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_training_is_left_in_peace(name: str, every: int) -> None:
    make, target, model, options = HEALTHY[name]
    watched = train(make(), target, model(), steps=320, every=every, **options)
    assert watched.findings == (), str(watched.findings[0])
    assert (watched.steps, watched.stopped) == (320, None)


def test_mixed_precision_is_healthy() -> None:
    for loss, target, outputs in ((nn.MSELoss(), values, 1), (nn.CrossEntropyLoss(), labels, 4)):
        model = net(outputs)
        optimizer = torch.optim.Adam(model.parameters(), 1e-2)
        with watch(loss, every=10) as watched, warnings.catch_warnings():
            warnings.simplefilter("error")
            for _, (x, y_true) in zip(range(320), batches(target), strict=False):
                with torch.autocast("cpu", torch.bfloat16):
                    value = loss(model(x), y_true)
                optimizer.zero_grad()
                value.backward()
                optimizer.step()
        assert (watched.findings, watched.steps) == ((), 320)


def test_a_loss_over_time_with_one_backward_pass_is_healthy() -> None:
    """Many calls and one pass: the graphs of many calls are alive, and should be."""
    cell, head, loss = nn.GRUCell(FEATURES, 8), nn.Linear(8, 1), nn.MSELoss()
    optimizer = torch.optim.Adam([*cell.parameters(), *head.parameters()])
    total: Any = 0.0
    with watch(loss, every=2) as watched:
        for _, (x, _) in zip(range(10), batches(values, 60), strict=False):
            state, losses = torch.zeros(1, 8), []
            for row in x:
                state = cell(row[None], state)
                losses.append(loss(head(state), row[:1, None]))
            total = torch.stack(losses).mean()
            optimizer.zero_grad()
            total.backward()
            optimizer.step()
    assert (watched.findings, watched.steps) == ((), 600)
    assert total.isfinite()


def test_a_critic_of_real_and_drawn_samples_is_healthy() -> None:
    """At its best it is no better than a guess; its targets are all alike in each call."""
    model, loss = net(), nn.BCEWithLogitsLoss()
    optimizer = torch.optim.Adam(model.parameters(), 1e-4)
    with watch(loss, every=50) as watched:
        for _ in range(700):
            for target in (torch.ones(16, 1), torch.zeros(16, 1)):
                loss(model(torch.randn(16, FEATURES)), target).backward()
            optimizer.step()
            optimizer.zero_grad()
    assert (watched.findings, watched.steps) == ((), 1400)


def test_several_terms_in_balance_are_healthy() -> None:
    objective = Objective({"value": nn.MSELoss(), "label": nn.CrossEntropyLoss()}, term_weights={"label": 0.001})
    model = net(5)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    with watch(objective, every=5) as watched:
        for _, (x, y_true) in zip(range(320), batches(values), strict=False):
            out = model(x)
            objective({"value": out[:, :1], "label": out[:, 1:]}, {"value": y_true, "label": labels(x)}).backward()
            optimizer.step()
            optimizer.zero_grad()
    assert (watched.findings, watched.steps) == ((), 320)


def test_learnt_parameters_are_healthy() -> None:
    loss = Uncertain()
    watched = train(loss, steps=320, parameters=loss.parameters())
    assert watched.findings == ()
    model, loss = net(), Uncertain()
    optimizers = [torch.optim.Adam(model.parameters()), torch.optim.SGD(loss.parameters(), 1e-3)]
    with watch(loss, optimizer=optimizers) as watched:
        loss(model(torch.randn(8, FEATURES)), torch.randn(8, 1))
    assert watched.findings == ()


# Faults


@pytest.mark.parametrize(
    ("loss", "target", "outputs", "prepare", "numbers"),
    [
        (nn.CrossEntropyLoss(), labels, 4, lambda y: 40 * y, r"first loss \d.*, a constant guess would have 1\.386"),
        (F.cross_entropy, labels, 4, lambda y: 40 * y, r"first loss \d.*, a constant guess would have 1\.386"),
        (nn.BCEWithLogitsLoss(), bits, 1, lambda y: y + 20 * y.sign(), "a constant guess would have 0\\.6931"),
        (nn.MSELoss(), lambda x: values(x) + 50, 1, lambda y: y, "the targets are shifted \\(their mean is 5"),
        (torchobjectives.MSELoss(), lambda x: values(x) + 50, 1, lambda y: y, "mean is 5"),
    ],
)
def test_a_large_first_loss_is_found(loss: Any, target: Any, outputs: int, prepare: Any, numbers: str) -> None:
    finding = only(train(loss, target, net(outputs), prepare=prepare, steps=1), "wrong-minimum")
    assert re.search(numbers, finding.message), finding.message
    assert finding.evidence["first"] > 2.5 * finding.evidence["constant"]


@pytest.mark.parametrize(
    ("loss", "target", "model"),
    [
        (nn.MSELoss(), noise, lambda: nn.Linear(FEATURES, 1)),
        (nn.CrossEntropyLoss(), lambda x: torch.roll(labels(x), 1), lambda: nn.Linear(FEATURES, 4)),
        (nn.BCEWithLogitsLoss(), lambda x: torch.roll(bits(x), 1, 0), lambda: nn.Linear(FEATURES, 1)),
    ],
)
def test_a_plateau_at_a_constant_is_found(loss: Any, target: Any, model: Any) -> None:
    watched = train(
        loss, target, model(), steps=1600, size=128, every=50, optimizer=lambda p: torch.optim.SGD(p, 1e-2, 0.9)
    )
    finding = only(watched, "wrong-minimum")
    assert "no better than a constant" in finding.message
    assert finding.evidence["loss"] == pytest.approx(finding.evidence["constant"], rel=0.05)


def test_the_same_prediction_for_all_is_found() -> None:
    model = net()
    nn.init.constant_(model[0].bias, -100.0)  # every ReLU is off
    finding = only(train(nn.MSELoss(), values, model), "dead-outputs")
    assert "do not depend on the input" in finding.message
    assert finding.evidence["spread"] == 0


def test_a_sum_over_all_pairs_is_found() -> None:
    def mse(y_pred: Tensor, y_true: Tensor) -> Tensor:
        return ((y_pred - y_true) ** 2).mean()

    finding = only(train(mse, lambda x: values(x).squeeze(1)), "broadcast")
    assert "(32, 32)" in finding.message


def test_probabilities_for_a_loss_of_logits_are_found() -> None:
    finding = only(train(nn.CrossEntropyLoss(), labels, net(4, nn.Softmax(1)), steps=1), "probs-vs-logits")
    # log(e / (e + 3)), where a softmax of softmaxes ends.
    assert finding.evidence["reachable"] == pytest.approx(-math.log(math.e / (math.e + 3)), rel=1e-4)
    finding = only(train(nn.BCEWithLogitsLoss(), bits, net(1, nn.Sigmoid()), steps=320), "probs-vs-logits")
    assert finding.evidence["reachable"] > 0.4
    images = nn.Sequential(nn.Unflatten(1, (1, 2, 5)), nn.Conv2d(1, 3, 1), nn.Softmax(1))
    watched = train(nn.CrossEntropyLoss(), lambda x: (x > 0).long().reshape(-1, 2, 5), images)
    assert only(watched, "probs-vs-logits").evidence["step"] == 1


def clipped(y_pred: Tensor, y_true: Tensor) -> Tensor:
    p = y_pred.clamp(1e-7, 1 - 1e-7)
    return -(y_true * p.log() + (1 - y_true) * (1 - p).log()).mean()


def test_outputs_without_a_gradient_are_found() -> None:
    finding = only(train(clipped, several_bits, net(3), prepare=lambda y: 8 * y - 6), "dead-outputs")
    assert finding.evidence["share"] > 0.5
    assert finding.evidence["possible"] < 0.8 * finding.evidence["loss"]
    assert re.search(r"last \d+%", finding.message)


def test_a_term_that_owns_the_gradient_is_found() -> None:
    terms = {"data": nn.MSELoss(), "kl": lambda y_pred, y_true: 50 * (y_pred.exp() - y_pred).sum()}
    objective = Objective(terms)
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), 1e-6)
    with watch(objective, every=5, callback=lambda finding: None) as watched:
        for _, (x, y_true) in zip(range(20), batches(values), strict=False):
            y_pred = model(x) + 1
            objective({"data": y_pred, "kl": y_pred}, {"data": y_true, "kl": y_true}).backward()
            optimizer.step()
    finding = only(watched, "batch-scaling")
    assert re.search(r"'kl' supplied 99\.\d+ % of the gradient", finding.message)
    assert finding.evidence["share"] > 0.99


def log_of_sigmoid(y_pred: Tensor, y_true: Tensor) -> Tensor:
    p = torch.sigmoid(y_pred)
    return -(y_true * torch.log(p) + (1 - y_true) * torch.log(1 - p)).mean()


def test_the_sample_and_the_call_behind_nan_are_named() -> None:
    def far(y_pred: Tensor) -> Tensor:
        far.step += 1  # type: ignore[attr-defined]
        return y_pred if far.step != 12 else y_pred + 91.4 * (torch.arange(len(y_pred)) == 5)[:, None]  # type: ignore[attr-defined]

    far.step = 0  # type: ignore[attr-defined]
    watched = train(log_of_sigmoid, lambda x: 0 * bits(x), prepare=far, steps=12)
    finding = only(watched, "nan-at-extremes")
    assert re.search(r"^Step 12: the loss is (inf|nan), at sample 5 of 32", finding.message), finding.message
    assert re.search(r"`log\(\)` gave -inf at test_watch.py, line \d+ \(return -\(y_true", finding.message)
    assert finding.evidence["largest"] == pytest.approx(91.4, abs=3)
    assert "logsigmoid" in finding.fix
    assert "The step before it was" in finding.message


def test_nan_that_comes_of_the_gradient_before_is_told_from_that_of_the_model() -> None:
    def rmse(y_pred: Tensor, y_true: Tensor) -> Tensor:
        return torch.sqrt((y_pred - y_true) ** 2).mean()

    model = nn.Linear(FEATURES, 1)
    nn.init.zeros_(model.weight)
    nn.init.zeros_(model.bias)
    finding = only(train(rmse, lambda x: 0 * values(x), model), "nan-gradient")
    assert "`sqrt()` at test_watch.py" in finding.message
    assert "1e-8" in finding.fix
    diverging = train(nn.MSELoss(), values, optimizer=lambda p: torch.optim.SGD(p, 1e3), steps=80)
    assert "diverged" in diverging.findings[-1].message


def test_other_reasons_for_nan_are_told_apart() -> None:
    missing = train(nn.MSELoss(), lambda x: values(x).index_fill(0, torch.tensor([3]), math.nan), steps=1)
    assert "at sample 3" in only(missing, "nan-at-extremes").message
    ignored = train(nn.CrossEntropyLoss(), lambda x: 0 * labels(x) - 100, net(4), steps=1)
    only(ignored, "empty-targets")

    def positives(y_pred: Tensor, y_true: Tensor) -> Tensor:
        return (y_pred * y_true).sum() / y_true.sum()

    only(train(positives, lambda x: 0 * values(x), steps=1), "empty-targets")

    def squares(y_pred: Tensor, y_true: Tensor) -> Tensor:
        return (y_pred * 1000).square().mean() + 0 * y_true.mean()

    model = net().half()
    half = train(
        squares, lambda x: values(x).half(), prepare=lambda y: y, model=nn.Sequential(AsHalf(), model), steps=1
    )
    only(half, "half-precision")


def entropy(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return torch.where(y_true > 0, y_true * (y_true.log() - y_pred), y_pred).mean()


@pytest.mark.parametrize(("loss", "bad"), [(nn.MSELoss(), math.nan), (nn.MSELoss(), math.inf), (entropy, math.inf)])
def test_what_the_data_hold_is_not_laid_to_the_loss(loss: Any, bad: float) -> None:
    y_true = torch.tensor([[1.0], [2], [bad], [0], [0], [1], [2], [3]])
    watched = watch(loss, callback=lambda finding: None)
    watched(torch.randn(8, 1, requires_grad=True), y_true)
    finding = only(watched, "nan-at-extremes")
    assert "y_true holds 1 number that is not finite, first at sample 2 of 8" in finding.message
    assert "y_true.isfinite()" in finding.fix
    assert finding.evidence["samples"] == [2]


def test_missing_values_that_the_loss_leaves_out_are_not_blamed() -> None:
    def masked(y_pred: Tensor, y_true: Tensor) -> Tensor:
        here = ~y_true.isnan()
        return (y_pred[here].log() - y_true[here]).square().mean()

    y_true = torch.ones(8, 1).index_fill(0, torch.tensor([3]), math.nan)
    y_pred = torch.ones(8, 1, requires_grad=True)
    for earlier in (True, False):
        watched = watch(masked, callback=lambda finding: None)
        if earlier:
            watched(y_pred, y_true)
        watched(0 * y_pred, y_true)
        assert "`log()` gave -inf" in only(watched, "nan-at-extremes").message
    watched = watch(masked, callback=lambda finding: None)
    watched(y_pred, y_true)
    watched(y_pred, y_true.index_fill(0, torch.tensor([5]), math.inf))
    assert "y_true holds 2 numbers that are not finite" in only(watched, "nan-at-extremes").message


def test_predictions_that_are_not_finite_are_named_wherever_they_are() -> None:
    def loss(y_pred: dict[str, Tensor], y_true: Tensor) -> Tensor:
        return mean_square(y_pred["mean"], y_true)

    y_pred = torch.randn(8, 1).index_fill(0, torch.tensor([4]), math.nan).requires_grad_()
    watched = watch(loss, callback=lambda finding: None)
    watched({"mean": torch.randn(8, 1, requires_grad=True)}, torch.randn(8, 1))
    watched({"mean": y_pred}, torch.randn(8, 1))
    message = only(watched, "nan-at-extremes").message
    assert "y_pred is not finite already (first at sample 4)" in message
    assert "Only 1 of 8 samples are so: look at their inputs" in message


def test_logits_that_are_minus_inf_on_purpose_are_not_blamed() -> None:
    logits = torch.zeros(8, 3).index_fill(1, torch.tensor([2]), -math.inf).requires_grad_()
    watched = watch(lambda y_pred, y_true: F.cross_entropy(y_pred, y_true), callback=lambda finding: None)
    watched(logits, torch.zeros(8, dtype=torch.long))
    watched(logits, torch.full((8,), 2))
    assert "look for a target" in only(watched, "nan-at-extremes").fix


class AsHalf(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.half()


def test_the_term_that_is_nan_is_named() -> None:
    objective = Objective({"data": nn.MSELoss(), "ratio": lambda y_pred, y_true: (y_pred / (0 * y_true)).mean()})
    y_pred, y_true = torch.randn(8, 1, requires_grad=True), torch.randn(8, 1)
    with watch(objective, callback=lambda finding: None) as watched:
        objective({"data": y_pred, "ratio": y_pred}, {"data": y_true, "ratio": y_true})
    assert "of term 'ratio'" in only(watched, "nan-at-extremes").message


def test_parameters_in_no_group_are_found() -> None:
    loss, model = Uncertain(), net()
    optimizer = torch.optim.Adam(model.parameters())
    watched = watch(loss, optimizer=optimizer, callback=lambda finding: None)
    loss(model(torch.randn(8, FEATURES)), torch.randn(8, 1))
    finding = only(watched, "hidden-parameters")
    assert "1 parameter of the loss (log_var), with 1 number, is in no group of Adam" in finding.message


def test_parameters_that_do_not_move_are_found() -> None:
    finding = only(train(Uncertain(), steps=110), "hidden-parameters")
    assert re.search(r"after 1\d\d steps of an optimizer log_var of the loss is what it was", finding.message)
    assert finding.evidence["gradient"] > 0


@pytest.mark.parametrize("kept", ["loss", "sum", "y_pred"])
def test_graphs_that_are_kept_are_found(kept: str) -> None:
    history: list[Tensor] = []
    total = torch.zeros(())

    def log(y_pred: Tensor, value: Tensor) -> None:
        nonlocal total
        if kept == "sum":
            total = total + value
        else:
            history.append(value if kept == "loss" else y_pred)

    watched = train(nn.MSELoss(), every_step=log)
    finding = only(watched, "keeps-graph")
    assert finding.message.startswith("Step 15: the graphs of steps 1, 5, 10 are still alive")
    assert ("`y_pred`" if kept == "y_pred" else "`loss`") in finding.message


@pytest.mark.parametrize("asks", ["the gradient of each", "passes of each", "passes of the sum"])
def test_graphs_of_a_window_are_not_over_before_its_last_pass(asks: str) -> None:
    model, loss = net(), nn.MSELoss()
    total = torch.zeros(())
    with watch(loss, every=10) as watched:
        for step, (x, y_true) in zip(range(300), batches(values), strict=False):
            y_pred = model(x)
            value = loss(y_pred, y_true)
            total = total + value
            if asks == "the gradient of each":
                torch.autograd.grad(value, y_pred, retain_graph=True)
            elif asks == "passes of each":
                value.backward(retain_graph=True)
            else:
                total.backward(retain_graph=True)
            if step % 100 == 99:
                total.backward()
                total = torch.zeros(())
    assert (watched.findings, watched.steps) == ((), 300)


def test_a_loss_that_falls_without_end_is_found() -> None:
    def reward(y_pred: Tensor, y_true: Tensor) -> Tensor:
        return (y_pred - y_true).mean()

    def far(parameters: Any) -> Any:
        return torch.optim.Adam(parameters, 0.3)

    finding = only(train(reward, model=nn.Linear(FEATURES, 1), steps=120, optimizer=far), "unbounded-below")
    assert finding.evidence["loss"] < 0
    assert finding.evidence["along"][2] < finding.evidence["along"][1] < finding.evidence["along"][0]


def test_a_tensor_on_another_device_is_found() -> None:
    loss = nn.CrossEntropyLoss(torch.ones(3))
    part = module.Part(loss, torch.zeros(4, 3, device="meta"), torch.zeros(4))
    look = Look(1, 0, 1.0, 1.0, torch.zeros(()), part, [], lambda: 1)
    (finding,) = list(signals_of(loss, ())[-1].look(look))
    assert finding.code == "not-buffer"
    assert "`weight` on cpu, y_pred on meta" in finding.message


# What it says, and how


def test_findings_are_warnings_at_the_line_of_the_training() -> None:
    model, loss = net(4), nn.CrossEntropyLoss()
    watched = watch(loss)
    with pytest.warns(LossWarning, match=r"Step 1: first loss .* \[wrong-minimum\]$") as caught:
        loss(100 * model(torch.randn(16, FEATURES)), torch.arange(16) % 4)
    assert caught[0].filename == __file__
    assert len(watched.findings) == 1


def test_no_more_is_said_than_asked_for() -> None:
    history: list[Tensor] = []
    arguments: dict[str, Any] = {"prepare": lambda y: 40 * y, "every_step": lambda y_pred, value: history.append(value)}
    assert len(train(nn.CrossEntropyLoss(), labels, net(4), **arguments).findings) == 2
    watched = train(nn.CrossEntropyLoss(), labels, net(4), most=1, **arguments)
    only(watched, "wrong-minimum")
    assert watched.stopped == "enough is said"


def test_a_callback_may_stop_the_training() -> None:
    def stop(finding: Any) -> None:
        raise RuntimeError(finding.code)

    with pytest.raises(RuntimeError, match="wrong-minimum"):
        train(nn.CrossEntropyLoss(), labels, net(4), prepare=lambda y: 40 * y, callback=stop)


def test_a_failure_to_look_is_none_of_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*given: Any) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(module, "parts_of", fail)
    watched = watch(nn.MSELoss())
    value = watched(torch.ones(3, requires_grad=True), torch.zeros(3))
    assert value == 1
    assert watched.stopped == "stopped looking at step 1: ZeroDivisionError: oh"
    assert "stopped looking" in repr(watched)


def test_why_a_watch_stopped_fits_a_line() -> None:
    watched = watch(lambda y_pred, y_true: torch.sparse.sum(y_pred) * y_true.sum())
    watched(torch.eye(4).to_sparse().requires_grad_(), torch.eye(4))
    assert watched.stopped is not None
    assert watched.stopped.startswith("stopped looking at step 1: NotImplementedError: Could not run")
    assert "\n" not in repr(watched)
    assert len(watched.stopped.partition(": ")[2]) <= 120


def test_what_is_no_step_is_not_counted() -> None:
    loss = nn.MSELoss()
    y_pred, y_true = torch.ones(3, requires_grad=True), torch.zeros(3)
    with watch(loss) as watched:
        with torch.no_grad():
            loss(y_pred, y_true)
        loss(y_pred.detach(), y_true)
        torch.func.grad(loss)(y_pred, y_true)
        assert watched.steps == 0
        loss(y_pred, target=y_true)
        loss(target=y_true, input=y_pred)
        assert watched.steps == 2
    loss(y_pred, y_true)
    assert watched.steps == 2
    assert not loss._forward_hooks
    none = watch(nn.MSELoss(reduction="none"))
    none(y_pred, y_true)
    assert none.steps == 0


def test_other_arguments_are_taken_along() -> None:
    def elbo(recon: Tensor, x: Tensor, mean: Tensor, log_var: Tensor, beta: float = 1.0) -> Tensor:
        return F.mse_loss(recon, x) - 0.5 * beta * (1 + log_var - mean**2 - log_var.exp()).mean()

    watched = watch(elbo, callback=lambda finding: None)
    recon, x = torch.randn(8, 4, requires_grad=True), torch.randn(8, 4)
    watched(recon, x, torch.zeros(8, 2), torch.zeros(8, 2), beta=2.0).backward()
    watched(recon, x, torch.zeros(8, 2), log_var=200 * torch.ones(8, 2))
    assert "`exp()` gave inf" in only(watched, "nan-at-extremes").message


with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    SCRIPTED = torch.jit.script(nn.MSELoss())


@pytest.mark.parametrize(
    ("loss", "given", "error", "words"),
    [
        (nn.MSELoss, {}, TypeError, r"class MSELoss, wanted an instance: MSELoss\(\)"),
        (3, {}, TypeError, "wanted a function"),
        (SCRIPTED, {}, TypeError, r"torch\.jit\.script, which takes no hook; watch a function"),
        (nn.MSELoss(), {"every": 0}, ValueError, "every is 0"),
        (nn.MSELoss(), {"most": 0}, ValueError, "most is 0"),
        (nn.MSELoss(), {"callback": 3}, TypeError, "callback=print"),
        (nn.MSELoss(), {"optimizer": 3}, TypeError, "torch.optim.Optimizer"),
        (Watch(F.mse_loss, 50, (), None, 3), {}, TypeError, "watched already"),
    ],
)
def test_wrong_arguments_are_refused(loss: Any, given: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        watch(loss, **given)


# What it leaves alone


def test_a_scripted_loss_is_watched_by_a_function_that_calls_it() -> None:
    watched = train(lambda y_pred, y_true: SCRIPTED(y_pred, y_true), lambda x: values(x) + 50, steps=1)
    only(watched, "wrong-minimum")


@pytest.mark.parametrize("make", [nn.CrossEntropyLoss, lambda: F.cross_entropy, torchobjectives.CrossEntropyLoss])
def test_the_numbers_stay_bit_for_bit(make: Callable[[], Any]) -> None:
    def trained(watching: bool) -> list[Tensor]:
        loss = make()
        called = watch(loss, every=3, callback=lambda finding: None) if watching else loss
        model = net(4, nn.Dropout(0.1))
        optimizer = torch.optim.Adam(model.parameters(), 1e-2)
        torch.manual_seed(3)
        random.seed(3)
        numpy.random.seed(3)
        for _ in range(40):
            x = torch.randn(16, FEATURES)
            optimizer.zero_grad()
            called(30 * model(x), labels(x)).backward()
            optimizer.step()
        drawn = [torch.randn(1), torch.tensor(random.random()), torch.tensor(numpy.random.rand())]
        assert not watching or called.findings
        return [*model.parameters(), *drawn]

    for bare, watched in zip(trained(False), trained(True), strict=True):
        assert torch.equal(bare, watched)


class Running(nn.Module):
    """A loss with state, whose every call counts."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        self.calls += 1
        return F.mse_loss(y_pred, y_true + 100)


def test_a_loss_with_state_is_not_called_more_often() -> None:
    loss = Running()
    train(loss, steps=50)
    assert loss.calls == 50
    calls = []

    def logged(y_pred: Tensor, y_true: Tensor) -> Tensor:
        calls.append(1)
        return F.mse_loss(y_pred, y_true)

    train(logged, steps=50)
    assert len(calls) == 50
    count = 0

    def counted(y_pred: Tensor, y_true: Tensor) -> Tensor:
        nonlocal count
        count += 1
        return F.mse_loss(y_pred, y_true)

    train(counted, steps=50)
    assert count == 50


def mean_square(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return ((y_pred - y_true) ** 2).mean()


SHARED = torch.ones(())


class Shared:
    mean = torch.ones(())


def with_a_tensor_of_a_closure() -> Any:
    mean = torch.ones(())

    def loss(y_pred: Tensor, y_true: Tensor) -> Tensor:
        value = mean_square(y_pred, y_true)
        mean.mul_(0.9).add_(0.1 * value.detach())
        return value / mean

    return loss


def with_a_tensor_by_index() -> Any:
    mean = torch.ones(2)

    def loss(y_pred: Tensor, y_true: Tensor) -> Tensor:
        value = mean_square(y_pred, y_true)
        mean[0] = 0.9 * mean[0] + 0.1 * value.detach()
        return value / mean[0].clone()

    return loss


def with_a_global_tensor() -> Any:
    SHARED.fill_(1)

    def loss(y_pred: Tensor, y_true: Tensor) -> Tensor:
        value = mean_square(y_pred, y_true)
        torch.add(0.9 * SHARED, 0.1 * value.detach(), out=SHARED)
        return value / SHARED.clone()

    return loss


def with_a_tensor_that_is_another_name() -> Any:
    mean = torch.ones(())

    def loss(y_pred: Tensor, y_true: Tensor) -> Tensor:
        value = mean_square(y_pred, y_true)
        same = mean
        same *= 0.9
        same += 0.1 * value.detach()
        return value / mean.clone()

    return loss


def with_a_tensor_of_a_class() -> Any:
    Shared.mean = torch.ones(())

    def loss(y_pred: Tensor, y_true: Tensor) -> Tensor:
        value = mean_square(y_pred, y_true)
        Shared.mean.mul_(0.9).add_(0.1 * value.detach())
        return value / Shared.mean

    return loss


def with_a_tensor_of_its_own_class() -> Any:
    class Loss(nn.Module):
        mean = torch.ones(())

        def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
            value = mean_square(y_pred, y_true)
            self.mean.mul_(0.9).add_(0.1 * value.detach())
            return value / self.mean

    return Loss()


def with_a_tensor_of_its_base() -> Any:
    class Loss(type(with_a_tensor_of_its_own_class())):  # type: ignore[misc]
        pass

    return Loss()


def with_a_counter_of_its_class() -> Any:
    class Loss(nn.Module):
        calls = 0

        def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
            type(self).calls += 1
            return mean_square(y_pred, y_true) / type(self).calls

    return Loss()


def with_a_class_method_that_counts() -> Any:
    class Loss(nn.Module):
        calls = 0

        @classmethod
        def count(cls) -> int:
            cls.calls += 1
            return cls.calls

        def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
            return mean_square(y_pred, y_true) / self.count()

    return Loss()


def with_a_running_mean() -> Any:
    mean, var = torch.zeros(1), torch.ones(1)

    def loss(y_pred: Tensor, y_true: Tensor) -> Tensor:
        return mean_square(F.batch_norm(y_pred, mean, var, training=True), y_true) * (1 + mean.clone())

    return loss


def with_a_generator() -> Any:
    generator = torch.Generator().manual_seed(0)
    return lambda y_pred, y_true: mean_square(y_pred + torch.randn(y_pred.shape, generator=generator), y_true)


def with_a_counter_that_is_iterated() -> Any:
    calls = itertools.count(1)
    return lambda y_pred, y_true: mean_square(y_pred, y_true) / next(calls)


def with_a_counter_beside_a_lock() -> Any:
    class Loss(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.state = {"calls": 0, "lock": threading.Lock()}

        def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
            self.state["calls"] += 1
            return mean_square(y_pred, y_true) / self.state["calls"]

    return Loss()


def with_a_function_that_counts() -> Any:
    calls = 0

    def counted(value: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return value / calls

    class Loss(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.after = counted

        def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
            return self.after(mean_square(y_pred, y_true))

    return Loss()


def with_a_decorator_that_counts() -> Any:
    calls = 0

    def counted(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        @functools.wraps(function)
        def wrapped(*args: Any) -> Tensor:
            nonlocal calls
            calls += 1
            return function(*args) / calls

        return wrapped

    return counted(mean_square)


def with_a_hook_that_counts() -> Any:
    loss, calls = nn.MSELoss(), [0]

    def hook(module: nn.Module, args: Any, value: Tensor) -> Tensor:
        calls[0] += 1
        return value / calls[0]

    loss.register_forward_hook(hook)
    return loss


def with_a_module_that_is_not_copied() -> Any:
    running = nn.BatchNorm1d(1)
    return lambda y_pred, y_true: mean_square(y_pred, y_true) / running(y_pred).abs().mean() + running.running_mean


def with_a_counter_of_a_module_that_is_not_copied() -> Any:
    inner = with_a_counter_of_its_class()
    return lambda y_pred, y_true: inner(y_pred, y_true)


WITH_STATE = [value for name, value in list(globals().items()) if name.startswith("with_a_")]


@pytest.mark.parametrize("breaks", [False, True])
@pytest.mark.parametrize("make", WITH_STATE)
def test_a_loss_that_writes_is_not_called_again(make: Callable[[], Any], breaks: bool) -> None:
    """Neither for a look, nor when it is not finite: its weights and its backward pass are as without a watch."""

    def trained(watching: bool) -> list[Tensor]:
        loss = make()
        called = watch(loss, every=3, callback=lambda finding: None) if watching else loss
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), 1e-3)
        for step, (x, y_true) in zip(range(12), batches(values), strict=False):
            optimizer.zero_grad()
            value = called(model(x), y_true * (1e30 if breaks and step == 6 else 1))
            value.backward()
            if value.isfinite():
                optimizer.step()
        return [p.detach() for p in model.parameters()]

    for bare, watched in zip(trained(False), trained(True), strict=True):
        assert torch.equal(bare, watched)


def with_constants() -> Any:
    weight = torch.ones(1)

    def loss(y_pred: Tensor, y_true: Tensor) -> Tensor:
        total = 0.0
        total += (weight * (y_pred - y_true) ** 2).mean()
        return total

    return loss


def with_writes_of_its_own() -> Any:
    def loss(y_pred: Tensor, y_true: Tensor) -> Tensor:
        weight = torch.ones_like(y_pred)
        weight[y_pred < 0] = 2.0
        weight.clamp_(max=3)
        return (weight * (y_pred - y_true) ** 2).mean()

    return loss


def with_attributes() -> Any:
    class Loss(nn.Module):
        MODES = {"mean": 1.0}  # noqa: RUF012

        def __init__(self) -> None:
            super().__init__()
            self.calls, self.last, self.power = 0, None, lambda value: value**2

        def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
            self.calls = self.calls + 1
            self.last = self.power(y_pred - y_true).mean().detach()
            return self.MODES["mean"] * self.power(y_pred - y_true).mean()

    return Loss()


@pytest.mark.parametrize("make", [with_constants, with_writes_of_its_own, with_attributes])
def test_a_loss_that_keeps_nothing_may_be_called_again(make: Callable[[], Any]) -> None:
    only(train(make(), lambda x: values(x) + 50, steps=1), "wrong-minimum")


def test_other_hooks_do_not_hear_of_a_watch() -> None:
    loss, heard = nn.MSELoss(), []
    loss.register_forward_hook(lambda module, args, value: heard.append(1))
    train(loss, steps=40)
    assert len(heard) == 40


def test_a_watched_loss_is_saved_and_copied() -> None:
    loss = Uncertain()
    state = copy.deepcopy(loss.state_dict())
    watched = watch(loss, callback=lambda finding: None)
    assert loss.state_dict() == state
    y_pred, y_true = torch.ones(3, 1, requires_grad=True), torch.zeros(3, 1)
    for again in (copy.deepcopy(loss), pickle.loads(pickle.dumps(loss))):
        assert again(y_pred, y_true) == 1
    saved = io.BytesIO()
    torch.save(loss, saved)
    saved.seek(0)
    assert torch.load(saved, weights_only=False)(y_pred, y_true) == 1
    assert watched.steps == 0
    anew = pickle.loads(pickle.dumps(watch(log_of_sigmoid, every=7)))
    anew(y_pred, y_true)
    assert (anew.steps, anew.every) == (1, 7)


def test_compiled_steps_run_as_before() -> None:
    loss, model = nn.MSELoss(), net()
    function = watch(clipped, callback=lambda finding: None)
    with watch(loss) as watched:

        def step(x: Tensor, y_true: Tensor) -> Tensor:
            y_pred = model(x)
            return loss(y_pred, y_true) + function(y_pred, y_true)

        x, y_true = torch.randn(8, FEATURES), torch.rand(8, 1)
        compiled = torch.compile(step, backend="eager", fullgraph=True)
        torch.testing.assert_close(compiled(x, y_true), step(x, y_true))
        assert watched.steps == 1
        # A model that is compiled alone is watched.
        loss(torch.compile(model, backend="eager")(x), y_true).backward()
        assert watched.steps == 2


def test_a_loss_that_arrives_late_is_read_at_the_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on an accelerator, whose numbers nobody waits for."""
    monkeypatch.setattr(module, "on_the_way", lambda loss: True)
    read = []

    class Late:
        def __init__(self, loss: Tensor) -> None:
            self.loss = loss.detach().clone()

        def value(self) -> float:
            read.append(self.loss.item())
            return read[-1]

    monkeypatch.setattr(module, "Arriving", Late)
    watched = watch(F.mse_loss, every=100, callback=lambda finding: None)
    y_pred, y_true = torch.ones(8, requires_grad=True), torch.zeros(8)
    watched(y_pred, y_true)  # the first look reads it at once
    watched(y_pred, target=y_true + 1e30)
    assert (read, watched.steps) == ([], 2)
    watched(y_pred, target=y_true)
    assert "Step 2: the loss is inf" in only(watched, "nan-at-extremes").message
    assert read == [math.inf]
