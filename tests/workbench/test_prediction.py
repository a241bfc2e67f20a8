"""Predictions of a run on new rows, in the shell and in Python."""

import errno
import os
import pickle
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import skops.io
import torch
from sklearn.compose import ColumnTransformer
from sklearn.frozen import FrozenEstimator
from sklearn.preprocessing import StandardScaler

import torchobjectives
from tests.workbench.conftest import Fit, people
from torchobjectives import cli, workbench
from torchobjectives.workbench import InputError, load, prediction, writing

TARGETS = {"binary": "label", "multiclass": "level", "regression": "income"}


@pytest.mark.parametrize("task", list(TARGETS))
def test_training_rows_get_the_predictions_of_the_run(csv: Path, fit: Fit, task: str) -> None:
    folder = fit(data=csv, target=TARGETS[task])
    stored = pl.read_parquet(folder / "predictions.parquet")
    found = load(folder).predict(pl.read_csv(csv, try_parse_dates=True))
    assert found["row"].to_list() == list(range(80))
    assert found["prediction"].dtype == stored["prediction"].dtype
    for name in stored.columns[3:]:
        if stored[name].dtype.is_float():
            assert np.allclose(found[name], stored[name], rtol=1e-6)
        else:
            assert found[name].to_list() == stored[name].to_list()


def test_raw_predictions_are_what_the_loss_reads(csv: Path, fit: Fit) -> None:
    found = load(fit(data=csv, target="label")).predict(people())
    assert found.columns == ["row", "raw", "prediction", "probability_no", "probability_yes"]
    assert np.allclose(torch.sigmoid(torch.tensor(found["raw"].to_numpy())), found["probability_yes"])
    found = load(fit(data=csv, target="level")).predict(people())
    raw = ["raw_0", "raw_1", "raw_2"]
    assert found.columns == ["row", *raw, "prediction", *(f"probability_{k}" for k in range(3))]
    softmax = torch.softmax(torch.tensor(found.select(raw).to_numpy()), 1)
    assert np.allclose(softmax, found.select(f"probability_{k}" for k in range(3)).to_numpy(), atol=1e-6)


@pytest.mark.parametrize(
    ("loss", "target"),
    [
        ("nll_loss", "level"),
        ("adaptive_log_softmax_loss cutoffs=[1]", "level"),
        ("huber_loss delta=2", "income"),
        ("ghmc_loss", "label"),
    ],
)
def test_a_run_is_built_again_with_all_that_it_learnt(csv: Path, fit: Fit, loss: str, target: str) -> None:
    folder = fit(data=csv, target=target, loss=loss, dropout=0.2)
    stored, found = pl.read_parquet(folder / "predictions.parquet"), load(folder).predict(people())
    names = [name for name in stored.columns if name.startswith("probability") or target == "income"][-1:]
    assert names
    assert np.allclose(stored[names].to_numpy(), found[names].to_numpy(), rtol=1e-5)


def test_order_of_columns_and_others_do_not_matter(csv: Path, fit: Fit) -> None:
    run = load(fit(data=csv, target="label"))
    table = people()
    wanted = run.predict(table)
    turned = table.select(reversed(table.columns)).drop("label").with_columns(extra=pl.lit(3))
    assert run.predict(turned).equals(wanted)
    assert run.predict(table.to_dict(as_series=False)).equals(wanted)
    assert run.predict(table.lazy()).equals(wanted)
    assert run.predict(table[5:6])["prediction"][0] == wanted["prediction"][5]
    assert run.predict(table[:0]).height == 0
    assert run.predict(table[:0]).columns == wanted.columns


def test_unseen_and_missing_are_treated_as_in_training(csv: Path, fit: Fit) -> None:
    run = load(fit(data=csv, target="label"))
    table = people().with_columns(pl.lit("Oslo").alias("town"), pl.lit(None, pl.Float64).alias("age"))
    table = table.with_columns(pl.lit(None, pl.Boolean).alias("member"))  # which had no gaps in training
    assert run.predict(table)["raw"].is_finite().all()


def test_a_missing_column_is_named(csv: Path, fit: Fit) -> None:
    run = load(fit(data=csv, target="label"))
    with pytest.raises(InputError, match=r"column 'town', .*is missing. Did you mean 'towns'"):
        run.predict(people().rename({"town": "towns"}))
    with pytest.raises(InputError, match=r"a table is wanted .*got list"):
        run.predict([1, 2])


def test_in_the_shell(csv: Path, fit: Fit, capsys: pytest.CaptureFixture[str]) -> None:
    folder = fit(data=csv, target="label")
    cli.main(("predict", "out", "people.csv"))
    said = capsys.readouterr().out
    assert said == "note: column 'since': read as dates\n80 rows: out/predictions-people.parquet\n"
    wanted = pl.read_parquet("out/predictions-people.parquet")
    assert wanted["prediction"].to_list() == pl.read_parquet(folder / "predictions.parquet")["prediction"].to_list()
    cli.main(("predict", "out", "people.csv", "--out", "said.csv"))
    assert pl.read_csv("said.csv")["prediction"].to_list() == wanted["prediction"].to_list()
    # A folder that holds predictions is still a run, which another may replace.
    cli.main(("fit", "people.csv", "--target", "label", "--epochs", "1", "--out", "out", "--overwrite"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("out", "peple.csv"), ["no file peple.csv", "people.csv"]),
        (("nowhere", "people.csv"), ["nowhere is no run"]),
        (("people.csv", "people.csv"), ["people.csv is no run"]),
        ((".", "people.csv"), [". is no run: there is no model.pt\n"]),
        (("out", "people.csv", "--out", "people.csv"), ["is the file that is read"]),
        (("out", "people.csv", "--out", "out"), ["wanted a name that ends in .parquet or .csv"]),
        (("out", "people.csv", "--out", "no/such/place.csv"), ["cannot write there"]),
        (("out", "people.csv", "--out", "people.csv/x.csv"), ["cannot write there", "not a directory"]),
        (("out", "people.csv", "--out", "x" * 300 + ".csv"), ["cannot write there", "too long"]),
        (("out", "people.csv", "--out", "a\0b.csv"), ["cannot write there", "null byte"]),
        (("out", "people.csv", "--out", "loop.csv"), ["cannot write there", "loop"]),
        (("out", "people.csv", "--out", "pipe.csv"), ["is no regular file"]),
        (("out", "people.csv", "--out", "link.csv"), ["is the file that is read"]),
        (("out", "people.csv", "--out", "out/predictions.parquet"), ["of the run", "itself"]),
        (("out", "people.csv", "--out", "out/history.csv"), ["of the run", "itself"]),
        (("out", "people.csv", "--out", "out/../out/logs/new.csv"), ["of the run", "itself"]),
        (("out", "people.csv", "--out", "own.parquet"), ["of the run", "itself"]),
        (("out", "people.csv", "--out", "other/predictions.parquet"), ["of the run", "other itself"]),
        (("out", "y" * 250 + ".csv"), ["cannot write there", "too long", "--out"]),
        (("x" * 300, "people.csv"), ["is no run", "too long"]),
        (("a\0b", "people.csv"), ["is no run", "'a\\x00b'"]),
        (("out", "short.csv"), ["'age'", "is missing"]),
        (("out",), ["file"]),
    ],
)
def test_wrong_calls(
    csv: Path, one_run: Path, arguments: tuple[str, ...], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(one_run, "out")
    Path("short.csv").write_text("town,member\nChur,true\n")
    shutil.copytree("out", "other")
    shutil.copy("people.csv", "y" * 250 + ".csv")
    Path("loop.csv").symlink_to("loop.csv")
    Path("link.csv").symlink_to("people.csv")
    Path("own.parquet").symlink_to("out/predictions.parquet")
    os.mkfifo("pipe.csv")
    before = csv.read_bytes(), sorted(Path().rglob("*"))
    with pytest.raises(SystemExit) as stopped:
        cli.main(("predict", *arguments))
    said = capsys.readouterr().err
    assert (stopped.value.code, said.count("\n")) == (2, 1)
    assert all(word.lower() in said.lower() for word in words), said
    assert (csv.read_bytes(), sorted(Path().rglob("*"))) == before
    assert len(said) < 300


def test_what_is_written_takes_nobodys_name(csv: Path, fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    fit(data=csv, target="label", epochs=1)
    Path("z.csv.new").write_text("mine")
    Path("z.csv").write_text("old")
    Path("linked.csv").symlink_to("z.csv")
    there = sorted(Path().rglob("*"))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setitem(writing.WRITERS, ".csv", full)
        with pytest.raises(InputError, match="No space left"):
            prediction.predict_file(Path("out"), csv, Path("z.csv"))
    assert (Path("z.csv").read_text(), sorted(Path().rglob("*"))) == ("old", there)
    prediction.predict_file(Path("out"), csv, Path("linked.csv"))
    assert sorted(Path().rglob("*")) == there
    assert Path("z.csv.new").read_text() == "mine"
    assert Path("linked.csv").is_symlink()
    assert pl.read_csv("z.csv").height == 80
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(Path("z.csv").stat().st_mode) == 0o666 & ~umask


@pytest.mark.grid
def test_nobody_needs_to_read_what_is_said(csv: Path, fit: Fit) -> None:
    fit(data=csv, target="label", epochs=1)
    arguments = [sys.executable, "-m", "torchobjectives", "predict", "out", "people.csv", "--out"]
    piped = subprocess.Popen([*arguments, "piped.csv"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert piped.stdout is not None
    piped.stdout.close()
    _, said = piped.communicate(timeout=300)
    assert (piped.returncode, said) == (0, b"")
    if Path("/dev/full").exists():
        with Path("/dev/full").open("w") as full:
            done = subprocess.run([*arguments, "full.csv"], stdout=full, stderr=subprocess.PIPE, check=False)
        assert done.returncode == 1
        assert done.stderr.endswith(b"(No space left on device); 80 rows are in full.csv\n")
        assert Path("full.csv").read_bytes() == Path("piped.csv").read_bytes()


class Evil:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("pwned"),))


def test_what_was_tampered_with_is_refused_and_nothing_runs(csv: Path, fit: Fit) -> None:
    good = fit(data=csv, target="label", epochs=1)
    model = torch.load(good / "model.pt", weights_only=True)
    torch.save(Evil(), "evil.pt")
    Path("evil.skops").write_bytes(pickle.dumps(Evil()))
    cases: list[tuple[str, Any]] = [
        ("model.pt", Path("evil.pt").read_bytes()),
        ("model.pt", b"PK\x03\x04 cut off"),
        ("model.pt", b""),
        ("preprocessing.skops", Path("evil.skops").read_bytes()),
        ("preprocessing.skops", b""),
    ]
    for change in (
        {"network": {}},
        {"config": {**model["config"], "loss": {"name": "os.system"}}},
        {"config": {**model["config"], "link": "os.system"}},
        {"config": {**model["config"], "target_dtype": "read_csv"}},
        {"config": {**model["config"], "architecture": {"inputs": -1}}},
        {"config": None},
    ):
        torch.save({**model, **change}, "changed.pt")
        cases.append(("model.pt", Path("changed.pt").read_bytes()))
    torch.save([1, 2], "list.pt")
    cases.append(("model.pt", Path("list.pt").read_bytes()))
    for name, content in cases:
        shutil.rmtree("bad", ignore_errors=True)
        shutil.copytree(good, "bad")
        (Path("bad") / name).write_bytes(content)
        with pytest.raises(InputError, match=name) as caught:
            load("bad")
        assert "\n" not in str(caught.value)
        assert not Path("pwned").exists()


def test_preprocessing_of_foreign_types_is_refused(csv: Path, fit: Fit) -> None:
    good = fit(data=csv, target="label", epochs=1)
    with zipfile.ZipFile(good / "preprocessing.skops") as archive:
        schema = archive.read("schema.json").decode()
        others = {n: archive.read(n) for n in archive.namelist() if n != "schema.json"}
    assert "sklearn.preprocessing._data" in schema
    with zipfile.ZipFile(good / "preprocessing.skops", "w") as archive:
        archive.writestr("schema.json", schema.replace("sklearn.preprocessing._data", "subprocess"))
        for name, content in others.items():
            archive.writestr(name, content)
    with pytest.raises(InputError, match=r"preprocessing\.skops"):
        load(good)


def changed(model: dict[str, Any], **config: Any) -> dict[str, Any]:
    """A model of a run before there were digests, described otherwise."""
    return {key: model[key] for key in ("network", "loss")} | {"config": {**model["config"], **config}}


def weights(model: dict[str, Any], change: Callable[[torch.Tensor], torch.Tensor]) -> dict[str, Any]:
    name = "hidden_1.weight"
    return {**model, "network": {**model["network"], name: change(model["network"][name])}}


def plan(model: dict[str, Any], **config: Any) -> dict[str, Any]:
    return changed(model, architecture={**model["config"]["architecture"], **config})


# What a model is made into, and words of the message.
TAMPERED: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "another description": (lambda m: {**changed(m, target="age"), "sha256": m["sha256"]}, "has been changed"),
    "other classes": (lambda m: {**changed(m, classes=["no", "si"]), "sha256": m["sha256"]}, "has been changed"),
    "no description of digests": (lambda m: {**m, "sha256": None}, "model.pt"),
    "three classes": (lambda m: changed(m, classes=["a", "b", "c"]), "3 classes do not suit"),
    "one class": (lambda m: changed(m, classes=["a"]), "1 classes do not suit"),
    "classes in another order": (lambda m: changed(m, classes=["yes", "no"]), "not distinct and in order"),
    "equal classes": (lambda m: changed(m, classes=["yes", "yes"]), "not distinct and in order"),
    "classes of another type": (lambda m: changed(m, classes=[0, 1]), "model.pt"),
    "a class that is missing": (lambda m: changed(m, classes=[None, "yes"]), "not distinct and in order"),
    "another task": (lambda m: changed(m, task="regression", classes=[]), "the task is regression"),
    "another task, same classes": (lambda m: changed(m, task="multiclass"), "the task is multiclass"),
    "no task": (lambda m: changed(m, task="ranking"), "model.pt"),
    "numbers": (lambda m: changed(m, target_dtype="Int64"), "model.pt"),
    "lists": (lambda m: changed(m, target_dtype="List"), "model.pt"),
    "no type": (lambda m: changed(m, target_dtype="Series"), "no type of a column"),
    "another link": (lambda m: changed(m, link="log"), "in another way"),
    "another loss": (lambda m: changed(m, loss={"name": "cross_entropy_loss"}), "model.pt"),
    "no loss and another link": (
        lambda m: {**changed(m, loss=None, link="identity"), "sha256": m["sha256"]},
        "has been changed",
    ),
    "no loss and several outputs": (lambda m: changed(m, loss=None, link="softmax"), "1 outputs, wanted 2"),
    "columns of another kind": (lambda m: changed(m, columns={**m["config"]["columns"], "town": "numeric"}), "skops"),
    "columns of no kind": (lambda m: changed(m, columns={**m["config"]["columns"], "town": "picture"}), "skops"),
    "other columns": (lambda m: changed(m, columns={"a": "numeric"}), "other columns"),
    "no columns": (lambda m: changed(m, columns={}), "skops"),
    "logarithms": (lambda m: plan(m, log_probabilities=True), "in another way"),
    "more inputs": (lambda m: plan(m, inputs=99), "takes 99"),
    "more outputs": (lambda m: plan(m, outputs=3), "3 outputs, wanted 1"),
    "many layers": (lambda m: plan(m, hidden=[8] * 10**6), "hidden layers"),
    "a layer without bounds": (lambda m: plan(m, hidden=[10**9]), "has the shape"),
    "a scale": (lambda m: plan(m, rescale=((0.0, 1.0),)), "of another model"),
    "half a scale": (lambda m: plan(m, rescale=((0.0,),)), "scale is not"),
    "a scale of numbers": (lambda m: plan(m, rescale=(0.0, 1.0)), "model.pt is not what a run writes"),
    "NaN": (lambda m: weights(m, lambda w: w * float("nan")), "is not finite"),
    "infinity": (lambda m: weights(m, lambda w: w + float("inf")), "is not finite"),
    "complex": (lambda m: weights(m, lambda w: w.to(torch.complex64)), "holds torch.complex64"),
    "whole numbers": (lambda m: weights(m, lambda w: w.to(torch.int32)), "holds torch.int32"),
    "another shape": (lambda m: weights(m, lambda w: w[:, 1:]), "has the shape"),
    "sparse": (lambda m: weights(m, lambda w: w.to_sparse()), "no plain array"),
    "one number for all": (lambda m: weights(m, lambda w: w[:1, :1].clone().expand(w.shape)), "has the shape"),
    "no number": (lambda m: weights(m, lambda w: "w"), "no plain array"),  # type: ignore[arg-type, return-value]
    "weights in a list": (lambda m: {**m, "network": list(m["network"].values())}, "of another model"),
    "more weights": (lambda m: {**m, "network": {**m["network"], "more": torch.ones(1)}}, "of another model"),
    "a number": (lambda m: 3, "holds a int"),
}


def test_what_no_run_writes_is_refused(csv: Path, fit: Fit, capfd: pytest.CaptureFixture[str]) -> None:
    folder = fit(data=csv, target="label", epochs=1)
    model = torch.load(folder / "model.pt", weights_only=True)
    for name, (change, words) in TAMPERED.items():
        torch.save(change(model), folder / "model.pt")
        with pytest.raises(InputError, match=r"not what a run writes|refused") as stopped:
            pytest.fail(f"{name} is not refused: {load(folder)}")
        said = str(stopped.value)
        assert words in said, (name, said)
        assert "\n" not in said
    torch.save(changed(model), folder / "model.pt")
    load(folder)
    assert capfd.readouterr() == ("", "")


def test_a_preprocessing_of_another_run_is_refused(csv: Path, fit: Fit, tmp_path: Path) -> None:
    folder = fit(data=csv, target="label", epochs=1)
    path = folder / "preprocessing.skops"
    people(60).write_csv("fewer.csv")
    same_columns = fit(data=Path("fewer.csv"), target="label", epochs=1, out=tmp_path / "same")
    people().drop("member").write_csv("other.csv")
    other_columns = fit(data=Path("other.csv"), target="label", epochs=1, out=tmp_path / "other")
    names = ["age", "town", "member", "since", "income", "level"]
    unfitted = ColumnTransformer([("numeric_0", FrozenEstimator(StandardScaler()), names)])
    halfway = ColumnTransformer([("numeric_0", FrozenEstimator(StandardScaler()), names)])
    halfway.transformers_, halfway.feature_names_in_ = halfway.transformers, np.array(names)
    whole = path.read_bytes()
    for number, other in enumerate((same_columns, other_columns, unfitted, halfway, {}, StandardScaler())):
        if isinstance(other, Path):
            shutil.copy(other / "preprocessing.skops", path)
        else:
            skops.io.dump(other, path)
        with pytest.raises(InputError, match=r"preprocessing\.skops") as stopped:
            load(folder)
        assert "\n" not in str(stopped.value), number
    path.write_bytes(whole[:200] + bytes([whole[200] ^ 0xFF]) + whole[201:])
    with pytest.raises(InputError, match=r"preprocessing\.skops"):
        load(folder)
    path.unlink()
    with pytest.raises(InputError, match=r"preprocessing\.skops"):
        load(folder)


def test_an_inverted_byte_is_refused_or_harmless(csv: Path, fit: Fit, capfd: pytest.CaptureFixture[str]) -> None:
    folder = fit(data=csv, target="label", epochs=1)
    wanted, whole = load(folder).predict(people()), (folder / "model.pt").read_bytes()
    refused = 0
    for place in range(0, len(whole), 97):
        (folder / "model.pt").write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            # Between the parts of the archive lies what nobody reads.
            assert load(folder).predict(people()).equals(wanted)
        except InputError:
            refused += 1
    assert refused > 10
    assert capfd.readouterr() == ("", "")


def test_the_face_of_the_workbench() -> None:
    assert workbench.__all__ == ["FittedRun", "InputError", "load"]
    assert workbench.load is load
    assert torchobjectives.workbench.load is load
    with pytest.raises(AttributeError, match="has no 'laod'"):
        workbench.laod  # noqa: B018
