"""Training ends where scikit-learn's solvers do: the same objective to 1e-10, the same zeros."""

from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from sklearn import linear_model
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn, optim

from torchobjectives import BinaryCrossEntropyLoss, MSELoss, Objective
from torchobjectives.penalties import L1, L2, ElasticNet, GroupLasso

DOUBLE = torch.float64
Optimizer = Callable[[Iterable[Any]], optim.Optimizer]


def rest(*names: str) -> list[Any]:
    """The optimizers that are left to the whole grid: one with momentum and one with a metric always run."""
    return [pytest.param(name, marks=pytest.mark.grid) for name in names if name not in ("momentum", "adam")]


class Problem(NamedTuple):
    """Data, an objective, and its minimiser as found elsewhere."""

    x: Tensor
    y: Tensor
    objective: Callable[[], Objective]
    weight: Tensor
    bias: Tensor

    def model(self) -> nn.Linear:
        model = nn.Linear(self.x.shape[1], 1, dtype=DOUBLE)
        nn.init.zeros_(model.weight)
        nn.init.zeros_(model.bias)
        return model

    def value(self, model: nn.Module) -> float:
        with torch.no_grad():
            return float(self.objective()(model(self.x), self.y, model=model))

    def excess(self, model: nn.Module) -> float:
        """How far the objective is above that of the reference."""
        best = self.model()
        best.weight.data, best.bias.data = self.weight[None], self.bias.reshape(1)
        return self.value(model) - self.value(best)

    def wrong(self, model: nn.Linear) -> int:
        """Coordinates that are 0 where the reference is not, or the other way round."""
        return int(((model.weight[0] == 0) != (self.weight == 0)).sum())


def standardised(data: Any) -> tuple[Tensor, np.ndarray]:
    return torch.tensor(StandardScaler().fit_transform(data.data)), data.target.astype(float)


@cache
def regression(share: float = 0.05, l1_ratio: float = 1.0) -> Problem:
    """The lasso or elastic net of the diabetes data; ½·MSE + λ·(…), λ a share of the least that makes all 0."""
    x, target = standardised(load_diabetes())
    y = torch.tensor((target - target.mean()) / target.std())[:, None]
    strength = share * float((x.T @ y / len(y)).abs().max())
    fit = linear_model.ElasticNet(alpha=strength, l1_ratio=l1_ratio, tol=1e-14, max_iter=10**6)
    fit.fit(x.numpy(), y[:, 0].numpy())
    penalty = (
        L1.from_sklearn(alpha=strength) if l1_ratio == 1 else ElasticNet.from_sklearn(alpha=strength, l1_ratio=l1_ratio)
    )
    objective = partial(Objective, MSELoss(), [penalty], {"loss": 0.5})
    return Problem(x, y, objective, torch.tensor(fit.coef_), torch.tensor(fit.intercept_))


@cache
def classification(share: float = 0.05, rotated: bool = False) -> Problem:
    """L1-logistic regression of the breast cancer data, or of its principal components."""
    x, target = standardised(load_breast_cancer())
    if rotated:
        x = torch.linalg.svd(x, full_matrices=False)[0] * len(x) ** 0.5
    y = torch.tensor(target)[:, None]
    strength = share * float((x.T @ (y - y.mean()) / len(y)).abs().max())
    fit = linear_model.LogisticRegression(
        l1_ratio=1, C=1 / (len(y) * strength), solver="saga", tol=1e-10, max_iter=50_000
    )
    fit.fit(x.numpy(), target)
    penalty = L1.from_sklearn(C=fit.C, samples=len(y))
    objective = partial(Objective, BinaryCrossEntropyLoss(), [penalty])
    return Problem(x, y, objective, torch.tensor(fit.coef_[0]), torch.tensor(fit.intercept_))


def trained(problem: Problem, build: Optimizer, steps: int, method: Any = "auto") -> nn.Linear:
    """Full-batch training, the learning rate down to 0 by a cosine."""
    model, objective = problem.model(), problem.objective()
    optimizer = build(model.parameters())
    objective.attach(optimizer, model, method)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        objective(model(problem.x), problem.y).backward()
        optimizer.step()
        schedule.step()
    return model


def sampled(problem: Problem, build: Optimizer, steps: int, method: Any, seed: int) -> tuple[nn.Linear, Any]:
    """Training by minibatches of 32, the learning rate down to 0 by a cosine; the model and its plan."""
    generator = torch.Generator().manual_seed(seed)
    model, objective = problem.model(), problem.objective()
    optimizer = build(model.parameters())
    plan = objective.attach(optimizer, model, method)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        rows = torch.randint(len(problem.x), (32,), generator=generator)
        optimizer.zero_grad()
        objective(model(problem.x[rows]), problem.y[rows]).backward()
        optimizer.step()
        schedule.step()
    return model, plan


REGRESSION: dict[str, Optimizer] = {
    "sgd": partial(optim.SGD, lr=0.2),
    "momentum": partial(optim.SGD, lr=0.1, momentum=0.9),
    "nesterov": partial(optim.SGD, lr=0.1, momentum=0.9, nesterov=True),
    "dampening": partial(optim.SGD, lr=0.2, momentum=0.9, dampening=0.5),
    "adam": partial(optim.Adam, lr=0.02),
    "amsgrad": partial(optim.Adam, lr=0.02, amsgrad=True),
    "adamw": partial(optim.AdamW, lr=0.02, weight_decay=0),
    "nadam": partial(optim.NAdam, lr=0.02),
    "radam": partial(optim.RAdam, lr=0.05),
    "rmsprop": partial(optim.RMSprop, lr=0.01),
    "rmsprop_centered": partial(optim.RMSprop, lr=0.002, alpha=0.9, centered=True),
    "adagrad": partial(optim.Adagrad, lr=0.5),
    "adagrad_decayed": partial(optim.Adagrad, lr=0.5, lr_decay=1e-4),
}
SLOW_MOMENTS = {"lr": 0.3, "betas": (0.97, 0.99)}
CLASSIFICATION: dict[str, Optimizer] = {
    "momentum": partial(optim.SGD, lr=0.3, momentum=0.97),
    "nesterov": partial(optim.SGD, lr=0.3, momentum=0.97, nesterov=True),
    "dampening": partial(optim.SGD, lr=0.5, momentum=0.97, dampening=0.5),
    "adam": partial(optim.Adam, **SLOW_MOMENTS),
    "amsgrad": partial(optim.Adam, lr=0.3, betas=(0.97, 0.99), amsgrad=True),
    "adamw": partial(optim.AdamW, weight_decay=0, **SLOW_MOMENTS),
    "nadam": partial(optim.NAdam, **SLOW_MOMENTS),
    "radam": partial(optim.RAdam, **SLOW_MOMENTS),
    "rmsprop": partial(optim.RMSprop, lr=0.01, alpha=0.9, momentum=0.95),
    "adagrad": partial(optim.Adagrad, lr=5.0),
}


@pytest.mark.parametrize("name", REGRESSION)
def test_lasso(name: str) -> None:
    problem = regression()
    model = trained(problem, REGRESSION[name], 800)
    assert int((problem.weight == 0).sum()) == 3
    assert abs(problem.excess(model)) <= 1e-10
    assert problem.wrong(model) == 0


@pytest.mark.parametrize("name", ["momentum", "adam", *rest(*CLASSIFICATION)])
def test_logistic_lasso(name: str) -> None:
    problem = classification()
    model = trained(problem, CLASSIFICATION[name], 1500)
    assert int((problem.weight == 0).sum()) == 22
    assert abs(problem.excess(model)) <= 1e-10
    assert problem.wrong(model) == 0


def test_logistic_lasso_by_plain_sgd() -> None:
    """On principal components: without momentum, the correlated columns take it a hundred times as many steps."""
    problem = classification(rotated=True)
    model = trained(problem, partial(optim.SGD, lr=4.0), 1000)
    assert abs(problem.excess(model)) <= 1e-10
    assert problem.wrong(model) == 0


@pytest.mark.parametrize("name", ["momentum", "adam", "rmsprop", "adagrad"])
def test_elastic_net(name: str) -> None:
    problem = regression(0.3, 0.5)
    model = trained(problem, REGRESSION[name], 800)
    assert int((problem.weight == 0).sum()) > 1
    assert abs(problem.excess(model)) <= 1e-10
    assert problem.wrong(model) == 0


def test_two_terms_are_the_elastic_net() -> None:
    """L1 by proximal steps and L2 by slopes or weight_decay: one minimum."""
    problem = regression(0.3, 0.5)
    strength = problem.objective().penalties["elastic_net"].coefficient
    split = partial(Objective, MSELoss(), [L1(strength / 2), L2(strength / 2)], {"loss": 0.5})
    for name, method in (("momentum", "auto"), ("adam", "auto"), ("adam", "proximal")):
        model = trained(problem._replace(objective=split), REGRESSION[name], 800, method)
        assert abs(problem.excess(model)) <= 1e-10
        assert problem.wrong(model) == 0


def grouped(y: Tensor, x: Tensor, strength: float) -> Tensor:
    """½·MSE + strength·√2·Σ‖columns‖ by cyclic exact steps per group, each found by bisection."""
    w = torch.zeros(y.shape[1], x.shape[1], dtype=DOUBLE)
    rest, bound = y - x @ w.T, strength * y.shape[1] ** 0.5
    for _ in range(3000):
        before = w.clone()
        for j in range(x.shape[1]):
            rest = rest + torch.outer(x[:, j], w[:, j])
            pull, curvature = x[:, j] @ rest / y.numel(), float(x[:, j].square().sum()) / y.numel()
            length = float(pull.norm())
            w[:, j] = pull / length * max(length - bound, 0.0) / curvature
            rest = rest - torch.outer(x[:, j], w[:, j])
        if torch.equal(before, w):
            break
    return w


@pytest.mark.parametrize("name", ["momentum", "adam", *rest("sgd", "amsgrad", "rmsprop", "adagrad")])
def test_group_lasso(name: str) -> None:
    """Two outputs; whole columns vanish, in the metric of every optimizer."""
    one = regression()
    y = torch.cat([one.y, one.x[:, 3:4] * one.y], 1)
    y = (y - y.mean(0)) / y.std(0)
    wanted = grouped(y, one.x, 0.03)
    alive = wanted.any(0)
    assert 2 <= int(alive.sum()) <= 8
    objective = Objective(MSELoss(), [GroupLasso(0.03)], {"loss": 0.5})
    model = nn.Linear(10, 2, bias=False, dtype=DOUBLE)
    nn.init.zeros_(model.weight)
    optimizer = REGRESSION[name](model.parameters())
    plan = objective.attach(optimizer, model)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, 1000)
    for _ in range(1000):
        optimizer.zero_grad()
        objective(model(one.x), y).backward()
        optimizer.step()
        schedule.step()
    plan.detach()
    value = float(objective(model(one.x), y, model=model).detach())
    model.weight.data, found = wanted, model.weight.data
    assert abs(value - float(objective(model(one.x), y, model=model).detach())) <= 1e-10
    assert torch.equal(found.any(0), alive)


# Under minibatch noise

SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.grid) for seed in range(1, 5))]
BY_BATCHES: dict[str, tuple[Callable[[], Problem], Optimizer, int]] = {
    "diabetes": (regression, partial(optim.Adam, lr=0.01), 1000),
    "breast_cancer": (partial(classification, 0.02), partial(optim.Adam, lr=0.1), 2000),
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", BY_BATCHES)
def test_polish_finds_the_zeros(name: str, seed: int) -> None:
    """Plain proximal steps have some of them wrong, 50 full-gradient steps more have none."""
    find, build, steps = BY_BATCHES[name]
    problem = find()
    model, plan = sampled(problem, build, steps, "proximal", seed)
    assert problem.wrong(model) >= 2
    value = plan.polish([(problem.x[:300], problem.y[:300]), (problem.x[300:], problem.y[300:])])
    assert value == pytest.approx(problem.value(model), rel=1e-12)
    assert problem.wrong(model) == 0
    assert abs(problem.excess(model)) <= 1e-7


@pytest.mark.parametrize("seed", SEEDS)
def test_dual_averaging_finds_the_zeros(seed: int) -> None:
    problem = regression()
    model, _ = sampled(problem, partial(optim.SGD, lr=0.05), 3000, "dual_averaging", seed)
    assert problem.wrong(model) == 0
    assert problem.excess(model) <= 1e-3


@pytest.mark.grid
def test_dual_averaging_on_correlated_columns() -> None:
    problem, wrong = classification(), []
    for seed in range(5):
        model, _ = sampled(problem, partial(optim.SGD, lr=0.05, momentum=0.9), 3000, "dual_averaging", seed)
        wrong.append(problem.wrong(model))
    assert sum(wrong) / 5 <= 2


def test_polish_of_a_detached_plan_would_count_penalties_twice() -> None:
    model, objective = nn.Linear(3, 1), Objective(MSELoss(), [L1(0.1)])
    plan = objective.attach(optim.SGD(model.parameters(), lr=0.1), model)
    plan.detach()
    with pytest.raises(ValueError, match=r"this plan is detached, .* polish before detach\(\)"):
        plan.polish([(torch.randn(8, 3), torch.randn(8, 1))])


def test_polish_leaves_a_minimum_alone_and_survives_what_is_none() -> None:
    problem = regression()
    model = trained(problem, REGRESSION["momentum"], 800)
    best, objective = problem.value(model), problem.objective()
    plan = objective.attach(optim.SGD(model.parameters(), lr=0.1), model)
    assert plan.polish([(problem.x, problem.y)], 5) == pytest.approx(best, rel=1e-13)
    assert problem.wrong(model) == 0
    kept = model.weight.detach().clone()
    assert np.isnan(plan.polish([(problem.x, problem.y * torch.nan)], 1))
    assert torch.equal(model.weight, kept)


# Converters


def ridge(x: Tensor, y: Tensor, penalty: L2) -> Tensor:
    """The minimiser of ½·MSE + ½·λ·Σw², from the normal equations; columns and y have mean 0."""
    return torch.linalg.solve(
        x.T @ x / len(y) + penalty.coefficient * torch.eye(x.shape[1], dtype=DOUBLE), x.T @ y / len(y)
    )


def test_from_sklearn_ridge_and_logistic() -> None:
    one = regression()
    fit = linear_model.Ridge(alpha=30.0).fit(one.x.numpy(), one.y[:, 0].numpy())
    wanted = ridge(one.x, one.y[:, 0], L2.from_sklearn(alpha=30.0, samples=len(one.y)))
    torch.testing.assert_close(torch.tensor(fit.coef_), wanted, rtol=1e-10, atol=1e-12)
    two = classification()
    fit = linear_model.LogisticRegression(C=0.05, tol=1e-12, max_iter=10_000).fit(two.x.numpy(), two.y[:, 0].numpy())
    model = two.model()
    model.weight.data, model.bias.data = torch.tensor(fit.coef_), torch.tensor(fit.intercept_)
    objective = Objective(BinaryCrossEntropyLoss(), [L2.from_sklearn(C=0.05, samples=len(two.y))])
    for slope in torch.autograd.grad(objective(model(two.x), two.y, model=model), list(model.parameters())):
        assert float(slope.abs().max()) <= 1e-5


def test_from_keras_is_their_formula() -> None:
    """keras.regularizers: l1·Σ|w|, l2·Σw², and their sum."""
    layer = nn.Linear(3, 2).double()
    w = layer.weight.detach()
    absolute, squared = float(w.abs().sum()), float(w.square().sum())
    assert L1.from_keras(0.3).value(layer).item() == pytest.approx(0.3 * absolute)
    assert L2.from_keras(0.3).value(layer).item() == pytest.approx(0.3 * squared)
    for l1, l2 in ((0.3, 0.2), (0.3, 0), (0, 0.2), (0, 0)):
        wanted = l1 * absolute + l2 * squared
        assert ElasticNet.from_keras(l1, l2).value(layer).item() == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: L1.from_sklearn(), "takes either alpha, of Lasso, or C"),
        (lambda: L1.from_sklearn(alpha=1.0, C=1.0, samples=3), "takes either alpha, of Lasso, or C"),
        (lambda: L2.from_sklearn(samples=3), "takes either alpha, of Ridge, or C"),
        (lambda: L1.from_sklearn(C=1.0), "needs samples, the rows of the data"),
        (lambda: L1.from_sklearn(C=0.0, samples=3), "C is 0.0, wanted"),
        (lambda: L1.from_sklearn(alpha=-1.0), "coefficient is -1.0, wanted a finite number >= 0"),
        (lambda: L2.from_sklearn(alpha=-1.0, samples=3), "alpha is -1.0, wanted a finite number >= 0"),
        (lambda: L2.from_sklearn(alpha=1.0, samples=0), "samples"),
        (lambda: ElasticNet.from_sklearn(alpha=1.0, l1_ratio=2.0), "l1_ratio is 2.0"),
        (lambda: L2.from_keras(-1.0), "l2 is -1.0"),
        (lambda: ElasticNet.from_keras(-1.0, 1.0), "l1 is -1.0"),
    ],
)
def test_wrong_conversions(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
