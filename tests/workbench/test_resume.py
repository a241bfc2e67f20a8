"""Interrupted is not lost: what was cut off goes on, bit for bit as if it had not been."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from filelock import FileLock

from tests.workbench.conftest import Fit
from torchobjectives import cli
from torchobjectives.workbench import batches, folders, resuming, run
from torchobjectives.workbench.callbacks import StoppedError
from torchobjectives.workbench.config import FitOptions, RunConfig
from torchobjectives.workbench.errors import InputError

# Dropout, a loss with a state, a best epoch and patience: all of them have to go on where they were.
FLAGS = (
    *("fit", "people.csv", "--target", "label", "--epochs", "6", "--batch-size", "8", "--dropout", "0.3"),
    *("--loss", "ghmc_loss", "--patience", "4", "--monitor", "roc_auc", "--l1", "1e-3"),
)
SAME = ("history.csv", "predictions.parquet", "metrics.json")
# A run in a process of its own, which stops for a moment in the middle of epoch 3 so that it can be cut off there.
SLOW = """
import sys, time
from torchobjectives.workbench import training
step = training.FitModule.training_step
def slow(self, batch, batch_idx):
    if self.current_epoch == 2 and batch_idx == 3:
        print("NOW", flush=True)
        time.sleep({pause})
    return step(self, batch, batch_idx)
training.FitModule.training_step = slow
training.metrics.RESAMPLES = 5
from torchobjectives.cli import main
main(sys.argv[1:])
"""


def cut_off(out: str, number: int, *, times: int = 1) -> subprocess.CompletedProcess[str]:
    """Run until the middle of epoch 3, then send a signal."""
    code = SLOW.format(pause=60 if number == signal.SIGKILL else 1)
    process = subprocess.Popen(
        [sys.executable, "-c", code, *FLAGS, "--out", out],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        # A shell starts background jobs with Ctrl-C ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    while "NOW" not in process.stdout.readline():
        assert process.poll() is None
    for _ in range(times):
        process.send_signal(number)
        # Two signals that wait together are one.
        time.sleep(0.1)
    said, error = process.communicate(timeout=120)
    return subprocess.CompletedProcess(FLAGS, process.returncode, said, error)


@pytest.fixture
def whole(csv: Path) -> Path:
    cli.main((*FLAGS, "--out", "whole"))
    return Path("whole")


def same_run(a: Path, b: Path) -> None:
    for name in SAME:
        assert (a / name).read_bytes() == (b / name).read_bytes(), name
    models = [torch.load(folder / "model.pt", weights_only=True) for folder in (a, b)]
    for part in ("network", "loss"):
        assert models[0][part].keys() == models[1][part].keys()
        for name, value in models[0][part].items():
            assert torch.equal(value, models[1][part][name]), name


def test_killed_in_the_middle_of_an_epoch(whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cut_off("killed", signal.SIGKILL).returncode == -9
    assert not Path("killed").exists()
    assert Path("killed.partial/checkpoints/last.ckpt").exists()
    with pytest.raises(SystemExit) as stopped:
        cli.main((*FLAGS, "--out", "killed"))
    assert stopped.value.code == 2
    assert "is an unfinished run: pass --resume" in capsys.readouterr().err
    cli.main((*FLAGS, "--resume", "--out", "killed"))
    assert not Path("killed.partial").exists()
    same_run(whole, Path("killed"))


@pytest.mark.grid
def test_the_third_ctrl_c_says_how_to_go_on(csv: Path) -> None:
    done = cut_off("at once", signal.SIGINT, times=3)
    assert done.returncode == 130
    assert done.stderr == "torchobjectives: interrupted; fit --resume --out 'at once' continues\n"
    assert Path("at once.partial/checkpoints/last.ckpt").exists()


@pytest.mark.parametrize(
    ("number", "times"),
    [
        pytest.param(signal.SIGINT, 1, marks=pytest.mark.grid),
        pytest.param(signal.SIGINT, 2, marks=pytest.mark.grid),
        pytest.param(signal.SIGTERM, 1, marks=pytest.mark.grid),
    ],
)
def test_interrupted_leaves_a_run_that_can_be_used_and_continued(
    whole: Path, number: int, times: int, capsys: pytest.CaptureFixture[str]
) -> None:
    done = cut_off("stopped", number, times=times)
    assert (done.returncode, done.stderr) == (130, "")
    assert "interrupted after 2 of 6 epochs; --resume --out stopped continues" in done.stdout
    folder = Path("stopped")
    assert not Path("stopped.partial").exists()
    assert folders.status(folder) == "interrupted"
    assert {"model.pt", "report.html", "checkpoints"} <= {path.name for path in folder.iterdir()}
    assert pl.read_csv(folder / "history.csv")["epoch"].to_list() == [1, 2]
    assert "interrupted" in (folder / "report.html").read_text()
    with pytest.raises(SystemExit):
        cli.main((*FLAGS, "--out", "stopped"))
    assert "--resume to continue it" in capsys.readouterr().err
    # Without any other flag: the run knows its own.
    cli.main(("fit", "--resume", "--out", "stopped.partial" if times == 1 else "stopped"))
    same_run(whole, folder)


def test_more_epochs_are_those_that_a_longer_run_would_have_had(csv: Path, fit: Fit, tmp_path: Path) -> None:
    options: dict[str, Any] = {"data": csv, "target": "level", "dropout": 0.2, "out": tmp_path / "long"}
    long = fit(**options, epochs=4)
    short = fit(**{**options, "out": tmp_path / "short"}, epochs=2)
    config = resuming.resumed(None, FitOptions(resume=True, out=short, epochs=4))
    run.fit(config)
    same_run(long, short)


@pytest.mark.parametrize("monitor", [pytest.param(None, marks=pytest.mark.grid), "roc_auc"])
def test_the_log_of_a_continued_run_is_whole(csv: Path, fit: Fit, tmp_path: Path, monitor: str | None) -> None:
    options: dict[str, Any] = {"data": csv, "target": "label", "log": "csv", "monitor": monitor, "l1": 1e-3}
    long = fit(**options, out=tmp_path / "long", epochs=4)
    short = fit(**options, out=tmp_path / "short", epochs=2)
    run.fit(resuming.resumed(None, FitOptions(resume=True, out=short, epochs=4)))
    whole = (long / "logs/metrics.csv").read_bytes()
    assert (short / "logs/metrics.csv").read_bytes() == whole
    # As if it had been cut off while the report was written.
    short.rename("short.partial")
    run.fit(resuming.resumed(None, FitOptions(resume=True, out=short)))
    assert (short / "logs/metrics.csv").read_bytes() == whole


@pytest.mark.parametrize(
    "monitor", ["roc_auc", *(pytest.param(each, marks=pytest.mark.grid) for each in (None, "loss"))]
)
def test_interrupted_in_the_first_epoch(
    csv: Path, fit: Fit, monitor: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"data": csv, "target": "label", "monitor": monitor, "l1": 1e-3}
    columns = pl.read_csv(fit(**options) / "history.csv").columns
    monkeypatch.setattr("torchobjectives.workbench.callbacks.Interrupts.on_train_batch_end", stop)
    assert (fit(**options) / "history.csv").read_text() == ",".join(columns) + "\n"


def stop(*_: object) -> None:
    raise StoppedError


def test_stopped_early_stays_stopped(csv: Path, fit: Fit) -> None:
    folder = fit(data=csv, target="label", epochs=30, lr=0.1, patience=1, monitor="loss")
    history = (folder / "history.csv").read_bytes()
    assert pl.read_csv(folder / "history.csv").height < 30
    # As if it had been cut off while the report was written.
    folder.rename("out.partial")
    run.fit(resuming.resumed(None, FitOptions(resume=True, out=folder)))
    assert (folder / "history.csv").read_bytes() == history


def test_the_best_epoch_is_kept(csv: Path, fit: Fit) -> None:
    # Whether somebody is a member is noise: to learn it is to overfit.
    options: dict[str, Any] = {"data": csv, "target": "member", "lr": 0.1, "monitor": "log_loss"}
    folder = fit(**options, epochs=12)
    history = pl.read_csv(folder / "history.csv")
    best = int(history["valid_log_loss"].arg_min() or 0) + 1
    assert best < 12
    value = metrics_of(folder)["valid"]["log_loss"]["value"]
    assert value == pytest.approx(history["valid_log_loss"].min(), rel=1e-5)
    assert metrics_of(folder)["epochs"] == {"done": 12, "of": 12, "best": best}
    assert metrics_of(fit(**{**options, "monitor": None}, epochs=best))["valid"]["log_loss"]["value"] == pytest.approx(
        value
    )


def metrics_of(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    return read


@pytest.mark.parametrize("checkpoint", [True, False])
def test_other_rows_are_not_continued_on(
    csv: Path, fit: Fit, checkpoint: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = fit(data=csv, target="label", epochs=2)
    if not checkpoint:
        # As after an interruption in epoch 1.
        (folder / "checkpoints/last.ckpt").unlink()
    pl.read_csv(csv).with_columns(pl.col("income").reverse()).write_csv(csv)
    said = refused(("fit", "--resume", "--out", str(folder), "--epochs", "3"), capsys)
    assert "people.csv are not those that the run began with" in said
    (folder / "inputs.json").write_text("{}")
    said = refused(("fit", "--resume", "--out", str(folder), "--epochs", "3"), capsys)
    assert "inputs.json, which says what the run began with, is missing or damaged" in said


def test_a_loss_that_was_changed_is_not_continued_with(csv: Path, fit: Fit, capsys: pytest.CaptureFixture[str]) -> None:
    loss = Path("my.py")
    loss.write_text("def mine(y_pred, y_true):\n    return (y_pred - y_true) ** 2\n")
    fit(data=csv, target="income", loss=["mse_loss", "0.5 * my.py:mine"])
    resume = ("fit", "--resume", "--out", "out", "--epochs", "3")
    before = loss.read_text()
    loss.write_text(before.replace("2", "4"))
    assert "--resume: my.py is not as it was when the run began: undo its changes" in refused(resume, capsys)
    loss.unlink()
    assert f"there is no file my.py, the run's loss, in {Path.cwd()}: go where it lies" in refused(resume, capsys)
    loss.write_text(before)
    cli.main(resume)


class Executed:
    def __reduce__(self) -> Any:
        return Path.touch, (Path("executed"),)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("cut", "it is damaged, or holds more than numbers and names"),
        ("empty", "it is damaged"),
        ("pickle", "holds more than numbers and names"),
        ("list", "it holds a list"),
        ("keys", "it lacks loops"),
        ("weights", "its hidden_1.weight is not the network's"),
        ("folder", "it is no file"),
    ],
)
def test_a_damaged_checkpoint_is_one_line_and_nothing_touched(
    csv: Path, fit: Fit, damage: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = fit(data=csv, target="label") / "checkpoints/last.ckpt"
    content, whole = path.read_bytes(), torch.load(path, weights_only=True)
    path.unlink()
    match damage:
        case "cut" | "empty":
            path.write_bytes(content[: len(content) // 2] if damage == "cut" else b"")
        case "folder":
            path.mkdir()
        case _:
            torch.save(
                {
                    "pickle": Executed(),
                    "list": [1],
                    "keys": {key: value for key, value in whole.items() if key != "loops"},
                    "weights": {**whole, "state_dict": {"network.0.weight": torch.zeros(2)}},
                }[damage],
                path,
            )
    said = refused(("fit", "--resume", "--out", "out", "--epochs", "3"), capsys)
    assert "last.ckpt is no checkpoint of this run" in said
    assert words in said
    assert not Path("executed").exists()


def test_an_unfinished_run_takes_the_place_of_an_older_one_when_asked_to(
    csv: Path, fit: Fit, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.move(fit(data=csv, target="label", epochs=2), "out.partial")
    folder = fit(data=csv, target="label", epochs=1, out=Path("older")).rename("out")
    resume = ("fit", "--resume", "--out", "out", "--epochs", "3")
    assert "add --overwrite to continue the one and then replace the other" in refused(resume, capsys)
    again = ("fit", "people.csv", "--target", "label", "--out", "out")
    assert "--resume --overwrite to continue out.partial and then replace" in refused(again, capsys)
    Path("out/notes.txt").write_text("chapter one")
    assert "out also holds 'notes.txt'" in refused((*resume, "--overwrite"), capsys)
    Path("out/notes.txt").unlink()
    cli.main((*resume, "--overwrite"))
    assert metrics_of(folder)["epochs"]["done"] == 3
    assert not Path("out.partial").exists()
    assert "overwrite" not in (folder / "config.toml").read_text()


def test_resume_leaves_alone_what_is_no_run_or_is_being_written(
    csv: Path, fit: Fit, capsys: pytest.CaptureFixture[str]
) -> None:
    fit(data=csv, target="label", epochs=1)
    Path("out.partial").mkdir()
    resume = ("fit", "--resume", "--overwrite", "--out", "out", "--epochs", "2")
    assert "out.partial exists and is no unfinished run: move it away" in refused(resume, capsys)
    Path("out.partial").rmdir()
    Path("out").rename("out.partial")
    with FileLock("out.partial/.lock"):
        assert "being written by another run" in refused(resume, capsys)


def refused(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> str:
    """Run what must be refused, and must leave everything as it is; return what it says."""
    before = contents()
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    assert stopped.value.code == 2
    assert contents() == before
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


def contents() -> dict[Path, bytes | None]:
    paths = (path for path in Path().rglob("*") if path.name != ".lock")
    return {path: path.read_bytes() if path.is_file() else None for path in paths}


def test_the_data_may_lie_elsewhere_by_now(
    csv: Path, fit: Fit, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fit(data=Path("people.csv"), target="label")
    Path("elsewhere").mkdir()
    csv.rename("elsewhere/moved.csv")
    resume = ("--resume", "--out", "../out", "--epochs", "3")
    monkeypatch.chdir("elsewhere")
    said = refused(("fit", *resume), capsys)
    assert f"there is no file people.csv in {Path.cwd()}: give the run's data anew" in said
    cli.main(("fit", "moved.csv", *resume))
    assert metrics_of(Path("../out"))["epochs"]["done"] == 3


def test_a_full_disk_leaves_what_there_is_to_continue(
    csv: Path, fit: Fit, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    new = ("fit", "people.csv", "--target", "label", "--out", "new")
    with monkeypatch.context() as patch:
        patch.setattr("torchobjectives.workbench.callbacks.EveryEpoch.on_train_epoch_end", full)
        assert "no space left on the device of new.partial: make room, then run the same" in refused(new, capsys)
    fit(data=csv, target="label")
    more = ("fit", "--resume", "--out", "out", "--epochs", "3")
    with monkeypatch.context() as patch:
        patch.setattr("torchobjectives.workbench.report.write", full)
        with pytest.raises(SystemExit):
            cli.main(more)
    assert "make room, then continue with --resume\n" in capsys.readouterr().err
    cli.main(("fit", "--resume", "--out", "out"))
    assert metrics_of(Path("out"))["epochs"] == {"done": 3, "of": 3, "best": None}


def test_a_run_that_is_refused_late_has_its_checkpoint_back(
    csv: Path, fit: Fit, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverged(*_: object, **__: object) -> None:
        raise InputError("training diverged")

    fit(data=csv, target="label")
    monkeypatch.setattr("torchobjectives.workbench.run._scores", diverged)
    assert "diverged" in refused(("fit", "--resume", "--out", "out", "--epochs", "3"), capsys)


def test_replacing_a_run_touches_nothing_beside_it(csv: Path, fit: Fit) -> None:
    folder = fit(data=csv, target="label", epochs=1)
    Path("out.old").mkdir()
    Path("out.old/mine.txt").write_text("chapter one")
    fit(data=csv, target="label", epochs=1)
    assert {path.name for path in folder.parent.iterdir()} == {"people.csv", "out", "out.old"}
    assert Path("out.old/mine.txt").exists()


def test_a_run_is_continued_with_its_own_options(csv: Path, fit: Fit, capsys: pytest.CaptureFixture[str]) -> None:
    folder = fit(data=csv, target="label")
    for flags, words in {
        ("--lr", "0.1"): "--lr 0.1, but the run chose its learning rate itself (0.001): drop --lr",
        ("--patience", "3"): "--patience 3, but the run has none",
        ("--hidden", "9"): "--hidden 9, but the run has 8",
        ("--loss", "focal_loss"): '--loss "focal_loss", but the run takes the default loss of its task',
        ("--dataset", "wine"): "--dataset wine, but the run reads ",
        ("--epochs", "1"): "--epochs 1 is less than the run's 2",
        (): "is finished; for more epochs",
        ("--config", "x"): "drop --config",
    }.items():
        assert words in refused(("fit", "--resume", "--out", str(folder), *flags), capsys)


def test_order_and_random_numbers_follow_from_seed_and_epoch() -> None:
    def epoch(seed: int, number: int, **more: int) -> list[list[int]]:
        dealt = batches.Batches(10, RunConfig(dataset="wine", seed=seed, batch_size=4), **more)
        dealt.set_epoch(number)
        return list(dealt)

    assert epoch(0, 3) == epoch(0, 3)
    assert epoch(0, 3) != epoch(0, 4)
    assert epoch(0, 3) != epoch(1, 3)
    assert sorted(row for batch in epoch(0, 0) for row in batch) == list(range(10))
    halves = [epoch(0, 3, rank=rank, processes=2) for rank in range(2)]
    assert [sorted(a + b) for a, b in zip(*halves, strict=True)] == [sorted(batch) for batch in epoch(0, 3)]
