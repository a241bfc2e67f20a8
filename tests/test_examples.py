"""The examples run as a reader would run them, write where they should, and learn what they say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def run(name: str, folder: Path, *arguments: str) -> str:
    ran = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def number(output: str, name: str) -> float:
    """The last number printed after a name."""
    return float(re.findall(rf"\b{name} (-?\d+\.\d+)", output)[-1])


def test_training_loop(tmp_path: Path) -> None:
    output = run("training_loop.py", tmp_path)
    # The outliers would move a squared loss to an intercept of 1.75.
    assert number(output, "slope") == pytest.approx(3, abs=0.1)
    assert number(output, "intercept") == pytest.approx(1, abs=0.05)
    losses = [float(value) for value in re.findall(r"loss (\d\.\d+)", output)]
    assert losses == sorted(losses, reverse=True)
    assert not list(tmp_path.iterdir())


def test_two_rings(tmp_path: Path) -> None:
    output = run("two_rings.py", tmp_path, "--out", "regions.png")
    # No classifier of these two radii can pass 0.983, Φ(3/√2), by more than chance.
    assert 0.96 < number(output, "roc_auc") < 0.995
    assert number(output, "f1") > 0.75
    assert number(output, "l1") > 0
    assert "1e-05·Σ|w| + ½·0.0001·Σw²" in output
    assert [path.name for path in tmp_path.iterdir()] == ["regions.png"]
    assert (tmp_path / "regions.png").read_bytes().startswith(b"\x89PNG")


def test_own_loss(tmp_path: Path) -> None:
    output = run("own_loss.py", tmp_path)
    before = float(re.findall(r"as a function: relative_error\(floor=10.0\) = (\S+)", output)[0])
    assert before == float(re.findall(r"as a class: (\S+)", output)[0])
    assert number(output, "loss") < 0.01 < before
    assert "{'name': 'relative_error', 'floor': 10.0, 'reduction': 'mean'}" in output


@pytest.mark.parametrize("library", ["lightning", "fabric", "accelerate", "ignite"])
def test_at_home_elsewhere(library: str, tmp_path: Path) -> None:
    name = f"with_{library}.py"
    losses = [float(value) for value in re.findall(r"loss (\d\.\d+)", run(name, tmp_path))]
    assert len(losses) == 2
    assert losses[1] < 0.8 * losses[0]
    assert not list(tmp_path.iterdir())
    assert len((EXAMPLES / name).read_text(encoding="utf-8").splitlines()) <= 30
