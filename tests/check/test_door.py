"""The door of the checker: what no loss, and nothing around it, may do to a report."""

import gc
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.check.sound import classes, drawn, mse
from torchobjectives.check import LossReport, _door, check_loss
from torchobjectives.check.pytest import parametrize_with_loss_checks

NAN = float("nan")


def report(loss: Callable[..., Any], y_pred: Tensor, y_true: Tensor, **options: Any) -> LossReport:
    return check_loss(loss, y_pred, y_true, on_fail="return", **options)


@pytest.mark.parametrize(
    ("loss", "y_pred", "y_true", "said"),
    [
        (
            mse,
            drawn(4),
            torch.tensor([1.0, 2.0, 3.0, NAN]),
            "y_true holds 1 number that is nan or inf, first in sample 3",
        ),
        (mse, torch.tensor([NAN, 1.0]), drawn(2), "y_pred holds 1 number that is nan or inf, first in sample 0"),
        (lambda p, t: (p.log() - t).square().mean(), drawn(16), drawn(16, seed=5), "y_pred goes from"),
        (lambda p, t: (-1 - t.abs()).log().mean() + mse(p, t), drawn(16), drawn(16, seed=5), "`log"),
        (mse, 1e20 * drawn(16), drawn(16, seed=5), "the loss is inf"),
        (nn.MSELoss(), drawn(0), drawn(0), "is empty"),
        (nn.CrossEntropyLoss(), drawn(4, 3), torch.full((4,), -100), "every target is -100, and is ignored"),
    ],
)
def test_an_example_without_a_loss_is_never_clean(
    loss: Callable[..., Any], y_pred: Tensor, y_true: Tensor, said: str
) -> None:
    found = report(loss, y_pred, y_true)
    assert [finding.code for finding in found.errors] == ["could-not-run"], found
    assert said in found.errors[0].message


def test_a_loss_that_does_not_end_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_door, "SECONDS", 0.3)

    def endless(y_pred: Tensor, y_true: Tensor) -> Tensor:
        while True:
            time.sleep(0.01)

    began = time.monotonic()
    found = report(endless, drawn(4), drawn(4, seed=5))
    assert time.monotonic() - began < 5
    assert [finding.code for finding in found.findings] == ["could-not-run"]
    assert "did not return within 0.3 s" in found.errors[0].message


class Trainer:
    """Cannot be copied as it is, for its lock; its loss is a method."""

    def __init__(self) -> None:
        self.calls, self.lock, self.inner = 0, threading.Lock(), {"calls": [0, threading.Lock()]}

    def loss(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        self.calls += 1
        self.inner["calls"][0] += 1  # type: ignore[operator]
        return mse(y_pred, y_true)


class Holding(nn.Module):
    """A module around what cannot be copied."""

    def __init__(self) -> None:
        super().__init__()
        self.trainer, self.seen = Trainer(), {"mean": 0.0, "lock": threading.Lock()}

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        value = self.trainer.loss(y_pred, y_true)
        self.seen["mean"] += value.item()  # type: ignore[operator]
        return value


def test_what_cannot_be_copied_is_left_as_it_was() -> None:
    trainer, holding = Trainer(), Holding()
    report(trainer.loss, drawn(16), drawn(16, seed=5))
    report(holding, drawn(16), drawn(16, seed=5))
    assert trainer.calls == holding.trainer.calls == 0
    assert trainer.inner["calls"][0] == holding.trainer.inner["calls"][0] == 0
    assert holding.seen["mean"] == 0.0


def linear(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.mse_loss(F.linear(y_pred, torch.ones(3, 3).to(y_pred)), y_true)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, lambda: torch.autocast("cpu", torch.bfloat16)])
def test_modes_of_whoever_asks_change_nothing(mode: Callable[[], Any]) -> None:
    plain = report(linear, drawn(16, 3), drawn(16, 3, seed=5))
    with mode():
        within = report(linear, drawn(16, 3) + 0, drawn(16, 3, seed=5))
    assert within.findings == plain.findings
    assert within.checks == plain.checks


def test_a_generator_outside_is_told_and_nothing_that_follows_from_it() -> None:
    generator = np.random.default_rng(0)

    def noisy(y_pred: Tensor, y_true: Tensor) -> Tensor:
        return mse(y_pred, y_true) + float(generator.random())

    found = report(noisy, drawn(16), drawn(16, seed=5))
    assert [finding.code for finding in found.findings if finding.level != "note"] == ["nondeterministic"], found


def test_a_complex_loss_is_no_scalar() -> None:
    found = report(lambda p, t: torch.fft.fft(p - t).mean(), drawn(8), drawn(8, seed=5))
    assert [finding.code for finding in found.errors] == ["not-scalar"]


def test_large_maps_of_classes_in_float16() -> None:
    found = report(nn.CrossEntropyLoss(), drawn(4, 5, 32, 32), classes(5, 4, 32, 32))
    assert not found.errors, found


def test_logarithms_are_moved_among_logarithms() -> None:
    def connectionist(y_pred: Tensor, y_true: Tensor) -> Tensor:
        lengths = torch.full((len(y_pred),), y_pred.shape[1]), torch.full((len(y_true),), y_true.shape[1])
        return F.ctc_loss(y_pred.transpose(0, 1), y_true, *lengths, zero_infinity=True)

    found = report(connectionist, drawn(4, 14, 6).log_softmax(-1), 1 + classes(5, 4, 5))
    assert found, found


def test_a_case_says_which_one_it_is() -> None:
    with pytest.raises(TypeError, match="case 1: y_true is a list"):
        parametrize_with_loss_checks([(mse, drawn(4), drawn(4)), (mse, drawn(4), [1.0])])
    with pytest.raises(TypeError, match="cases is 5"):
        parametrize_with_loss_checks(5)  # type: ignore[arg-type]


def test_a_byte_that_wraps_is_no_wrong_sign() -> None:
    def of_bytes(y_pred: Tensor, y_true: Tensor) -> Tensor:
        return -(y_true * F.logsigmoid(y_pred) - (y_true - 1) * F.logsigmoid(-y_pred)).mean()

    found = report(of_bytes, drawn(16), classes(2, 16).to(torch.uint8))
    assert [finding.code for finding in found.findings if finding.level != "note"] == ["dtype-hazard"], found


class Around(nn.Module):
    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Any:
        return self.loss(y_pred, y_true.to(y_pred.dtype))


def test_nothing_of_the_callers_is_kept() -> None:
    loss, y_pred, y_true = Around(nn.BCEWithLogitsLoss()), drawn(16), drawn(16).gt(0).to(torch.uint8)
    kept = [weakref.ref(each) for each in (loss, y_pred, y_true)]
    report(loss, y_pred, y_true, y_pred_kind="logits", y_true_kind="binary")
    del loss, y_pred, y_true
    gc.collect()
    assert [each() for each in kept] == [None] * 3
