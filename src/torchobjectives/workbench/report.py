"""The report: one page that stands alone, without script and without network."""

import platform
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import torch
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix

from torchobjectives.workbench import data, figures, metrics, preprocessing, training
from torchobjectives.workbench.config import RunConfig
from torchobjectives.workbench.objectives import Fitted

if TYPE_CHECKING:
    from markupsafe import Markup

    from torchobjectives.workbench.run import Prepared

MOST_CLASSES_SHOWN = 30
PACKAGES = ("torchobjectives", "torch", "lightning", "scikit-learn", "polars")


@dataclass(frozen=True)
class Run:
    """What the report is about."""

    config: RunConfig
    prepared: "Prepared"
    fitted: Fitted
    history: pl.DataFrame
    predicted: NDArray[np.float64]
    scores: dict[str, Any]


def write(path: Path, run: Run) -> None:
    """Write the report of a run."""
    path.write_text(_template().render(_contents(run)), encoding="utf-8")


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("torchobjectives.workbench"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number
    return environment.get_template("report.html.j2")


def number(value: float | None) -> str:
    """Write a number for a person; a dash where there is none.

    >>> number(0.12345678), number(None)
    ('0.1235', '–')
    """
    return "–" if value is None else f"{value:.4g}"


def _contents(run: Run) -> dict[str, Any]:
    prepared, valid = run.prepared, run.prepared.rows["valid"]
    problem = prepared.problem
    y, predicted = prepared.y[valid], run.predicted[valid]
    return {
        "name": run.config.name,
        "problem": problem,
        "auto_rule": data.AUTO_RULE,
        "target": prepared.table.target.name,
        "rows": {part: len(rows) for part, rows in prepared.rows.items()},
        "inputs": prepared.x.shape[1],
        "config": run.config,
        "toml": run.config.to_toml(),
        "command": run.config.command,
        "gradient_norm": training.GRADIENT_NORM,
        "loss": repr(run.fitted.loss),
        "formula": run.fitted.objective.formula(),
        "scores": run.scores,
        "lower_is_better": metrics.LOWER_IS_BETTER,
        "resamples": metrics.RESAMPLES,
        "curves": _curves(run.history),
        "confusion": _confusion(problem, y, predicted),
        "residuals": None if problem.classes else figures.residuals(y, predicted),
        "reliability": figures.reliability(y, predicted) if problem.classes else None,
        "regions": _regions(run),
        "weights": weights(run.fitted.network),
        "columns": columns(prepared),
        "class_rows": _class_rows(prepared),
        "versions": {"Python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
    }


def _curves(history: pl.DataFrame) -> "dict[str, Markup]":
    terms = [name.removeprefix("train_") for name in history.columns if name.startswith("train_")]
    return {term: figures.learning_curve(history, term) for term in terms}


def _confusion(problem: data.Problem, y: NDArray[Any], predicted: NDArray[Any]) -> list[list[int]] | None:
    if not 0 < len(problem.classes) <= MOST_CLASSES_SHOWN:
        return None
    counts = confusion_matrix(y, predicted.argmax(1), labels=range(len(problem.classes)))
    rows: list[list[int]] = counts.tolist()
    return rows


def _regions(run: Run) -> "Markup | None":
    """Draw the plane, where the model has two columns of numbers and nothing else."""
    prepared = run.prepared
    if list(prepared.kinds.values()) != ["numeric", "numeric"]:
        return None
    valid = prepared.rows["valid"]
    features = preprocessing.conform(prepared.table.features, prepared.kinds)[valid].drop_nulls()
    known = prepared.table.features[valid].select(pl.all_horizontal(pl.all().is_not_null())).to_series()
    names = prepared.table.features.columns
    if features.is_empty() or features.height != known.sum():
        return None

    def surface(points: NDArray[Any]) -> NDArray[Any]:
        x = preprocessing.transform(prepared.transformer, pl.DataFrame(points, schema=names, orient="row"))
        said: NDArray[Any] = training.predict(run.fitted, torch.from_numpy(x)).numpy()
        return np.stack([1 - said, said], axis=1) if prepared.problem.task == "binary" else said

    y = prepared.y[valid][known.to_numpy()]
    return figures.regions((names[0], names[1]), features.to_numpy(), y, prepared.problem.class_names, surface)


def weights(network: torch.nn.Module) -> list[dict[str, Any]]:
    """Return a row per parameter: shape, norms, exact zeros."""
    return [
        {
            "name": name,
            "shape": " × ".join(map(str, value.shape)),
            "l1": float(value.detach().abs().sum()),
            "l2": float(value.detach().square().sum().sqrt()),
            "zeros": int((value == 0).sum()),
            "count": value.numel(),
        }
        for name, value in network.named_parameters()
    ]


def columns(prepared: "Prepared") -> list[dict[str, Any]]:
    """Return a row per column of the data: role, type, missing share, distinct values."""
    table = prepared.table
    kinds = {table.target.name: "target", **prepared.kinds}
    rows = []
    for column in [table.target, *table.features.iter_columns()]:
        known = column.fill_nan(None) if column.dtype.is_float() else column
        rows.append(
            {
                "name": column.name,
                "kind": kinds[column.name],
                "dtype": str(column.dtype),
                "missing": known.null_count() / len(known),
                "distinct": known.drop_nulls().n_unique(),
            }
        )
    return rows


def _class_rows(prepared: "Prepared") -> list[tuple[str, int, int]]:
    names = prepared.problem.class_names
    if not names:
        return []
    train, valid = (np.bincount(prepared.y[rows], minlength=len(names)).tolist() for rows in prepared.rows.values())
    return list(zip(names, train, valid, strict=True))[:MOST_CLASSES_SHOWN]
