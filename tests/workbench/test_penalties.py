"""Penalties in fit: what is minimised is what is asked for, zeros are zeros, and the report says so."""

import json
import math
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import polars as pl
import pytest
import torch
from lightning.pytorch.utilities.seed import isolate_rng
from sklearn.linear_model import ElasticNet

from tests.workbench.conftest import Fit
from tests.workbench.test_report import page
from tests.workbench.test_resume import same_run
from torchobjectives.workbench import resuming, run, summaries
from torchobjectives.workbench.callbacks import StoppedError
from torchobjectives.workbench.carrying import Carrier
from torchobjectives.workbench.config import FitOptions, RunConfig, checked
from torchobjectives.workbench.errors import InputError
from torchobjectives.workbench.objectives import Fitted

ABSOLUTE, SQUARED = 400.0, 100.0
METHODS = [("sgd", "auto"), ("adam", "auto"), ("adam", "proximal"), ("adamw", "auto"), ("adamw", "loss")]


def fitted_of(**options: Any) -> tuple[Fitted, run.Prepared]:
    config = RunConfig(**options)
    with isolate_rng():
        lightning.seed_everything(config.seed, verbose=False)
        prepared = run.prepare(config)
        return run.assemble(config, prepared), prepared


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    network: dict[str, torch.Tensor] = torch.load(folder / "model.pt", weights_only=True)["network"]
    return network


def by_sklearn(prepared: run.Prepared, fitted: Fitted) -> np.ndarray[Any, Any]:
    """The weights of the minimum, for a network that gives centre + scale · (x·w + b)."""
    scale = fitted.network.state_dict()["rescale.scale"].item()
    x, y = (part[prepared.rows["train"]].astype(float) for part in (prepared.x, prepared.y))
    # Theirs is half the mean squared error, of a target in units of the scale.
    both = (ABSOLUTE + SQUARED) / (2 * scale**2)
    reference = ElasticNet(both, l1_ratio=ABSOLUTE / (ABSOLUTE + SQUARED), tol=1e-12, max_iter=10**6)
    weights: np.ndarray[Any, Any] = reference.fit(x, y / scale).coef_
    return weights


@pytest.mark.parametrize(("optimizer", "method"), METHODS)
def test_every_way_minimises_the_objective_as_it_is_written(optimizer: str, method: str) -> None:
    fitted, prepared = fitted_of(dataset="diabetes", model="linear", l1=ABSOLUTE, l2=SQUARED)
    assert not 0.5 < fitted.unit < 2
    x, y = prepared.part("train")[:]
    groups = [
        {"params": [p for p in fitted.network.parameters() if (p.ndim == 2) == matrix]} for matrix in (True, False)
    ]
    made = {
        "sgd": lambda: torch.optim.SGD(groups, lr=0.3, momentum=0.9),
        "adam": lambda: torch.optim.Adam(groups, lr=0.05),
        "adamw": lambda: torch.optim.AdamW(groups, lr=0.05, weight_decay=0.0),
    }[optimizer]()
    carrier = None if method == "loss" else Carrier(fitted, made, method)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(made, 600)
    for _ in range(600):
        made.zero_grad()
        ((carrier or fitted).evaluate(fitted.network(x), y) / fitted.unit).backward()
        made.step()
        schedule.step()
    found = fitted.network.state_dict()["output.weight"].double().numpy().ravel()
    wanted = by_sklearn(prepared, fitted)
    assert found == pytest.approx(wanted, abs=3e-3)
    if carrier is not None:
        assert ((found == 0) == (wanted == 0)).all()
        assert 0 < (wanted == 0).sum() < len(wanted)
        # So clipping beyond this leaves the minimum where it is.
        fitted.network.zero_grad()
        (carrier.evaluate(fitted.network(x), y) / fitted.unit).backward()
        slope = math.sqrt(sum(float(p.grad.square().sum()) for p in fitted.network.parameters() if p.grad is not None))
        assert 0.1 * carrier.slope() < slope < carrier.slope()


def test_a_run_ends_with_the_zeros_of_the_minimum(fit: Fit) -> None:
    options: dict[str, Any] = {"dataset": "diabetes", "model": "linear", "l1": ABSOLUTE, "l2": SQUARED, "epochs": 8}
    folder = fit(**options)
    fitted, prepared = fitted_of(**options)
    found, wanted = weights_of(folder)["output.weight"].numpy().ravel(), by_sklearn(prepared, fitted)
    assert found == pytest.approx(wanted, abs=1e-3)
    assert ((found == 0) == (wanted == 0)).all()
    scores = json.loads((folder / "metrics.json").read_text())
    # In the unit of the optimizer, where slopes are about as large as the weights.
    assert 0 <= scores["stationarity"] / fitted.unit < 0.01 * np.abs(wanted).max()
    assert scores["sparsity"] == {
        "zeros": int((wanted == 0).sum()),
        "weights": 10,
        "columns_read": int((wanted != 0).sum()),
        "columns": 10,
    }
    history = pl.read_csv(folder / "history.csv")
    for part in ("train", "valid"):
        terms = history[f"{part}_loss"] + history[f"{part}_l1"] + history[f"{part}_l2"]
        assert np.allclose(history[f"{part}_objective"], terms)
    in_the_loss = pl.read_csv(fit(**options, penalty_method="loss") / "history.csv")
    assert in_the_loss.columns == history.columns
    assert in_the_loss["train_objective"][-1] == pytest.approx(history["train_objective"][-1], rel=0.05)
    assert not (weights_of(folder)["output.weight"] == 0).any()


@pytest.mark.parametrize("model", ["mlp", "linear"])
def test_group_lasso_drops_columns(csv: Path, fit: Fit, model: str) -> None:
    first = "hidden_1.weight" if model == "mlp" else "output.weight"
    folder = fit(data=csv, target="label", model=model, group_lasso=0.05, l1=1e-3, penalty_on="first-layer", epochs=5)
    weights = weights_of(folder)
    dead = (weights[first] == 0).all(0)
    assert 0 < dead.sum() < len(dead)
    assert model == "linear" or (weights["output.weight"] != 0).all()
    read, _ = page(folder)
    for words in (
        "attached to AdamW",
        "group_lasso",
        "Columns that are read",
        "Not read, for all their weights are",
        "steps were taken on all training rows",
        "Stationarity on the training rows",
    ):
        assert words in read.text
    sparsity = json.loads((folder / "metrics.json").read_text())["sparsity"]
    assert sparsity["columns_read"] < sparsity["columns"] == 6
    assert sparsity["weights"] == weights[first].numel()
    assert f"[{first}]" in read.text


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"l1": 1e-3, "l2": 1e-3}, marks=pytest.mark.grid),
        {"l1": 1e-3, "l2": 1e-3, "optimizer": "adam", "weight_decay": 1e-3, "polish": 0},
        {"elastic_net": 1e-2, "optimizer": "sgd", "penalty_method": "dual_averaging"},
    ],
)
def test_a_continued_run_is_the_run(csv: Path, fit: Fit, tmp_path: Path, options: dict[str, Any]) -> None:
    options = {"data": csv, "target": "income", **options}
    long = fit(**options, out=tmp_path / "long", epochs=4)
    short = fit(**options, out=tmp_path / "short", epochs=2)
    run.fit(resuming.resumed(None, FitOptions(resume=True, out=short, epochs=4)))
    same_run(long, short)


def test_interrupted_while_polishing(csv: Path, fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, Any] = {"data": csv, "target": "label", "l1": 1e-2}
    whole, plain = fit(**options, out=tmp_path / "whole"), fit(**options, polish=0, out=tmp_path / "plain")
    polish, calls = Carrier.polish, []

    def stop_later(carrier: Carrier, batches: Any, steps: int) -> Any:
        def some() -> Any:
            calls.append(1)
            if len(calls) > 5:
                raise StoppedError
            return batches()

        return polish(carrier, some, steps)

    with monkeypatch.context() as patch:
        patch.setattr(Carrier, "polish", stop_later)
        folder = fit(**options)
    assert json.loads((folder / "metrics.json").read_text())["status"] == "interrupted"
    assert all(torch.equal(a, b) for a, b in zip(weights_of(folder).values(), weights_of(plain).values(), strict=True))
    run.fit(resuming.resumed(None, FitOptions(resume=True, out=folder)))
    same_run(whole, folder)


def test_a_run_from_before_there_was_a_choice_goes_on_as_it_was(csv: Path, fit: Fit) -> None:
    folder = fit(data=csv, target="label", l1=1e-2, penalty_method="loss", epochs=2)
    config = folder / "config.toml"
    new = {"elastic_net", "l1_ratio", "group_lasso", "penalty_on", "penalty_method"}
    lines = config.read_text().splitlines(keepends=True)
    config.write_text("".join(line for line in lines if line.split(" =")[0] not in new))
    assert resuming.resumed(None, FitOptions(resume=True, out=folder, epochs=3)).penalty_method == "loss"


def test_the_plan_advises_what_flags_do_and_the_run_does_not(csv: Path, fit: Fit) -> None:
    options: dict[str, Any] = {"data": csv, "target": "label", "l1": 1e-2, "epochs": 1}
    noise, drift = "not quite which weights are 0", "moves the weights away"
    polished = page(fit(**options))[0].text
    assert noise not in polished
    assert drift not in polished
    decayed = page(fit(**options, weight_decay=0.1))[0].text
    assert "--penalty-method dual_averaging, or --polish 50 at the end, does" in decayed
    assert "moves the weights away from that minimum: --l2 in its place does not" in decayed
    assert "build the optimizer" not in decayed
    assert "--penalty-method dual_averaging does" in page(fit(**options, dropout=0.5))[0].text


@pytest.mark.parametrize("optimizer", ["adam", pytest.param("sgd", marks=pytest.mark.grid)])
def test_polishing_keeps_a_weight_decay_that_is_l2(csv: Path, fit: Fit, optimizer: str) -> None:
    options: dict[str, Any] = {"data": csv, "target": "income", "model": "linear", "l1": 10.0, "optimizer": optimizer}
    decayed = fit(**options, weight_decay=0.5, polish=300)
    found, scores = weights_of(decayed)["output.weight"], json.loads((decayed / "metrics.json").read_text())
    fitted, _ = fitted_of(**options)
    assert scores["stationarity"] / fitted.unit < 1e-4
    # The optimizer decays in its own unit.
    wanted = weights_of(fit(**options, l2=0.5 * fitted.unit, polish=300))["output.weight"]
    assert torch.allclose(found, wanted, atol=1e-3)
    assert not torch.allclose(found, weights_of(fit(**options, polish=300))["output.weight"], atol=0.1)


def test_who_is_polished_without_asking() -> None:
    for options, steps in (
        ({"l1": 1.0}, 50),
        ({"group_lasso": 1.0}, 50),
        ({"elastic_net": 1.0}, 50),
        ({"elastic_net": 1.0, "l1_ratio": 0.0}, 0),
        ({"l2": 1.0}, 0),
        ({"l1": 0.0, "penalty_on": "first-layer"}, 0),
        ({"l1": 1.0, "dropout": 0.5}, 0),
        ({"l1": 1.0, "patience": 3}, 0),
        ({"l1": 1.0, "patience": 3, "polish": 7}, 7),
        ({"l1": 1.0, "weight_decay": 0.1}, 0),
        ({"l1": 1.0, "weight_decay": 0.1, "polish": 7}, 7),
        ({"l1": 1.0, "weight_decay": 0.1, "optimizer": "adam"}, 50),
        ({"l1": 1.0, "penalty_method": "dual_averaging"}, 0),
        ({"l1": 1.0, "penalty_method": "loss"}, 0),
    ):
        assert RunConfig(dataset="wine", **options).polishing == steps, options  # type: ignore[arg-type]


def test_what_l2_alone_does_not_heed_is_refused() -> None:
    with pytest.raises(InputError, match="--penalty-on is not about --l2"):
        checked(RunConfig, {"dataset": "wine", "l2": 1.0, "penalty_on": "first-layer"})
    for more in ({"l1": 0.0}, {"l1_path": 3}, {"elastic_net": 1.0}):
        checked(RunConfig, {"dataset": "wine", "l2": 1.0, "penalty_on": "first-layer", **more})


def test_the_report_says_what_weight_decay_minimises(csv: Path, fit: Fit) -> None:
    read, _ = page(fit(data=csv, target="label", weight_decay=0.01, epochs=1))
    assert "That is not L2" in read.text
    for optimizer in ("adam", "sgd"):
        config = RunConfig(dataset="wine", weight_decay=0.01, optimizer=optimizer)
        assert "adds ½·0.02·Σw² to the objective" in str(summaries.decay(config, 2.0))
    assert summaries.decay(RunConfig(dataset="wine"), 1.0) is None
