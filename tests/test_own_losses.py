"""A user's own loss: as_loss, subclassing, registering."""

from __future__ import annotations

import copy
import pickle
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import torchobjectives
from tests import properties
from tests.cases.base import generator, reals
from tests.properties import Subject
from torchobjectives import (
    FocalLoss,
    HuberLoss,
    Loss,
    Spec,
    _registry,
    as_loss,
    cross_entropy_loss,
    from_config,
    get,
    register,
    totals,
)


def power_loss(y_pred: Tensor, y_true: Tensor, power: float = 3.0) -> Tensor:
    return (y_pred - y_true).abs() ** power


def row_loss(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """One value per row, undefined below 0."""
    return (torch.log(y_pred) - torch.log(y_true)).square().sum(1)


def own_cross_entropy(y_pred: Tensor, y_true: Tensor, temperature: Any = 1.0) -> Tensor:
    return F.cross_entropy(y_pred / temperature, y_true, reduction="none")


class PowerLoss(Loss):
    """Five lines, with the function inside."""

    power: float = 3.0

    @staticmethod
    def function(y_pred: Tensor, y_true: Tensor, *, power: float) -> Tensor:
        return (y_pred - y_true).abs() ** power


class OutsideLoss(Loss):
    """Around a function that exists; without staticmethod, as one forgets."""

    function = power_loss
    power: float = 2.0


@pytest.fixture(autouse=True)
def _fresh_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_registry, "_registered", {})


OWN = [
    pytest.param(as_loss(power_loss, power=2.0).evaluate, id="as_loss"),
    pytest.param(PowerLoss(power=2.0).evaluate, id="subclass"),
    pytest.param(OutsideLoss().evaluate, id="subclass around a function"),
    pytest.param(as_loss(F.mse_loss).evaluate, id="torch function"),
    pytest.param(as_loss(nn.MSELoss(reduction="none")).evaluate, id="torch module"),
]


@pytest.mark.parametrize("evaluate", OWN)
@pytest.mark.parametrize(
    "what",
    [
        *(*properties.LAWS, "degenerate", "gradcheck", "gradgradcheck", "func_grad", "vmap", "dtypes", "eager"),
        pytest.param("aot_eager", marks=pytest.mark.grid),
    ],
)
def test_a_stranger_has_the_whole_contract(evaluate: Any, what: str) -> None:
    subject = Subject(evaluate, reals)
    if what in properties.LAWS:
        properties.LAWS[what](subject, generator(0))
    elif what == "degenerate":
        properties.degenerate(subject, torch.float32)
    elif what in ("eager", "aot_eager"):
        properties.compiles(subject, backend=what)
    else:
        getattr(properties, what)(subject)


def test_dead_rows_show_the_function_only_legal_numbers() -> None:
    loss = as_loss(row_loss)
    y_pred = torch.tensor([[1.0, 2.0], [-1.0, float("nan")], [3.0, 1.0]], requires_grad=True)
    y_true = torch.tensor([[2.0, 2.0], [float("nan"), -5.0], [3.0, 3.0]])
    live = torch.tensor([True, False, True])
    value = loss(y_pred, y_true, mask=live)
    torch.testing.assert_close(value, row_loss(y_pred[live], y_true[live]).mean())
    value.backward()
    assert y_pred.grad is not None
    assert y_pred.grad.isfinite().all()
    assert not y_pred.grad[1].any()


def test_class_indices_with_a_mask_per_pixel() -> None:
    loss = as_loss(own_cross_entropy, temperature=2.0)
    y_pred, y_true = torch.randn(4, 3, 5, requires_grad=True), torch.randint(3, (4, 5))
    live = torch.rand(4, 5) > 0.4
    bad = torch.where(live.unsqueeze(1), y_pred, float("nan"))
    value = loss(bad, torch.where(live, y_true, 99), mask=live)
    every = own_cross_entropy(y_pred, y_true, temperature=2.0)
    torch.testing.assert_close(value, every[live].mean())
    value.backward()
    assert y_pred.grad is not None
    assert y_pred.grad.isfinite().all()
    torch.testing.assert_close(
        loss(y_pred, y_true, weight=torch.arange(4.0)), (every * torch.arange(4.0)[:, None]).sum() / 30
    )


def test_name_repr_reduction_pickle_and_copies() -> None:
    loss = as_loss(power_loss, power=1.5, reduction="sum")
    assert (loss.name, repr(loss), loss.reduction) == ("power_loss", "power_loss(power=1.5, reduction='sum')", "sum")
    y_pred, y_true = torch.randn(3), torch.randn(3)
    for other in (pickle.loads(pickle.dumps(loss)), copy.deepcopy(loss)):
        assert repr(other) == repr(loss)
        assert torch.equal(other(y_pred, y_true), loss(y_pred, y_true))
    loss.reduction = "none"
    assert loss(y_pred, y_true).shape == (3,)
    assert as_loss(partial(power_loss, power=1.0)).name == "power_loss"
    total, mass = totals(loss, y_pred, y_true, weight=torch.ones(3))
    torch.testing.assert_close(total / mass, power_loss(y_pred, y_true, 1.5).mean())


def test_tensors_are_buffers_and_parameters_learn() -> None:
    fixed = as_loss(own_cross_entropy, temperature=torch.tensor(2.0))
    assert list(fixed.state_dict()) == ["temperature"]
    temperature = nn.Parameter(torch.tensor(2.0))
    learned = as_loss(own_cross_entropy, temperature=temperature)
    assert list(learned.parameters()) == [temperature]
    learned(torch.randn(3, 4), torch.tensor([0, 1, 2])).backward()
    assert temperature.grad is not None


def test_what_is_wrong_is_said() -> None:
    y_pred, y_true = torch.zeros(16, 1), torch.zeros(16)
    table: list[tuple[Any, type[Exception], str]] = [
        (lambda: as_loss(power_loss, powr=2.0), TypeError, "power_loss takes no 'powr'. Did you mean 'power'"),
        (lambda: as_loss(3), TypeError, "as_loss takes a function, got int"),  # type: ignore[arg-type]
        (lambda: as_loss(HuberLoss()), TypeError, "huber_loss is a loss already"),
        (lambda: as_loss(power_loss, reduction="men"), ValueError, "Did you mean 'mean'"),  # type: ignore[arg-type]
        (lambda: as_loss(HuberLoss), TypeError, r"the class HuberLoss: pass HuberLoss\("),  # type: ignore[arg-type]
        (lambda: as_loss(F.cross_entropy, weight=y_true), TypeError, "'weight' is what every loss takes with the call"),
        (
            lambda: as_loss(lambda p, t: (p - t) ** 2)(torch.zeros(3, 3), torch.zeros(3)),
            ValueError,
            "broadcast silently",
        ),
        (lambda: as_loss(power_loss, name="x"), TypeError, "'name' is taken"),
        (lambda: as_loss(power_loss)(y_pred, y_true), ValueError, r"\(16, 16\).*y_pred.squeeze\(1\)"),
        (lambda: as_loss(lambda p, t: (p - t).mean())(y_true, y_true), ValueError, "scalar.*leave out the .mean"),
        (lambda: as_loss(lambda p, t: 0.0)(y_true, y_true), TypeError, "returned float"),  # type: ignore[arg-type, return-value]
        (lambda: as_loss(power_loss)(y_true.long(), y_true), TypeError, "floating-point prediction"),
        (lambda: as_loss(power_loss)(y_true, y_true, mask=torch.ones(16)), TypeError, "mask has dtype float32"),
        (lambda: as_loss(power_loss)(y_true, y_true, weight=torch.ones(3)), ValueError, r"weight has shape \(3,\)"),
        (lambda: as_loss(power_loss)(y_true, y_true, weight=-torch.ones(16)), ValueError, "weight holds"),
    ]
    for call, error, words in table:
        with pytest.raises(error, match=words):
            call()


def test_the_class_axis_is_told_apart_where_lengths_agree() -> None:
    """C equals the number of pixels: a mask per pixel must not be taken for one per class."""
    y_pred = torch.tensor([[[3.0, 0.0], [0.0, 3.0]]])
    y_true, mask = torch.tensor([[0, 1]]), torch.tensor([[True, False]])
    loss = as_loss(F.cross_entropy)
    assert loss(y_pred, y_true, mask=mask).item() == pytest.approx(cross_entropy_loss(y_pred, y_true, mask=mask).item())
    spoiled = y_pred.clone()
    spoiled[:, :, 1] = torch.nan
    spoiled.requires_grad_()
    loss(spoiled, y_true, mask=mask).backward()
    assert spoiled.grad is not None
    assert spoiled.grad.isfinite().all()

    def squared(y_pred: Tensor, y_true: Tensor) -> Tensor:
        return (y_pred[..., 0] - y_true) ** 2 * y_pred[..., 1].exp()

    last = torch.randn(3, 2, 2)  # two parameters in the last axis, beside targets (3, 2)
    keep = torch.rand(3, 2) > 0.5
    wanted = squared(last, torch.ones(3, 2))[keep].mean()
    torch.testing.assert_close(as_loss(squared)(last, torch.ones(3, 2), mask=keep), wanted)


def test_a_spec_alone_calls_nothing() -> None:
    class Heteroscedastic(Loss):
        spec = Spec(task="regression", y_pred="real", y_true="real")

        @staticmethod
        def function(y_pred: Tensor, y_true: Tensor) -> Tensor:
            mean, log_variance = y_pred.unbind(-1)
            return log_variance + (y_true - mean) ** 2 * torch.exp(-log_variance)

    assert Heteroscedastic()(torch.zeros(4, 2), torch.ones(4)) == 1


def test_names_that_every_loss_has_are_refused_as_fields() -> None:
    with pytest.raises(TypeError, match="every loss has a 'name': choose another"):

        class Named(Loss):
            name: str = "x"

    class Annotated(Loss):
        spec: Spec = Spec(task="custom", y_pred="real", y_true="real")
        function: object = power_loss

    assert list(Annotated.fields()) == ["reduction"]


def test_a_module_that_keeps_the_contract_itself_is_asked_to() -> None:
    class Own(nn.Module):
        def forward(
            self,
            y_pred: Tensor,
            y_true: Tensor,
            weight: Tensor | None = None,
            mask: Tensor | None = None,
            reduction: str = "mean",
        ) -> Tensor:
            return torch.tensor(7.0 if mask is not None and reduction == "sum" else 0.0)

    assert as_loss(Own(), reduction="sum")(torch.zeros(3), torch.zeros(3), mask=torch.ones(3, dtype=torch.bool)) == 7


def test_half_a_contract_is_refused() -> None:
    def half(y_pred: Tensor, y_true: Tensor, *, mask: Tensor | None = None) -> Tensor:
        return y_pred

    with pytest.raises(TypeError, match="takes mask but not weight and reduction"):
        as_loss(half)
    with pytest.raises(TypeError, match="not self: make it a @staticmethod"):

        class Wrong(Loss):
            def function(self, y_pred: Tensor, y_true: Tensor) -> Tensor:  # type: ignore[override]
                return y_pred


def test_registering() -> None:
    loss = as_loss(power_loss, power=2.0)
    with pytest.raises(ValueError, match=r'register\("power_loss", loss\) first'):
        loss.to_config()
    register("power", loss)
    register("power", loss)  # twice the same is no harm
    assert loss.to_config() == {"name": "power", "power": 2.0, "reduction": "mean"}
    assert repr(from_config(loss.to_config())) == "power_loss(power=2.0)"
    assert repr(get("power", power=4.0)) == "power_loss(power=4.0)"
    assert get("power", reduction="sum").reduction == "sum"
    assert (PowerLoss().name, OutsideLoss().name) == ("power_loss", "power_loss")
    with pytest.raises(ValueError, match=r'register\("power_loss", loss\) first'):
        PowerLoss().to_config()
    register("own_power", PowerLoss)
    assert from_config(PowerLoss(power=5.0).to_config()).to_config() == {
        "name": "own_power",
        "power": 5.0,
        "reduction": "mean",
    }
    register("outlier", HuberLoss(delta=5.0))
    assert HuberLoss().to_config()["name"] == "huber_loss"
    assert get("outlier").delta == 5.0  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="first"):
        as_loss(power_loss).to_config()  # "power" would bring its own power
    for name in ("my loss", 5, ""):
        with pytest.raises(ValueError, match="under a word"):
            register(name, loss)  # type: ignore[arg-type]
    for name in ("power", "huber_loss"):
        with pytest.raises(ValueError, match=f"'{name}' is taken"):
            register(name, as_loss(row_loss))
    with pytest.raises(TypeError, match="register takes a Loss"):
        register("f", power_loss)  # type: ignore[arg-type]


def test_none_survives_a_configuration() -> None:
    class Capped(Loss):
        cap: float | None = 3.0

        @staticmethod
        def function(y_pred: Tensor, y_true: Tensor, *, cap: float | None) -> Tensor:
            return (y_pred - y_true).abs() if cap is None else (y_pred - y_true).abs().clamp(max=cap)

    register("capped", Capped)
    assert from_config(Capped(cap=None).to_config()).cap is None
    assert FocalLoss().to_config().keys() == {"name", "gamma", "from_logits", "reduction"}
    register("positive_focal", FocalLoss(alpha=0.25))
    assert from_config(FocalLoss().to_config()).alpha is None
    assert HuberLoss(delta=np.float32(2)).to_config()["delta"] == 2.0
    assert type(HuberLoss(delta=np.float32(2)).to_config()["delta"]) is float


def test_get_and_from_config_name_the_culprit() -> None:
    table: list[tuple[Any, type[Exception], str]] = [
        (lambda: get("fcal_loss"), ValueError, "no loss 'fcal_loss'. Did you mean 'focal_loss'"),
        (lambda: get("FocalLoss"), ValueError, "Did you mean 'focal_loss'"),
        (lambda: get("os.system"), ValueError, "no loss 'os.system'"),
        (lambda: get("focal_loss", gama=2), TypeError, "Did you mean 'gamma'"),
        (lambda: get("focal_loss", gamma=-2), ValueError, "gamma is -2"),
        (lambda: from_config("huber_loss"), TypeError, "Did you mean get"),  # type: ignore[arg-type]
        (lambda: from_config({"gamma": 2}), ValueError, "configuration names it"),
        (lambda: from_config({"name": "focal_loss", "gamma": {"evil": 1}}), ValueError, "is no tensor"),
    ]
    for call, error, words in table:
        with pytest.raises(error, match=words):
            call()


def test_plain_modules_and_functions_work_in_an_objective() -> None:
    y_pred, y_true = torch.randn(4), torch.randn(4)
    for loss in (nn.MSELoss(), F.mse_loss, as_loss(power_loss, power=2.0), torchobjectives.MSELoss()):
        torch.testing.assert_close(torchobjectives.Objective(loss)(y_pred, y_true), F.mse_loss(y_pred, y_true))
