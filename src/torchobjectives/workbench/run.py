"""One run, from the configuration to the finished folder."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import polars as pl
import torch
from lightning.pytorch.utilities.seed import isolate_rng
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table as RichTable

from torchobjectives._link import IDENTITY
from torchobjectives.workbench import data, metrics, models, objectives, preprocessing, report, training
from torchobjectives.workbench.config import RunConfig
from torchobjectives.workbench.errors import InputError
from torchobjectives.workbench.objectives import Fitted

SPLITS = ("train", "valid")
CONFIG = "config.toml"


@dataclass(frozen=True)
class Prepared:
    """The rows, ready to learn from."""

    table: data.Table
    problem: data.Problem
    kinds: dict[str, str]
    transformer: Any
    x: NDArray[np.float32]
    y: NDArray[Any]
    rows: dict[str, NDArray[Any]]

    @property
    def class_counts(self) -> list[int]:
        """Rows of each class in the training part."""
        if not self.problem.classes:
            return []
        counts: list[int] = np.bincount(self.y[self.rows["train"]], minlength=len(self.problem.classes)).tolist()
        return counts

    def part(self, name: str) -> training.Data:
        """Return one part of the rows as tensors."""
        dtype = torch.int64 if self.problem.task == "multiclass" else torch.float32
        rows = self.rows[name]
        return training.Data(torch.from_numpy(self.x[rows]), torch.as_tensor(self.y[rows], dtype=dtype))


def fit(config: RunConfig, *, console: Console | None = None) -> Path:
    """Fit, judge, report; return the folder of the run."""
    console = console or Console()
    check_folder(config)
    training.accelerator(config.device)
    prepared = prepare(config)
    with isolate_rng():
        lightning.seed_everything(config.seed, verbose=False)
        fitted = assemble(config, prepared)
        with partial_folder(config) as folder:
            _announce(config, prepared, fitted, console)
            train, valid = map(prepared.part, SPLITS)
            history = training.train(fitted, train, valid, config, folder, console)
            predicted = _predict_all(fitted, prepared)
            scores = _scores(prepared, predicted, config.seed)
            save(folder, config, prepared, fitted, history, predicted, scores)
            report.write(folder / "report.html", report.Run(config, prepared, fitted, history, predicted, scores))
    console.print(_score_table(scores))
    console.print(f"report: {config.folder / 'report.html'}", soft_wrap=True, highlight=False, markup=False)
    return config.folder


def check_folder(config: RunConfig) -> None:
    """Refuse a folder that is taken, before any work."""
    folder = config.folder
    if not folder.exists():
        return
    # --overwrite deletes: only ever a folder that is a run.
    if not (folder / CONFIG).is_file() or not (folder / "metrics.json").is_file():
        raise InputError(f"{folder} exists and is no earlier run: name another folder with --out")
    if not config.overwrite:
        raise InputError(f"{folder} exists: name another folder with --out, or pass --overwrite to replace the run")


def prepare(config: RunConfig) -> Prepared:
    """Read the table, split it, and turn it into numbers by what the training rows say."""
    table = data.load(config)
    problem = data.pose(table.target, config.task)
    kinds = preprocessing.column_kinds(table.features)
    features = preprocessing.conform(table.features, kinds)
    y = problem.encode(table.target)
    train, valid = preprocessing.split(y, problem, valid=config.valid, seed=config.seed)
    transformer = preprocessing.fit(kinds, features, train)
    x = preprocessing.transform(transformer, features)
    return Prepared(table, problem, kinds, transformer, x, y, {"train": train, "valid": valid})


def assemble(config: RunConfig, prepared: Prepared) -> Fitted:
    """Build the objective, and the network whose last layer the loss sizes."""
    problem, inputs = prepared.problem, prepared.x.shape[1]
    text = objectives.DEFAULT_LOSSES[problem.task] if config.loss is None else config.loss
    width = config.hidden_sizes[-1] if config.hidden_sizes else inputs
    loss = objectives.build_loss(text, problem, prepared.class_counts, width)
    rescale = None
    if problem.task == "regression" and loss.spec.link is IDENTITY:
        target = prepared.y[prepared.rows["train"]]
        rescale = float(target.mean()), float(target.std()) or 1.0
    network = models.build_network(
        inputs,
        config.hidden_sizes,
        loss.num_outputs(len(problem.classes) or None),
        rescale=rescale,
        log_probabilities=loss.spec.y_pred == "log_probabilities",
    )
    fitted = Fitted(network, loss, objectives.build_objective(config, loss))
    _try(fitted, prepared, text)
    return fitted


def _try(fitted: Fitted, prepared: Prepared, text: str) -> None:
    """Evaluate the objective once on all rows, so that what it refuses is said before training."""
    fitted.objective.eval()
    try:
        with torch.no_grad():
            for part in map(prepared.part, SPLITS):
                fitted.objective(fitted.network(part.x), part.y, model=fitted.network)
    except (TypeError, ValueError) as error:
        raise InputError(f'--loss "{text}" cannot be computed on this data: {error}') from error
    fitted.objective.train()


def _predict_all(fitted: Fitted, prepared: Prepared) -> NDArray[np.float64]:
    """Return the prediction of every row: the value, or the probability of each class."""
    predicted: NDArray[np.float64] = training.predict(fitted, torch.from_numpy(prepared.x)).numpy()
    if not np.isfinite(predicted).all():
        raise InputError("training diverged (predictions are not finite): try a smaller --lr")
    if prepared.problem.task == "binary":
        return np.stack([1 - predicted, predicted], axis=1)
    if prepared.problem.task == "multiclass":
        # float32 probabilities sum to 1 within 1e-7; in float64 they shall do so exactly enough for the metrics.
        normal: NDArray[np.float64] = predicted / predicted.sum(axis=1, keepdims=True)
        return normal
    return predicted


def _scores(prepared: Prepared, predicted: NDArray[np.float64], seed: int) -> dict[str, Any]:
    problem, y, valid = prepared.problem, prepared.y, prepared.rows["valid"]
    constant = metrics.constant_predictions(problem, y[prepared.rows["train"]], len(valid))
    return {
        "task": problem.task,
        "status": "done",
        "valid": metrics.evaluate(problem, y[valid], predicted[valid], seed=seed),
        "baseline": metrics.evaluate(problem, y[valid], constant, seed=seed),
    }


def save(
    folder: Path,
    config: RunConfig,
    prepared: Prepared,
    fitted: Fitted,
    history: pl.DataFrame,
    predicted: NDArray[np.float64],
    scores: dict[str, Any],
) -> None:
    """Write what the run found, but its report."""
    (folder / "metrics.json").write_text(json.dumps(scores, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    history.write_csv(folder / "history.csv")
    preprocessing.save(prepared.transformer, folder / "preprocessing.skops")
    predictions(prepared, predicted).write_parquet(folder / "predictions.parquet")
    problem = prepared.problem
    model = {
        "network": fitted.network.state_dict(),
        "loss": fitted.loss.state_dict(),
        "config": {
            "task": problem.task,
            "target": prepared.table.target.name,
            "classes": problem.classes,
            "columns": prepared.kinds,
            "inputs": prepared.x.shape[1],
            "hidden": config.hidden_sizes,
            "outputs": fitted.loss.num_outputs(len(problem.classes) or None),
            "loss": fitted.loss.to_config(),
        },
    }
    torch.save(model, folder / "model.pt")


def predictions(prepared: Prepared, predicted: NDArray[np.float64]) -> pl.DataFrame:
    """Return one row per row of the data, in its order."""
    problem, target = prepared.problem, prepared.table.target
    part = np.full(len(target), "train", dtype=object)
    part[prepared.rows["valid"]] = "valid"
    best = predicted.argmax(axis=1) if problem.classes else predicted
    columns = [
        pl.Series("row", np.arange(len(target))),
        pl.Series("split", part, dtype=pl.String),
        target.alias("target"),
        problem.decode(best, target.dtype).alias("prediction"),
    ]
    columns += [pl.Series(f"probability_{name}", predicted[:, index]) for index, name in enumerate(problem.class_names)]
    return pl.DataFrame(columns)


@contextmanager
def partial_folder(config: RunConfig) -> Iterator[Path]:
    """Give a folder ``<out>.partial`` that takes the final name when the block is done.

    Wrong input leaves nothing; after any other failure what was written stays under the partial name.
    """
    final = config.folder
    partial = final.with_name(final.name + ".partial")
    if partial.exists() and not (partial / CONFIG).is_file():
        raise InputError(f"{partial} exists and is no unfinished run: name another folder with --out")
    try:
        if partial.exists():
            shutil.rmtree(partial)
        partial.mkdir(parents=True)
        # First of all: by this file an unfinished run is known.
        (partial / CONFIG).write_text(config.to_toml(), encoding="utf-8")
    except OSError as error:
        raise InputError(f"--out {final}: cannot write there ({error.strerror})") from error
    try:
        yield partial
    except InputError:
        shutil.rmtree(partial)
        raise
    if final.exists():
        shutil.rmtree(final)
    partial.rename(final)


def _announce(config: RunConfig, prepared: Prepared, fitted: Fitted, console: Console) -> None:
    problem, rows = prepared.problem, prepared.rows
    table, name = prepared.table, prepared.table.target.name
    auto = f"; the rule of auto: {data.AUTO_RULE}" if config.task == "auto" else ""
    classes = f", classes {', '.join(problem.class_names)}" if problem.classes else ""
    positive = f" (positive: {problem.class_names[1]})" if problem.task == "binary" else ""
    chosen = "" if config.loss else f", the default for {problem.task}"
    lines = {
        "data": f"{config.name}: {len(table.target)} rows ({len(rows['train'])} training, {len(rows['valid'])} "
        f"validation), {table.features.width} columns, {prepared.x.shape[1]} inputs",
        "task": f"{problem.task}: target {name!r}, {problem.reason}{classes}{positive}{auto}",
        "loss": f"{fitted.loss!r}{chosen}",
        "objective": fitted.objective.formula(),
        "model": config.model + (f" {config.hidden}" if config.hidden_sizes else ""),
        "optimizer": f"{config.optimizer}, lr {config.learning_rate:g}, weight decay {config.weight_decay:g}, "
        f"{config.epochs} epochs of batches of {config.batch_size}, gradients clipped at norm "
        f"{training.GRADIENT_NORM:g}",
    }
    for label, text in lines.items():
        console.print(f"{label + ':':<11}{text}", soft_wrap=True, highlight=False, markup=False)
    for note in table.notes:
        console.print(f"{'note:':<11}{note}", soft_wrap=True, highlight=False, markup=False)


def _score_table(scores: dict[str, Any]) -> RichTable:
    table = RichTable(title=f"{scores['task']}, validation rows", title_justify="left")
    for column in ("metric", "value", "95 % interval", "constant baseline"):
        table.add_column(column, justify="left" if column == "metric" else "right")
    for name, score in scores["valid"].items():
        value, low, high = (report.number(score[key]) for key in ("value", "low", "high"))
        table.add_row(name, value, f"{low} – {high}", report.number(scores["baseline"][name]["value"]))
    return table
