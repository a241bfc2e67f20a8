"""The path of fit --l1-path: its solutions are the minima, and the run is what it is without it."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import Lasso

from tests.workbench.conftest import Fit
from tests.workbench.test_penalties import fitted_of, weights_of
from tests.workbench.test_report import page
from tests.workbench.test_resume import same_run
from torchobjectives import L2, Objective, stationarity
from torchobjectives.penalties._penalty import with_coefficient
from torchobjectives.workbench import resuming, run, tracing
from torchobjectives.workbench.callbacks import StoppedError
from torchobjectives.workbench.config import FitOptions, RunConfig, checked
from torchobjectives.workbench.errors import InputError
from torchobjectives.workbench.objectives import without_penalties
from torchobjectives.workbench.prediction import load


def test_a_linear_path_is_that_of_scikit_learn(fit: Fit) -> None:
    options: dict[str, Any] = {"dataset": "diabetes", "model": "linear", "epochs": 1}
    folder = fit(**options, l1_path=6)
    fitted, prepared = fitted_of(**options)
    scale = fitted.network.state_dict()["rescale.scale"].item()
    x, y = (part[prepared.rows["train"]].astype(float) for part in (prepared.x, prepared.y))
    table = pl.read_csv(folder / "l1_path.csv")
    found = table.select(f"weight_{name}" for name in prepared.kinds).to_numpy()
    assert table["lambda"][0] == pytest.approx(100 * table["lambda"][-1])
    assert not found[0].any()
    for coefficient, weights in zip(table["lambda"][1:], found[1:], strict=True):
        # Theirs is half the mean squared error, of a target in units of the scale.
        wanted = Lasso(coefficient / (2 * scale**2), tol=1e-12, max_iter=10**6).fit(x, y / scale).coef_
        assert weights == pytest.approx(wanted, abs=1e-4)
        assert ((weights == 0) == (wanted == 0)).all()
    assert table["nonzeros"].to_list() == table["columns_read"].to_list() == (found != 0).sum(1).tolist()
    read, text = page(folder)
    best = table["lambda"][int(table["validation"].arg_min() or 0)]
    assert f"--l1 {best:.4g} asks for" in read.text
    assert any("by the coefficient of l1" in label for label in read.labels)
    assert not read.bad
    assert "<code>" in text


def test_the_flags_of_a_solution_make_its_objective(fit: Fit) -> None:
    options: dict[str, Any] = {"dataset": "diabetes", "model": "linear", "l2": 100.0, "epochs": 10}
    table = pl.read_csv(fit(**options, l1_path=4) / "l1_path.csv")
    folder = fit(**options, l1=table["lambda"][2], polish=300)
    wanted = table.row(2, named=True)
    found = weights_of(folder)["output.weight"].numpy().ravel()
    names = [name for name in table.columns if name.startswith("weight_")]
    assert found == pytest.approx([wanted[name] for name in names], abs=1e-3)
    assert int((found != 0).sum()) == wanted["nonzeros"]
    scores = json.loads((folder / "metrics.json").read_text())
    assert scores["valid"]["rmse"]["value"] ** 2 == pytest.approx(wanted["validation"], rel=1e-3)


def test_of_a_network_the_first_layer_gives_up_columns(csv: Path, fit: Fit, tmp_path: Path) -> None:
    options: dict[str, Any] = {"data": csv, "target": "level", "task": "multiclass", "l1": 1e-3}
    folder, without = fit(**options, l1_path=5), fit(**options, out=tmp_path / "without")
    table = pl.read_csv(folder / "l1_path.csv")
    assert table["lambda"].is_sorted()
    assert table["columns_read"][0] > table["columns_read"][-1]
    for row in table.iter_rows(named=True):
        assert row["nonzeros"] <= 8 * (len(row) - 6)
        # Norms over the units that read an input.
        norms = [value for name, value in row.items() if name.startswith("weight_")]
        assert min(norms) >= 0
        assert sum(norm > 0 for norm in norms) <= row["nonzeros"]
    assert "--penalty-on first-layer --l2 0.01 asks for" in page(folder)[0].text
    trained = zip(weights_of(folder).values(), weights_of(without).values(), strict=True)
    assert all((one == other).all() for one, other in trained)


@pytest.mark.grid
def test_other_penalties_stay(csv: Path, fit: Fit) -> None:
    def last(l2: float) -> float:
        folder = fit(data=csv, target="label", model="linear", l1_path=3, l2=l2, group_lasso=0.01)
        return float(np.abs(pl.read_csv(folder / "l1_path.csv").select("^weight_.*$").to_numpy()[-1]).sum())

    assert last(0.5) < 0.5 * last(1e-6)


@pytest.mark.parametrize("model", ["linear", pytest.param("mlp", marks=pytest.mark.grid)])
def test_a_solution_is_at_rest_under_the_objective_of_its_flags(
    csv: Path, fit: Fit, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    """With a group lasso that was asked for on all layers, and a decay that is the optimizer's own L2."""
    options: dict[str, Any] = {
        "data": csv,
        "target": "income",
        "model": model,
        "hidden": "8",
        "group_lasso": 30.0,
        "weight_decay": 0.1,
        "optimizer": "adam",
    }
    found: list[tuple[Any, Any]] = []
    told = tracing._told

    def keep(config: Any, prepared: Any, fitted: Any, network: Any, path: Any) -> Any:
        found.append((network, path))
        return told(config, prepared, fitted, network, path)

    with monkeypatch.context() as patch:
        patch.setattr(tracing, "_told", keep)
        patch.setattr(tracing, "NETWORK_ROUNDS", 30)
        said = page(fit(**options, l1_path=3))[0].text
    [(network, path)] = found
    flags = re.search(r"--l1 \S+( --penalty-on first-layer)? asks for", said)
    assert flags is not None
    on = "weights" if flags[1] is None else "first-layer"
    fitted, prepared = fitted_of(**options, penalty_on=on, l1=float(path.lambdas[1]))
    fitted.network.double().load_state_dict(network.state_dict())
    path.restore(fitted.network, 1)
    penalties = [
        with_coefficient(penalty, penalty.coefficient / (1 if name == "l1" else fitted.unit))
        for name, penalty in fitted.objective.penalties.items()
    ]
    alone = without_penalties(fitted)
    objective = Objective(lambda raw, y: alone.evaluate(raw, y) / fitted.unit, [*penalties, L2(0.1)])
    x, y = prepared.part("train")[:]
    assert stationarity(objective, fitted.network, [(x.double(), y)]) < 1e-3


def test_a_path_that_fails_costs_no_run(csv: Path, fit: Fit, tmp_path: Path) -> None:
    loss = tmp_path / "losses.py"
    loss.write_text(
        "import torch\n\n\ndef loss(y_pred, y_true):\n    assert torch.is_grad_enabled() or y_pred.abs().sum() < 1e9\n"
        "    if y_pred.std() < 1e-6:\n        raise ArithmeticError('all alike')\n"
        "    return torch.nn.functional.binary_cross_entropy_with_logits(y_pred, y_true)\n"
    )
    folder = fit(data=csv, target="label", model="linear", loss=f"{loss}:loss", l1_path=3)
    said = page(folder)[0].text
    assert "There is no path: ArithmeticError in line 7: all alike" in said
    assert json.loads((folder / "metrics.json").read_text())["status"] == "done"
    assert not (folder / "l1_path.csv").exists()


def test_a_network_of_zeros_has_no_path(csv: Path, fit: Fit) -> None:
    said = page(fit(data=csv, target="label", group_lasso=5.0, l1_path=3))[0].text
    assert "the trained network passes nothing on: take weaker penalties" in said
    assert "regularization_path" not in said


def test_a_loss_of_ones_own_is_given_what_it_was_trained_with(csv: Path, fit: Fit, tmp_path: Path) -> None:
    loss = tmp_path / "losses.py"
    loss.write_text(
        "import torch\n\n\ndef loss(y_pred, y_true):\n    assert y_pred.dtype == y_true.dtype == torch.float32\n"
        "    return torch.nn.functional.binary_cross_entropy_with_logits(y_pred, y_true)\n"
    )
    own = fit(data=csv, target="label", model="linear", loss=f"{loss}:loss", l1_path=3, out=tmp_path / "own")
    ours = fit(data=csv, target="label", model="linear", l1_path=3)
    found, wanted = (pl.read_csv(out / "l1_path.csv").to_numpy() for out in (own, ours))
    assert found[:, 1] == pytest.approx(wanted[:, 1], abs=1)
    assert found[:, 2] == pytest.approx(wanted[:, 2], rel=1e-5)


def test_interrupted_on_the_path(csv: Path, fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, Any] = {"data": csv, "target": "label", "l1_path": 3, "model": "linear"}
    whole = fit(**options, out=tmp_path / "whole")

    def stopped(*_: Any) -> None:
        raise StoppedError

    with monkeypatch.context() as patch:
        patch.setattr(tracing, "regularization_path", lambda *_, **__: stopped())
        folder = fit(**options)
    assert json.loads((folder / "metrics.json").read_text())["status"] == "interrupted"
    assert not (folder / "l1_path.csv").exists()
    run.fit(resuming.resumed(None, FitOptions(resume=True, out=folder)))
    same_run(whole, folder)
    assert (folder / "l1_path.csv").read_bytes() == (whole / "l1_path.csv").read_bytes()


def test_a_number_and_a_category_that_are_called_alike(fit: Fit, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    frame = pl.DataFrame(
        {
            "a_b": generator.normal(size=60),
            "a": generator.choice(["b", "c"], 60),
            "y": generator.integers(0, 2, 60),
        }
    )
    frame.write_csv(tmp_path / "alike.csv")
    folder = fit(data=tmp_path / "alike.csv", target="y", model="linear", l1_path=2)
    names = pl.read_csv(folder / "l1_path.csv").columns[6:]
    assert names == ["weight_a_b", "weight_a_b_2", "weight_a_c"]
    assert load(folder).predict(frame).height == 60


def test_bad_numbers() -> None:
    for bad in (1, 0, -3, 1001):
        with pytest.raises(InputError, match="--l1-path"):
            _checked(l1_path=bad)
    assert _checked(l1_path=5, penalty_on="first-layer").l1_path == 5
    with pytest.raises(InputError, match="--polish is about penalties"):
        _checked(l1_path=5, polish=3)


def _checked(**options: Any) -> RunConfig:
    return checked(RunConfig, {"dataset": "wine", **options})
