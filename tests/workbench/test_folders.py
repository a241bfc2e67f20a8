"""What a run replaces, and what it never touches."""

import shutil
from pathlib import Path

import pytest

from tests.workbench.test_cli import FIT, wrong
from torchobjectives import cli
from torchobjectives.workbench.errors import InputError


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("notes.txt", "notes.txt"),
        ("logs/notes.txt", "logs/notes.txt"),
        ("logs/mlruns/metrics.csv", "logs/mlruns"),
        ("logs/wandb/notes.txt", "logs/wandb/notes.txt"),
        ("checkpoints/best.ckpt", "checkpoints/best.ckpt"),
        ("predictions-x/novel.txt", "predictions-x"),
        ("predictions-x.txt", "predictions-x.txt"),
        ("predictions-y.csv/novel.txt", "predictions-y.csv"),
    ],
)
@pytest.mark.parametrize("place", ["run", "run.partial"])
def test_what_no_run_wrote_is_never_deleted(
    csv: Path, one_run: Path, place: str, path: str, found: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(one_run, place)
    theirs = Path(place, path)
    theirs.parent.mkdir(parents=True, exist_ok=True)
    theirs.write_text("chapter one")
    said = wrong((*FIT, "--out", "run", "--overwrite"), capsys)
    assert f"{place} also holds {found!r}, which no fit wrote and would be deleted: move it" in said


def test_an_unfinished_run_that_would_be_begun_anew_may_hold_files_of_others(
    csv: Path, one_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Without a checkpoint there is nothing to lose, so it goes without --overwrite; not so a file of somebody's.
    Path("run.partial").mkdir()
    shutil.copy(one_run / "config.toml", "run.partial/config.toml")
    Path("run.partial/notes.txt").write_text("chapter one")
    assert "also holds 'notes.txt'" in wrong((*FIT, "--out", "run"), capsys)


@pytest.mark.parametrize("name", ["history.csv", "predictions-x.csv"])
def test_links_under_the_names_of_a_run_are_somebodys(
    csv: Path, one_run: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(one_run, "run")
    Path("run", name).unlink(missing_ok=True)
    Path("run", name).symlink_to(csv)
    assert f"also holds {name!r}" in wrong((*FIT, "--out", "run", "--overwrite"), capsys)


def test_what_comes_in_while_a_run_is_built_is_left_when_it_is_refused(
    csv: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(*_: object) -> None:
        Path("run.partial/notes.txt").write_text("chapter one")
        raise InputError("refused")

    monkeypatch.setattr("torchobjectives.workbench.training.train", train)
    with pytest.raises(SystemExit):
        cli.main((*FIT, "--out", "run"))
    assert Path("run.partial/notes.txt").exists()


def test_what_the_loggers_write_is_a_runs(csv: Path, one_run: Path) -> None:
    shutil.copytree(one_run, "run")
    written = ("metrics.csv", "hparams.yaml", "events.out.tfevents.1700000000.host.12.0", "mlflow.db")
    for name in (*written, "wandb/offline-run-20260101_120000-a1b2c3d4/files/config.yaml"):
        Path("run/logs", name).parent.mkdir(parents=True, exist_ok=True)
        Path("run/logs", name).write_text("of a logger")
    Path("run/logs/wandb/latest-run").symlink_to("offline-run-20260101_120000-a1b2c3d4")
    Path("run/predictions-new.pq").write_text("of predict")
    cli.main((*FIT, "--epochs", "1", "--out", "run", "--overwrite"))
    assert not Path("run/logs").exists()
