"""Training ends where scikit-learn's solvers do: the same objective to 1e-10, the same zeros."""

import math
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
from torchobjectives.penalties import L1, L2, ElasticNet, GroupLasso, Penalty

DOUBLE = torch.float64
Optimizer = Callable[[Iterable[Any]], optim.Optimizer]


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


@pytest.mark.parametrize("name", CLASSIFICATION)
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
