"""A loss from the user's own file, several terms, balanced classes."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from tests.workbench.conftest import Fit, people
from torchobjectives import cli
from torchobjectives.workbench import load
from torchobjectives.workbench.errors import InputError

FILE = '''
"""Losses of one's own."""
import torch
from dataclasses import dataclass
from torch import nn
from torchobjectives import Loss, Spec, links, as_loss

class Five(Loss):
    power: float = 2.0
    @staticmethod
    def function(y_pred, y_true, *, power):
        return (torch.sigmoid(y_pred) - y_true).abs() ** power

class Whole(Loss):
    spec = Spec(task="binary", y_pred="logits", y_true="binary", link=links.LOGIT, proper=True)
    @staticmethod
    def function(y_pred, y_true):
        return nn.functional.binary_cross_entropy_with_logits(y_pred, y_true, reduction="none")

class Counted(nn.Module):
    def __init__(self, class_counts, temperature=1.0):
        super().__init__()
        self.register_buffer("prior", torch.log(torch.tensor(class_counts, dtype=torch.float32)))
        self.temperature = nn.Parameter(torch.tensor(float(temperature)))
    def forward(self, y_pred, y_true):
        return nn.functional.cross_entropy(self.temperature * y_pred + self.prior, y_true)

@dataclass
class Called:
    scale: float = 1.0
    def __call__(self, y_pred, y_true):
        return self.scale * nn.functional.mse_loss(y_pred, y_true)

def scalar(y_pred, y_true, factor=1.0):
    return factor * ((y_pred - y_true) ** 2).mean()

def per_row(y_pred, y_true, *, factor=1.0):
    return factor * (y_pred - y_true).abs()

made = as_loss(per_row, factor=3.0)
number = 3
'''


@pytest.fixture(autouse=True)
def own_file(own_folder: None) -> Path:
    Path("my losses").mkdir()
    path = Path("my losses/own.py")
    path.write_text(FILE)
    return path


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("Five", "label"),
        ("Five power=3", "label"),
        ("Whole", "label"),
        ("Counted temperature=2", "level"),
        ("Called scale=2", "income"),
        ("scalar factor=0.5", "income"),
        ("per_row factor=2", "income"),
        ("per_row", "income"),
        ("made", "income"),
    ],
)
def test_any_callable_fits_and_predicts_without_its_file(
    csv: Path, fit: Fit, own_file: Path, name: str, target: str
) -> None:
    folder = fit(data=csv, target=target, loss=f"my losses/own.py:{name}", epochs=3)
    history = pl.read_csv(folder / "history.csv")
    assert history["train_loss"][-1] < history["train_loss"][0]
    own_file.unlink()
    stored, found = pl.read_parquet(folder / "predictions.parquet"), load(folder).predict(people())
    if target == "income":
        assert stored["prediction"].to_list() == pytest.approx(found["prediction"].to_list(), rel=1e-5)
    else:
        assert stored["prediction"].to_list() == found["prediction"].to_list()


def test_what_it_learns_is_trained(csv: Path, fit: Fit) -> None:
    folder = fit(data=csv, target="level", loss="my losses/own.py:Counted", lr=0.1)
    stored = torch.load(folder / "model.pt", weights_only=True)["loss"]
    assert stored["temperature"] != 1
    counts = (
        pl.read_parquet(folder / "predictions.parquet").filter(split="train")["target"].value_counts().sort("target")
    )
    assert torch.equal(stored["prior"], torch.log(torch.tensor(counts["count"].to_numpy(), dtype=torch.float32)))


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        ("my losses/owm.py:Five", ["no file my losses/owm.py", "my losses/own.py"]),
        ("my losses/own.py:Fife", ["has no 'Fife'", "'Five'"]),
        ("my losses/own.py:Five powr=2", ["takes no 'powr'", "'power'"]),
        ("my losses/own.py:number", ["number is 3"]),
        ("my losses/own.py:made factor=2", ["made already"]),
        ("my losses/own.py:Counted", ["class_counts"]),
        ("my losses/own.py", ["name and key=value"]),
        ("broken.py:Five", ["broken.py does not run", "line 2", "NameError"]),
        ("unread.py:Five", ["unread.py does not run", "SyntaxError", "line 1"]),
        ("late.py:loss", ["late.py:loss", "cannot be computed on this data", "no such thing"]),
        ("none.py:loss", ["scalar tensor"]),
        ("ends.py:loss", ["cannot be computed on this data"]),
        ("raises.py:Wrong", ["raises.py:Wrong", "missing"]),
    ],
)
def test_what_is_wrong_is_said(csv: Path, loss: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path("broken.py").write_text("import math\nnonsense\n")
    Path("unread.py").write_text("def loss(:\n")
    Path("late.py").write_text("def loss(p, t):\n    raise KeyError('no such thing')\n")
    Path("none.py").write_text("def loss(p, t):\n    return None\n")
    Path("ends.py").write_text("import sys\ndef loss(p, t):\n    sys.exit(0)\n")
    Path("raises.py").write_text("class Wrong:\n    def __init__(self):\n        raise KeyError('missing')\n")
    with pytest.raises(SystemExit) as stopped:
        cli.main(("fit", "people.csv", "--target", "income", "--loss", loss))
    said = capsys.readouterr().err
    assert (stopped.value.code, said.count("\n")) == (2, 1)
    assert all(word in said for word in words), said
    assert not Path("runs").exists() or not list(Path("runs").iterdir())


def test_several_terms_add_up(csv: Path, fit: Fit) -> None:
    losses = ["focal_loss gamma=2", "0.5 * binary_cross_entropy_loss", "my losses/own.py:Five", "0.1*focal_loss"]
    folder = fit(data=csv, target="label", loss=losses, l1=1e-3)
    history = pl.read_csv(folder / "history.csv")
    terms = ["focal_loss", "binary_cross_entropy_loss", "five", "focal_loss_2", "l1"]
    assert history.columns[:7] == ["epoch", "train_objective", *(f"train_{t}" for t in terms)]
    total = sum(history[f"train_{term}"] for term in terms)
    assert total.to_numpy() == pytest.approx(history["train_objective"].to_numpy(), rel=1e-5)
    report = (folder / "report.html").read_text()
    assert "0.5·BinaryCrossEntropyLoss" in report


def test_terms_do_not_take_names_of_the_history(csv: Path, fit: Fit) -> None:
    Path("named.py").write_text("def objective(p, t):\n    return (p - t).square().mean()\n")
    with pytest.raises(InputError, match="'objective' is a name of the report's own"):
        fit(data=csv, target="income", loss=["mse_loss", "named.py:objective"])


def test_terms_must_share_the_output(csv: Path, fit: Fit) -> None:
    with pytest.raises(InputError, match=r"nll_loss.* reads the network's output otherwise than .*cross_entropy_loss"):
        fit(data=csv, target="level", loss=["cross_entropy_loss", "nll_loss"])


def test_balanced_classes_weigh_the_same(csv: Path, fit: Fit) -> None:
    table = pl.read_csv(csv)
    yes = table.filter(label="yes")[:8]
    pl.concat([table.filter(label="no"), yes]).write_csv(csv)
    options: dict[str, Any] = {"data": csv, "target": "label", "epochs": 1}
    rows = pl.read_parquet(fit(**options, class_weight="balanced", l2=1e3, lr=1e-12) / "predictions.parquet")
    history = pl.read_csv("out/history.csv")
    part = rows.filter(split="valid")
    p = part["probability_yes"].to_numpy()
    counts = rows.filter(split="train")["target"].value_counts()
    weight = {name: counts["count"].sum() / (2 * count) for name, count in counts.rows()}
    w = part["target"].replace_strict(weight).to_numpy()
    y = (part["target"] == "yes").to_numpy()
    values = -torch.log(torch.tensor(p)).numpy() * y - torch.log1p(-torch.tensor(p)).numpy() * ~y
    assert history["valid_loss"][0] == pytest.approx((w * values).sum() / w.sum(), rel=1e-5)

    folder = fit(**options, pos_weight="balanced")
    config = torch.load(folder / "model.pt", weights_only=True)["config"]
    assert config["loss"]["pos_weight"] == pytest.approx(weight["yes"] / weight["no"])


def test_a_loss_without_weights_says_so(csv: Path, fit: Fit) -> None:
    with pytest.raises(InputError, match=r"--class-weight balanced: .*Counted.* takes no weight"):
        fit(data=csv, target="level", loss="my losses/own.py:Counted", class_weight="balanced")
