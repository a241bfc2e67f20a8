"""``fit`` with every loss of the catalogue, through nothing but its Spec, its link and its num_outputs."""

from __future__ import annotations

import functools
import io
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from numpy.typing import NDArray
from rich.console import Console

from tests.test_contract import REPRESENTATIVES
from torchobjectives import _exports
from torchobjectives._registry import loss_class
from torchobjectives.workbench import metrics, run, training
from torchobjectives.workbench.callbacks import Interrupts
from torchobjectives.workbench.config import RunConfig

ROWS = 600
# Hyper-parameters without a default, in the terms of the table below.
NEEDED = {
    "hl_gauss_loss": "low=0 high=40 sigma=1",
    "nnpu_loss": "prior=0.5",
    "forward_correction_loss": "transition=[[0.9,0.05,0.05],[0.05,0.9,0.05],[0.05,0.05,0.9]]",
    "adaptive_log_softmax_loss": "cutoffs=[2]",
}
FURTHER = ("quantile_loss quantiles=[0.1,0.5,0.9]",)
NO_FIT = {
    "cosine_similarity_loss": "it compares vectors, and a column holds one number per row",
    "dice_loss": "it is about pixels",
}
# What the loss does not aim at, so that three epochs need not come near it.
FREE_OF_SCALE = ("pearson_loss",)
TEXTS = [
    *(f"{name} {NEEDED.get(name, '')}".strip() for name in sorted(_exports.LOSSES) if name not in NO_FIT),
    *FURTHER,
]


def table() -> pl.DataFrame:
    """Two features; counts, positive numbers, two and three classes that follow from them."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, ROWS))
    score = a - 0.5 * b
    return pl.DataFrame(
        {
            "a": a,
            "b": b,
            "positive": np.exp(1.5 + 0.4 * score + 0.1 * rng.normal(size=ROWS)),
            "count": rng.poisson(np.exp(1.5 + 0.4 * score)),
            "binary": (score + 0.3 * rng.normal(size=ROWS) > 0).astype(int),
            "multiclass": np.digitize(score + 0.3 * rng.normal(size=ROWS), [-0.6, 0.6]),
        }
    )


def target_of(name: str) -> str:
    spec = loss_class(name).spec
    if spec.task != "regression":
        return spec.task
    return "count" if "poisson" in name or "binomial" in name else "positive"


@functools.cache
def prepared(target: str, folder: Path) -> tuple[RunConfig, run.Prepared]:
    path = folder / f"{target}.csv"
    frame = table()
    frame.select("a", "b", target).write_csv(path)
    task = target if target in ("binary", "multiclass") else "regression"
    config = RunConfig(
        data=path, target=target, task=task, epochs=3, batch_size=16, lr=0.01, hidden="16", out=folder / "out"
    )
    return config, run.prepare(config)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables")


def fitted_to(text: str, shared: Path, folder: Path) -> tuple[run.Prepared, NDArray[np.float64]]:
    """Three epochs, and what is then said of the validation rows."""
    config, data = prepared(target_of(text.split()[0]), shared)
    config = config.model_copy(update={"loss": [text]})
    torch.manual_seed(0)
    fitted = run.assemble(config, data)
    folder.mkdir()
    console = Console(file=io.StringIO())
    with Interrupts(console) as interrupts:
        parts = [data.part(name) for name in run.SPLITS]
        training.train(fitted, *parts, config, data.problem, folder, console, interrupts)
    valid = torch.from_numpy(data.x[data.rows["valid"]])
    return data, training.judged(data.problem, training.predict(fitted, valid))


@pytest.mark.parametrize(
    "text",
    [pytest.param(text, marks=[] if text.split()[0] in REPRESENTATIVES else [pytest.mark.grid]) for text in TEXTS],
)
def test_three_epochs_beat_the_constant(text: str, shared: Path, tmp_path: Path) -> None:
    data, said = fitted_to(text, shared, tmp_path / "run")
    truth, known = data.y[data.rows["valid"]], data.y[data.rows["train"]]
    assert np.isfinite(said).all()
    scores = {name: metric(truth, said) for name, metric in metrics.metrics_of(data.problem).items()}
    constant: Any = metrics.constant_predictions(data.problem, known, len(truth))
    least = {name: metric(truth, constant) for name, metric in metrics.metrics_of(data.problem).items()}
    if data.problem.classes:
        np.testing.assert_allclose(said.sum(1), 1.0, atol=1e-6)
        assert scores["roc_auc"] > 0.8
        assert scores["accuracy"] > least["accuracy"]
        return
    assert np.corrcoef(truth, said)[0, 1] > 0.5
    if text not in FREE_OF_SCALE:
        assert scores["mae"] < least["mae"]


def test_what_cannot_be_fitted_is_known() -> None:
    assert set(NO_FIT) <= set(_exports.LOSSES)
    assert all(
        loss_class(name).spec.y_pred == "vectors" or loss_class(name).spec.task == "segmentation" for name in NO_FIT
    )
