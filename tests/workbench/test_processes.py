"""Several processes: the same run, whoever starts them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from torchobjectives import CrossEntropyLoss
from torchobjectives.workbench import run
from torchobjectives.workbench.config import FitOptions
from torchobjectives.workbench.training import SharedMean

FLAGS = (
    *("fit", "people.csv", "--target", "label", "--epochs", "2", "--batch-size", "30", "--device", "cpu"),
    *("--class-weight", "balanced", "--l1", "1e-3", "--l2", "1e-3"),
)
LAUNCHERS = {
    "lightning": [sys.executable, "-m", "torchobjectives"],
    "torchrun": [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "-m", "torchobjectives"],
}


def test_a_loss_that_is_shared_is_called_as_it_is_alone() -> None:
    loss = CrossEntropyLoss()
    assert repr(SharedMean(loss)) == repr(loss)


def test_a_process_that_has_trained_leaves_ctrl_c_to_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C goes to all of them, and one that it kills takes the first one's polishing and report along."""
    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(run, "fit_with_status", lambda config, console: (Path("out"), "done"))
    try:
        for rank, wanted in (("0", before), ("1", signal.SIG_IGN)):
            monkeypatch.setenv("LOCAL_RANK", rank)
            run.fit_as_asked(None, FitOptions(dataset="wine"))
            assert signal.getsignal(signal.SIGINT) == wanted
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.grid
@pytest.mark.parametrize("launcher", ["lightning", "torchrun"])
def test_two_processes_are_one_run(csv: Path, launcher: str) -> None:
    """Rows are dealt out unevenly (64 rows in batches of 30, 30 and 4); every row counts as in one process."""
    for out, command, more in (
        ("one", LAUNCHERS["lightning"], []),
        ("two", LAUNCHERS[launcher], ["--devices", "2"] if launcher == "lightning" else []),
    ):
        done = subprocess.run(
            [*command, *FLAGS, *more, "--out", out],
            capture_output=True,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("report:") == 1
    one, two = (pl.read_csv(f"{out}/history.csv") for out in ("one", "two"))
    for name in one.columns:
        assert two[name].to_numpy() == pytest.approx(one[name].to_numpy(), rel=1e-4), name
    assert sorted(path.name for path in Path("two").iterdir()) == sorted(path.name for path in Path("one").iterdir())
