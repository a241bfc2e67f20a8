import pickle
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import skops.io
import torch
from sklearn.preprocessing import OneHotEncoder

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


@pytest.mark.parametrize(("rows", "rare", "valid"), [(100, 2, 0.2), (100, 2, 0.9), (1000, 3, 0.01), (40, 2, 0.5)])
@pytest.mark.parametrize("seed", range(5))
def test_a_rare_class_is_in_both_parts(rows: int, rare: int, valid: float, seed: int) -> None:
    target = data.clean_target(pl.Series("y", ["a"] * (rows - rare) + ["b"] * rare))
    problem = data.pose(target)
    y = problem.encode(target)
    train, held = preprocessing.split(y, problem, valid=valid, seed=seed)
    assert sorted([*train, *held]) == list(range(rows))
    assert set(y[train]) == set(y[held]) == {0, 1}
    assert abs(len(held) - np.ceil(rows * valid)) <= 1


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (["a", "b"] * 9 + ["c"], ["class 'c' has one row"]),
        ([1, 2] * 9 + [3], ["class '3' has one row", "--task regression"]),
        ([f"name {i}" for i in range(30)], ["30 of 30 classes", "such as 'name 0'"]),
        (["a", "b", "c"] * 2, ["6 rows", "--valid 0.2", "3 rows, one of each class"]),
        ([1, 2, 2], ["3 rows are too few"]),
    ],
)
def test_rows_that_cannot_be_split(values: list[object], words: list[str]) -> None:
    target = data.clean_target(pl.Series("y", values))
    problem = data.pose(target)
    with pytest.raises(InputError) as stopped:
        preprocessing.split(problem.encode(target), problem, valid=0.2, seed=0)
    said = str(stopped.value)
    assert all(word in said for word in words), said
    assert ("regression" in said) == (words[-1] == "--task regression")


@pytest.mark.parametrize("large", [1e300, -1e200])
def test_a_column_of_too_large_values_is_named(large: float, recwarn: pytest.WarningsRecorder) -> None:
    frame = pl.DataFrame({"fine": [1.0, 2.0, 3.0], "huge": [1.0, large, 3.0]})
    with pytest.raises(InputError, match="'huge' holds values too large"):
        fitted(frame)
    kinds, transformer = fitted(frame.with_columns(huge=pl.Series([1.0, 1.5, 2.0])))
    with pytest.raises(InputError, match="'huge' holds values too large"):
        preprocessing.transform(transformer, preprocessing.conform(frame, kinds))
    assert not recwarn.list


def test_blocks_give_what_one_transformer_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = features().with_columns(income=people()["income"], other=people()["town"])
    kinds, whole = fitted(frame)
    seen = preprocessing.conform(frame, kinds)
    expected = dict(zip(whole.get_feature_names_out(), preprocessing.transform(whole, seen).T, strict=True))
    monkeypatch.setattr(preprocessing, "BLOCK_CELLS", 100)
    parts = preprocessing.fit(kinds, seen)
    assert len(parts.transformers_) > len(whole.transformers_)
    found = dict(zip(parts.get_feature_names_out(), preprocessing.transform(parts, seen).T, strict=True))
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[name], expected[name]) for name in expected)


def test_only_the_rows_given_are_learnt() -> None:
    kinds = preprocessing.column_kinds(features())
    seen = preprocessing.conform(features(), kinds)
    rows = np.arange(0, 80, 3)
    one, other = preprocessing.fit(kinds, seen, rows), preprocessing.fit(kinds, seen[rows])
    assert np.array_equal(preprocessing.transform(one, seen), preprocessing.transform(other, seen))


def test_many_categories_are_learnt_as_scikit_learn_learns_them() -> None:
    generator = np.random.default_rng(0)
    codes = [f"c{int(code)}" for code in generator.exponential(60, 5000)] + [None] * 300
    frame = pl.DataFrame({"code": pl.Series(codes, dtype=pl.String)})
    _, transformer = fitted(frame)
    encoder = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=50, sparse_output=False).fit(frame)
    names, reference = transformer.get_feature_names_out(), encoder.get_feature_names_out()
    assert set(names) == set(reference)
    found = preprocessing.transform(transformer, frame)[:, np.argsort(names)]
    assert np.array_equal(found, encoder.transform(frame)[:, np.argsort(reference)])


def test_dates_are_days_whatever_their_unit() -> None:
    days = pl.Series("d", ["2020-01-01", "2020-06-01"]).str.to_date()
    kinds, transformer = fitted(days.to_frame())
    expected = preprocessing.transform(transformer, preprocessing.conform(days.to_frame(), kinds))
    for unit in ("ms", "us", "ns"):
        other = days.cast(pl.Datetime(unit)).to_frame()  # type: ignore[arg-type]
        assert np.array_equal(preprocessing.transform(transformer, preprocessing.conform(other, kinds)), expected)


class Foreign:
    """What a stored transformer must not hold."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("run",))


def test_a_foreign_or_damaged_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "it.skops"
    _, transformer = fitted(features())
    preprocessing.save(transformer, path)
    whole = path.read_bytes()
    skops.io.dump({"foreign": Foreign()}, path)
    foreign = path.read_bytes()
    skops.io.dump({"not": "a transformer"}, path)
    other = path.read_bytes()
    for content, words in (
        (foreign, "asks for types that no run stores .*Foreign"),
        (other, "holds dict"),
        (whole[: len(whole) // 2], "damaged"),
        (pickle.dumps(Foreign()), "damaged"),
        (b"", "damaged"),
    ):
        path.write_bytes(content)
        with pytest.raises(InputError, match=words) as stopped:
            preprocessing.load(path)
        assert "\n" not in str(stopped.value)
    path.unlink()
    with pytest.raises(InputError, match=r"no file|damaged"):
        preprocessing.load(path)
    assert "run" not in capsys.readouterr().out


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
