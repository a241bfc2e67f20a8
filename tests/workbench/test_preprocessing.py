from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from tests.workbench.conftest import Fit, people
from torchobjectives.workbench import data, preprocessing
from torchobjectives.workbench.errors import InputError


def features() -> pl.DataFrame:
    return people().drop("label", "level", "income")


def fitted(frame: pl.DataFrame) -> tuple[dict[str, str], Any]:
    kinds = preprocessing.column_kinds(frame)
    return kinds, preprocessing.fit(kinds, preprocessing.conform(frame, kinds))


def test_every_kind_becomes_finite_numbers_and_missing_is_told() -> None:
    kinds, transformer = fitted(features())
    x = preprocessing.transform(transformer, preprocessing.conform(features(), kinds))
    names = list(transformer.get_feature_names_out())
    assert x.dtype == np.float32
    assert x.shape == (80, len(names))
    assert {"age", "member", "since", "missingindicator_age", "town_Bergen", "town_None"} <= set(names)
    assert np.allclose(x[:, names.index("since")].mean(), 0, atol=1e-6)
    assert (x[:, names.index("town_None")] == features()["town"].is_null().to_numpy()).all()


def test_unseen_categories_and_new_gaps_are_handled() -> None:
    kinds, transformer = fitted(features())
    new = features().with_columns(pl.lit("Dijon").alias("town"), pl.lit(None, pl.Date).alias("since"))
    x = preprocessing.transform(transformer, preprocessing.conform(new, kinds))
    towns = [index for index, name in enumerate(transformer.get_feature_names_out()) if name.startswith("town")]
    assert np.isfinite(x).all()
    assert (x[:, towns] == 0).all()


def test_categories_are_capped_and_rare_ones_share_a_column() -> None:
    frame = pl.DataFrame({"code": [f"c{number}" for number in range(200)] * 2 + ["often"] * 50})
    kinds, transformer = fitted(frame)
    x = preprocessing.transform(transformer, preprocessing.conform(pl.DataFrame({"code": ["often", "new"]}), kinds))
    assert x.shape[1] == preprocessing.MOST_CATEGORIES
    assert (x.sum(1) == 1).all()


def test_columns_without_content_are_harmless() -> None:
    frame = pl.DataFrame({"none": [None] * 6, "same": [3.0] * 6, "word": ["x"] * 6})
    kinds, transformer = fitted(frame)
    assert np.isfinite(preprocessing.transform(transformer, preprocessing.conform(frame, kinds))).all()


def test_stored_and_read_back(tmp_path: Path) -> None:
    kinds, transformer = fitted(features())
    preprocessing.save(transformer, tmp_path / "it.skops")
    again = preprocessing.load(tmp_path / "it.skops")
    frame = preprocessing.conform(features(), kinds)
    assert np.array_equal(preprocessing.transform(transformer, frame), preprocessing.transform(again, frame))


def test_split_keeps_the_shares_of_classes() -> None:
    target = data.clean_target(pl.Series("y", ["a"] * 80 + ["b"] * 20))
    problem = data.pose(target)
    y = problem.encode(target)
    train, valid = preprocessing.split(y, problem, valid=0.2, seed=0)
    assert sorted([*train, *valid]) == list(range(100))
    assert (y[train].sum(), y[valid].sum()) == (16, 4)
    assert not np.array_equal(valid, preprocessing.split(y, problem, valid=0.2, seed=1)[1])


def test_a_class_of_one_row_cannot_be_split() -> None:
    target = data.clean_target(pl.Series("y", ["a"] * 80 + ["b"]))
    problem = data.pose(target)
    with pytest.raises(InputError, match="'b' has one row"):
        preprocessing.split(problem.encode(target), problem, valid=0.2, seed=0)


def test_validation_rows_change_nothing_that_is_learnt(tmp_path: Path, fit: Fit) -> None:
    frame = people().drop("income", "level")
    frame.write_parquet("clean.parquet")
    clean = fit(data=Path("clean.parquet"), target="label", out=tmp_path / "clean")
    held_out = pl.read_parquet(clean / "predictions.parquet")["split"] == "valid"
    assert 0 < held_out.sum() < len(held_out)
    # Every cell of the validation rows is changed: new extremes, new categories, new gaps.
    changed = frame.with_columns(
        age=pl.when(held_out).then(pl.lit(1e6)).otherwise("age"),
        town=pl.when(held_out).then(pl.lit("Elsewhere")).otherwise("town"),
        member=pl.when(held_out).then(None).otherwise("member"),
        since=pl.when(held_out).then(pl.date(1900, 1, 1)).otherwise("since"),
    )
    changed.write_parquet("changed.parquet")
    other = fit(data=Path("changed.parquet"), target="label", out=tmp_path / "changed")
    a, b = (torch.load(run / "model.pt", weights_only=True) for run in (clean, other))
    assert all(torch.equal(a["network"][name], b["network"][name]) for name in a["network"])
    told = [preprocessing.load(run / "preprocessing.skops") for run in (clean, other)]
    seen = preprocessing.conform(frame.drop("label"), a["config"]["columns"])
    assert np.array_equal(*(preprocessing.transform(transformer, seen) for transformer in told))
    rows = [pl.read_parquet(run / "predictions.parquet").filter(pl.col("split") == "train") for run in (clean, other)]
    assert rows[0].equals(rows[1])
    assert (clean / "metrics.json").read_text() != (other / "metrics.json").read_text()
