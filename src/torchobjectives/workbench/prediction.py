"""Predictions of a finished run on new rows. Loading a run reads numbers and names; nothing in it is executed."""

import pickle
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
from torchobjectives.workbench import data, preprocessing, training, writing
from torchobjectives.workbench.data import Problem
from torchobjectives.workbench.errors import InputError
from torchobjectives.workbench.frames import as_frame
from torchobjectives.workbench.models import Architecture
from torchobjectives.workbench.quiet import Quiet
from torchobjectives.workbench.writing import shown

LINKS = {link.name: link for link in (getattr(links, name) for name in links.__all__) if isinstance(link, links.Link)}


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
            for classes ``probability_<class>``.

        Raises:
            InputError: A column is missing, or holds what it did not hold in training.
        """
        features = preprocessing.conform(as_frame(frame, self.kinds), self.kinds)
        if features.is_empty():
            # scikit-learn refuses no rows at all: any row has the right columns.
            return self.predict(pl.DataFrame({name: [None] for name in self.kinds}))[:0]
        x = torch.from_numpy(preprocessing.transform(self.transformer, features))
        raw = training.predict_raw(self.network, x)
        said = training.judged(self.problem, self._read(raw))
        best = said.argmax(1) if self.problem.classes else said
        columns = [pl.Series("row", np.arange(len(x))), *self._raw_columns(raw.double().numpy())]
        columns.append(self.problem.decode(best, self.target_dtype).alias("prediction"))
        for index, name in enumerate(self.problem.class_names):
            columns.append(pl.Series(f"probability_{name}", said[:, index]))
        return pl.DataFrame(columns)

    def _read(self, raw: Tensor) -> Tensor:
        with torch.inference_mode():
            return self.link.inverse(raw) if self.loss is None else self.loss.predict(raw)

    def _raw_columns(self, raw: NDArray[np.float64]) -> list[pl.Series]:
        if raw.ndim == 1:
            return [pl.Series("raw", raw)]
        names = self.problem.class_names if len(self.problem.classes) == raw.shape[1] else range(raw.shape[1])
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
    model = _model(folder / "model.pt")
    transformer = preprocessing.load(folder / "preprocessing.skops")
    try:
        return _assembled(model, transformer)
    except (AttributeError, KeyError, IndexError, TypeError, ValueError, RuntimeError, MemoryError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{folder / 'model.pt'} is not what a run writes: {type(error).__name__}: {reason}") from error


def _check_there(folder: Path) -> None:
    try:
        if (folder / "model.pt").is_file():
            return
        unfinished = folder.with_name(folder.name + ".partial") if folder.name else folder
        hint = f"; {unfinished} is unfinished: continue it with fit --resume" if unfinished.is_dir() else ""
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise InputError(f"{shown(folder)} is no run: {reason}") from error
    raise InputError(f"{shown(folder)} is no run: there is no {shown(folder / 'model.pt')}{hint}")


def _model(path: Path) -> dict[str, Any]:
    try:
        model = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, OSError, KeyError, AttributeError) as error:
        raise InputError(
            f"{path} is refused: it is damaged, or holds more than numbers and names ({type(error).__name__})"
        ) from error
    if not isinstance(model, dict):
        raise InputError(f"{path} is refused: it holds a {type(model).__name__}, not a model")
    return model


def _assembled(model: dict[str, Any], transformer: Any) -> FittedRun:
    config = model["config"]
    network = Architecture(**config["architecture"]).build()
    network.load_state_dict(model["network"])
    loss = None if config["loss"] is None else from_config(config["loss"])
    if loss is not None:
        loss.load_state_dict(model["loss"])
        loss.eval()
    dtype = getattr(pl, config["target_dtype"])
    if not (isinstance(dtype, type) and issubclass(dtype, pl.DataType)):
        raise ValueError(f"{config['target_dtype']} is no type of a column")
    return FittedRun(
        Problem(config["task"], "as in the run", list(config["classes"])),
        str(config["target"]),
        dtype(),
        {str(name): str(kind) for name, kind in config["columns"].items()},
        transformer,
        network.eval(),
        loss,
        LINKS[config["link"]],
    )


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
    return target
