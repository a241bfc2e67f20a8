"""Penalties at each optimizer step: when they are applied, what they leave alone, what undoes them."""

import copy
import gc
import io
import pickle
import re
import weakref
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn, optim

from torchobjectives import MSELoss, Objective
from torchobjectives.params import select
from torchobjectives.penalties import (
    L1,
    L2,
    ElasticNet,
    GroupLasso,
    Penalty,
    _steps,
    cosine_schedule,
    linear_schedule,
)

DOUBLE = torch.float64
Build = Callable[[Iterable[Any]], optim.Optimizer]

COUPLED: dict[str, Build] = {
    "sgd": partial(optim.SGD, lr=0.1),
    "momentum": partial(optim.SGD, lr=0.05, momentum=0.9),
    "nesterov": partial(optim.SGD, lr=0.05, momentum=0.9, nesterov=True),
    "dampening": partial(optim.SGD, lr=0.05, momentum=0.9, dampening=0.5),
    "adam": partial(optim.Adam, lr=0.05),
    "amsgrad": partial(optim.Adam, lr=0.05, amsgrad=True),
    "nadam": partial(optim.NAdam, lr=0.05),
    "radam": partial(optim.RAdam, lr=0.05),
    "rmsprop": partial(optim.RMSprop, lr=0.05),
    "adagrad": partial(optim.Adagrad, lr=0.5),
    "adadelta": partial(optim.Adadelta, lr=0.5),
    "adamax": partial(optim.Adamax, lr=0.05),
    "asgd": partial(optim.ASGD, lr=0.05),
}
PROXIMAL: dict[str, Build] = {
    **{name: build for name, build in COUPLED.items() if name not in ("adadelta", "adamax", "asgd")},
    "adamw": partial(optim.AdamW, lr=0.05, weight_decay=0),
}
METHODS = {
    "proximal": [L1(0.05), GroupLasso(0.02, on="0.*")],
    "dual_averaging": [L1(0.05)],
    "gradient": [L1(0.05), L2(0.1)],
    "weight_decay": [L2(0.1)],
}
PAIRS = [
    pytest.param(build, method, id=f"{name}-{method}")
    for name, build in PROXIMAL.items()
    for method in METHODS
    if (name, method) != ("adamw", "weight_decay")
]
by_pair = pytest.mark.parametrize(("build", "method"), PAIRS)
by_optimizer = pytest.mark.parametrize("build", PROXIMAL.values(), ids=PROXIMAL)
by_method = pytest.mark.parametrize("method", METHODS)


def network(dtype: torch.dtype = DOUBLE) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 4, bias=False), nn.Tanh(), nn.Linear(4, 1, bias=False)).to(dtype)


def batch(dtype: torch.dtype = DOUBLE) -> tuple[Tensor, Tensor]:
    x = torch.randn(32, 5, generator=torch.Generator().manual_seed(1), dtype=DOUBLE)
    return x.to(dtype), (x[:, :1] - x[:, 1:2]).tanh().to(dtype)


def train(model: nn.Module, objective: Objective, optimizer: optim.Optimizer, steps: int = 20) -> list[Tensor]:
    x, y = batch(next(model.parameters()).dtype)
    for _ in range(steps):
        optimizer.zero_grad()
        objective(model(x), y, model=model).backward()
        optimizer.step()
    return weights(model)


def weights(model: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in model.parameters()]


def apart(one: list[Tensor], other: list[Tensor]) -> float:
    return max(float((a - b).abs().max()) for a, b in zip(one, other, strict=True))


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def attached(build: Build, penalties: list[Any], method: Any = "auto", steps: int = 20) -> list[Tensor]:
    model, objective = network(), Objective(MSELoss(), penalties)
    optimizer = build(model.parameters())
    objective.attach(optimizer, model, method)
    return train(model, objective, optimizer, steps)


# weight_decay and L2


@pytest.mark.parametrize("build", COUPLED.values(), ids=COUPLED)
def test_weight_decay_is_the_l2_term(build: Build) -> None:
    model = network()
    wanted = train(model, Objective(MSELoss()), build(model.parameters(), weight_decay=0.2))  # type: ignore[call-arg]
    model = network()
    in_loss = train(model, Objective(MSELoss(), [L2(0.2)]), build(model.parameters()))
    assert apart(wanted, in_loss) <= 1e-12
    for method in ("auto", "weight_decay", "gradient", "loss"):
        assert apart(wanted, attached(build, [L2(0.2)], method)) <= 1e-12
    assert apart(wanted, attached(build, [L2(0.15), L2(0.05)])) <= 1e-12  # two terms in one group
    assert apart(wanted, attached(partial(build, weight_decay=0.05), [L2(0.15)])) <= 1e-12  # besides its own
    assert apart(wanted, attached(build, [L2(0.0)])) > 1e-3


@pytest.mark.parametrize(
    "build",
    [
        partial(optim.AdamW, lr=0.05),
        partial(optim.NAdam, lr=0.05, decoupled_weight_decay=True),
        partial(optim.RAdam, lr=0.05, decoupled_weight_decay=True),
    ],
    ids=["adamw", "nadam", "radam"],
)
def test_decoupled_decay_is_not_the_l2_term(build: Any) -> None:
    model = network()
    decayed = train(model, Objective(MSELoss()), build(model.parameters(), weight_decay=0.2))
    plain = partial(build, weight_decay=0)
    model = network()
    in_loss = train(model, Objective(MSELoss(), [L2(0.2)]), plain(model.parameters()))
    assert apart(decayed, in_loss) > 1e-3
    assert apart(attached(plain, [L2(0.2)]), in_loss) <= 1e-12
    with pytest.raises(ValueError, match=r'is decoupled and minimises no ½·λ·Σw². Use method="gradient"'):
        attached(plain, [L2(0.2)], "weight_decay")


def test_the_ridge_that_each_decay_ends_at() -> None:
    """At rest ∇f + λ·w = 0: the λ that training has really applied."""
    x, y = batch()

    def effective(optimizer: Any) -> float:
        model = nn.Linear(5, 1, bias=False, dtype=DOUBLE)
        nn.init.zeros_(model.weight)
        step = optimizer(model.parameters(), lr=0.05, weight_decay=0.1)
        schedule = optim.lr_scheduler.CosineAnnealingLR(step, 1500)
        for _ in range(1500):
            step.zero_grad()
            nn.functional.mse_loss(model(x), y).backward()
            step.step()
            schedule.step()
        (slope,) = torch.autograd.grad(nn.functional.mse_loss(model(x), y), model.weight)
        weight = model.weight.detach()
        return float(-(slope * weight).sum() / weight.square().sum())

    assert effective(optim.SGD) == pytest.approx(0.1, rel=1e-6)
    assert effective(optim.Adam) == pytest.approx(0.1, rel=1e-6)
    assert abs(effective(optim.AdamW)) < 0.005  # it has all but undone its own decay


# When penalties are applied


@by_pair
def test_kernels_and_kinds_of_learning_rate_agree(build: Any, method: str) -> None:
    wanted = attached(partial(build, foreach=False), METHODS[method], method)
    kinds: list[dict[str, Any]] = [{"foreach": True}]
    if build.func in (optim.SGD, optim.Adam, optim.AdamW, optim.Adagrad):
        kinds.append({"fused": True})
    if build.func in (optim.SGD, optim.Adam, optim.AdamW):
        kinds.append({"foreach": False, "lr": torch.tensor(build.keywords["lr"], dtype=DOUBLE)})
    for options in kinds:
        assert apart(wanted, attached(partial(build, **options), METHODS[method], method)) <= 1e-12


@by_method
def test_once_per_step_however_many_backward_passes(method: str) -> None:
    x, y = batch()

    def accumulated(parts: int) -> list[Tensor]:
        model, objective = network(), Objective(MSELoss(), METHODS[method])
        optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
        objective.attach(optimizer, model, method)
        for _ in range(10):
            optimizer.zero_grad()
            for rows in torch.arange(32).chunk(parts):
                (objective(model(x[rows]), y[rows]) / parts).backward()
            optimizer.step()
        return weights(model)

    assert apart(accumulated(1), accumulated(4)) <= 1e-13


@by_method
def test_closures(method: str) -> None:
    x, y = batch()
    model, objective = network(), Objective(MSELoss(), METHODS[method])
    optimizer = optim.Adam(model.parameters(), lr=0.05)
    objective.attach(optimizer, model, method)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = objective(model(x), y)
        loss.backward()
        return loss

    for i in range(20):
        loss = optimizer.step(closure) if i % 2 else optimizer.step(closure=closure)
        assert isinstance(loss, Tensor)
    assert same(weights(model), attached(PROXIMAL["adam"], METHODS[method], method))


@by_method
def test_maximize_turns_the_loss_alone(method: str) -> None:
    def negative(y_pred: Tensor, y_true: Tensor) -> Tensor:
        return -nn.functional.mse_loss(y_pred, y_true)

    for build in (COUPLED["momentum"], COUPLED["adam"]):
        model, objective = network(), Objective(negative, METHODS[method])
        optimizer = build(model.parameters(), maximize=True)  # type: ignore[call-arg]
        objective.attach(optimizer, model, method)
        assert apart(train(model, objective, optimizer), attached(build, METHODS[method], method)) <= 1e-13
    with pytest.raises(ValueError, match=r'method="loss" would maximise L1\(0.1\) with the loss'):
        attached(partial(COUPLED["sgd"], maximize=True), [L1(0.1)], "loss")


@by_method
@pytest.mark.parametrize("fused", [False, True])
def test_a_step_that_a_grad_scaler_skips(method: str, fused: bool) -> None:
    x, y = batch(torch.float32)
    penalties = [L1(linear_schedule(0.0, 0.1, 5))] if method == "gradient" else METHODS[method]
    plain_model, model = network(torch.float32), network(torch.float32)
    plain_objective, objective = Objective(MSELoss(), penalties), Objective(MSELoss(), penalties)
    plain, optimizer = (optim.SGD(m.parameters(), lr=0.05, momentum=0.9, fused=fused) for m in (plain_model, model))
    plain_objective.attach(plain, plain_model, method)
    plan = objective.attach(optimizer, model, method)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=2)
    for i in range(6):
        optimizer.zero_grad()
        scaler.scale(objective(model(x), y)).backward()
        before = weights(model)
        if i in (1, 3):
            model[0].weight.grad[0, 0] = torch.inf
        if i == 4:
            scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
        assert same(before, weights(model)) == (i in (1, 3))
    assert plan.steps == 4
    train(plain_model, plain_objective, plain, 4)
    assert apart(weights(plain_model), weights(model)) <= 1e-6


@by_pair
def test_a_parameter_without_gradient_is_left_alone(build: Build, method: str) -> None:
    model = network()
    objective = Objective(MSELoss(), METHODS[method])
    optimizer = build(model.parameters())
    plan = objective.attach(optimizer, model, method)
    kept = model[2].weight.detach().clone()
    for _ in range(3):
        optimizer.zero_grad()
        model[0](batch()[0]).square().mean().backward()
        optimizer.step()
    assert torch.equal(model[2].weight, kept)
    assert plan.steps == 3
    optimizer.zero_grad()
    optimizer.step()  # none has one
    train(model, objective, optimizer, 2)  # it joins later
    assert not torch.equal(model[2].weight, kept)
    assert all(weight.isfinite().all() for weight in weights(model))


def test_learning_rates_of_the_step_and_of_the_group() -> None:
    model = network()
    optimizer = optim.SGD(
        [{"params": [model[0].weight], "lr": 0.5}, {"params": [model[2].weight], "lr": 0.1, "momentum": 0.5}], lr=0.1
    )
    objective = Objective(MSELoss(), [L1(0.01)])
    objective.attach(optimizer, model)
    schedule = optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    for factor in (1.0, 0.5, 0.25):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.fill_(1.0)
                parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
        schedule.step()
        torch.testing.assert_close(model[0].weight, torch.full_like(model[0].weight, 1 - 0.005 * factor))
        torch.testing.assert_close(model[2].weight, torch.full_like(model[2].weight, 1 - 0.002 * factor))


def test_a_tensor_learning_rate_that_a_scheduler_changes_in_place() -> None:
    def run(lr: Any) -> list[Tensor]:
        model, objective = network(), Objective(MSELoss(), [L1(0.05)])
        optimizer = optim.SGD(model.parameters(), lr=lr)
        objective.attach(optimizer, model, "dual_averaging")
        schedule = optim.lr_scheduler.ExponentialLR(optimizer, 0.7)
        for _ in range(6):
            train(model, objective, optimizer, 1)
            schedule.step()
        return weights(model)

    assert apart(run(0.1), run(torch.tensor(0.1, dtype=DOUBLE))) <= 1e-12


@by_optimizer
@pytest.mark.parametrize("penalty", [L1(0.05), GroupLasso(0.02)], ids=["l1", "group_lasso"])
def test_a_learning_rate_of_one_axis_is_a_number(build: Any, penalty: Any) -> None:
    """As torch takes it; also for a weight without axes."""

    def run(lr: Any) -> list[Tensor]:
        model = network()
        model.register_parameter("scalar", nn.Parameter(torch.ones((), dtype=DOUBLE)))
        objective = Objective(MSELoss(), [type(penalty)(penalty.coefficient, on="*")])
        optimizer = partial(build, lr=lr, foreach=False)(model.parameters())
        objective.attach(optimizer, model)
        x, y = batch()
        for _ in range(5):
            optimizer.zero_grad()
            objective(model(x) * model.get_parameter("scalar"), y).backward()
            optimizer.step()
        return weights(model)

    rate = torch.tensor(build.keywords["lr"], dtype=DOUBLE)
    assert apart(run(rate), run(rate.unsqueeze(0))) <= 1e-12


@pytest.mark.parametrize("method", ["proximal", "gradient", "loss"])
def test_schedules_count_optimizer_steps(method: str) -> None:
    schedule = cosine_schedule(0.0, 0.2, 4)
    model, seen = nn.Linear(1, 1, bias=False, dtype=DOUBLE), []
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    objective = Objective(MSELoss(), [L1(schedule)])
    plan = objective.attach(optimizer, model, method)
    x, y = torch.zeros(2, 1, dtype=DOUBLE), torch.zeros(2, 1, dtype=DOUBLE)
    for step in range(6):
        nn.init.ones_(model.weight)
        optimizer.zero_grad()
        objective(model(x), y).backward()
        assert objective.terms["l1"].item() == pytest.approx(schedule(step))
        optimizer.step()
        seen.append((1 - model.weight.item()) / 0.1)
    assert seen == pytest.approx([schedule(step) for step in range(6)], abs=1e-12)
    assert plan.steps == 6
    with pytest.raises(ValueError, match=r'has a schedule, which counts optimizer steps: attach .* method="loss"'):
        L1(schedule).value(model)


def test_wrong_schedules() -> None:
    for make in (linear_schedule, cosine_schedule):
        for start, stop in ((-1.0, 0.0), (0.0, float("nan"))):
            with pytest.raises(ValueError, match=r"(start|stop) is .*, wanted a finite number >= 0"):
                make(start, stop, 10)
        with pytest.raises(ValueError, match="steps"):
            make(0.0, 1.0, 0)
    model = network()
    optimizer = optim.SGD(model.parameters())
    for wrong, error in ((lambda step: -0.1, ValueError), (lambda step: float("nan"), ValueError), (str, TypeError)):
        with pytest.raises(
            error, match=r"the schedule's coefficient of step 0 (is|has type) .*, wanted a finite number"
        ):
            Objective(MSELoss(), [L1(wrong)]).attach(optimizer, model)  # type: ignore[arg-type]
    objective = Objective(MSELoss(), [L1(lambda step: 0.1 - step)])
    objective.attach(optimizer, model)
    train(model, objective, optimizer, 1)
    with pytest.raises(ValueError, match=r"the schedule's coefficient of step 1 is -0.9"):
        train(model, objective, optimizer, 1)


# What an objective says


def test_terms_are_reported_and_not_counted_twice() -> None:
    x, y = batch()
    model = network()
    objective = Objective({"a": MSELoss(), "b": nn.L1Loss()}, [L1(0.1), L2(0.2), GroupLasso(0.3)], {"b": 0.5})
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    both = ({"a": model(x), "b": model(x)}, {"a": y, "b": y})
    whole = objective(*both, model=model).item()
    terms = {name: term.item() for name, term in objective.terms.items()}
    plan = objective.attach(optimizer, model, {"group_lasso": "loss"})
    assert plan.methods == {"l1": "proximal", "l2": "weight_decay", "group_lasso": "loss"}
    for given in (model, None):
        part = objective(*both, model=given)
        assert part.item() == pytest.approx(terms["a"] + terms["b"] + terms["group_lasso"], rel=1e-14)
        assert list(objective.terms) == list(terms)
        assert {name: term.item() for name, term in objective.terms.items()} == pytest.approx(terms, rel=1e-14)
        assert not any(term.requires_grad for term in objective.terms.values())
        assert len(objective.terms) == 5
        assert "l1" in objective.terms
        assert "l3" not in objective.terms
    bound = objective.bind(model)
    assert bound(*both).item() == part.item()
    assert dict(bound.terms).keys() == terms.keys()
    part.backward()
    optimizer.step()
    assert objective.terms["l1"].item() != terms["l1"]  # of the weights as they are now
    plan.detach()
    assert objective(*both, model=model).item() == pytest.approx(sum(x.item() for x in objective.terms.values()))
    assert whole == pytest.approx(sum(terms.values()))


@by_method
def test_detach_undoes_it_all(method: str) -> None:
    model, objective = network(), Objective(MSELoss(), METHODS[method])
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=0.1)
    train(model, Objective(MSELoss()), optimizer, 1)
    untouched = copy.deepcopy(optimizer.state_dict())
    before = (optimizer.param_groups[0].copy(), len(optimizer._optimizer_step_post_hooks))
    assert objective.plan is None
    plan = objective.attach(optimizer, model, method)
    assert objective.plan is plan
    with pytest.raises(ValueError, match=r"this objective is attached already: plan.detach\(\) it first"):
        objective.attach(optim.SGD(model.parameters()), model)
    with pytest.raises(ValueError, match=r"this optimizer already applies the penalties of a plan"):
        Objective(MSELoss(), [L1(0.1)]).attach(optimizer, model)
    train(model, objective, optimizer, 2)
    plan.detach()
    plan.detach()  # twice does no harm
    assert objective.plan is None
    after = optimizer.param_groups[0]
    assert {k: v for k, v in after.items() if k != "params"} == {k: v for k, v in before[0].items() if k != "params"}
    assert len(optimizer._optimizer_step_pre_hooks) == 0
    assert len(optimizer._optimizer_step_post_hooks) == before[1]
    assert len(optimizer._optimizer_load_state_dict_post_hooks) == 0
    assert optimizer.state_dict()["state"].keys() == untouched["state"].keys()
    assert optimizer.state_dict()["state"][0].keys() == untouched["state"][0].keys()
    x, y = batch()
    with pytest.raises(ValueError, match="got no model"):
        objective(model(x), y)
    again = objective.attach(optimizer, model, method)
    again.detach()
    assert optimizer.param_groups[0]["weight_decay"] == 0.1


def test_detach_from_an_optimizer_without_weight_decay() -> None:
    model = network()
    optimizer = optim.LBFGS(model.parameters())
    keys = set(optimizer.param_groups[0])
    Objective(MSELoss(), [L1(0.1)]).attach(optimizer, model, "loss").detach()
    assert set(optimizer.param_groups[0]) == keys


def test_a_plan_keeps_nothing_alive() -> None:
    model = network()
    optimizer = optim.SGD(model.parameters())
    Objective(MSELoss(), [L1(0.1)]).attach(optimizer, model)
    ends = [weakref.ref(model), weakref.ref(optimizer)]
    del model, optimizer
    gc.collect()
    assert [end() for end in ends] == [None, None]


@by_method
def test_copies_are_attached_to_nothing(method: str) -> None:
    x, y = batch()
    model, objective = network(), Objective(MSELoss(), METHODS[method])
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    objective.attach(optimizer, model, method)
    whole = Objective(MSELoss(), METHODS[method])(model(x), y, model=model)
    for twin in (copy.deepcopy(objective), pickle.loads(pickle.dumps(objective))):
        assert torch.equal(twin(model(x), y, model=model), whole)
        assert objective(model(x), y) < whole
    assert train(model, objective, optimizer, 1)


@pytest.mark.parametrize("method", ["proximal", "loss"])
def test_compiled_once_for_all_steps(method: str) -> None:
    torch._dynamo.reset()
    model, objective = network(), Objective(MSELoss(), [L1(0.05)])
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    objective.attach(optimizer, model, method)

    def whole(x: Tensor, y: Tensor) -> Tensor:
        return objective(model(x), y)

    compiled = torch.compile(whole, fullgraph=True, backend="aot_eager")
    with torch._dynamo.config.patch(error_on_recompile=True):
        for _ in range(20):
            optimizer.zero_grad()
            compiled(*batch()).backward()
            optimizer.step()
    assert apart(weights(model), attached(COUPLED["sgd"], [L1(0.05)], method)) <= 1e-12


def test_an_optimizer_in_a_wrapper() -> None:
    class Wrapper:
        def __init__(self, optimizer: optim.Optimizer) -> None:
            self.optimizer = optimizer

    model, objective = network(), Objective(MSELoss(), [L1(0.05)])
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    objective.attach(Wrapper(optimizer), model)  # type: ignore[arg-type]
    assert same(train(model, objective, optimizer), attached(COUPLED["sgd"], [L1(0.05)]))


# Checkpoints


@by_pair
@pytest.mark.parametrize("load_first", [False, True])
def test_a_checkpoint_continues_bit_for_bit(build: Build, method: str, load_first: bool) -> None:
    model, objective = network(torch.float32), Objective(MSELoss(), METHODS[method])
    optimizer = partial(build, weight_decay=0.01)(model.parameters())
    objective.attach(optimizer, model, method)
    train(model, objective, optimizer, 5)
    file = io.BytesIO()
    torch.save((model.state_dict(), optimizer.state_dict()), file)
    file.seek(0)
    wanted = train(model, objective, optimizer, 5)

    model, objective = network(torch.float32), Objective(MSELoss(), METHODS[method])
    optimizer = partial(build, weight_decay=0.01)(model.parameters())
    if not load_first:
        plan = objective.attach(optimizer, model, method)
    of_model, of_optimizer = torch.load(file)
    model.load_state_dict(of_model)
    optimizer.load_state_dict(of_optimizer)
    if load_first:
        plan = objective.attach(optimizer, model, method)
    assert plan.steps == 5
    assert same(train(model, objective, optimizer, 5), wanted)
    plan.detach()
    assert optimizer.param_groups[0]["weight_decay"] == 0.01


def decays(optimizer: optim.Optimizer) -> tuple[float, float]:
    """The ``weight_decay`` of the first group during a step, and after it."""
    within: list[float] = []
    handle = optimizer.register_step_pre_hook(lambda *_: within.append(optimizer.param_groups[0]["weight_decay"]))
    optimizer.step()
    handle.remove()
    return within[0], optimizer.param_groups[0]["weight_decay"]


def test_a_checkpoint_from_before_the_plan_or_of_another_strength() -> None:
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=0.1, weight_decay=0.25)
    saved = copy.deepcopy(optimizer.state_dict())
    plan = Objective(MSELoss(), [L2(0.5)]).attach(optimizer, model)
    assert decays(optimizer) == (0.75, 0.25)
    stronger = copy.deepcopy(optimizer.state_dict())
    optimizer.load_state_dict(saved)
    assert plan.steps == 0
    assert decays(optimizer) == (0.75, 0.25)
    plan.detach()
    assert decays(optimizer) == (0.25, 0.25)
    plan = Objective(MSELoss(), [L2(0.125)]).attach(optimizer, model)
    optimizer.load_state_dict(stronger)
    assert decays(optimizer) == (0.375, 0.25)


def test_weight_decay_counts_once_in_copies_of_the_optimizer() -> None:
    """A copied objective has its penalties in the loss: a copied optimizer must not carry them too."""
    model, objective = network(), Objective(MSELoss(), [L2(0.5)])
    optimizer = optim.SGD(model.parameters(), lr=0.1, weight_decay=0.25)
    assert objective.attach(optimizer, model).methods == {"l2": "weight_decay"}
    twin_model, twin, twin_optimizer = copy.deepcopy((model, objective, optimizer))
    other = network()
    loaded = optim.SGD(other.parameters(), lr=0.1)
    loaded.load_state_dict(optimizer.state_dict())
    wanted = train(model, objective, optimizer)
    assert apart(train(twin_model, twin, twin_optimizer), wanted) <= 1e-12
    assert apart(train(other, copy.deepcopy(objective), loaded), wanted) <= 1e-12


@pytest.mark.parametrize("own", [0.25, torch.tensor(0.25)], ids=["number", "tensor"])
def test_schedules_of_the_optimizers_own_decay(own: Any) -> None:
    model = network()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    optimizer.param_groups[0]["weight_decay"] = own
    plan = Objective(MSELoss(), [L2(0.5)]).attach(optimizer, model)
    assert decays(optimizer) == (0.75, 0.25)
    optimizer.param_groups[0]["weight_decay"] *= 0.5
    assert decays(optimizer) == (0.625, 0.125)
    assert "½·0.125·Σw² besides" in str(plan)
    plan.detach()
    assert decays(optimizer) == (0.125, 0.125)


def test_weight_decay_after_a_step_that_failed() -> None:
    def broken() -> float:
        raise RuntimeError("out of memory")

    model = network()
    optimizer = optim.SGD(model.parameters(), lr=0.1, weight_decay=0.25)
    plan = Objective(MSELoss(), [L2(0.5)]).attach(optimizer, model)
    with pytest.raises(RuntimeError, match="out of memory"):
        optimizer.step(broken)
    assert decays(optimizer) == (0.75, 0.25)
    with pytest.raises(RuntimeError, match="out of memory"):
        optimizer.step(broken)
    plan.detach()
    assert decays(optimizer) == (0.25, 0.25)


# Penalties of one's own


class Ridge(Penalty):
    name = "ridge"

    def value(self, model: nn.Module) -> Tensor:
        return sum((0.05 * w.square().sum() for _, w in select.weights()(model)), torch.zeros((), dtype=DOUBLE))


class Lasso(Penalty):
    name = "lasso"
    on = "0.*"

    def value(self, model: nn.Module) -> Tensor:
        return 0.05 * model.get_parameter("0.weight").abs().sum()

    def prox(self, weight: Tensor, step: float | Tensor) -> Tensor:
        return weight - weight.clamp(-0.05 * step, 0.05 * step)


class Broken(Lasso):
    def prox(self, weight: Tensor, step: float | Tensor) -> Any:
        return weight[0]


class Bare:
    """No subclass of Penalty."""

    def value(self, model: nn.Module) -> Tensor:
        return Ridge().value(model)


@by_optimizer
def test_a_penalty_of_ones_own_is_as_good_as_ours(build: Build) -> None:
    for method in ("auto", "proximal", "dual_averaging"):
        ours = "proximal" if method == "auto" else method
        assert apart(attached(build, [Lasso()], method), attached(build, [L1(0.05, on="0.*")], ours)) <= 1e-12
    assert apart(attached(build, [Ridge()]), attached(build, [L2(0.1)])) <= 1e-12
    assert apart(attached(build, [Bare()]), attached(build, [L2(0.1)])) <= 1e-12


def test_what_a_penalty_of_ones_own_cannot_do() -> None:
    for method, fix in (("proximal", "write it, or"), ("dual_averaging", "write it, or"), ("gradient", "has not")):
        with pytest.raises(ValueError, match=rf'{fix}.*method="loss"'):
            attached(COUPLED["sgd"], [Ridge()], method)
    for method in ("gradient", "weight_decay"):  # no address in a message
        with pytest.raises(ValueError, match=r"Bare\(\)"):
            attached(COUPLED["sgd"], [Bare()], method)
    with pytest.raises(
        ValueError, match=r"Broken.prox gave a tensor of shape \(5,\): return a tensor like .* \(4, 5\)"
    ):
        attached(COUPLED["sgd"], [Broken()])
    with pytest.raises(ValueError, match=r"'0\.weight' has a proximal term of one's own and another"):
        attached(COUPLED["sgd"], [Lasso(), L1(0.1)])
    wrong = Lasso()
    wrong.on = ["0.*"]  # type: ignore[assignment]
    with pytest.raises(TypeError, match="on must be a pattern"):
        attached(COUPLED["sgd"], [wrong])


# What is refused


class Lion(optim.Optimizer):
    def __init__(self, params: Any, lr: float = 1e-3, weight_decay: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.data.add_(parameter.grad.sign(), alpha=-group["lr"])


class OwnAdam(optim.Adam):
    def step(self, closure: Any = None) -> None:
        super().step(closure)


@pytest.mark.parametrize(
    "kind", [Lion, OwnAdam, optim.Muon, optim.LBFGS, optim.Rprop, optim.Adafactor, optim.SparseAdam]
)
@pytest.mark.parametrize("penalty", [L1(0.1), L2(0.1), GroupLasso(0.1)], ids=lambda penalty: penalty.name)
def test_optimizers_that_are_not_known(kind: Any, penalty: Any) -> None:
    model, objective = network(), Objective(MSELoss(), [penalty])
    optimizer = kind(model.parameters(), lr=0.1)
    with pytest.raises(ValueError, match=rf'{kind.__name__} has no proximal step .*use method="loss"'):
        objective.attach(optimizer, model)
    with pytest.raises(ValueError, match=rf"{kind.__name__}|ElasticNet|L1|GroupLasso"):
        objective.attach(optimizer, model, "weight_decay")
    plan = objective.attach(optimizer, model, "loss")  # nothing is left over of the failed ones
    assert plan.methods == {penalty.name: "loss"}
    if kind not in (optim.LBFGS, optim.SparseAdam):
        plan.detach()
        objective.attach(optimizer, model, "gradient")
        train(model, objective, optimizer, 1)


@pytest.mark.parametrize("kind", [optim.Adadelta, optim.Adamax, optim.ASGD])
def test_optimizers_without_a_metric(kind: Any) -> None:
    with pytest.raises(ValueError, match=rf'{kind.__name__} has no proximal step .*use method="loss"'):
        attached(kind, [L1(0.1)])
    for method in ("gradient", "loss"):
        assert all(weight.isfinite().all() for weight in attached(kind, [L1(0.1)], method, 2))


def test_a_subclass_without_a_step_of_its_own_is_its_parent() -> None:
    class Named(optim.Adam):
        pass

    assert same(attached(partial(Named, lr=0.05), [L1(0.05)]), attached(COUPLED["adam"], [L1(0.05)]))


REFUSED: dict[str, tuple[list[Any], Any, str]] = {
    "no penalty": ([], "auto", "this objective has no penalties to attach"),
    "method": ([L1(0.1)], "proximol", "method is 'proximol', wanted one of .* Did you mean 'proximal'"),
    "methods": ([L1(0.1)], {"l1": "lasso"}, "method is 'lasso', wanted one of"),
    "term": ([L1(0.1)], {"l2": "loss"}, "method has the unknown term 'l2'; the penalties are 'l1'"),
    "decay of l1": ([L1(0.1)], "weight_decay", r'and L1\(0.1\) is not. Use method="auto"'),
    "decay elsewhere": ([L2(0.1, towards=1.0)], "weight_decay", 'pulls towards 0.*method="gradient"'),
    "decay of a part": (
        [L2(0.1, on="0.*")],
        "weight_decay",
        r"also holds tensors that are not penalised; part them",
    ),
    "overlap": ([GroupLasso(0.1), GroupLasso(0.1, axis="output")], "auto", "two group penalties speak of '0.weight'"),
    "two anchors": ([L1(0.1), L1(0.1, towards=1.0)], "auto", "pull '0.weight' to different points"),
    "two methods": ([L1(0.1), ElasticNet(0.1, 0.5)], {"l1": "dual_averaging"}, "give both the same method"),
    "schedule": ([L1(linear_schedule(0, 1, 9))], "dual_averaging", "has a schedule, and dual averaging weighs all"),
    "sign": ([L1(0.1, non_negative=True)], "gradient", r">= 0 by proximal steps alone: method=.gradient. cannot"),
    "sign in loss": ([L1(0.1, non_negative=True)], "loss", r">= 0 by proximal steps alone: method=.loss. cannot"),
    "axis": ([GroupLasso(0.1, axis=2)], "auto", "'0.weight' has 2 axes, so no axis 2"),
    "pattern": ([L1(0.1, on="*.wieght")], "auto", "matches no parameter"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_attach_refuses(case: str) -> None:
    penalties, method, message = REFUSED[case]
    model, objective = network(), Objective(MSELoss(), penalties)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    groups = copy.deepcopy(optimizer.state_dict())
    with pytest.raises(ValueError, match=message):
        objective.attach(optimizer, model, method)
    assert optimizer.state_dict() == groups
    assert not optimizer._optimizer_step_post_hooks
    if penalties:  # still free
        Objective(MSELoss(), [L1(0.1)]).attach(optimizer, model)


def test_wrong_kinds_of_argument() -> None:
    model, objective = network(), Objective(MSELoss(), [L1(0.1)])
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    for strange in ("sgd", None, model, optim.SGD):
        with pytest.raises(TypeError, match=r"optimizer must be a torch.optim.Optimizer, got"):
            objective.attach(strange, model)
    with pytest.raises(TypeError, match=r"model must be a torch.nn.Module, got SGD"):
        objective.attach(model, optimizer)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"method must be one of .*, or a dict by term, got 3"):
        objective.attach(optimizer, model, 3)  # type: ignore[arg-type]
    plan = objective.attach(optimizer, model)
    with pytest.raises(ValueError, match=r"'l2' is no penalty of this plan"):
        plan.value("l2")
    with pytest.raises(ValueError, match="the loader gave no batch"):
        plan.polish([])
    with pytest.raises(ValueError, match="steps"):
        plan.polish([batch()], steps=0)
    with pytest.raises(ValueError, match=r"the loader must give batches \(x, y_true\), got Tensor"):
        plan.polish([batch()[0]])  # type: ignore[list-item]


def test_an_optimizer_that_lacks_parameters_and_frozen_ones() -> None:
    model = network()
    part = optim.SGD(model[0].parameters(), lr=0.1)
    with pytest.raises(ValueError, match=r"SGD does not hold '2.weight', which the term 'l1' penalises: .*on="):
        Objective(MSELoss(), [L1(0.1)]).attach(part, model)
    Objective(MSELoss(), [L1(0.1, on="0.*")]).attach(part, model)
    frozen = network().requires_grad_(False)
    for penalty in (L1(0.1), L2(0.1), GroupLasso(0.1), Lasso()):
        with pytest.raises(ValueError, match="has nothing to penalise: every tensor that it selects is frozen"):
            Objective(MSELoss(), [penalty]).attach(optim.SGD(frozen.parameters()), frozen)


def test_an_optimizer_that_holds_a_parameter_twice() -> None:
    model = network()
    with pytest.warns(UserWarning, match="duplicate parameters"):
        within = optim.SGD([*model.parameters(), model[0].weight], lr=0.1)
    across = optim.SGD(model.parameters(), lr=0.1)
    across.param_groups.append({**across.param_groups[0]})
    for optimizer in (within, across):
        with pytest.raises(ValueError, match=r"SGD holds '0.weight' more than once .*build it from param_groups"):
            Objective(MSELoss(), [L1(0.1)]).attach(optimizer, model)
    Objective(MSELoss(), [L1(0.1, on="2.*")]).attach(within, model)


@pytest.mark.parametrize(
    ("build", "given"),
    [
        (partial(optim.SGD, momentum=1.0), "momentum=1 and dampening=0"),
        (partial(optim.SGD, momentum=0.9, dampening=1.0), "momentum=0.9 and dampening=1"),
        (partial(optim.RMSprop, momentum=1.5), "momentum=1.5"),
    ],
)
def test_momentum_without_end(build: Any, given: str) -> None:
    for method in ("auto", "dual_averaging"):
        with pytest.raises(ValueError, match=rf"has {given}: its steps do not come to rest .*Take less than 1"):
            attached(build, [L1(0.1)], method, 1)
    attached(build, [L1(0.1)], "gradient", 1)
    # Without momentum, dampening does nothing.
    attached(partial(optim.SGD, lr=0.1, dampening=1.0), [L1(0.1)], steps=1)


# Odd models


class Odd(nn.Module):
    """Tied weights, sparse embeddings, grouped and transposed kernels, nothing at all, a single number."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(6, 4, sparse=True)
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        self.second.weight = self.first.weight
        self.conv = nn.Conv1d(4, 4, 3, groups=2, padding=1)
        self.back = nn.ConvTranspose1d(4, 2, 3, groups=2, padding=1)
        self.empty = nn.Parameter(torch.zeros(0, 3))
        self.scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, tokens: Tensor) -> Tensor:
        hidden = self.second(self.first(self.embedding(tokens))).transpose(1, 2)
        return self.scale * self.back(self.conv(hidden)).mean((1, 2)) + self.empty.sum()


@pytest.mark.parametrize("method", ["proximal", "dual_averaging", "gradient", "loss", "auto"])
@pytest.mark.parametrize("penalty", [L1(0.01), L2(0.01), ElasticNet(0.01, 0.5), GroupLasso(0.01)], ids=repr)
@pytest.mark.filterwarnings("ignore:Sparse invariant checks")
def test_odd_models(penalty: Any, method: str) -> None:
    torch.manual_seed(0)
    everything = type(penalty)(**{**vars(penalty), "on": "*"})
    model, objective = Odd(), Objective(MSELoss(), [everything])
    for optimizer in (optim.SGD(model.parameters(), lr=0.1), optim.Adagrad(model.parameters())):
        plan = objective.attach(optimizer, model, method)
        before = weights(model)
        for _ in range(3):
            optimizer.zero_grad()
            objective(model(torch.tensor([[0, 2, 1], [1, 2, 2]])), torch.ones(2)).backward()
            optimizer.step()
        assert all(weight.isfinite().all() for weight in weights(model))
        assert not same(before, weights(model))
        assert model.first.weight is model.second.weight
        assert "10 " in str(plan).splitlines()[2]
        plan.detach()


@pytest.mark.parametrize("method", ["proximal", "gradient"])
def test_half_precision(method: str) -> None:
    model, objective = network(torch.bfloat16), Objective(MSELoss(), [ElasticNet(0.1, 0.5)])
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    plan = objective.attach(optimizer, model, method)
    train(model, objective, optimizer, 5)
    assert "Half-precision weights round away" in str(plan)
    plan.detach()
    with pytest.raises(ValueError, match=r"'0.weight' is torch.bfloat16, too coarse .* train it in float32"):
        objective.attach(optimizer, model, "dual_averaging")


def test_complex_weights_have_slopes_and_no_proximal_steps() -> None:
    model = nn.Linear(3, 2, bias=False, dtype=torch.complex64)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(ValueError, match=r"'weight' is complex, and has no proximal step here: method=.loss."):
        Objective(MSELoss(), [L1(0.1)]).attach(optimizer, model)
    for penalty in (L1(0.1), L2(0.1), GroupLasso(0.1), ElasticNet(0.1, 0.5)):
        wanted = torch.autograd.grad(penalty.value(model), model.weight)[0]
        plan = Objective(MSELoss(), [penalty]).attach(optimizer, model, "gradient")
        model.weight.grad = torch.zeros_like(model.weight)
        kept = model.weight.detach().clone()
        optimizer.step()
        torch.testing.assert_close((kept - model.weight) / 0.1, wanted, rtol=1e-4, atol=1e-6)
        plan.detach()


def test_slopes_are_gradients() -> None:
    anchor = {"0.weight": torch.ones(4, 5, dtype=DOUBLE), "2.weight": torch.zeros(1, 4, dtype=DOUBLE)}
    for penalty in (
        L1(0.1),
        L2(0.1, towards=anchor),
        ElasticNet(0.1, 0.3, towards=0.5),
        GroupLasso(0.1, axis="output"),
        GroupLasso(0.1, group_weights="one", towards=anchor),
    ):
        assert (
            apart(attached(COUPLED["sgd"], [penalty], "gradient"), attached(COUPLED["sgd"], [penalty], "loss")) < 1e-13
        )


def test_non_negative_weights() -> None:
    for build in PROXIMAL.values():
        found = attached(build, [L1(0.01, non_negative=True)])
        assert all((weight >= 0).all() for weight in found)
        assert any((weight > 0).any() for weight in found)


# What a plan prints


def printed(build: Build, penalties: list[Any], method: Any = "auto", **options: Any) -> str:
    model = network()
    return str(Objective(MSELoss(), penalties).attach(build(model.parameters(), **options), model, method))


def columns(text: str) -> list[str]:
    return [re.sub(" {2,}", " | ", line) for line in text.splitlines()]


NOISE = (
    "Trained by minibatches, a proximal step finds the minimum but not quite which weights are 0: "
    'method="dual_averaging", or plan.polish(loader) at the end, does.'
)


def test_plan_of_sgd() -> None:
    assert columns(printed(optim.SGD, [L1(1e-3), L2(1e-4), Ridge()], weight_decay=0.5)) == [
        "MSELoss() + 0.001·Σ|w| + ½·0.0001·Σw² + Ridge(), attached to SGD",
        "term | tensors | method | what is minimised | cost per step",
        "l1 | 2 | proximal | exact, with exact zeros; step lr·(1−dampening)/(1−momentum) | one pass over the weights",
        "l2 | 2 | weight_decay | exact: the weight_decay of SGD is ½·λ·Σw² | nothing",
        "ridge | - | loss | minimised, but no weight becomes exactly 0 | a pass through autograd",
        "(optimizer) | 2 | weight_decay=0.5 | ½·0.5·Σw² besides | nothing",
        NOISE,
    ]


def test_plan_of_adamw() -> None:
    assert columns(printed(optim.AdamW, [L2(1e-4)])) == [
        "MSELoss() + ½·0.0001·Σw², attached to AdamW",
        "term | tensors | method | what is minimised | cost per step",
        "l2 | 2 | gradient | exact (the weight_decay of AdamW would not be L2) | one pass over the weights",
        "(optimizer) | 2 | weight_decay=0.01 | nothing that can be written down: decoupled, not L2 | nothing",
        "The decoupled decay moves the weights away from that minimum: build the optimizer with weight_decay=0.",
    ]


PHRASES: list[tuple[Build, list[Any], Any, str, bool]] = [
    (optim.Adam, [L1(0.1)], "auto", "exact, with exact zeros; step the optimizer's own metric, √v̂ + ε", True),
    (optim.Adam, [L2(0.1)], "proximal", "exact; step", False),
    (optim.Adam, [L1(0.1, towards=1.0)], "auto", "exact, with weights exactly at their anchor; step", True),
    (optim.Adam, [Lasso()], "auto", "exact, with the zeros that its prox gives", True),
    (optim.Adam, [L1(0.1)], "dual_averaging", "exact in the limit, right zeros under minibatch noise", False),
    (optim.Adam, [L1(0.1, towards=1.0)], "dual_averaging", "right weights at their anchor under", False),
    (optim.Adam, [L1(0.1)], "loss", "minimised, but no weight becomes exactly 0", False),
    (optim.LBFGS, [L2(0.1)], "loss", "exact ", False),
    (partial(optim.Muon, lr=0.1), [L2(0.1)], "loss", "not known of Muon", False),
]


@pytest.mark.parametrize(("build", "penalties", "method", "phrase", "noise"), PHRASES, ids=range(len(PHRASES)))
def test_phrases(build: Build, penalties: list[Any], method: Any, phrase: str, noise: bool) -> None:
    text = printed(build, penalties, method)
    assert phrase in text
    assert (NOISE in text) == noise
    assert "None" not in text


def test_groups_of_their_own_let_the_optimizer_carry_l2() -> None:
    model = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    twin = copy.deepcopy(model)
    objective = Objective(MSELoss(), [L2(0.3)])
    rest = [parameter for parameter in model.parameters() if parameter.ndim == 1]
    optimizer = optim.SGD([{"params": [model[0].weight, model[2].weight]}, {"params": rest}], lr=0.1)
    plan = objective.attach(optimizer, model)
    assert plan.methods == {"l2": "weight_decay"}
    other = Objective(MSELoss(), [L2(0.3)])
    one_group = optim.SGD(twin.parameters(), lr=0.1)
    assert other.attach(one_group, twin).methods == {"l2": "gradient"}
    assert apart(train(model, objective, optimizer), train(twin, other, one_group)) <= 1e-13


@pytest.mark.parametrize("build", PROXIMAL.values(), ids=PROXIMAL)
def test_large_tensors_move_piece_by_piece_as_one(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = []
    for chunk in (7, 1 << 17):
        monkeypatch.setattr(_steps, "CHUNK", chunk)
        torch.manual_seed(0)
        model = nn.Linear(30, 1).double()
        x = torch.randn(40, 30, dtype=DOUBLE)
        objective = Objective(MSELoss(), [ElasticNet(0.1, 0.5)])
        optimizer = build(model.parameters())
        objective.attach(optimizer, model)
        for _ in range(5):
            optimizer.zero_grad()
            objective(model(x), x[:, :1]).backward()
            optimizer.step()
        ends.append(model.weight.detach().clone())
    torch.testing.assert_close(*ends, rtol=1e-14, atol=0)
