"""Predictions of a finished run on new rows. Loading a run reads numbers and names; nothing in it is executed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from rich.console import Console
from torch import Tensor, nn

from torchobjectives import Loss, from_config, links
from torchobjectives.workbench import data, preprocessing, stored, training, writing
from torchobjectives.workbench.data import Problem
from torchobjectives.workbench.errors import InputError
from torchobjectives.workbench.frames import as_frame
from torchobjectives.workbench.quiet import Quiet
from torchobjectives.workbench.readings import reading_of
from torchobjectives.workbench.writing import shown


@dataclass(frozen=True)
class FittedRun:
    """A run that can predict; :func:`load` makes it."""

    problem: Problem
    target: str
    target_dtype: pl.DataType
    kinds: dict[str, str]
    transformer: Any
    network: nn.Sequential
    loss: Loss | None
    link: links.Link

    def predict(self, frame: Any) -> pl.DataFrame:
        """Return one row per row of a table, in its order.

        Columns are found by name, others are ignored; unseen categories and missing values are treated as in
        training.

        Args:
            frame: A polars or pandas data frame, or a dictionary of columns.

        Returns:
            ``row``; the network's raw output (``raw``, for several classes ``raw_<class>``); ``prediction``; and
            for classes ``probability_<class>``; for distributions ``mean`` and ``standard_deviation``, and for
            quantiles ``quantile_<level>``, of which the one nearest to the median is the prediction.

        Raises:
            InputError: A column is missing, or holds what it did not hold in training.
        """
        raw = self._raw(frame)
        if not len(raw):
            # scikit-learn refuses no rows at all: any row has the right columns.
            return self.predict(dict.fromkeys(self.kinds))[:0]
        whole, reading = self._read(raw), reading_of(self.loss, self.link)
        said = training.judged(self.problem, reading.value(whole))
        best = said.argmax(1) if self.problem.classes else said
        columns = [pl.Series("row", np.arange(len(raw))), *self._raw_columns(raw.double().numpy())]
        columns.append(self.problem.decode(best, self.target_dtype).alias("prediction"))
        for index, name in enumerate(self.problem.class_names):
            columns.append(pl.Series(f"probability_{name}", said[:, index]))
        for index, name in enumerate(reading.columns):
            columns.append(pl.Series(name, whole[:, index].double().numpy()))
        return pl.DataFrame(columns)

    def _raw(self, frame: Any) -> Tensor:
        features = preprocessing.conform(as_frame(frame, self.kinds), self.kinds)
        if features.is_empty():
            return torch.empty(0)
        x = torch.from_numpy(preprocessing.transform(self.transformer, features))
        return training.predict_raw(self.network, x)

    def _read(self, raw: Tensor) -> Tensor:
        with torch.inference_mode():
            return self.link.inverse(raw) if self.loss is None else self.loss.predict(raw)

    def _raw_columns(self, raw: NDArray[np.float64]) -> list[pl.Series]:
        if raw.ndim == 1:
            return [pl.Series("raw", raw)]
        names: Sequence[object] = range(raw.shape[1])
        if len(self.problem.classes) == raw.shape[1]:
            names = self.problem.class_names
        elif self.loss is not None and type(self.loss).spec.parameters:
            names = type(self.loss).spec.parameters
        return [pl.Series(f"raw_{name}", raw[:, index]) for index, name in enumerate(names)]


def load(run: str | Path) -> FittedRun:
    """Read a run back, to predict with it.

    Nothing in the folder is unpickled or executed: weights are read with torch's ``weights_only``, the
    preprocessing with skops.

    Args:
        run: Folder of the run.

    Returns:
        The run, with ``predict(frame)``.

    Raises:
        InputError: There is no such run, or one of its files is not what a run writes.
    """
    folder = Path(run)
    _check_there(folder)
    path, other = folder / "model.pt", folder / "preprocessing.skops"
    model = stored.read_model(path)
    try:
        kinds = {str(name): str(kind) for name, kind in model["config"]["columns"].items()}
        transformer = stored.load_transformer(other, kinds, model["config"]["architecture"]["inputs"])
        stored.check_belongs(model, path, other)
        fitted = _assembled(model, kinds, transformer)
        _try(fitted)
    except InputError:
        raise
    except stored.ANYTHING as error:
        raise stored.not_written(path, error) from error
    return fitted


def _check_there(folder: Path) -> None:
    try:
        if (folder / "model.pt").is_file():
            return
        unfinished = folder.with_name(folder.name + ".partial") if folder.name else None
        known = unfinished is not None and unfinished.is_dir()
        hint = f"; {unfinished} is unfinished: continue it with fit --resume" if known else ""
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise InputError(f"{shown(folder)} is no run: {reason}") from error
    raise InputError(f"{shown(folder)} is no run: there is no {shown(folder / 'model.pt')}{hint}")


def _assembled(model: dict[str, Any], kinds: dict[str, str], transformer: Any) -> FittedRun:
    config = model["config"]
    loss = None if config["loss"] is None else from_config(config["loss"])
    stored.check_loss(loss, config)
    problem, dtype = stored.problem_of(config)
    return FittedRun(
        problem,
        str(config["target"]),
        dtype,
        kinds,
        transformer,
        stored.network_of(config, model["network"]),
        None if loss is None else stored.load_loss(loss, model["loss"]),
        stored.link_of(loss, config),
    )


def _try(run: FittedRun) -> None:
    """Predict a row in which everything is missing, so that what cannot predict is refused before it is asked to."""
    try:
        said = run._read(run._raw(dict.fromkeys(run.kinds)))
        run.predict(dict.fromkeys(run.kinds))
    except InputError as error:
        raise ValueError(str(error)) from error
    classes = len(run.problem.classes)
    wanted = (1, classes) if run.problem.task == "multiclass" else reading_of(run.loss, run.link).shape(1)
    if said.shape != wanted:
        raise ValueError(f"what it predicts has the shape {tuple(said.shape)}, and there are {classes} classes")
    if said.isnan().any():
        raise ValueError("what it predicts is not a number")


def predict_file(run: Path, file: Path, out: Path | None = None, *, console: Console | None = None) -> Path:
    """Predict the rows of a file and write them; return where."""
    console = console or Quiet()
    fitted = load(run)
    frame, notes = data.read(file, kinds=fitted.kinds)
    target = writing.target_of(run, file, out)
    predicted = fitted.predict(frame)
    for note in notes:
        console.print(f"note: {note}", soft_wrap=True, highlight=False, markup=False)
    writing.write(predicted, target)
    console.print(f"{predicted.height} rows: {target}", soft_wrap=True, highlight=False, markup=False)
    if isinstance(console, Quiet):
        console.settle(f"{predicted.height} rows are in {target}")
    return target
