import copy
import math
import pickle
from typing import Any

import pytest
import torch
from sklearn.linear_model import ElasticNet as SkElasticNet, Lasso, LogisticRegression, Ridge
from torch import Tensor, nn

from tests.optimality import problems
from torchobjectives import L1, L2, CrossEntropyLoss, ElasticNet, GroupLasso, MSELoss, Objective, stationarity
from torchobjectives.penalties import Penalty, linear_schedule

X, Y = problems.diabetes()


@pytest.mark.parametrize("sizes", [10_000, 100], ids=["one batch", "uneven batches"])
@pytest.mark.parametrize(
    ("penalties", "solver"),
    [
        ([L1(0.05)], Lasso(0.05, tol=1e-14, max_iter=100_000)),
        ([ElasticNet(0.05, 0.3)], SkElasticNet(alpha=0.05, l1_ratio=0.3, tol=1e-14, max_iter=100_000)),
        ([L1(0.015), L2(0.035)], SkElasticNet(alpha=0.05, l1_ratio=0.3, tol=1e-14, max_iter=100_000)),
        ([L1(0.05, non_negative=True)], Lasso(0.05, positive=True, tol=1e-14, max_iter=100_000)),
        ([L2.from_sklearn(alpha=3.0, samples=len(Y))], Ridge(3.0, tol=1e-14)),
        # A group of a single number is a number.
        ([GroupLasso(0.05)], Lasso(0.05, tol=1e-14, max_iter=100_000)),
    ],
)
def test_at_the_minimum_of_scikit_learn_it_is_zero(penalties: list[Any], solver: Any, sizes: int) -> None:
    solver.fit(X, Y)
    model, objective = problems.linear(10), problems.regression(*penalties)
    data = problems.batches(X, Y, sizes)
    problems.put(model, solver.coef_, solver.intercept_)
    assert stationarity(objective, model, data) <= 1e-8
    for place in range(10):
        moved = solver.coef_.copy()
        moved[place] += 0.01
        problems.put(model, moved, solver.intercept_)
        assert stationarity(objective, model, data) > 1e-3
    problems.put(model, solver.coef_, solver.intercept_ + 0.01)
    assert stationarity(objective, model, data).by_parameter["bias"] == pytest.approx(0.01, abs=1e-8)


def test_at_the_minimum_of_l1_logistic_regression() -> None:
    x, y = problems.cancer()
    coefficient = 0.05
    # liblinear would penalise the intercept.
    solver = LogisticRegression(
        l1_ratio=1, C=1 / (coefficient * len(y)), solver="saga", tol=1e-10, max_iter=20_000, random_state=0
    ).fit(x, y)
    model, objective = problems.linear(30), problems.logistic(L1.from_sklearn(C=solver.C, samples=len(y)))
    problems.put(model, solver.coef_, solver.intercept_)
    assert 0 < (solver.coef_ == 0).sum() < 30
    assert stationarity(objective, model, problems.batches(x, y)) <= 1e-8


def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    numbers = torch.randn(40, 5, generator=generator, dtype=torch.float64)
    return numbers, torch.randn(40, 3, generator=generator, dtype=torch.float64)


def gradient(model: nn.Linear, data: tuple[Tensor, Tensor]) -> Tensor:
    (slope,) = torch.autograd.grad(MSELoss()(model(data[0]), data[1]), model.weight)
    return slope


def test_groups_in_plain_loops() -> None:
    """One column is zero, one holds a zero, the others are alive; L1 on top makes it the sparse group lasso."""
    data, model = batch(), problems.linear(5, 3)
    with torch.no_grad():
        model.weight[:, 1] = 0
        model.weight[2, 3] = 0
    g = gradient(model, data)
    for l1, group in ((0.0, 0.2), (0.05, 0.2), (0.05, 0.001)):
        objective = Objective(MSELoss(), [L1(l1), GroupLasso(group, group_weights="one")])
        wanted = 0.0
        for column in range(5):
            w = model.weight[:, column].detach()
            squares = 0.0
            for row in range(3):
                slope = float(g[row, column])
                if float(w.norm()) > 0:
                    slope += group * float(w[row] / w.norm())
                if w[row] == 0:
                    slope = math.copysign(max(abs(slope) - l1, 0.0), slope)
                else:
                    slope += l1 * math.copysign(1.0, float(w[row]))
                squares += slope**2
            wanted = max(wanted, max(math.sqrt(squares) - (group if float(w.norm()) == 0 else 0.0), 0.0))
        found = stationarity(objective, model, [data]).by_parameter["weight"]
        assert found == pytest.approx(wanted, rel=1e-12)


def test_the_distance_is_the_nearest_subgradient() -> None:
    """By a search through the sets: no subgradient of the sparse group lasso at 0 is nearer than was said."""
    data, model = batch(), problems.linear(5, 3)
    problems.put(model, torch.zeros(15), torch.zeros(3))
    objective = Objective(MSELoss(), [L1(0.03), GroupLasso(0.05, group_weights="one")])
    found = stationarity(objective, model, [data]).by_parameter["weight"]
    g = gradient(model, data)
    box, ball = (torch.zeros(3, 5, dtype=torch.float64) for _ in range(2))
    # Projected gradient steps on ½‖g + box + ball‖² over both sets, one problem per column.
    for _ in range(3000):
        rest = g + box + ball
        box.sub_(0.4 * rest).clamp_(-0.03, 0.03)
        ball.sub_(0.4 * rest)
        ball.div_((ball.norm(dim=0) / 0.05).clamp(min=1))
    assert found == pytest.approx(float((g + box + ball).norm(dim=0).max()), rel=1e-7)


def test_anchors_are_where_the_kink_is() -> None:
    data, model = batch(), problems.linear(5, 3)
    objective = Objective(MSELoss(), [L1(10.0, towards=model)])
    # There everything is balanced, and the bias is not penalised.
    found = stationarity(objective, model, [data])
    assert found.by_parameter["weight"] == 0 < found.by_parameter["bias"]
    with torch.no_grad():
        model.weight[0, 0] += 1e-3
    slope = gradient(model, data)[0, 0]
    assert stationarity(objective, model, [data]) == pytest.approx(float((slope + 10).abs()), rel=1e-12)
    # Two kinks on one tensor, each with its own sign.
    problems.put(model, torch.full((15,), 0.5), torch.zeros(3))
    both = Objective(MSELoss(), [L1(0.1), L1(0.2, towards=1.0)])
    wanted = float((gradient(model, data) + 0.1 - 0.2).abs().max())
    assert stationarity(both, model, [data]).by_parameter["weight"] == pytest.approx(wanted, rel=1e-12)


def test_what_must_not_be_negative_and_is() -> None:
    data, model = batch(), problems.linear(5, 3)
    assert (model.weight < 0).any()
    assert stationarity(Objective(MSELoss(), [L1(0.1, non_negative=True)]), model, [data]) == math.inf


class Smooth(Penalty):
    def value(self, model: nn.Module) -> Tensor:
        return 0.1 * sum((weight**4).sum() for weight in model.parameters())


def test_penalties_of_ones_own() -> None:
    model, data = problems.linear(10), problems.batches(X, Y)
    solver = Lasso(0.05, tol=1e-14, max_iter=100_000).fit(X, Y)
    problems.put(model, solver.coef_, solver.intercept_)
    assert stationarity(problems.regression(problems.Soft(0.05)), model, data) <= 1e-8
    assert stationarity(problems.regression(problems.Soft(0.06)), model, data) > 1e-3
    rows = batch()
    model = problems.linear(5, 3)
    total = MSELoss()(model(rows[0]), rows[1]) + Smooth().value(model)
    wanted = max(float(g.abs().max()) for g in torch.autograd.grad(total, list(model.parameters())))
    assert stationarity(Objective(MSELoss(), [Smooth()]), model, [rows]) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("method", ["auto", "loss"])
def test_attached_or_not_it_is_the_same(method: str) -> None:
    data, model = batch(), problems.linear(5, 3)
    objective = Objective(MSELoss(), [L1(0.1), L2(0.2)])
    before = stationarity(objective, model, [data])
    # The optimizer's own decay is no penalty of the objective.
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.5)
    plan = objective.attach(optimizer, model, method=method)
    assert stationarity(objective, model, [data]).by_parameter == pytest.approx(before.by_parameter, rel=1e-14)
    assert stationarity(objective.bind(model), model, [data]) == pytest.approx(before, rel=1e-14)
    plan.detach()


def test_a_schedule_is_where_the_optimizer_is() -> None:
    data, model = batch(), problems.linear(5, 3)
    objective = Objective(MSELoss(), [L1(linear_schedule(0.0, 0.4, 4))])
    with pytest.raises(ValueError, match="attach it first"):
        stationarity(objective, model, [data])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    objective.attach(optimizer, model)
    for _ in range(2):
        optimizer.zero_grad()
        objective(model(data[0]), data[1]).backward()
        optimizer.step()
    assert stationarity(objective, model, [data]) == stationarity(Objective(MSELoss(), [L1(0.2)]), model, [data])


def test_it_leaves_everything_as_it_was() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 3))
    model[1].eval()
    data = [(torch.randn(8, 4), torch.randint(3, (8,)))]
    objective = Objective(CrossEntropyLoss(), [L1(0.1)])
    objective(model(data[0][0]), data[0][1], model=model).backward()
    before = copy.deepcopy(model.state_dict())
    slopes = [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]
    state, terms = torch.get_rng_state(), objective.terms
    first = stationarity(objective, model, data)
    assert torch.equal(torch.get_rng_state(), state)
    assert stationarity(objective, model, data) == first
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert [module.training for module in model] == [True, False, True, True]
    assert objective.training
    assert all(torch.equal(p.grad, g) for p, g in zip(model.parameters(), slopes, strict=True))
    assert objective.terms == terms
    with torch.no_grad():
        assert stationarity(objective, model, data) == first


def test_the_result_is_a_number_and_a_table() -> None:
    data, model = batch(), problems.linear(5, 3)
    found = stationarity(Objective(MSELoss()), model, [data])
    assert isinstance(found, float)
    assert found.value == max(found.by_parameter.values()) == found
    assert set(found.by_parameter) == {"weight", "bias"}
    assert f"{found:.3f}" == f"{found.value:.3f}"
    assert str(found).splitlines()[0] == f"stationarity {found.value:.3g}"
    assert [row["distance"] for row in found.table()] == sorted(found.by_parameter.values(), reverse=True)
    for copied in (pickle.loads(pickle.dumps(found)), copy.deepcopy(found)):
        assert copied == found
        assert copied.by_parameter == found.by_parameter
    with torch.no_grad():
        model.weight[0, 0] = math.nan
    assert math.isnan(stationarity(Objective(MSELoss(), [L1(0.1)]), model, [data]))


def test_wrong_inputs() -> None:
    data, model = batch(), problems.linear(5, 3)
    with pytest.raises(TypeError, match="must be an Objective"):
        stationarity(MSELoss(), model, [data])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="gave no batch"):
        stationarity(Objective(MSELoss()), model, [])
    two = Objective(MSELoss(), [GroupLasso(0.1), GroupLasso(0.1, axis="output")])
    with pytest.raises(ValueError, match="two group penalties"):
        stationarity(two, model, [data])
    with pytest.raises(ValueError, match="one's own and another"):
        stationarity(Objective(MSELoss(), [problems.Soft(0.1), L1(0.1)]), model, [data])
