"""The parts under the losses: what can be read, names in messages, statistics of the softmax family."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn.parameter import Parameter

from torchobjectives import Spec, _validate, cross_entropy_loss, dice_loss, focal_loss, mse_loss
from torchobjectives._link import HARD_LABEL, PROBABILITY, REAL, UNIT, Domain
from torchobjectives.losses import _softmax


def _seen(x: Tensor, found: list[bool]) -> Tensor:
    found.append(_validate.readable(x))
    return x * 1


def test_what_can_be_read() -> None:
    class Sub(Tensor):
        pass

    x = torch.ones(3)
    assert _validate.readable(x)
    assert _validate.readable(Parameter(x), x.requires_grad_())
    assert not _validate.readable(x.as_subclass(Sub))
    assert not _validate.readable(x.to("meta"))
    assert not _validate.readable(x, x.to("meta"))
    with FakeTensorMode() as mode:
        assert not _validate.readable(mode.from_tensor(torch.ones(3)))
    plain = torch.ones(3)
    found: list[bool] = []
    torch.vmap(lambda v: _seen(v, found))(plain.reshape(3, 1))
    torch.func.grad(lambda v: _seen(v, found).sum())(plain)
    torch.func.jvp(lambda v: _seen(v, found), (plain,), (plain,))
    make_fx(lambda v: _seen(v, found))(plain)
    torch.compile(lambda v: _seen(v, found), backend="eager", fullgraph=True)(plain)
    torch.export.export(_Module(found), (plain,))
    assert found
    assert not any(found)
    with torch.no_grad(), torch.inference_mode():
        assert _validate.readable(torch.ones(3))


class _Module(nn.Module):
    def __init__(self, found: list[bool]) -> None:
        super().__init__()
        self.found = found

    def forward(self, x: Tensor) -> Tensor:
        return _seen(x, self.found)


def test_value_checks_do_not_stand_in_the_way_of_transforms() -> None:
    wrong = torch.tensor([[0.5, 2.0]])  # no probability: readable, it raises
    with pytest.raises(ValueError, match=r"from 0\.5 to 2"):
        focal_loss(wrong, torch.ones(1, 2), from_logits=False)
    for run in (torch.vmap, torch.func.grad):
        run(lambda p: mse_loss(p.sum(), torch.zeros(())))(torch.ones(2))


def test_near_names() -> None:
    names = ["focal_loss", "softmax_focal_loss", "huber_loss"]
    assert _validate.near("focal_los", names) == "Did you mean 'focal_loss'?"
    assert _validate.near("zzz", names) == "Known: 'focal_loss', 'softmax_focal_loss', 'huber_loss'."
    assert _validate.near("x", []) == "Known: nothing."
    # Exactly as like as counts as near: 6 of 10 letters.
    assert _validate.near("abcxy", ["abczw"]) == "Did you mean 'abczw'?"


def test_ranges() -> None:
    for value in (1, 0.5, np.float32(0.5)):
        _validate.fraction(x=value)
        _validate.fraction.tensors(x=value)
    for value in (torch.tensor(0.5), torch.tensor([0.1, 0.9]), torch.empty(0)):
        _validate.fraction.tensors(x=value)
        with pytest.raises(TypeError, match=r"x has type Tensor, wanted .*x.item\(\)"):
            _validate.fraction(x=value)
    table: list[tuple[Any, type[Exception]]] = [
        (1.1, ValueError),
        (-1, ValueError),
        (math.nan, ValueError),
        (torch.tensor([0.1, 1.1]), ValueError),
        (torch.tensor(math.nan), ValueError),
        (torch.tensor(True), TypeError),
        (True, TypeError),
        ("0.5", TypeError),
        (None, TypeError),
        (1j, TypeError),
    ]
    for value, error in table:
        with pytest.raises(error, match=r"x .*wanted a number in \[0, 1\]"):
            _validate.fraction.tensors(x=value)
    with pytest.raises(ValueError, match="x is 1, wanted a finite number <= 0"):
        _validate.in_range(high=0)(x=1)


def test_domains() -> None:
    positive = Domain(0.0, open_low=True, fill=1.0)
    positive.check("y", torch.tensor([1e-9, math.nan]))
    UNIT.check("y", torch.tensor([0.0, 1.0]))
    REAL.check("y", torch.tensor([-math.inf]))
    for domain, values in ((positive, [0.0]), (UNIT, [1.1]), (PROBABILITY, [-0.1])):
        with pytest.raises(ValueError, match="y holds values from"):
            domain.check("y", torch.tensor(values))
        domain.check("y", torch.full((2,), domain.fill))
    HARD_LABEL.check("y", torch.tensor([0.0, 1.0, math.nan]))
    with pytest.raises(ValueError, match=r"y holds the value 0.5, wanted whole numbers in \[0, 1\]"):
        HARD_LABEL.check("y", torch.tensor([0.0, 0.5, 1.0]))
    counts = Domain(0.0, whole=True)
    counts.check("y", torch.tensor([0.0, 3.0, math.inf]))
    with pytest.raises(ValueError, match=r"y holds the value 2.5, wanted whole numbers >= 0"):
        counts.check("y", torch.tensor([0.0, 2.5, math.nan, 3.0]))


def test_spec_refuses_unknown_laws() -> None:
    with pytest.raises(ValueError, match="Did you mean 'removal'"):
        Spec(task="regression", y_pred="real", y_true="real", exemptions={"removl": "reason"})


@pytest.mark.parametrize("classes", [1, 2, 5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_log_odds_against(classes: int, dtype: torch.dtype) -> None:
    x = torch.randn(20, classes, 3, dtype=torch.float64) * 8
    k = torch.randint(classes, (20, 3))
    found = _softmax.log_odds_against(x.to(dtype), k).double()
    p = torch.softmax(x, 1)
    own = p.gather(1, k.unsqueeze(1)).squeeze(1)
    rest = p.masked_fill(_softmax.one_hot(k, x), 0).sum(1)
    tolerance = 1e-10 if dtype is torch.float64 else 2e-5
    if classes == 1:
        assert (torch.sigmoid(found) == 0).all()
        return
    torch.testing.assert_close(found, torch.log(rest / own), rtol=tolerance, atol=tolerance)
    every = _softmax.all_log_odds_against(x.to(dtype)).double()
    torch.testing.assert_close(every.gather(1, k.unsqueeze(1)).squeeze(1), found, rtol=tolerance, atol=tolerance)


def test_messages_of_the_class_axis() -> None:
    x = torch.zeros(2, 3, 7)
    table: list[tuple[Tensor, Tensor, type[Exception], str]] = [
        (x, torch.zeros(2, 3, dtype=torch.long), ValueError, r"dim 1\. Did you mean y_pred.movedim\(-1, 1\)"),
        (x, torch.zeros(2, 7), TypeError, r"float32.*indices must be integers. Did you mean y_true.long\(\)"),
        (x, torch.full((2, 7), 3), ValueError, r"class 3, but there are 3 classes.*from 0 to 2, or ignore_index=-100"),
        (x, torch.full((2, 7), -1), ValueError, "class -1"),
        (torch.zeros(5, 3), torch.zeros(5, 1, dtype=torch.long), ValueError, r"Did you mean y_true.squeeze\(1\)"),
        (torch.zeros(5, 1), torch.zeros(5), TypeError, "float32"),
        (torch.zeros(5), torch.zeros(5, dtype=torch.long), ValueError, "use a binary loss"),
        (torch.zeros(5, 3), torch.full((5, 3), 1.5), ValueError, r"probabilities\) holds values"),
        (torch.zeros(5, 3), torch.ones(5, dtype=torch.bool), TypeError, "bool names one of two"),
        (torch.zeros(3, 0), torch.zeros(3, dtype=torch.long), ValueError, "wanted"),
        (torch.zeros(3, 1), torch.ones(3, dtype=torch.long), ValueError, "there is 1 class: .* use a binary loss"),
        (torch.zeros(()), torch.zeros((), dtype=torch.long), ValueError, r"wanted \(N, C, ...\)"),
    ]
    for y_pred, y_true, error, words in table:
        with pytest.raises(error, match=words):
            cross_entropy_loss(y_pred, y_true)
    with pytest.raises(ValueError, match=r"class_weight has shape \(2,\), y_pred has 3 classes"):
        cross_entropy_loss(torch.zeros(5, 3), torch.zeros(5, dtype=torch.long), class_weight=[1.0, 2.0])


def test_target_forms_that_are_clear() -> None:
    x = torch.randn(4, 2)
    wanted = cross_entropy_loss(x, torch.tensor([0, 1, 1, 0]))
    for y_true in (
        torch.tensor([0, 1, 1, 0], dtype=torch.uint8),
        torch.tensor([0, 1, 1, 0], dtype=torch.int32),
        torch.tensor([False, True, True, False]),
        torch.tensor([[1, 0], [0, 1], [0, 1], [1, 0]]),
        torch.tensor([[True, False], [False, True], [False, True], [True, False]]),
        torch.tensor([[1, 0], [0, 1], [0, 1], [1, 0]], dtype=torch.float64),
    ):
        torch.testing.assert_close(cross_entropy_loss(x, y_true).float(), wanted)
    single = cross_entropy_loss(x[0], torch.tensor(0))
    torch.testing.assert_close(single, cross_entropy_loss(x[:1], torch.tensor([0])))
    assert mse_loss(torch.zeros(3), torch.tensor([True, False, True])) == pytest.approx(2 / 3)


def test_messages_of_segmentation() -> None:
    table: list[tuple[Tensor, Tensor, type[Exception], str]] = [
        (torch.zeros(4), torch.zeros(4), ValueError, r"y_pred.unsqueeze\(1\)"),
        (torch.zeros(2, 5, 6, 3), torch.zeros(2, 5, 6, dtype=torch.long), ValueError, r"y_pred.movedim\(-1, 1\)"),
        (torch.zeros(2, 3, 5), torch.zeros(2, 1, 5, dtype=torch.long), ValueError, r"y_true.squeeze\(1\)"),
        (torch.zeros(2, 3, 5), torch.zeros(2, 5), TypeError, "indices must be integers"),
        (torch.zeros(2, 3, 5), torch.full((2, 5), 3), ValueError, "class 3"),
        (torch.zeros(2, 1, 5), torch.full((2, 5), 2), ValueError, "class 2"),
        (torch.zeros(2, 3, 5), torch.full((2, 3, 5), 2.0), ValueError, "masks"),
    ]
    for y_pred, y_true, error, words in table:
        with pytest.raises(error, match=words):
            dice_loss(y_pred, y_true)
    with pytest.raises(ValueError, match="look like logits"):
        dice_loss(torch.full((2, 1, 5), 3.0), torch.zeros(2, 5, dtype=torch.long), from_logits=False)


def test_dead_targets_may_be_anything() -> None:
    x, y = torch.randn(3, 4), torch.tensor([0, 99, 2])
    live = torch.tensor([True, False, True])
    torch.testing.assert_close(cross_entropy_loss(x, y, mask=live), cross_entropy_loss(x[live], y[live]))
    p, t = torch.tensor([0.5, 7.0]), torch.tensor([1.0, -3.0])
    assert focal_loss(p, t, from_logits=False, mask=torch.tensor([True, False])).isfinite()


def test_double_precision_is_never_truncated() -> None:
    small = torch.tensor([1e-12], dtype=torch.float64)
    assert mse_loss(torch.tensor([1.0]), 1 + small) == pytest.approx(1e-24, rel=1e-3)
    assert mse_loss(torch.ones(2).bfloat16(), torch.zeros(2)).dtype is torch.float32
