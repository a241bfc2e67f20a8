"""The verb check: exit codes, what is refused, JSON; and the check that fit makes of a loss of one's own."""

import json
import sys
from pathlib import Path

import pytest

from tests.workbench.conftest import Fit
from tests.workbench.test_report import page
from torchobjectives import cli

LOSSES = """
import torch
from torch import nn


class Power(nn.Module):
    def __init__(self, gamma=2.0):
        super().__init__()
        self.gamma = gamma

    def forward(self, y_pred, y_true):
        print("chatter")
        return ((y_pred - y_true).abs() ** self.gamma).mean()


def decided(y_pred, y_true):
    return (y_pred.round() == y_true).float().mean()


def fails(y_pred, y_true):
    raise RuntimeError("out of order")


def needs(y_pred, y_true):
    return nn.functional.mse_loss(y_pred, y_true)


number = 3


def example():
    return torch.randn(16, generator=torch.Generator().manual_seed(0)), torch.linspace(-1, 1, 16)


def as_dict():
    y_pred, y_true = example()
    return {"y_pred": y_pred, "y_true": y_true, "expected": {"no-gradient": "a metric, for comparison"}}


def three():
    return 1, 2, 3


def broken():
    raise ValueError("no data here")
"""


@pytest.fixture
def losses(tmp_path: Path) -> Path:
    path = tmp_path / "losses.py"
    path.write_text(LOSSES)
    return path


def check(*words: str) -> int:
    try:
        cli.main(("check", *words))
    except SystemExit as stopped:
        return int(stopped.code or 0)
    return 0


def test_exit_codes(losses: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(f"{losses}:Power") == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("Power: clean") or captured.out.startswith("Power: 1 note")
    assert "chatter" in captured.err
    assert "chatter" not in captured.out.splitlines()
    assert check(f"{losses}:decided") == 1
    assert "round()` at losses.py, line 17" in capsys.readouterr().out
    assert check(f"{losses}:fails") == 2
    assert "RuntimeError at losses.py, line 21" in capsys.readouterr().out
    assert check("mse_loss", "--example", f"{losses}:example") == 0


def test_json(losses: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(f"{losses}:Power", "--kwargs", '{"gamma": 1.5}', "--json") == 0
    assert json.loads(capsys.readouterr().out)["clean"] is True
    assert check(f"{losses}:decided", "--json") == 1
    report = json.loads(capsys.readouterr().out)
    assert [finding["code"] for finding in report["findings"]] == ["no-gradient"]
    assert {"code", "level", "message", "fix", "evidence"} == set(report["findings"][0])


def test_an_example_may_say_more(losses: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(f"{losses}:decided", "--example", f"{losses}:as_dict") == 0
    assert "expected no-gradient: a metric, for comparison" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["LOSSES:Powr"], "Did you mean 'Power'?"),
        (["LOSSES:number"], "wanted a loss"),
        (["LOSSES"], "losses.py:MyLoss"),
        (["nowhere.py:Power"], "there is no file nowhere.py"),
        (["mse_los"], "Did you mean 'mse_loss'"),
        (["mse_loss"], "--example is missing"),
        (["LOSSES:Power", "--kwargs", "{gamma: 2}"], "it is not JSON"),
        (["LOSSES:Power", "--kwargs", "[2]"], "wanted a JSON object"),
        (["LOSSES:Power", "--kwargs", '{"gama": 2}'], "Did you mean 'gamma'?"),
        (["LOSSES:Power", "--example", "LOSSES:exampel"], "Did you mean 'example'?"),
        (["LOSSES:Power", "--example", "LOSSES"], "wanted path/to/file.py:NAME"),
        (["LOSSES:Power", "--example", "LOSSES:three"], "wanted (y_pred, y_true), two tensors, got tuple"),
        (["LOSSES:Power", "--example", "LOSSES:broken"], "ValueError in line 45: no data here"),
        (["LOSSES:Power", "--y-pred-kind", "logit"], "Did you mean 'logits'?"),
        ([], "requires an argument"),
    ],
)
def test_what_cannot_be_used_is_said_in_a_line(
    losses: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(*(word.replace("LOSSES", str(losses)) for word in words)) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert len(captured.err.strip().splitlines()) == 1
    assert not captured.out


def test_fit_checks_a_loss_of_ones_own(csv: Path, fit: Fit, losses: Path) -> None:
    read, _ = page(fit(data=csv, target="income", loss=f"{losses}:Power", epochs=1))
    assert "Check of Power" in read.text
    assert "y_pred real, y_true values" in read.text
    read, _ = page(fit(data=csv, target="income", loss="mse_loss", epochs=1))
    assert "Check of" not in read.text


def test_a_file_is_run_once_for_loss_and_example(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "loud.py"
    path.write_text('print("I am run")\n' + LOSSES)
    assert check(f"{path}:Power") == 0
    assert capsys.readouterr().err.count("I am run") == 1


def test_a_file_that_runs_once_alone_costs_no_run(csv: Path, fit: Fit, tmp_path: Path) -> None:
    path = tmp_path / "once.py"
    path.write_text(
        "import sys\nfrom torch.nn.functional import mse_loss\n\nassert not hasattr(sys, 'ran_once')\n"
        "sys.ran_once = True\n\n\ndef once(y_pred, y_true):\n    return mse_loss(y_pred, y_true)\n"
    )
    try:
        read, _ = page(fit(data=csv, target="income", loss=f"{path}:once", epochs=1))
    finally:
        del sys.ran_once  # type: ignore[attr-defined]
    assert "Check of once" in read.text
