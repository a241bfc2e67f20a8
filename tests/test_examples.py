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


@pytest.mark.grid
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


def test_chapter(tmp_path: Path) -> None:
    output = run("chapter.py", tmp_path)
    rows = [re.split(r" +\| +", line, maxsplit=3) for line in output.splitlines() if line.count(" | ") > 2]
    pairs = {what: (float(textbook), float(ours), why) for what, textbook, ours, why in rows}
    for what, (textbook, ours, why) in pairs.items():
        # Where a reason is given, the numbers must really differ. They are printed with six digits.
        equal = abs(textbook - ours) <= 2e-6
        assert equal == bool(re.fullmatch(r"\d\.\de[+-]\d\d", why)), what
    built_in = ("MSE", "L1", "SmoothL1", "BCE", "BCEWithLogits", "CrossEntropy", "NLL", "CosineEmbedding")
    for what in (
        *(f"nn.{name}Loss" for name in (*built_in, "AdaptiveLogSoftmaxWith")),
        *("F.mse_loss", "F.l1_loss", "F.smooth_l1_loss", "F.nll_loss", "F.cosine_embedding_loss", "F.cross_entropy"),
        *("F.binary_cross_entropy", "F.binary_cross_entropy_with_logits"),
        *("SGD(weight_decay) / L2(on='*')", "the same, momentum 0.9", "list of dicts / param_groups"),
    ):
        assert abs(pairs[what][0] - pairs[what][1]) <= 2e-6
    for what, wanted in {
        "BCE, hard": 0.6931,
        "focal, hard": 0.0866,
        "focal / BCE, hard": 0.125,
        "BCE, easy": 0.1054,
        "focal, easy": 0.0005,
        "focal / BCE, easy": 0.005,
        "F.binary_cross_entropy, sigmoid(20)": 20,
    }.items():
        assert pairs[what][1] == pytest.approx(wanted, abs=5e-5), what
    assert "first slip  | AttributeError: module 'torch.functional' has no attribute 'binary_cross_entropy'" in output
    assert "second slip | UnboundLocalError: " in output
    assert "AdamW shrinks" in pairs["AdamW(weight_decay) / L2(on='*')"][2]
    assert not list(tmp_path.iterdir())


@pytest.mark.grid
def test_feature_selection(tmp_path: Path) -> None:
    output = run("feature_selection.py", tmp_path, "--resamples", "4")
    rows = [line.split() for line in output.splitlines()]
    assert next(row[1] for row in rows if row[0].startswith("0.")) == "0"
    assert re.search(r"1 +worst (radius|concave points) +1 .* yes", output)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["regularization-path.svg", "selected-features.svg"]


@pytest.mark.grid
@pytest.mark.parametrize("library", ["lightning", "accelerate", "fabric", "ignite"])
def test_at_home_elsewhere(library: str, tmp_path: Path) -> None:
    name = f"with_{library}.py"
    losses = [float(value) for value in re.findall(r"loss (\d\.\d+)", run(name, tmp_path))]
    assert len(losses) == 2
    assert losses[1] < 0.8 * losses[0]
    assert not list(tmp_path.iterdir())
    assert len((EXAMPLES / name).read_text(encoding="utf-8").splitlines()) <= 30
