"""From columns to numbers: a scikit-learn transformer that has seen the training rows only."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import skops.io
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from torchobjectives.workbench.data import Problem
from torchobjectives.workbench.errors import InputError

MOST_CATEGORIES = 50
# The imputer remembers the number format that it saw; a number format runs nothing.
TRUSTED = ["numpy.dtype"]


def column_kinds(features: pl.DataFrame) -> dict[str, str]:
    """Name the kind of every column: numeric, boolean, date or categorical."""
    return {name: _kind(name, dtype) for name, dtype in features.schema.items()}


def _kind(name: str, dtype: pl.DataType) -> str:
    if dtype == pl.Boolean:
        return "boolean"
    if dtype.is_numeric() or dtype == pl.Null:
        return "numeric"
    if dtype.is_temporal():
        return "date"
    if dtype == pl.String or isinstance(dtype, pl.Categorical | pl.Enum):
        return "categorical"
    raise InputError(f"column {name!r} holds {dtype}: wanted numbers, text, dates or true/false in each cell")


def conform(features: pl.DataFrame, kinds: dict[str, str]) -> pl.DataFrame:
    """Return the columns in the types of their kinds: text for categories, numbers for all others."""
    return features.select(_conformed(features[name], kind) for name, kind in kinds.items())


def _conformed(column: pl.Series, kind: str) -> pl.Series:
    if kind == "categorical":
        return column.cast(pl.String)
    if kind == "date":
        column = column.to_physical()
    column = column.cast(pl.Float64).fill_nan(None)
    if column.is_infinite().any():
        raise InputError(
            f"column {column.name!r} holds infinite values: correct them, or leave the cells empty (missing)"
        )
    return column


def split(encoded: NDArray[Any], problem: Problem, *, valid: float, seed: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Split the rows into training and validation, classes in equal shares; sorted row numbers."""
    rows = len(encoded)
    classes = len(problem.classes)
    held_out = int(np.ceil(rows * valid))
    if min(held_out, rows - held_out) < max(2, classes):
        raise InputError(
            f"{rows} rows are too few for --valid {valid}: each part needs at least {max(2, classes)} rows"
        )
    if classes:
        counts = np.bincount(encoded, minlength=classes)
        if counts.min() < 2:
            rare = problem.class_names[int(counts.argmin())]
            raise InputError(
                f"class {rare!r} has one row: each class needs one row to learn from and one to be judged by; "
                "merge or remove rare classes" + ("" if problem.reason == "as asked" else ", or name the --task")
            )
    train, held = train_test_split(
        np.arange(rows), test_size=valid, random_state=seed, stratify=encoded if classes else None
    )
    return np.sort(train), np.sort(held)


def make_transformer(kinds: dict[str, str]) -> ColumnTransformer:
    """Return the unfitted transformer for columns of these kinds."""
    numeric = [name for name, kind in kinds.items() if kind != "categorical"]
    categorical = [name for name, kind in kinds.items() if kind == "categorical"]
    # A cell is missing for a reason: the indicator column lets the model learn from the fact.
    fill = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    # None is one more category; unknown and rare ones share a column, so that 10^6 categories stay 50 columns.
    one_hot = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=MOST_CATEGORIES, sparse_output=False)
    return ColumnTransformer(
        [("numeric", make_pipeline(fill, StandardScaler()), numeric), ("categorical", one_hot, categorical)],
        verbose_feature_names_out=False,
    )


def fit(kinds: dict[str, str], features: pl.DataFrame) -> ColumnTransformer:
    """Return the transformer fitted to these rows: pass training rows, and no others."""
    # What overflows here is refused by transform, in words.
    with np.errstate(over="ignore", invalid="ignore"):
        return make_transformer(kinds).fit(features)


def transform(transformer: ColumnTransformer, features: pl.DataFrame) -> NDArray[np.float32]:
    """Return the columns as float32 numbers, one row per row."""
    with np.errstate(over="ignore", invalid="ignore"):
        numbers: NDArray[np.float32] = np.asarray(transformer.transform(features), dtype=np.float32)
    if not np.isfinite(numbers).all():
        raise InputError("a numeric column holds values too large to scale: divide it, or take its logarithm")
    return numbers


def save(transformer: ColumnTransformer, path: Path) -> None:
    """Store the fitted transformer without pickle."""
    skops.io.dump(transformer, path)


def load(path: Path) -> ColumnTransformer:
    """Read a stored transformer; a file that asks for types skops does not trust is refused."""
    return skops.io.load(path, trusted=TRUSTED)
