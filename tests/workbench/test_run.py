import importlib.util
import json
import tomllib
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import polars as pl
import pytest
import torch
from lightning.pytorch.utilities.seed import isolate_rng
from sklearn import metrics as sk

import torchobjectives
from tests.workbench.conftest import Fit
from torchobjectives._registry import loss_class, loss_names
from torchobjectives.workbench import data, load, metrics, run
from torchobjectives.workbench.config import RunConfig
from torchobjectives.workbench.errors import InputError

FILES = {
    "checkpoints/last.ckpt",
    "config.toml",
    "history.csv",
    "inputs.json",
    "metrics.json",
    "model.pt",
    "predictions.parquet",
    "preprocessing.skops",
    "report.html",
}
CLASSES = [
    "roc_auc",
    "average_precision",
    "f1",
    "brier",
    "accuracy",
    "balanced_accuracy",
    "log_loss",
    "calibration_error",
]
METRICS = {"binary": CLASSES, "multiclass": CLASSES, "regression": ["mae", "rmse", "r2"]}
TARGETS = {"binary": "label", "multiclass": "level", "regression": "income"}


def scores(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    return read


@pytest.mark.parametrize("task", list(TARGETS))
def test_what_a_run_leaves(csv: Path, fit: Fit, task: str) -> None:
    before = set(Path().iterdir())
    folder = fit(data=csv, target=TARGETS[task], l1=1e-4, l2=1e-3)
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == FILES
    assert set(Path().iterdir()) - before == {Path("out")}

    written = scores(folder)
    threshold = ["threshold"] * (task == "binary")
    assert list(written) == ["task", "status", "valid", "baseline", "epochs", *threshold, "sparsity", "stationarity"]
    assert written["epochs"] == {"done": 2, "of": 2, "best": None}
    assert (written["task"], written["status"]) == (task, "done")
    for part in ("valid", "baseline"):
        assert list(written[part]) == METRICS[task]
        assert all(set(score) == {"value", "low", "high"} for score in written[part].values())
        assert all(score["low"] <= score["high"] for score in written[part].values())

    history = pl.read_csv(folder / "history.csv")
    terms = ["objective", "loss", "l1", "l2"]
    assert history.columns == ["epoch", *(f"train_{t}" for t in terms), *(f"valid_{t}" for t in terms)]
    assert history["epoch"].to_list() == [1, 2]
    assert np.allclose(history["train_objective"], history["train_loss"] + history["train_l1"] + history["train_l2"])

    assert RunConfig(**tomllib.loads((folder / "config.toml").read_text())).target == TARGETS[task]


def test_predictions_of_classes(csv: Path, fit: Fit) -> None:
    rows = pl.read_parquet(fit(data=csv, target="label") / "predictions.parquet")
    data = pl.read_csv(csv)
    assert rows.columns == ["row", "split", "target", "prediction", "probability_no", "probability_yes"]
    assert rows["row"].to_list() == list(range(80))
    assert rows["target"].to_list() == data["label"].to_list()
    assert rows["split"].value_counts().sort("split").rows() == [("train", 64), ("valid", 16)]
    said = rows.select(pl.when(pl.col("probability_yes") > 0.5).then(pl.lit("yes")).otherwise(pl.lit("no")))
    assert rows["prediction"].to_list() == said.to_series().to_list()
    assert np.allclose(rows["probability_no"] + rows["probability_yes"], 1)


def test_metrics_are_those_of_the_predictions(csv: Path, fit: Fit) -> None:
    folder = fit(data=csv, target="label")
    rows = pl.read_parquet(folder / "predictions.parquet").filter(pl.col("split") == "valid")
    y, p = rows["target"].to_numpy() == "yes", rows["probability_yes"].to_numpy()
    valid = scores(folder)["valid"]
    assert valid["roc_auc"]["value"] == pytest.approx(sk.roc_auc_score(y, p))
    assert valid["brier"]["value"] == pytest.approx(((p - y) ** 2).mean())
    assert valid["log_loss"]["value"] == pytest.approx(sk.log_loss(y, p))
    folder = fit(data=csv, target="income")
    rows = pl.read_parquet(folder / "predictions.parquet").filter(pl.col("split") == "valid")
    assert scores(folder)["valid"]["r2"]["value"] == pytest.approx(sk.r2_score(rows["target"], rows["prediction"]))


def test_target_types_are_kept(fit: Fit) -> None:
    x = np.linspace(-1, 1, 40)
    for values in (x > 0, np.where(x > 0, 7, 3), np.where(x > 0, 7.0, 3.0)):
        pl.DataFrame({"x": x, "y": values}).write_parquet("it.parquet")
        rows = pl.read_parquet(fit(data=Path("it.parquet"), target="y") / "predictions.parquet")
        assert rows["prediction"].dtype == rows["target"].dtype
        assert rows["target"].to_list() == list(values)
    assert rows.columns[4:] == ["probability_3", "probability_7"]


def test_same_flags_same_seed_same_numbers(csv: Path, tmp_path: Path, fit: Fit) -> None:
    a, b, c = (
        fit(data=csv, target="level", seed=seed, out=tmp_path / name) for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    for name in ("metrics.json", "predictions.parquet", "history.csv"):
        assert (a / name).read_bytes() == (b / name).read_bytes()
        assert (a / name).read_bytes() != (c / name).read_bytes()


def test_model_loads_without_pickle_and_builds_again(csv: Path, fit: Fit) -> None:
    folder = fit(data=csv, target="label", loss="focal_loss gamma=1.5")
    model = torch.load(folder / "model.pt", weights_only=True)
    config = model["config"]
    assert repr(torchobjectives.from_config(config["loss"])).startswith("FocalLoss(gamma=1.5")
    assert (config["classes"], config["task"], config["target"]) == (["no", "yes"], "binary", "label")
    assert config["link"] == "logit"


def test_logs_go_into_the_run(csv: Path, fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fit(data=csv, target="label", log="csv", epochs=3)
    logged = pl.read_csv(folder / "logs/metrics.csv")
    assert logged["valid_objective"].drop_nulls().to_list() == pytest.approx(
        pl.read_csv(folder / "history.csv")["valid_objective"].to_list()
    )
    assert set(Path().iterdir()) == {Path("people.csv"), Path("out")}
    for package in ("tensorboard", "mlflow", "wandb"):
        if importlib.util.find_spec(package) is None:
            with pytest.raises(InputError, match=f"--log {package}: the package {package} is not installed: pip"):
                fit(data=csv, target="label", log=package)
            assert folder.exists(), "the earlier run is lost"


def test_precision_is_lightnings(csv: Path, fit: Fit) -> None:
    single, double = (
        pl.read_csv(fit(data=csv, target="label", precision=p) / "history.csv") for p in ("32-true", "64-true")
    )
    assert single["train_loss"].to_list() != double["train_loss"].to_list()
    assert single["train_loss"].to_list() == pytest.approx(double["train_loss"].to_list(), rel=1e-4)
    assert pl.read_csv(fit(data=csv, target="income", precision="bf16-mixed") / "history.csv").height == 2


@pytest.mark.parametrize(
    ("offset", "scale"),
    [
        (1e9, 1.0),
        pytest.param(1.7e9, 60.0, marks=pytest.mark.grid),
        (0.0, 1e-30),
        pytest.param(0.0, 1e30, marks=pytest.mark.grid),
    ],
)
def test_targets_far_from_zero_keep_their_digits(fit: Fit, offset: float, scale: float) -> None:
    x = np.linspace(-1, 1, 200)
    pl.DataFrame({"x": x, "y": offset + scale * (3 * x + 0.01)}).write_parquet("far.parquet")
    folder = fit(data=Path("far.parquet"), target="y", model="linear", epochs=60)
    assert scores(folder)["valid"]["r2"]["value"] > 0.95
    losses = pl.read_csv(folder / "history.csv")["train_loss"]
    assert 0 < losses[-1] < losses[0] < np.inf


@pytest.mark.parametrize("name", [name for name in loss_names() if loss_class(name).spec.task not in TARGETS])
def test_a_loss_that_suits_no_column_says_so(csv: Path, fit: Fit, name: str) -> None:
    with pytest.raises(InputError, match=f"{name} is a .* loss, and the task is"):
        fit(data=csv, target="label", loss=name)


def test_vectors_are_no_column(csv: Path, fit: Fit) -> None:
    with pytest.raises(InputError, match=r"cosine_similarity_loss: it compares vectors.*mse_loss would fit"):
        fit(data=csv, target="income", loss="cosine_similarity_loss")


SPREAD = ["mean", "standard_deviation"]


@pytest.mark.parametrize(
    ("loss", "columns"),
    [
        ("gaussian_nll_loss", SPREAD),
        pytest.param("student_t_nll_loss df=1.5", SPREAD, marks=pytest.mark.grid),
        ("evidential_regression_loss", SPREAD),
        ("quantile_loss quantiles=[0.9,0.1,0.5]", ["quantile_0.9", "quantile_0.1", "quantile_0.5"]),
        pytest.param("quantile_loss quantiles=0.9", [], marks=pytest.mark.grid),
        ("silog_loss", []),
        pytest.param("gamma_nll_loss", [], marks=pytest.mark.grid),
        ("hl_gauss_loss low=0 high=1000 sigma=50", []),
        ("ldam_loss", ["probability_0", "probability_1", "probability_2"]),
        pytest.param("seesaw_loss", ["probability_0", "probability_1", "probability_2"], marks=pytest.mark.grid),
        ("zlpr_loss", ["probability_no", "probability_yes"]),
    ],
)
def test_what_a_loss_predicts_is_stored_and_predicted_again(csv: Path, fit: Fit, loss: str, columns: list[str]) -> None:
    task = loss_class(loss.split()[0]).spec.task
    folder = fit(data=csv, target=TARGETS[task], loss=loss)
    stored = pl.read_parquet(folder / "predictions.parquet")
    assert stored.columns == ["row", "split", "target", "prediction", *columns]
    again = load(folder).predict(pl.read_csv(csv, try_parse_dates=True))
    assert again.columns[-len(columns) :] == columns or not columns
    for name in ("prediction", *columns):
        if stored[name].dtype == pl.String:
            assert again[name].equals(stored[name])
            continue
        assert again[name].to_list() == pytest.approx(stored[name].to_list(), nan_ok=True, rel=1e-6)
    if task == "regression" and columns:
        middle = "mean" if "mean" in columns else "quantile_0.5"
        assert stored["prediction"].equals(stored[middle], check_names=False)
        assert scores(folder)["valid"]["mae"]["value"] < 500


def test_loss_with_learnable_parameters_is_trained_and_stored(csv: Path, fit: Fit) -> None:
    flags: dict[str, Any] = {"data": csv, "target": "level", "loss": "adaptive_log_softmax_loss cutoffs=[1]"}
    stored = torch.load(fit(**flags, epochs=1) / "model.pt", weights_only=True)["loss"]
    config = RunConfig(**flags, hidden="8")
    with isolate_rng():
        lightning.seed_everything(config.seed, verbose=False)
        start = run.assemble(config, run.prepare(config)).loss.state_dict()
    assert stored.keys() == start.keys()
    for name, value in start.items():
        # One step of Adam moves each number by at most the learning rate.
        assert 0 < (stored[name] - value).abs().max() < 1.01 * config.learning_rate


@pytest.mark.parametrize(
    ("dataset", "options", "metric", "least"),
    [
        ("breast_cancer", {}, "roc_auc", 0.98),
        ("breast_cancer", {"model": "linear", "loss": "focal_loss gamma=2 alpha=0.75", "l1": 1e-4}, "roc_auc", 0.98),
        pytest.param("digits", {}, "accuracy", 0.95, marks=pytest.mark.grid),
        pytest.param("wine", {}, "accuracy", 0.9, marks=pytest.mark.grid),
        ("diabetes", {}, "r2", 0.3),
        pytest.param("two_rings", {"epochs": 5}, "roc_auc", 0.95, marks=pytest.mark.grid),
    ],
)
def test_defaults_do_well(fit: Fit, dataset: str, options: dict[str, Any], metric: str, least: float) -> None:
    defaults = RunConfig(dataset=dataset)
    folder = fit(dataset=dataset, **({"epochs": defaults.epochs, "hidden": defaults.hidden} | options))
    written = scores(folder)
    assert written["valid"][metric]["value"] > least
    assert written["valid"][metric]["value"] > written["baseline"][metric]["value"]


def test_regression_is_in_the_units_of_the_target(fit: Fit) -> None:
    x = np.linspace(-1, 1, 200)
    for scale, offset in ((1e-3, 0.0), (1.0, 0.0), (1e4, -1e6)):
        pl.DataFrame({"x": x, "y": offset + scale * (3 * x + 0.01)}).write_parquet("line.parquet")
        folder = fit(data=Path("line.parquet"), target="y", model="linear", epochs=60)
        written = scores(folder)["valid"]
        assert written["r2"]["value"] > 0.95
        assert written["mae"]["value"] < scale
        history = pl.read_csv(folder / "history.csv")
        assert history["valid_loss"][-1] == pytest.approx(written["rmse"]["value"] ** 2, rel=1e-2)


def test_scores_that_are_not_defined_are_null() -> None:
    problem = data.pose(data.clean_target(pl.Series("y", [0, 1])))
    found = metrics.evaluate(problem, np.array([0, 0, 0]), np.full((3, 2), 0.5), seed=0)
    assert found["roc_auc"] == {"value": None, "low": None, "high": None}
    assert found["accuracy"]["value"] == 1.0


def test_intervals_hold_the_value() -> None:
    generator = np.random.default_rng(0)
    y = generator.integers(0, 2, 300)
    p = np.clip(0.3 * y + generator.random(300) * 0.7, 0, 1)
    problem = data.pose(data.clean_target(pl.Series("y", y)))
    for score in metrics.evaluate(problem, y, np.stack([1 - p, p], 1), seed=0).values():
        assert score["low"] is not None
        assert score["low"] < score["high"]


def test_a_penalty_may_be_monitored(csv: Path, fit: Fit) -> None:
    folder = fit(data=csv, target="label", l1=1e-2, monitor="l1", epochs=4)
    l1 = pl.read_csv(folder / "history.csv")["valid_l1"]
    assert scores(folder)["epochs"]["best"] == l1.arg_min() + 1  # type: ignore[operator]


def test_what_cannot_be_monitored_is_said() -> None:
    x = np.linspace(-1, 1, 40)
    pl.DataFrame({"x": x, "y": np.where(x > 0.9, 1.5, 2.5)}).write_csv("flat.csv")
    config = RunConfig(
        data=Path("flat.csv"), target="y", task="regression", valid=0.03, monitor="r2", patience=2, epochs=3
    )
    with pytest.raises(InputError, match=r"--monitor r2 is not defined on the validation rows \(2, too few"):
        run.fit(config)
    assert not Path("runs/flat").exists()


def test_an_objective_that_ends_patience_at_once_is_said(csv: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("odd.py").write_text(
        "calls = 0\ndef loss(p, t):\n    global calls\n    calls += len(t) == 16\n"
        "    return (p - t).square().mean() * (float('nan') if calls == 4 else 1)\n"
    )
    run.fit(RunConfig(data=csv, target="income", loss="odd.py:loss", patience=9))
    assert "stopped early after 3 of 30 epochs: objective became nan on the validation rows" in capsys.readouterr().out
