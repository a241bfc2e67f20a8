"""What is to be learnt from: the table of a run, its target and the task."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from torchobjectives._validate import near
from torchobjectives.workbench.cells import kind_of, listed, not_numbers, row, text_among_numbers, text_cells
from torchobjectives.workbench.config import RunConfig, Task
from torchobjectives.workbench.errors import InputError
from torchobjectives.workbench.reading import read as read

MOST_CLASSES = 20
MOST_CATEGORIES = 50
# Squares of larger numbers overflow, of smaller differences vanish; a difference in the last digits is noise.
LARGEST_TARGET, LEAST_SPREAD, LEAST_SHARE = 1e150, 1e-150, 1e-13
AUTO_RULE = (
    f"text, true/false and whole numbers with at most {MOST_CLASSES} distinct values are classes "
    "(2: binary, more: multiclass), other numbers regression"
)


@dataclass(frozen=True)
class Table:
    """A table split into what is known and what is to be predicted; notes say what was not the plain case."""

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
        unknown = ~target.is_in(self.classes)
        if unknown.any():
            first = row(unknown)
            raise InputError(
                f"the target {target.name!r} holds a class that is not known (row {first}: {target[first - 1]!r}): "
                f"known are {', '.join(map(repr, self.class_names[:MOST_CLASSES]))}"
            )
        indices = target.replace_strict(self.classes, range(len(self.classes)), return_dtype=pl.Int64)
        return indices.to_numpy()

    def decode(self, values: NDArray[Any], dtype: pl.DataType) -> pl.Series:
        """Return predictions in the form of the target: values, or classes."""
        if self.task == "regression":
            return pl.Series(values, dtype=pl.Float64)
        return pl.Series(self.classes, dtype=dtype).gather(values)


def _class_name(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    # Whole numbers are read as fractional ones where a column had gaps: 1.0 is class 1.
    return str(int(value)) if isinstance(value, float) else str(value)


def load(config: RunConfig) -> Table:
    """Read the table that the configuration names and take the target out of it."""
    if config.dataset is not None:
        frame, default = DATASETS[config.dataset]()
        wanted, notes = config.target or default, tuple[str, ...]()
    else:
        assert config.data is not None
        wanted = config.target or ""
        frame, notes = read(config.data, header=config.header, expected=(wanted,))
    target = find_target(frame.columns, wanted, config.source)
    if frame.height == 0:
        raise InputError(f"{config.source} has a header and no rows: nothing to learn from")
    if frame.width == 1:
        raise InputError(f"{config.source} has no column beside the target {target!r}: nothing to predict from")
    features = frame.drop(target)
    for name, dtype in features.schema.items():
        kind_of(name, dtype)
    return Table(features, clean_target(frame[target]), (*notes, *_telling_little(features)))


def find_target(columns: list[str], wanted: str, source: str) -> str:
    """Return the column of this name, else of this position: 0 the first, -1 the last.

    >>> find_target(["a", "b"], "-1", "data.csv")
    'b'
    """
    if wanted.strip() in columns:
        return wanted.strip()
    try:
        position = int(wanted)
    except ValueError:
        raise InputError(f"there is no column {wanted!r} in {source}. {near(wanted, columns)}") from None
    if not -len(columns) <= position < len(columns):
        raise InputError(
            f"there is no column {wanted!r} in {source}, and no such position: it has {len(columns)} columns, "
            f"0 to {len(columns) - 1}, and -1 is the last"
        )
    return columns[position]


def _telling_little(features: pl.DataFrame) -> list[str]:
    """Say which columns have one value, or none, or more categories than are told apart."""
    known = {column.name: column.drop_nulls() for column in features.iter_columns()}
    empty = [name for name, column in known.items() if column.is_empty()]
    single = [name for name, column in known.items() if len(column) == features.height and (column == column[0]).all()]
    many = {name: column.n_unique() for name, column in known.items() if column.dtype == pl.String}
    notes = [f"{listed(empty)}: no value in any row, which tells nothing"] if empty else []
    notes += [f"{listed(single)}: one value in every row, which tells nothing"] if single else []
    return notes + [
        f"column {name!r}: {count} categories, of which all but the {MOST_CATEGORIES - 1} most frequent count as one"
        for name, count in many.items()
        if count > MOST_CATEGORIES
    ]


def clean_target(target: pl.Series) -> pl.Series:
    """Return the target in a plain type; refuse one that is missing, constant, or of numbers that overflow."""
    name = target.name
    if target.dtype.is_float():
        target = target.fill_nan(None)
    missing = target.null_count()
    if missing:
        first = (
            f"{missing} of {len(target)} rows (first in row {row(target.is_null())}, counted from 1 after the header)"
        )
        where = first if missing < len(target) else f"all {missing} rows"
        raise InputError(f"the target {name!r} is missing in {where}: remove these rows or fill them in")
    if isinstance(target.dtype, pl.Categorical | pl.Enum):
        target = target.cast(pl.String)
    if not (target.dtype.is_numeric() or target.dtype in (pl.String, pl.Boolean)):
        raise InputError(f"the target {name!r} holds {target.dtype}: wanted numbers, text or true/false")
    if target.n_unique() < 2:
        raise InputError(f"the target {name!r} is constant ({target[0]!r} in every row): nothing to predict")
    # Types that numpy lacks.
    if target.dtype.is_decimal() or target.dtype in (pl.Int128, pl.UInt128):
        target = target.cast(pl.Float64)
    if target.dtype.is_numeric():
        _refuse_overflow(target)
    return target


def _refuse_overflow(target: pl.Series) -> None:
    numbers = target.cast(pl.Float64)
    infinite, large = numbers.is_infinite(), numbers.abs() > LARGEST_TARGET
    if infinite.any():
        raise InputError(
            f"the target {target.name!r} holds infinite values (first in row {row(infinite)}): remove these rows or "
            "correct them"
        )
    if large.any():
        raise InputError(
            f"the target {target.name!r} holds values too large to learn (row {row(large)}: "
            f"{numbers[row(large) - 1]:g}): divide it, or take its logarithm"
        )
    values = numbers.to_numpy()
    spread, largest = float(np.ptp(values)), float(np.abs(values).max())
    if spread < max(LEAST_SPREAD, LEAST_SHARE * largest):
        raise InputError(
            f"the target {target.name!r} hardly varies, by {spread:g} around {numbers[0]:g}: subtract that, or "
            "multiply it"
        )


def pose(target: pl.Series, task: str = "auto") -> Problem:
    """Find the task of a clean target, or check the one asked for."""
    found, reason = _guess(target)
    if task == "auto":
        _refuse_broken_numbers(target)
        return Problem(found, reason, _classes(target) if found != "regression" else [], _possible(target))
    if task == "regression":
        if not _may_be_numbers(target):
            true_false = target.dtype == pl.Boolean
            held = "true/false" if true_false else text_cells(target)
            broken = not true_false and text_among_numbers(target)
            mend = "correct the cells or remove their rows" if broken else f"--task {found} would fit"
            raise InputError(f"--task regression: the target {target.name!r} holds {held}, wanted numbers; {mend}")
        return Problem("regression", "as asked", [], _possible(target))
    if _kind(target) == "fractional numbers":
        fraction = target.filter(target != target.floor())[0]
        raise InputError(
            f"--task {task}: the target {target.name!r} holds fractional numbers (such as {fraction!r}), "
            "wanted classes; --task regression would fit"
        )
    classes = _classes(target)
    if task == "binary" and len(classes) != 2:
        raise InputError(
            f"--task binary: the target {target.name!r} has {len(classes)} distinct values, wanted 2; "
            f"--task {found if found != 'binary' else 'multiclass'} would fit"
        )
    return Problem("binary" if task == "binary" else "multiclass", "as asked", classes, _possible(target))


def _refuse_broken_numbers(target: pl.Series) -> None:
    """Refuse many texts that are numbers but for a few: nobody wants a class for each."""
    among = text_among_numbers(target) if target.dtype == pl.String else ""
    if among and target.n_unique() > MOST_CLASSES:
        raise InputError(
            f"the target {target.name!r} is text with {target.n_unique()} distinct values, and looks like numbers: it "
            f"holds {among}; correct the cells or remove their rows, or pass --task multiclass"
        )


def _may_be_numbers(target: pl.Series) -> bool:
    return target.dtype.is_numeric() or (target.dtype == pl.String and not not_numbers(target).any())


def _guess(target: pl.Series) -> tuple[Task, str]:
    distinct, kind = target.n_unique(), _kind(target)
    reason = f"{kind}, {distinct} distinct values"
    if kind == "fractional numbers" or (kind == "whole numbers" and distinct > MOST_CLASSES):
        return "regression", reason
    return ("binary" if distinct == 2 else "multiclass"), reason


def _possible(target: pl.Series) -> tuple[str, ...]:
    classes = () if _kind(target) == "fractional numbers" else ("multiclass",)
    two = ("binary",) if target.n_unique() == 2 else ()
    return (*two, *classes, *(("regression",) if _may_be_numbers(target) else ()))


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
