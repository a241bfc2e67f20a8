"""The report: one page that stands alone, without script and without network."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import torch
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix

from torchobjectives.check._report import LossReport
from torchobjectives.workbench import (
    data,
    drawing,
    figures,
    metrics,
    optimality_figures,
    preprocessing,
    summaries,
    training,
)
from torchobjectives.workbench.carrying import Polished
from torchobjectives.workbench.config import RunConfig
from torchobjectives.workbench.objectives import Fitted
from torchobjectives.workbench.text import cut, number, visible
from torchobjectives.workbench.tracing import Traced

if TYPE_CHECKING:
    from torchobjectives.workbench.run import Prepared

__all__ = ["Run", "number", "write"]

MOST_CLASSES_SHOWN = 30
MOST_COLUMNS_SHOWN = 200
MOST_USED = 15
# What the top of the page shows large.
HEADLINE = {
    "binary": ("roc_auc", "average_precision", "f1", "calibration_error"),
    "multiclass": ("accuracy", "roc_auc", "f1", "calibration_error"),
    "regression": ("r2", "mae", "rmse"),
}
Figure = tuple[Markup, str]


@dataclass(frozen=True)
class Run:
    """What the report is about."""

    config: RunConfig
    prepared: "Prepared"
    fitted: Fitted
    history: pl.DataFrame
    predicted: NDArray[np.float64]
    scores: dict[str, Any]
    # How the optimizer applied the penalties, and what polishing did.
    plan: str | None = None
    polished: Polished | None = None
    # The path that was asked for, or why there is none.
    traced: Traced | str | None = None
    # What checks say of the losses of the user's own.
    checked: Sequence[LossReport] = ()


def write(path: Path, run: Run) -> None:
    """Write the report of a run."""
    path.write_text(_template().render(_contents(run)), encoding="utf-8")


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("torchobjectives.workbench"),
        autoescape=True,
        # Names come from the user's file, and a name may hold anything.
        finalize=lambda value: visible(value) if type(value) is str else value,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number
    environment.filters["cut"] = cut
    return environment.get_template("report.html.j2")


def _contents(run: Run) -> dict[str, Any]:
    prepared, valid = run.prepared, run.prepared.rows["valid"]
    problem = prepared.problem
    columns = summaries.columns(prepared)
    class_rows = summaries.class_rows(prepared)
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
        "beyond": training.beyond(run.fitted, run.config),
        "loss": run.fitted.terms[0].shown,
        "formula": run.fitted.objective.formula(),
        "scores": run.scores,
        "interrupted": run.scores["status"] == "interrupted",
        "epochs_done": run.history.height,
        "headline": HEADLINE[problem.task],
        "lower_is_better": metrics.LOWER_IS_BETTER,
        "resamples": metrics.resamples(problem, len(valid)),
        "learning": _learning(run.history),
        "confusion": _confusion(problem, prepared.y[valid], run.predicted[valid]),
        "thresholds": _thresholds(run),
        "judged": _judged(run),
        "weights": summaries.weights(run.fitted.network, run.fitted.objective),
        "use": _attempted(lambda: summaries.use(prepared, run.fitted.network)),
        "most_used": MOST_COLUMNS_SHOWN if run.config.makes_zeros else MOST_USED,
        "decay": summaries.decay(run.config, run.fitted.unit),
        "plan": run.plan,
        "polished": run.polished,
        "stationarity": run.scores.get("stationarity"),
        "checked": run.checked,
        "traced": run.traced,
        "traced_figure": _attempted(lambda: _path(run.traced)),
        "notes": list(getattr(prepared.table, "notes", ())),
        "columns": columns[:MOST_COLUMNS_SHOWN],
        "width": len(columns),
        "gaps": sum(column["missing"] > 0 for column in columns),
        "missing": sum(column["missing"] for column in columns) / len(columns),
        "class_rows": class_rows[:MOST_CLASSES_SHOWN],
        "environment": summaries.environment(training.accelerator(run.config.device)),
    }


def _attempted(make: Callable[[], Any]) -> Any:
    """Return what ``make`` makes, else a sentence that says why not.

    A finished run must not be lost to its description, whatever it is that fails there.
    """
    try:
        return make()
    except Exception as error:
        return Markup('<p class="failed">This could not be drawn: {}</p>').format(
            visible(f"{type(error).__name__}: {error}")
        )


def _path(traced: Traced | str | None) -> Markup | None:
    """Draw the path, where there is one."""
    if not isinstance(traced, Traced):
        return None
    line = "weight" if traced.single else "norm of weights"
    return drawing.draw_figure(
        lambda figure: optimality_figures.paint_path(figure, traced.path, traced.names, line),
        label="Weights on each input, those that are not 0, and the validation loss, by the coefficient of l1",
        size=(7.0, 6.0),
    )


def _learning(history: pl.DataFrame) -> list[Figure]:
    terms = [name.removeprefix("train_") for name in history.columns if name.startswith("train_")]
    parts = [term for term in terms if term != "objective"]
    # Of a single term the objective is the sum.
    shown = terms if len(parts) != 1 or "objective" not in terms else ["objective"]
    whole = "The whole objective" + (f", which is the term {parts[0]} alone" if len(parts) == 1 else "")
    return [
        (
            _attempted(lambda term=term: figures.learning_curve(history, term)),  # type: ignore[misc]
            whole if term == "objective" else f"The term {term}",
        )
        for term in shown
        if history.height
    ]


def _judged(run: Run) -> list[Figure]:
    problem, valid = run.prepared.problem, run.prepared.rows["valid"]
    y, predicted, names = run.prepared.y[valid], run.predicted[valid], problem.class_names
    threshold = run.scores.get("threshold")
    if names:
        made = [
            (
                _attempted(lambda: figures.precision_recall(y, predicted, names, threshold)),
                "Precision and recall at every threshold"
                + (f" on the probability of {cut(names[1], 60)}." if len(names) == 2 else ", class against rest."),
            ),
            (
                _attempted(lambda: figures.reliability(y, predicted)),
                "Reliability: on the dotted line, probabilities mean what they say.",
            ),
        ]
    else:
        made = [
            (_attempted(lambda: figures.residuals(y, predicted)), "Residuals, by prediction."),
            (_attempted(lambda: figures.residual_histogram(y, predicted)), "Residuals, counted."),
        ]
    plane = _attempted(lambda: _regions(run))
    if plane is not None:
        made.append((plane, "What the model says over the plane of its two columns, with validation rows."))
    return made


def _thresholds(run: Run) -> list[tuple[str, dict[str, float]]]:
    """Return the threshold that predictions use and the one chosen, each with what it gives."""
    chosen = run.scores.get("threshold")
    if chosen is None:
        return []
    valid = run.prepared.rows["valid"]
    were, called = run.prepared.y[valid] == 1, run.predicted[valid].argmax(1) == 1
    hits = float((were & called).sum())
    usual = {
        "value": 0.5,
        "precision": hits / max(1, called.sum()),
        "recall": hits / max(1, were.sum()),
        "f1": 2 * hits / max(1, called.sum() + were.sum()),
    }
    return [("as predicted", usual), ("best by F1", chosen)]


def _confusion(problem: data.Problem, y: NDArray[Any], predicted: NDArray[Any]) -> list[list[int]] | None:
    if not 0 < len(problem.classes) <= MOST_CLASSES_SHOWN:
        return None
    counts = confusion_matrix(y, predicted.argmax(1), labels=range(len(problem.classes)))
    rows: list[list[int]] = counts.tolist()
    return rows


def _regions(run: Run) -> Markup | None:
    """Draw the plane, where the model has two columns of numbers and nothing else."""
    prepared = run.prepared
    if list(prepared.kinds.values()) != ["numeric", "numeric"]:
        return None
    first, second = prepared.kinds
    valid = prepared.rows["valid"]
    features = preprocessing.conform(prepared.table.features, prepared.kinds)[valid]
    known = features.select(pl.all_horizontal(pl.all().is_not_null())).to_series().to_numpy()
    if not known.any():
        return None

    def surface(points: NDArray[Any]) -> NDArray[Any]:
        frame = pl.DataFrame({first: points[:, 0], second: points[:, 1]})
        x = preprocessing.transform(prepared.transformer, frame)
        said: NDArray[Any] = training.predict(run.fitted, torch.from_numpy(x)).numpy()
        return np.stack([1 - said, said], axis=1) if prepared.problem.task == "binary" else said

    points, y = features.to_numpy()[known], prepared.y[valid][known]
    return figures.regions((first, second), points, y, prepared.problem.class_names, surface)
