"""Tables in, and what is to be predicted: files, bundled data, the target and its task."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import polars.exceptions
from numpy.typing import NDArray

from torchobjectives._validate import near
from torchobjectives.workbench.config import RunConfig, Task
from torchobjectives.workbench.errors import InputError

MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "?"]
MOST_CLASSES = 20
AUTO_RULE = (
    f"text, true/false and whole numbers with at most {MOST_CLASSES} distinct values are classes "
    "(2: binary, more: multiclass), other numbers regression"
)


@dataclass(frozen=True)
class Table:
    """A table split into what is known and what is to be predicted."""

    features: pl.DataFrame
    target: pl.Series
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Problem:
    """What is to be predicted: the task, why, the classes by their indices, and what else would be possible."""

    task: Task
    reason: str
    classes: list[Any] = field(default_factory=list)
    possible: tuple[str, ...] = ()

    @property
    def class_names(self) -> list[str]:
        """The classes as they are written in the data."""
        return [_class_name(value) for value in self.classes]

    def encode(self, target: pl.Series) -> NDArray[Any]:
        """Return the target as numbers: the value, or the index of the class."""
        if self.task == "regression":
            return target.cast(pl.Float64).to_numpy()
        indices = {name: index for index, name in enumerate(self.classes)}
        return np.array([indices[value] for value in target.to_list()], dtype=np.int64)

    def decode(self, values: NDArray[Any], dtype: pl.DataType) -> pl.Series:
        """Return predictions in the form of the target: values, or classes."""
        if self.task == "regression":
            return pl.Series(values, dtype=pl.Float64)
        return pl.Series([self.classes[index] for index in values], dtype=dtype)


def _class_name(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    # Whole numbers are read as fractional ones where a column had gaps: 1.0 is class 1.
    return str(int(value)) if isinstance(value, float) else str(value)


def load(config: RunConfig) -> Table:
    """Read the table that the configuration names and take the target out of it."""
    if config.dataset is not None:
        frame, target = DATASETS[config.dataset]()
        target = config.target or target
    else:
        assert config.data is not None
        frame, target = read(config.data), config.target or ""
    if target not in frame.columns:
        raise InputError(f"there is no column {target!r} in {config.source}. {near(target, frame.columns)}")
    if frame.height == 0:
        raise InputError(f"{config.source} has a header and no rows: nothing to learn from")
    if frame.width == 1:
        raise InputError(f"{config.source} has no column beside the target {target!r}: nothing to predict from")
    return Table(frame.drop(target), clean_target(frame[target]))


def read(path: Path) -> pl.DataFrame:
    """Read a CSV or Parquet file."""
    if not path.exists():
        siblings = [file.name for file in path.parent.iterdir()] if path.parent.is_dir() else []
        tables = [name for name in siblings if Path(name).suffix.lower() in READERS]
        raise InputError(f"there is no file {path}" + (f". {near(path.name, tables)}" if tables else ""))
    if not path.is_file():
        raise InputError(f"{path} is not a file: name a CSV or Parquet file")
    if path.suffix.lower() not in READERS:
        raise InputError(f"{path}: cannot read {path.suffix or 'a file without suffix'}, only .csv and .parquet")
    try:
        return READERS[path.suffix.lower()](path)
    except polars.exceptions.NoDataError:
        raise InputError(f"{path} is empty: a header and rows are wanted") from None
    except (polars.exceptions.PolarsError, OSError) as error:
        first = str(error).strip().splitlines()[0].rstrip(".:")
        raise InputError(f"{path} cannot be read as {path.suffix[1:]}: {first}") from error


def _read_csv(path: Path) -> pl.DataFrame:
    # The whole file decides a column's type: a type guessed from the first rows fails on the first odd one.
    return pl.read_csv(path, null_values=MISSING, try_parse_dates=True, infer_schema_length=None)


READERS: dict[str, Callable[[Path], pl.DataFrame]] = {
    ".csv": _read_csv,
    ".parquet": pl.read_parquet,
    ".pq": pl.read_parquet,
}


def clean_target(target: pl.Series) -> pl.Series:
    """Return the target in a plain type; refuse one that is missing, infinite or constant."""
    name = target.name
    if target.dtype.is_float():
        target = target.fill_nan(None)
    missing = target.null_count()
    if missing:
        where = f"first in data row {target.is_null().arg_max()}" if missing < len(target) else "all of them"
        raise InputError(
            f"the target {name!r} is missing in {missing} of {len(target)} rows ({where}, counted from 0): "
            "remove these rows or fill them in"
        )
    if target.dtype.is_numeric() and target.cast(pl.Float64).is_infinite().any():
        raise InputError(f"the target {name!r} holds infinite values: remove these rows or correct them")
    if isinstance(target.dtype, pl.Categorical | pl.Enum):
        target = target.cast(pl.String)
    if not (target.dtype.is_numeric() or target.dtype in (pl.String, pl.Boolean)):
        raise InputError(f"the target {name!r} holds {target.dtype}: wanted numbers, text or true/false")
    if target.n_unique() < 2:
        raise InputError(f"the target {name!r} is constant ({target[0]!r} in every row): nothing to predict")
    if target.dtype.is_decimal():
        target = target.cast(pl.Float64)
    return target


def pose(target: pl.Series, task: str = "auto") -> Problem:
    """Find the task of a clean target, or check the one asked for."""
    found, reason = _guess(target)
    if task == "auto":
        return Problem(found, reason, _classes(target) if found != "regression" else [], _possible(target))
    if task == "regression":
        if not target.dtype.is_numeric():
            raise InputError(
                f"--task regression: the target {target.name!r} holds {_kind(target)} "
                f"(such as {target[0]!r}), wanted numbers; --task {found} would fit"
            )
        return Problem("regression", "as asked", [], _possible(target))
    if _kind(target) == "fractional numbers":
        raise InputError(
            f"--task {task}: the target {target.name!r} holds fractional numbers (such as {target[0]!r}), "
            "wanted classes; --task regression would fit"
        )
    classes = _classes(target)
    if task == "binary" and len(classes) != 2:
        raise InputError(
            f"--task binary: the target {target.name!r} has {len(classes)} distinct values, wanted 2; "
            f"--task {found if found != 'binary' else 'multiclass'} would fit"
        )
    return Problem("binary" if task == "binary" else "multiclass", "as asked", classes, _possible(target))


def _guess(target: pl.Series) -> tuple[Task, str]:
    distinct, kind = target.n_unique(), _kind(target)
    reason = f"{kind}, {distinct} distinct values"
    if kind == "fractional numbers" or (kind == "whole numbers" and distinct > MOST_CLASSES):
        return "regression", reason
    return ("binary" if distinct == 2 else "multiclass"), reason


def _possible(target: pl.Series) -> tuple[str, ...]:
    classes = () if _kind(target) == "fractional numbers" else ("multiclass",)
    two = ("binary",) if target.n_unique() == 2 else ()
    return (*two, *classes, *(("regression",) if target.dtype.is_numeric() else ()))


def _kind(target: pl.Series) -> str:
    if not target.dtype.is_numeric():
        return "true/false" if target.dtype == pl.Boolean else "text"
    whole = not target.dtype.is_float() or bool((target == target.floor()).all())
    return "whole numbers" if whole else "fractional numbers"


def _classes(target: pl.Series) -> list[Any]:
    classes: list[Any] = target.unique().sort().to_list()
    return classes


def _bundled(name: str, target: str) -> tuple[pl.DataFrame, str]:
    import sklearn.datasets

    # The scaled form of the diabetes data cannot be read by a person; the raw one can.
    options = {"scaled": False} if name == "diabetes" else {}
    bunch = getattr(sklearn.datasets, f"load_{name}")(**options)
    frame = pl.DataFrame(bunch.data, schema=[str(column) for column in bunch.feature_names], orient="row")
    values = bunch.target
    if name in ("breast_cancer", "wine"):
        values = [str(bunch.target_names[index]) for index in values]
    return frame.with_columns(pl.Series(target, values)), target


def _two_rings() -> tuple[pl.DataFrame, str]:
    generator = np.random.default_rng(0)
    label = np.repeat([1, 0], [1000, 6000])
    radius = generator.normal(np.where(label == 1, 5.0, 8.0), 1.0)
    angle = generator.uniform(0.0, 2 * np.pi, len(label))
    columns = {"x": radius * np.cos(angle), "y": radius * np.sin(angle), "label": label}
    return pl.DataFrame(columns), "label"


DATASETS: dict[str, Callable[[], tuple[pl.DataFrame, str]]] = {
    "breast_cancer": lambda: _bundled("breast_cancer", "diagnosis"),
    "digits": lambda: _bundled("digits", "digit"),
    "wine": lambda: _bundled("wine", "cultivar"),
    "diabetes": lambda: _bundled("diabetes", "progression"),
    "two_rings": _two_rings,
}
