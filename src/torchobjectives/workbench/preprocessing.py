"""From columns to numbers: a scikit-learn transformer that has seen the training rows only."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import skops.io
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from torchobjectives.workbench.cells import kind_of
from torchobjectives.workbench.conforming import conform as conform
from torchobjectives.workbench.data import MOST_CATEGORIES as MOST_CATEGORIES, Problem
from torchobjectives.workbench.errors import InputError

# What is fitted or transformed at once: enough to be quick, little enough to need no second table's memory.
BLOCK_CELLS = 2**21
# The imputer remembers the number format that it saw; a number format runs nothing.
TRUSTED = ["numpy.dtype"]


def column_kinds(features: pl.DataFrame) -> dict[str, str]:
    """Name the kind of every column: numeric, boolean, date or categorical."""
    return {name: kind_of(name, dtype) for name, dtype in features.schema.items()}


def split(encoded: NDArray[Any], problem: Problem, *, valid: float, seed: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Split the rows into training and validation, classes in equal shares; sorted row numbers.

    Each class is in both parts, a rare one if need be with a row more than its share.
    """
    rows, classes = len(encoded), len(problem.classes)
    if rows < 4:
        raise InputError(f"{rows} rows are too few: wanted at least 2 to learn from and 2 to be judged by")
    if classes:
        _refuse_single_rows(encoded, problem)
    held_out = int(np.ceil(rows * valid))
    if min(held_out, rows - held_out) < max(2, classes):
        each = f"{max(2, classes)} rows" + (", one of each class" if classes > 2 else "")
        raise InputError(f"{rows} rows are too few for --valid {valid}: each part needs at least {each}")
    train, held = train_test_split(
        np.arange(rows), test_size=valid, random_state=seed, stratify=encoded if classes else None
    )
    if classes:
        train, held = _lend(train, held, encoded, classes), _lend(held, train, encoded, classes)
    return np.sort(train), np.sort(held)


def _refuse_single_rows(encoded: NDArray[Any], problem: Problem) -> None:
    counts = np.bincount(encoded, minlength=len(problem.classes))
    single = np.flatnonzero(counts < 2)
    if not len(single):
        return
    rare, count = problem.class_names[single[0]], len(problem.classes)
    which = f"class {rare!r} has" if len(single) == 1 else f"{len(single)} of {count} classes (such as {rare!r}) have"
    other = ", or pass --task regression" if "regression" in problem.possible and problem.reason != "as asked" else ""
    raise InputError(
        f"{which} one row: each class needs one row to learn from and one to be judged by; merge or remove rare "
        f"classes{other}"
    )


def _lend(part: NDArray[Any], other: NDArray[Any], encoded: NDArray[Any], classes: int) -> NDArray[Any]:
    """Return a part with a row more of each class that it lacks, and one less of each that the other lacks.

    The row that moves is the first of its class in the part that has them all, which is in random order.
    """

    def moved(there: NDArray[Any], here: NDArray[Any]) -> list[Any]:
        lacking = np.setdiff1d(np.arange(classes), encoded[here])
        return [there[encoded[there] == index][0] for index in lacking]

    gone = moved(part, other)
    return np.concatenate([np.setdiff1d(part, gone), np.array(moved(other, part), dtype=part.dtype)])


def fit(kinds: dict[str, str], features: pl.DataFrame, rows: NDArray[Any] | None = None) -> ColumnTransformer:
    """Return the transformer fitted to these rows, by default all: pass training rows, and no others."""

    def block(columns: list[str]) -> pl.DataFrame:
        return features.select(columns) if rows is None else features.select(columns)[rows]

    count = features.height if rows is None else len(rows)
    fitted = [
        (f"{step}_{number}", FrozenEstimator(_fit_block(step, block(columns))), columns)
        for number, (step, columns) in enumerate(_blocks(kinds, count))
    ]
    # Its parts are fitted already, each on its own columns, so that their copies of the table never exist at once.
    return ColumnTransformer(fitted, verbose_feature_names_out=False).fit(features[:1])


def _blocks(kinds: dict[str, str], rows: int) -> Iterator[tuple[str, list[str]]]:
    """Group the columns that are fitted together: numbers by what memory allows, each category by itself."""
    numeric = [name for name, kind in kinds.items() if kind != "categorical"]
    size = max(1, BLOCK_CELLS // max(1, rows))
    for start in range(0, len(numeric), size):
        yield "numeric", numeric[start : start + size]
    for name, kind in kinds.items():
        if kind == "categorical":
            yield "categorical", [name]


def _fit_block(step: str, block: pl.DataFrame) -> Any:
    if step == "categorical":
        # None is one more category; unknown and rare ones share a column, so that 10^6 categories stay 50 columns.
        encoder = OneHotEncoder(
            handle_unknown="infrequent_if_exist", max_categories=MOST_CATEGORIES, sparse_output=False, dtype=np.float32
        )
        return encoder.fit(_telling(block.to_series()).to_frame())
    # A cell is missing for a reason: the indicator column lets the model learn from the fact.
    fill = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    # What overflows here is refused below, in words.
    with np.errstate(over="ignore", invalid="ignore"):
        pipeline = make_pipeline(fill, StandardScaler()).fit(block)
    _refuse_overflow(pipeline.get_feature_names_out(), np.isfinite(pipeline[-1].var_))
    return pipeline


def _telling(column: pl.Series) -> pl.Series:
    """Return what an encoder must see of a column: all rows of the frequent categories, and two that are rare.

    It keeps every category that it sees, and any that it has not seen is a rare one to it.
    """
    # Of equally frequent ones the encoder keeps those that sort last, and missing sorts after all.
    counts = column.value_counts(name="rows").sort("rows", column.name, descending=True, nulls_last=False)
    if counts.height <= MOST_CATEGORIES:
        return column
    frequent = counts[column.name][: MOST_CATEGORIES - 1].to_list()
    return pl.concat([column.filter(column.is_in(frequent, nulls_equal=True)), counts[column.name][-2:]])


def transform(transformer: ColumnTransformer, features: pl.DataFrame) -> NDArray[np.float32]:
    """Return the columns as float32 numbers, one row per row."""
    # Not by scikit-learn's own list, which refuses a category b of a column a beside a column a_b.
    names = [name for name, _ in inputs(transformer)]
    numbers = np.empty((features.height, len(names)), dtype=np.float32)
    size = max(1, BLOCK_CELLS // max(1, len(names)))
    for start in range(0, features.height, size):
        part = slice(start, start + size)
        with np.errstate(over="ignore", invalid="ignore"):
            numbers[part] = transformer.transform(features[part])
        _refuse_overflow(names, np.asarray(np.isfinite(numbers[part]).all(axis=0)))
    return numbers


def inputs(transformer: ColumnTransformer) -> list[tuple[str, str]]:
    """Return the name of each input of the model, and the column of the data that it comes from.

    scikit-learn's names are ``age``, ``missingindicator_age`` and ``town_Bergen``.
    """
    width = max(places.stop for places in transformer.output_indices_.values())
    named = [("", "")] * width
    for name, block, columns in transformer.transformers_:
        places = range(*transformer.output_indices_[name].indices(width))
        # Block by block: names that are unique within a block may repeat over the whole.
        found = [str(one) for one in block.get_feature_names_out()] if len(places) else []
        for place, one in zip(places, found, strict=True):
            named[place] = one, _owner(one, list(columns))
    return named


def _owner(name: str, columns: list[str]) -> str:
    if name in columns:
        return name
    if name.removeprefix("missingindicator_") in columns:
        return name.removeprefix("missingindicator_")
    # Of "a" and "a_b", "a_b_x" is rather the longer one's.
    return max((column for column in columns if name.startswith(f"{column}_")), key=len)


def _refuse_overflow(names: Sequence[str], finite: NDArray[np.bool_]) -> None:
    if not finite.all():
        name = str(names[int(np.argmin(finite))])
        raise InputError(f"column {name!r} holds values too large to scale: divide it, or take its logarithm")


def save(transformer: ColumnTransformer, path: Path) -> None:
    """Store the fitted transformer without pickle."""
    skops.io.dump(transformer, path)


def load(path: Path) -> ColumnTransformer:
    """Read a stored transformer; nothing in the file is run, and one that is none is refused."""
    try:
        foreign = set(skops.io.get_untrusted_types(file=path)) - set(TRUSTED)
        found = None if foreign else skops.io.load(path, trusted=TRUSTED)
    except Exception as error:  # A damaged archive fails in as many ways as it has parts.
        reason = (str(error).splitlines() or [""])[0]
        raise InputError(f"{path} is damaged or not of a run ({type(error).__name__}: {reason}): fit again") from error
    if foreign:
        raise InputError(f"{path} asks for types that no run stores ({', '.join(sorted(foreign))}): do not trust it")
    if not isinstance(found, ColumnTransformer):
        raise InputError(f"{path} holds {type(found).__name__}, wanted the ColumnTransformer of a run: fit again")
    return found
