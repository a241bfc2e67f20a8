"""One run, from the configuration to the finished folder."""

import errno
import io
import json
import signal
from dataclasses import asdict, dataclass, replace
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

from torchobjectives.check._report import LossReport
from torchobjectives.workbench import (
    checking,
    checkpoints,
    data,
    folders,
    inputs,
    metrics,
    models,
    objectives,
    own,
    preprocessing,
    report,
    resuming,
    scales,
    stored,
    summaries,
    tracing,
    training,
)
from torchobjectives.workbench.batches import Data
from torchobjectives.workbench.callbacks import Interrupts, StoppedError
from torchobjectives.workbench.config import FitOptions, RunConfig, requested
from torchobjectives.workbench.contents import CHECKPOINT
from torchobjectives.workbench.errors import InputError
from torchobjectives.workbench.objectives import Fitted
from torchobjectives.workbench.quiet import Quiet
from torchobjectives.workbench.training import Outcome

SPLITS = ("train", "valid")


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

    def part(self, name: str) -> Data:
        """Return one part of the rows as tensors."""
        # A regression's numbers keep their digits: see models.Rescale.
        dtype = {"multiclass": torch.int64, "binary": torch.float32, "regression": torch.float64}[self.problem.task]
        return Data(torch.from_numpy(self.x), torch.as_tensor(self.y, dtype=dtype), torch.from_numpy(self.rows[name]))


def fit_as_asked(file: Path | None, options: FitOptions) -> str:
    """Fit what a command line asks for; return the status of the run."""
    config = resuming.resumed(file, options) if options.resume else requested(file, options)
    console = Quiet(quiet=training.rank() != 0)
    folder, status = fit_with_status(config, console=console)
    if training.rank() != 0:
        # The first process still polishes and writes. Ctrl-C goes to all, and one that dies of it ends the others.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    console.settle(f"the run is {status}, its report: {folder}/report.html")
    return status


def fit(config: RunConfig, *, console: Console | None = None) -> Path:
    """Fit, judge, report; return the folder of the run."""
    return fit_with_status(config, console=console)[0]


def fit_with_status(config: RunConfig, *, console: Console | None = None) -> tuple[Path, str]:
    """Fit, judge, report; return the folder of the run, and whether it is done or was interrupted."""
    first = training.rank() == 0
    console = console or Quiet(quiet=not first)
    if first:
        folders.check(config)
        if config.resume:
            inputs.check_losses(folders.place_of(config.folder), config)
    training.accelerator(config.device)
    prepared = prepare(config)
    with isolate_rng():
        lightning.seed_everything(config.seed, verbose=False)
        fitted = assemble(config, prepared)
        if not first:
            # Another process of the same run: it trains with the first, which alone writes.
            with Interrupts(console) as interrupts:
                outcome = _train(config, prepared, fitted, folders.partial_of(config), console, interrupts)
            if outcome.failure is not None:
                raise InputError(outcome.failure)
            return config.folder, "done"
        began = inputs.described(config, *map(prepared.part, SPLITS))
        if config.resume:
            place = folders.place_of(config.folder)
            inputs.check_rows(place, began, config)
            checkpoints.check(place / CHECKPOINT, fitted.network.state_dict())
        with folders.building(config, began) as folder:
            _announce(config, prepared, fitted, console)
            checked = _checked(prepared, fitted, console)
            outcome, scores = _fit_in(folder, config, prepared, fitted, checked, console)
    console.print(_score_table(scores))
    if config.makes_zeros:
        console.print(_zeros(scores["sparsity"], outcome), soft_wrap=True, highlight=False)
    epochs = f"{scores['epochs']['done']} of {scores['epochs']['of']} epochs"
    if outcome.failure is not None:
        raise InputError(
            f"{outcome.failure}; what was learnt before is in {config.folder}: mend the loss, then continue with "
            f"--resume --out {config.folder}"
        )
    if outcome.status == "interrupted":
        console.print(f"interrupted after {epochs}; --resume --out {config.folder} continues", soft_wrap=True)
    elif outcome.history.height < config.epochs:
        console.print(f"stopped early after {epochs}{_why_at_once(config, outcome)}")
    if outcome.best_epoch is not None:
        console.print(f"weights of epoch {outcome.best_epoch}, the best by {config.watched}")
    console.print(f"report: {config.folder / 'report.html'}", soft_wrap=True, highlight=False, markup=False)
    return config.folder, outcome.status


def _zeros(sparsity: dict[str, int], outcome: Outcome) -> str:
    """What the penalties made of the weights, in a line."""
    polished = outcome.polished
    by = f"; polished from an objective of {polished.before:.4g} to {polished.after:.4g}" if polished else ""
    return (
        f"{sparsity['zeros']} of {sparsity['weights']} weights are exactly 0, {sparsity['columns_read']} of "
        f"{sparsity['columns']} columns are read{by}"
    )


def _why_at_once(config: RunConfig, outcome: Outcome) -> str:
    """Why patience did not count: what is not finite is no better or worse than anything."""
    last = outcome.history[f"valid_{config.watched}"][-1]
    return "" if np.isfinite(last) else f": {config.watched} became {last:g} on the validation rows"


def _checked(prepared: Prepared, fitted: Fitted, console: Console) -> list[LossReport]:
    """Check the losses of the user's own; what is found is said, and costs no run."""
    reports = checking.check_terms(fitted, prepared)
    for checked in reports:
        text = str(checked) if not checked else checked.headline
        console.print(f"{'check:':<11}{text}", soft_wrap=True, highlight=False, markup=False)
    return reports


def _fit_in(
    folder: Path,
    config: RunConfig,
    prepared: Prepared,
    fitted: Fitted,
    checked: list[LossReport],
    console: Console,
) -> tuple[Outcome, dict[str, Any]]:
    """Train, judge and write into a folder."""
    with Interrupts(console) as interrupts:
        try:
            outcome = _train(config, prepared, fitted, folder, console, interrupts)
            if outcome.failure is not None and not outcome.history.height:
                raise InputError(outcome.failure)
            predicted = training.judged(prepared.problem, training.predict(fitted, torch.from_numpy(prepared.x)))
            if not np.isfinite(predicted).all():
                raise InputError(
                    outcome.failure or "training diverged (predictions are not finite): try a smaller --lr"
                )
            if outcome.failure is not None:
                inputs.release_losses(folder)
            outcome, traced = _trace(config, prepared, fitted, outcome, console, interrupts)
            scores = _scores(prepared, predicted, config, outcome)
            if config.makes_zeros:
                scores["sparsity"] = summaries.sparsity(prepared, fitted)
            if outcome.stationarity is not None:
                scores["stationarity"] = outcome.stationarity
            save(folder, config, prepared, fitted, outcome, predicted, scores)
            if isinstance(traced, tracing.Traced):
                traced.write(folder / "l1_path.csv")
            told = (outcome.plan, outcome.polished, traced, checked)
            page = report.Run(config, prepared, fitted, outcome.history, predicted, scores, *told)
            report.write(folder / "report.html", page)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise
            raise folders.DiskFullError(folder) from error
    return outcome, scores


def _train(
    config: RunConfig, prepared: Prepared, fitted: Fitted, folder: Path, console: Console, interrupts: Interrupts
) -> Outcome:
    train, valid = map(prepared.part, SPLITS)
    return training.train(fitted, train, valid, config, prepared.problem, folder, console, interrupts)


def _trace(
    config: RunConfig, prepared: Prepared, fitted: Fitted, outcome: Outcome, console: Console, interrupts: Interrupts
) -> tuple[Outcome, tracing.Traced | str | None]:
    """Solve for the path that is asked for, once training has come to its end."""
    if config.l1_path is None or outcome.status != "done":
        return outcome, None
    try:
        traced = tracing.trace(config, prepared, fitted, console, interrupts)
    except StoppedError:
        return replace(outcome, status="interrupted"), None
    said = traced if isinstance(traced, str) else traced.line
    failed = "there is none: " if isinstance(traced, str) else ""
    console.print(f"{'path:':<11}{failed}{said}", soft_wrap=True, highlight=False, markup=False)
    return outcome, traced


def prepare(config: RunConfig) -> Prepared:
    """Read the table, split it, and turn it into numbers by what the training rows say."""
    table = data.load(config)
    problem = data.pose(table.target, config.task)
    kinds = preprocessing.column_kinds(table.features)
    features = preprocessing.conform(table.features, kinds)
    # Arrays of polars' are read-only, which torch warns of.
    y = np.require(problem.encode(table.target), requirements="W")
    train, valid = preprocessing.split(y, problem, valid=config.valid, seed=config.seed)
    transformer = preprocessing.fit(kinds, features, train)
    x = preprocessing.transform(transformer, features)
    return Prepared(table, problem, kinds, transformer, x, y, {"train": train, "valid": valid})


def assemble(config: RunConfig, prepared: Prepared) -> Fitted:
    """Build the objective, and the network whose last layer the loss sizes."""
    problem, inputs = prepared.problem, prepared.x.shape[1]
    width = config.hidden_sizes[-1] if config.hidden_sizes else inputs
    terms = objectives.build_terms(config, problem, prepared.class_counts, width)
    try:
        network = architecture(config, prepared, terms[0]).build()
    except (RuntimeError, MemoryError) as error:
        raise InputError(f"--hidden {config.hidden}: the network does not fit into memory") from error
    with torch.no_grad():
        x, y = prepared.part("train")[:8]
        terms = [objectives.with_scalar(term, network(x), y) for term in terms]
    weights = objectives.class_weights(config, problem, prepared.class_counts, terms)
    penalties = objectives.build_penalties(config, network)
    fitted = Fitted(network, terms, objectives.build_objective(config, problem, terms, penalties), weights)
    fitted.objective.eval()
    fitted.network.eval()
    raws, slope = _try(fitted, prepared)
    _check_predictions(fitted, prepared, config, raws[1].detach())
    fitted.objective.train()
    fitted.network.train()
    return replace(fitted, unit=_unit(network, raws[0].detach(), slope))


def _unit(network: torch.nn.Sequential, raw: torch.Tensor, slope: torch.Tensor) -> float:
    """Return the size of the objective's slope before training, as the network feels it; 1 where it is 0.

    A regression's loss is in the target's unit or its square: undivided, its gradients would be of any size.
    """
    rescale = next((m for m in network if isinstance(m, models.Rescale)), None)
    return 1.0 if rescale is None else float((slope.abs() * rescale.steepness(raw)).sum()) or 1.0


def architecture(config: RunConfig, prepared: Prepared, term: objectives.Term) -> models.Architecture:
    """Return the network's plan: the loss says how wide it ends and what it gives."""
    problem = prepared.problem
    loss, outputs = term.speaks, term.num_outputs(len(problem.classes) or None)
    rescale, floor = None, None
    if problem.task == "regression":
        rescale, floor = scales.scales_of(loss, term.link, outputs, prepared.y[prepared.rows["train"]])
    return models.Architecture(
        inputs=prepared.x.shape[1],
        hidden=config.hidden_sizes,
        outputs=outputs,
        dropout=config.dropout if config.hidden_sizes else 0.0,
        rescale=rescale,
        floor=floor,
        log_probabilities=loss is not None and type(loss).spec.y_pred == "log_probabilities",
    )


def _try(fitted: Fitted, prepared: Prepared) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Evaluate the objective once on all rows, so that what it refuses is said before training.

    Returns:
        The raw predictions of the training and the validation rows, and the objective's slope on the former.
    """
    what = f'--loss "{" + ".join(term.text for term in fitted.terms)}"'
    files = [term.own for term in fitted.terms if term.own is not None]
    raws, values = [], []
    try:
        for part in map(prepared.part, SPLITS):
            raw, y = training.raw_and_truth(fitted.network, part)
            raws.append(raw.requires_grad_())
            given = raw.clone()
            values.append(fitted.evaluate(given, y))
            _check_value(values[-1], what)
            if given._version or y._version:
                raise InputError(f"{what} changes y_pred or y_true in place, for other terms and metrics, too: copy it")
        return raws, _slope(values, raws, what)
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        if not isinstance(error, TypeError | ValueError) and not files:
            raise
        # A loss of the user's own may fail in any way.
        raise InputError(f"{what} cannot be computed on this data: {own.reason(error, *files)}") from error


def _check_value(value: torch.Tensor, what: str) -> None:
    if value.is_complex():
        raise InputError(f"{what} gives a complex number: return a real one, such as its .abs() or .real")
    if not torch.isfinite(value):
        raise InputError(
            f"{what}: the objective is {float(value.detach()):g} before any training: rescale the target, "
            "or change hyper-parameters and coefficients"
        )


def _slope(values: list[torch.Tensor], raws: list[torch.Tensor], what: str) -> torch.Tensor:
    """The slope of the first value in its raw predictions; the second value must know nothing of them."""
    slope, left_over = (
        torch.autograd.grad(value, raws[0], allow_unused=True)[0] if value.requires_grad else None for value in values
    )
    if left_over is not None:
        raise InputError(f"{what}: {own.KEPT_GRAPH}")
    if slope is None:
        raise InputError(
            f"{what} has no gradient, so nothing would be learnt from it: no .detach(), .item(), no_grad, argmax, "
            "rounding or comparison may stand between y_pred and its value"
        )
    if not slope.isfinite().all():
        raise InputError(
            f"{what}: the slope of the objective is not finite before any training: a root, a logarithm or a "
            "quotient is too near to 0"
        )
    return slope


def _check_predictions(fitted: Fitted, prepared: Prepared, config: RunConfig, raw: torch.Tensor) -> None:
    """Refuse predictions of another shape than the target's, and a metric to go by that these rows do not define."""
    problem = prepared.problem
    said, reading = fitted.read(raw), fitted.terms[0].reading
    wanted = (len(raw), len(problem.classes)) if problem.task == "multiclass" else reading.shape(len(raw))
    if tuple(said.shape) != wanted:
        what = " + ".join(term.text for term in fitted.terms)
        raise InputError(f'--loss "{what}" gives predictions of shape {tuple(said.shape)}, wanted {wanted}')
    metric = metrics.metrics_of(problem).get(config.watched or "")
    if metric is None or not said.isfinite().all():
        return
    if np.isnan(metric(prepared.y[prepared.rows["valid"]], training.judged(problem, reading.value(said)))):
        raise InputError(
            f"--monitor {config.watched} is not defined on the validation rows ({len(raw)}, too few or too much "
            "alike): take objective, or a larger --valid"
        )


def _scores(prepared: Prepared, predicted: NDArray[np.float64], config: RunConfig, outcome: Outcome) -> dict[str, Any]:
    problem, y, valid = prepared.problem, prepared.y, prepared.rows["valid"]
    constant = metrics.constant_predictions(problem, y[prepared.rows["train"]], len(valid))
    scores: dict[str, Any] = {
        "task": problem.task,
        "status": outcome.status,
        "valid": metrics.evaluate(problem, y[valid], predicted[valid], seed=config.seed),
        "baseline": metrics.evaluate(problem, y[valid], constant, seed=config.seed),
        "epochs": {"done": outcome.history.height, "of": config.epochs, "best": outcome.best_epoch},
    }
    if len(problem.classes) == 2:
        scores["threshold"] = metrics.choose_threshold(y[valid], predicted[valid])
    return scores


def save(
    folder: Path,
    config: RunConfig,
    prepared: Prepared,
    fitted: Fitted,
    outcome: Outcome,
    predicted: NDArray[np.float64],
    scores: dict[str, Any],
) -> None:
    """Write what the run found, but its report."""
    (folder / "metrics.json").write_text(json.dumps(scores, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    outcome.history.write_csv(folder / "history.csv")
    preprocessing.save(prepared.transformer, folder / "preprocessing.skops")
    problem, term = prepared.problem, fitted.terms[0]
    table = predictions(prepared, predicted)
    if term.reading.columns:
        said = training.predict(fitted, torch.from_numpy(prepared.x), whole=True).numpy()
        table = table.with_columns(pl.Series(name, said[:, k]) for k, name in enumerate(term.reading.columns))
    table.write_parquet(folder / "predictions.parquet")
    model: dict[str, Any] = {
        "network": fitted.network.state_dict(),
        "loss": term.loss.state_dict() if isinstance(term.loss, torch.nn.Module) else {},
        "config": {
            "task": problem.task,
            "target": prepared.table.target.name,
            "classes": problem.classes,
            "target_dtype": str(prepared.table.target.dtype),
            "columns": prepared.kinds,
            "architecture": asdict(architecture(config, prepared, term)),
            # A loss from the user's file is not made again: that would run the file. Its link says all.
            "loss": None if term.speaks is None or term.own is not None else term.speaks.to_config(),
            "link": term.link.name,
        },
    }
    model["sha256"] = stored.digests(model["config"], folder / "preprocessing.skops")
    # By way of memory: where the disk is full, torch's own writer says so in other words than the system's.
    buffer = io.BytesIO()
    torch.save(model, buffer)
    (folder / "model.pt").write_bytes(buffer.getvalue())


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


def _announce(config: RunConfig, prepared: Prepared, fitted: Fitted, console: Console) -> None:
    problem, rows = prepared.problem, prepared.rows
    table, name = prepared.table, prepared.table.target.name
    auto = f"; the rule of auto: {data.AUTO_RULE}" if config.task == "auto" else ""
    classes = f", classes {', '.join(problem.class_names)}" if problem.classes else ""
    positive = f" (positive: {problem.class_names[1]})" if problem.task == "binary" else ""
    chosen = "" if config.loss else f", the default for {problem.task}"
    losses = " + ".join(term.shown for term in fitted.terms)
    lines = {
        "data": f"{config.name}: {len(table.target)} rows ({len(rows['train'])} training, {len(rows['valid'])} "
        f"validation), {table.features.width} columns, {prepared.x.shape[1]} inputs",
        "task": f"{problem.task}: target {name!r}, {problem.reason}{classes}{positive}{auto}",
        "loss": f"{losses}{chosen}",
        "objective": fitted.objective.formula(),
        "model": config.model
        + (f" {config.hidden}" if config.hidden_sizes else "")
        + (f", dropout {config.dropout:g}" if config.hidden_sizes and config.dropout else ""),
        "optimizer": f"{config.optimizer}, lr {config.learning_rate:g}, weight decay {config.weight_decay:g}"
        f"{_decoupled(config)}, "
        f"{config.epochs} epochs of batches of {config.batch_size}, gradients clipped at norm "
        f"{training.GRADIENT_NORM:g}{training.beyond(fitted, config)}"
        + (f"; stops after {config.patience} epochs without a better {config.watched}" if config.patience else ""),
    }
    if config.class_weight == "balanced" and fitted.class_weights is not None:
        shown = ", ".join(
            f"{n} {w:.3g}" for n, w in zip(problem.class_names, fitted.class_weights.tolist(), strict=True)
        )
        lines["weights"] = f"of rows, by class: {shown}"
    for label, text in lines.items():
        console.print(f"{label + ':':<11}{text}", soft_wrap=True, highlight=False, markup=False)
    for note in table.notes:
        console.print(f"{'note:':<11}{note}", soft_wrap=True, highlight=False, markup=False)


def _decoupled(config: RunConfig) -> str:
    return " (decoupled, which is not L2)" if config.decoupled else ""


def _score_table(scores: dict[str, Any]) -> RichTable:
    table = RichTable(title=f"{scores['task']}, validation rows", title_justify="left")
    for column in ("metric", "value", "95 % interval", "constant baseline"):
        table.add_column(column, justify="left" if column == "metric" else "right")
    for name, score in scores["valid"].items():
        value, low, high = (report.number(score[key]) for key in ("value", "low", "high"))
        table.add_row(name, value, f"{low} – {high}", report.number(scores["baseline"][name]["value"]))
    return table
