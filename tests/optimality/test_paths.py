import copy
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.linear_model import Lasso, LogisticRegression, enet_path, lasso_path
from torch import nn

from tests.optimality import problems
from torchobjectives import (
    L1,
    L2,
    CrossEntropyLoss,
    ElasticNet,
    GroupLasso,
    MSELoss,
    Objective,
    lambda_max,
    regularization_path,
    stationarity,
)
from torchobjectives.optimality import RegularizationPath
from torchobjectives.penalties import Penalty, linear_schedule

X, Y = problems.diabetes()
DATA = problems.batches(X, Y)


# The formula of sklearn.linear_model's paths; Lasso agrees that it is the edge.
ALPHA_MAX = float(np.abs(X.T @ (Y - Y.mean())).max() / len(Y))
assert (Lasso(1.0001 * ALPHA_MAX).fit(X, Y).coef_ == 0).all()
assert (Lasso(0.9999 * ALPHA_MAX, tol=1e-10).fit(X, Y).coef_ != 0).any()


@pytest.mark.parametrize(
    ("penalty", "wanted"),
    [
        (L1(0.0), ALPHA_MAX),
        (L1(123.0), ALPHA_MAX),
        (ElasticNet(0.1, 0.25), ALPHA_MAX / 0.25),
        (GroupLasso(0.1), ALPHA_MAX),
        (problems.Soft(0.1), ALPHA_MAX),
        # The most positive correlation alone counts where weights may not be negative.
        (L1(0.1, non_negative=True), float((X.T @ (Y - Y.mean())).max() / len(Y))),
        (L1(linear_schedule(0.0, 0.1, 5)), ALPHA_MAX),
    ],
    ids=repr,
)
def test_lambda_max_is_that_of_scikit_learn(penalty: Penalty, wanted: float) -> None:
    model = problems.linear(10)
    before = copy.deepcopy(model.state_dict())
    for data in (DATA, problems.batches(X, Y, 100)):
        assert lambda_max(problems.regression(penalty), model, data) == pytest.approx(wanted, rel=1e-8)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())


def test_lambda_max_of_groups_and_of_mixtures() -> None:
    generator = torch.Generator().manual_seed(0)
    x, y_true = (torch.randn(60, n, generator=generator, dtype=torch.float64) for n in (6, 3))
    model = problems.linear(6, 3)
    slopes = ((x - x.mean(0)).T @ (y_true - y_true.mean(0)) * 2 / 180).abs()
    found = lambda_max(Objective(MSELoss(), [GroupLasso(0.1)]), model, [(x, y_true)])
    assert found == pytest.approx(float(slopes.norm(dim=1).max() / 3**0.5), rel=1e-7)
    sparse = Objective(MSELoss(), [L1(0.02), GroupLasso(0.1, group_weights="one")])
    found = lambda_max(sparse, model, [(x, y_true)], term="group_lasso")
    assert found == pytest.approx(float((slopes - 0.02).clamp(min=0).norm(dim=1).max()), rel=1e-7)
    with pytest.raises(ValueError, match="term='l1' or 'group_lasso'"):
        lambda_max(sparse, model, [(x, y_true)])


def test_lambda_max_fits_the_intercept() -> None:
    """The rate of a rare class is no gradient: the intercept has it."""
    x, y = problems.cancer()
    wanted = float(np.abs(x.T @ (y - y.mean())).max() / len(y))
    found = lambda_max(problems.logistic(L1(0.1)), problems.linear(30), problems.batches(x, y))
    assert found == pytest.approx(wanted, rel=1e-8)
    for factor, empty in ((1.001, True), (0.999, False)):
        solver = LogisticRegression(
            l1_ratio=1, C=1 / (factor * found * len(y)), solver="saga", tol=1e-9, max_iter=2000, random_state=0
        )
        assert (solver.fit(x, y).coef_ == 0).all() == empty


def test_networks_of_which_nothing_is_left() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(10, 8), nn.Tanh(), nn.Linear(8, 1)).double()
    with pytest.raises(ValueError, match="from small to large"):
        lambda_max(Objective(MSELoss(), [L1(0.1)]), model, DATA)
    objective = Objective(MSELoss(), [GroupLasso(0.1, on="0.weight"), L2(0.05, on="2.weight")])
    with pytest.raises(ValueError, match="from small to large"):
        regularization_path(objective, model, DATA)
    with pytest.raises(ValueError, match="gradient vanishes"):
        lambda_max(Objective(MSELoss(), [L1(0.1)]), problems.linear(10), [(DATA[0][0], torch.ones(len(Y), 1))])


def test_a_network_is_pruned_from_small_to_large() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(10, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    objective = Objective(MSELoss(), [GroupLasso(0.1, on="0.weight"), L2(0.05, on="2.weight")])
    path = regularization_path(objective, model, DATA, lambdas=[0.005, 0.02, 2.0], tolerance=1e-5)
    dead = (path.coefficients.reshape(3, 4, 10) == 0).all(1).sum(1)
    assert dead[0] < dead[1] < dead[2] == 10
    assert float(path.stationarity.max()) <= 1e-5 * 2.0


def test_the_path_is_that_of_lasso() -> None:
    model = problems.linear(10)
    before = copy.deepcopy(model.state_dict())
    objective = problems.regression(L1(0.0))
    path = regularization_path(objective, model, DATA)
    _, wanted, _ = lasso_path(X, Y - Y.mean(), alphas=path.lambdas.numpy(), tol=1e-14, max_iter=10**6)
    assert path.lambdas.tolist() == pytest.approx(np.geomspace(ALPHA_MAX, ALPHA_MAX / 100, 20), rel=1e-8)
    assert np.abs(path.coefficients.numpy() - wanted.T).max() <= 1e-6
    assert path.nonzeros.tolist() == [0, *(wanted[:, 1:] != 0).sum(0)]
    assert float(path.stationarity.max()) <= 1e-8 * ALPHA_MAX
    for place in (0, 7, 19):
        w, coefficient = wanted[:, place], float(path.lambdas[place])
        value = ((Y - Y.mean() - X @ w) ** 2).mean() / 2 + coefficient * np.abs(w).sum()
        assert float(path.objective[place]) == pytest.approx(value, rel=1e-12)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    # A solution in the model is stationary at its coefficient and no other.
    path.restore(model, 7)
    assert stationarity(problems.regression(L1(float(path.lambdas[7]))), model, DATA) == path.stationarity[7]
    assert stationarity(problems.regression(L1(float(path.lambdas[8]))), model, DATA) > 1e-3


def test_the_path_of_an_elastic_net_beside_l2() -> None:
    """Two penalties on one tensor: the other's coefficient stays."""
    objective = problems.regression(L1(0.0), L2(0.03))
    path = regularization_path(objective, problems.linear(10), DATA, lambdas=[0.2, 0.02])
    for place, coefficient in enumerate((0.2, 0.02)):
        together = coefficient + 0.03
        _, wanted, _ = enet_path(
            X, Y - Y.mean(), l1_ratio=coefficient / together, alphas=[together], tol=1e-14, max_iter=10**6
        )
        assert np.abs(path.coefficients[place].numpy() - wanted[:, 0]).max() <= 1e-7


def test_the_path_of_logistic_regression() -> None:
    x, y = problems.cancer()
    path = regularization_path(
        problems.logistic(L1(0.0)), problems.linear(30), problems.batches(x, y), num=3, ratio=0.1, tolerance=1e-9
    )
    solver = LogisticRegression(
        l1_ratio=1, C=1 / (path.lambdas[2].item() * len(y)), solver="saga", tol=1e-10, max_iter=20_000, random_state=0
    ).fit(x, y)
    assert np.abs(path.coefficients[2].numpy() - solver.coef_[0]).max() <= 1e-6
    assert path.nonzeros[2] == (solver.coef_ != 0).sum()


def test_single_precision_comes_as_near_as_it_can() -> None:
    model = nn.Linear(10, 1)
    data = [(x.float(), y.float()) for x, y in DATA]
    path = regularization_path(problems.regression(L1(0.0)), model, data, num=5)
    _, wanted, _ = lasso_path(X, Y - Y.mean(), alphas=path.lambdas.numpy(), tol=1e-14, max_iter=10**6)
    assert np.abs(path.coefficients.numpy() - wanted.T).max() <= 1e-4
    assert path.nonzeros.tolist() == [0, *(wanted[:, 1:] != 0).sum(0)]


def test_groups_shut_off_features() -> None:
    torch.manual_seed(0)
    x = torch.randn(200, 6).double()
    y_true = (x[:, 0] + 0.5 * x[:, 1] > 0).long() + (x[:, 0] > 1)
    objective = Objective(CrossEntropyLoss(), [GroupLasso(0.0)])
    path = regularization_path(objective, problems.linear(6, 3), [(x, y_true)], num=6, ratio=0.2)
    alive = (path.coefficients.reshape(6, 3, 6) != 0).any(1).sum(1)
    assert alive[0] == 0 < alive[1] <= alive[-1]
    assert float(path.stationarity.max()) <= 1e-7


def test_validation_finds_the_best() -> None:
    train, held = problems.batches(X[:300], Y[:300]), problems.batches(X[300:], Y[300:])
    model = problems.linear(10)
    path = regularization_path(problems.regression(L1(0.0)), model, train, num=8, validation=held)
    assert path.validation is not None
    path.restore(model)
    loss = MSELoss()(model(held[0][0]), held[0][1]).item() / 2
    assert loss == pytest.approx(float(path.validation.min()), rel=1e-12)
    assert 0 < path.best < 8
    assert pl.DataFrame(path.table())["validation"].to_list() == path.validation.tolist()
    assert len(str(path).splitlines()) == 9
    with pytest.raises(ValueError, match="other parameters"):
        path.restore(problems.linear(3))
    diverged = replace(path, validation=torch.cat([torch.tensor([torch.nan]), path.validation[1:]]))
    assert diverged.best == path.best
    blind = regularization_path(problems.regression(L1(0.0)), model, train, num=2)
    with pytest.raises(ValueError, match="without validation data"):
        blind.restore(model)


def test_a_path_that_breaks_off_leaves_the_model_as_it_was() -> None:
    model = problems.linear(10)
    before = copy.deepcopy(model.state_dict())
    passes = 0

    class Loader:
        def __iter__(self):  # type: ignore[no-untyped-def]
            nonlocal passes
            passes += 1
            if passes > 30:
                raise KeyboardInterrupt
            return iter(DATA)

    with pytest.raises(KeyboardInterrupt):
        regularization_path(problems.regression(L1(0.0)), model, Loader())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert model.training
    assert all(parameter.requires_grad for parameter in model.parameters())


@pytest.fixture(scope="module")
def path() -> RegularizationPath:
    held = problems.batches(X[300:], Y[300:])
    return regularization_path(problems.regression(L1(0.0)), problems.linear(10), DATA, num=4, validation=held)


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_the_picture(kind: str, path: RegularizationPath, tmp_path: Path) -> None:
    names = [f"_{i}" for i in range(10)]
    figure = path.plot(tmp_path / f"path.{kind}", names=names)
    weights, count, loss = figure.axes
    drawn = sorted(line.get_ydata().tolist() for line in weights.get_lines() if len(line.get_xdata()) == 4)
    assert drawn == sorted(path.coefficients.T.tolist())
    assert count.get_lines()[0].get_ydata().tolist() == path.nonzeros.tolist()
    assert path.validation is not None
    assert loss.get_lines()[0].get_ydata().tolist() == path.validation.tolist()
    assert len(weights.get_legend().get_texts()) == 6
    first = (tmp_path / f"path.{kind}").read_bytes()
    path.plot(tmp_path / f"path.{kind}", names=names)
    assert (tmp_path / f"path.{kind}").read_bytes() == first
    with pytest.raises(ValueError, match="3 entries for 10"):
        path.plot(names=["a", "b", "c"])
    with pytest.raises(ValueError, match="ends in"):
        path.plot(tmp_path / "path.doc")


def test_without_the_drawing_library(path: RegularizationPath, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("matplotlib", "torchobjectives.workbench."))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys.modules["torchobjectives.workbench"], "optimality_figures", None, raising=False)
    monkeypatch.delattr("torchobjectives.workbench.optimality_figures")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r'pip install "torchobjectives\[workbench\]"'):
        path.plot()


def test_wrong_inputs() -> None:
    model = problems.linear(10)
    with pytest.raises(ValueError, match="no penalty that makes weights 0"):
        lambda_max(problems.regression(L2(0.1)), model, DATA)
    with pytest.raises(ValueError, match="no penalty that makes weights 0"):
        lambda_max(problems.regression(ElasticNet(0.1, 0.0)), model, DATA)
    with pytest.raises(ValueError, match="no penalty that makes zeros\\. Known: 'l1'"):
        lambda_max(problems.regression(L1(0.1)), model, DATA, term="l2")
    with pytest.raises(TypeError, match="must be an Objective"):
        lambda_max(MSELoss(), model, DATA)  # type: ignore[arg-type]
    objective = problems.regression(L1(0.1))
    for given in ({"num": 1}, {"ratio": 1.0}, {"ratio": 0.0}, {"tolerance": 0.0}, {"rounds": 0}, {"lambdas": []}):
        with pytest.raises(ValueError, match=next(iter(given))):
            regularization_path(objective, model, DATA, **given)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="lambdas"):
        regularization_path(objective, model, DATA, lambdas=[-1.0])
    with pytest.raises(ValueError, match="its gradient is not finite"):
        lambda_max(objective, model, [(DATA[0][0], DATA[0][1].where(DATA[0][1] < 1, torch.nan))])
    with pytest.raises(ValueError, match=r"A generator gives them once: list\(loader\)"):
        regularization_path(objective, model, (batch for batch in DATA))
    with pytest.raises(TypeError, match=r"model must be a torch\.nn\.Module, got NoneType"):
        regularization_path(objective, None, DATA)  # type: ignore[arg-type]
    model.weight.requires_grad_(False)
    with pytest.raises(ValueError, match="frozen"):
        lambda_max(objective, model, DATA)
