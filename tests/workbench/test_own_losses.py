"""A loss from the user's own file, several terms, balanced classes."""

import sys
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
    spec = Spec(task="binary", y_pred="logits", y_true="binary", link=links.LOGIT, claims=("proper",))
    @staticmethod
    def function(y_pred, y_true):
        return nn.functional.binary_cross_entropy_with_logits(y_pred, y_true, reduction="none")

class Counted(nn.Module):
    def __init__(self, class_counts, num_classes, temperature=1.0):
        super().__init__()
        assert len(class_counts) == num_classes
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


BAD = """
import torch
table = torch.zeros(30, 30)
last = torch.tensor(0.0)
def detached(p, t):
    return (p.detach() - t).square().mean()
def whole(p, t):
    return (p - t).abs().round().long().sum()
def waves(p, t):
    return torch.complex(p - t, p - t).mean()
def steep(p, t):
    return ((p - t) * 0).abs().sqrt().mean()
def remembers(p, t):
    global last
    last = 0.9 * last + 0.1 * (p - t).square().mean()
    return last
def masked(p, t, mask=None):
    return (p - t).square()
class Shy(torch.nn.MSELoss):
    def __repr__(self):
        raise ValueError("shown to nobody")
class Mute(ValueError):
    def __str__(self):
        raise ValueError
def mute(p, t):
    raise Mute
def takes(p, t):
    p -= t
    return p.square().mean()
def zeroes(p, t):
    return (p - t.zero_()).square().mean()
"""
LATER = """
import torch
calls = 0
def loss(p, t):
    global calls
    calls += torch.is_grad_enabled() and len(t) == 8
    if calls > 20:
        raise KeyError("no such thing")
    return (p - t).square().mean()
def at_once(p, t):
    if len(t) == 8:
        raise KeyError("no such thing")
    return (p - t).square().mean()
class Slope(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x
    @staticmethod
    def backward(ctx, slope):
        global calls
        calls += 1
        return slope * (1 / (calls < 20))
def backwards(p, t):
    return Slope.apply((p - t).square().mean())
class Remembers(torch.nn.Module):
    last = torch.tensor(0.0)
    def forward(self, p, t):
        value = (p - t).square().mean()
        if self.training:
            value = self.last = 0.9 * self.last + 0.1 * value
        return value
"""


@pytest.fixture(autouse=True)
def own_file(own_folder: None) -> Path:
    Path("my losses").mkdir()
    path = Path("my losses/own.py")
    path.write_text(FILE)
    return path


@pytest.mark.parametrize(
    ("name", "target"),
    [
        pytest.param("Five", "label", marks=pytest.mark.grid),
        ("Five power=3", "label"),
        ("Whole", "label"),
        ("Counted temperature=2", "level"),
        pytest.param("Called scale=2", "income", marks=pytest.mark.grid),
        ("scalar factor=0.5", "income"),
        pytest.param("per_row factor=2", "income", marks=pytest.mark.grid),
        ("per_row", "income"),
        pytest.param("made", "income", marks=pytest.mark.grid),
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
        ("my losses/own.py", ["path/to/file.py:NAME"]),
        ("my losses/own.py:", ["path/to/file.py:NAME"]),
        ("my losses/own.py:Five.function", ["path/to/file.py:NAME"]),
        ("own:Five", ["path/to/file.py:NAME"]),
        ("~/own.py:Five", ["there is no file /", "/own.py"]),
        ("nul.py:Five", ["nul.py does not run: SyntaxError: "]),
        ("gone.py:Five", ["there is no file gone.py. Did you mean 'none.py'"]),
        ("st*r/own.py:Five", ["no file st*r/own.py"]),
        ("folder.py:Five", ["folder.py is a folder, not a file"]),
        ("ends_at_once.py:loss", ["ends_at_once.py does not run", "SystemExit in line 2"]),
        ("helped.py:far", ["cannot be computed on this data: ZeroDivisionError in line 2 of helper.py"]),
        ("bad.py:table", ["table is tensor", "wanted a loss"]),
        ("bad.py:detached", ["bad.py:detached", "has no gradient"]),
        ("bad.py:whole", ["has no gradient"]),
        ("bad.py:waves", ["gives a complex number"]),
        ("bad.py:steep", ["slope of the objective is not finite"]),
        ("bad.py:remembers", [".detach() what it remembers"]),
        ("bad.py:takes", ["bad.py:takes", "in place"]),
        ("bad.py:zeroes", ["bad.py:zeroes", "in place"]),
        ("bad.py:Shy", ["bad.py:Shy", "ValueError in line 21: shown to nobody"]),
        ("bad.py:mute", ["bad.py:mute", "Mute in line 26"]),
        ("bad.py:masked", ["bad.py:masked", "mask"]),
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
    Path("folder.py").mkdir()
    Path("nul.py").write_text("x = 1\0")
    Path("gone.py").symlink_to("nowhere.py")
    Path("ends_at_once.py").write_text("import sys\nsys.exit(0)\n")
    Path("helper.py").write_text("def far(p, t):\n    return (p - t).mean() / 0 if 1 / 0 else 0\n")
    Path("helped.py").write_text("from helper import far\n")
    Path("bad.py").write_text(BAD)
    with pytest.raises(SystemExit) as stopped:
        cli.main(("fit", "people.csv", "--target", "income", "--loss", loss))
    said = capsys.readouterr().err
    assert (stopped.value.code, said.count("\n")) == (2, 1)
    assert all(word in said for word in words), said
    assert not Path("runs").exists() or not list(Path("runs").iterdir())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("loss", "failed in epoch 3: KeyError in line 8: 'no such thing'"),
        pytest.param("backwards", "failed in epoch 3: ZeroDivisionError in line 22: ", marks=pytest.mark.grid),
    ],
)
def test_what_fails_later_ends_a_run_that_can_go_on(
    csv: Path, name: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("later.py").write_text(LATER)
    with pytest.raises(SystemExit) as stopped:
        cli.main(
            ("fit", "people.csv", "--target", "income", "--loss", f"later.py:{name}", "--batch-size", "8", "--out", "x")
        )
    said = capsys.readouterr().err
    assert (stopped.value.code, said.count("\n")) == (2, 1)
    assert words in said
    assert "continue with --resume --out x" in said
    assert pl.read_csv("x/history.csv").height == 2
    assert Path("x/report.html").exists()
    Path("later.py").write_text(FILE.replace("def scalar", f"def {name}"))
    cli.main(("fit", "--resume", "--out", "x"))
    assert pl.read_csv("x/history.csv").height == 30


def test_what_fails_in_polishing_is_no_epoch_of_the_run(csv: Path, fit: Fit) -> None:
    Path("later.py").write_text(
        "import torch\n\nwhole = []\n\n\ndef loss(y_pred, y_true):\n    whole.extend([1] * (len(y_pred) == 64))\n"
        "    if len(whole) > 1:\n        raise KeyError('no such thing')\n"
        "    return (y_pred - y_true).square().mean()\n"
    )
    with pytest.raises(InputError, match="failed in polishing: KeyError in line 9"):
        fit(data=csv, target="income", loss="later.py:loss", batch_size=8, l1=1e-3)
    with pytest.raises(InputError, match="failed after training: KeyError in line 9"):
        fit(data=csv, target="income", loss="later.py:loss", batch_size=8, l1=1e-3, polish=0)
    assert pl.read_csv("out/history.csv").height == 2


@pytest.mark.parametrize(("name", "words"), [("at_once", "KeyError in line 12"), ("Remembers", r"\.detach\(\) what")])
def test_what_fails_in_the_first_epoch_leaves_nothing(csv: Path, fit: Fit, name: str, words: str) -> None:
    Path("later.py").write_text(LATER)
    with pytest.raises(InputError, match=rf"later.py:{name}. failed in epoch 1: .*{words}"):
        fit(data=csv, target="income", loss=f"later.py:{name}", batch_size=8)
    assert not list(Path().glob("out*"))


def test_a_link_that_would_be_lost_is_refused(csv: Path, fit: Fit) -> None:
    lines = "from torchobjectives import Loss, Spec, links\nclass Own(Loss):\n    @staticmethod\n"
    lines += "    def function(y_pred, y_true): return (y_pred - y_true) ** 2\n"
    for link in ("links.Link('mine', abs, lambda n: 1)", "links.STUDENT_T"):
        Path("own.py").write_text(
            f"{lines}    spec = Spec(task='regression', y_pred='real', y_true='real', link={link})\n"
        )
        with pytest.raises(InputError, match=r"its link, .* would be lost with the file.*links.IDENTITY"):
            fit(data=csv, target="income", loss="own.py:Own")


def test_a_file_imports_those_beside_it(csv: Path, fit: Fit) -> None:
    path, modules = list(sys.path), set(sys.modules)
    for folder, power in (("a", 2), ("b", 4)):
        Path(folder, "parts").mkdir(parents=True)
        Path(folder, "parts/__init__.py").write_text("from parts.powers import power\n")
        Path(folder, "parts/powers.py").write_text(f"def power(p, t):\n    return (p - t) ** {power}\n")
        Path(folder, "own.py").write_text("from parts import power\n")
    out = fit(data=csv, target="income", loss=["a/own.py:power", "b/own.py:power"])
    history = pl.read_csv(out / "history.csv")
    assert (history["train_power_2"] > 10 * history["train_power"]).all()
    assert sys.path == path
    assert not {name for name in set(sys.modules) - modules if name.startswith("parts")}


def test_functions_written_in_c_say_nothing_of_what_they_take(csv: Path, fit: Fit) -> None:
    Path("c.py").write_text("from torch import dist, binary_cross_entropy_with_logits as bce\n")
    fit(data=csv, target="income", loss="c.py:dist p=2")
    with pytest.raises(InputError, match=r"--pos-weight balanced: .*bce.* has no pos_weight"):
        fit(data=csv, target="label", loss="c.py:bce", pos_weight="balanced")
    fit(data=csv, target="label", loss="c.py:bce reduction=0", class_weight="balanced")


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


def test_a_loss_with_one_value_per_row_is_balanced(csv: Path, fit: Fit) -> None:
    Path("row.py").write_text(
        "from torch.nn.functional import binary_cross_entropy_with_logits as bce\n"
        "def loss(p, t):\n    return bce(p, t, reduction='none')\n"
    )
    same = [
        pl.read_csv(fit(data=csv, target="label", loss=loss, class_weight="balanced") / "history.csv")["valid_loss"]
        for loss in ("row.py:loss", "binary_cross_entropy_loss")
    ]
    assert same[0].to_list() == pytest.approx(same[1].to_list())


def test_balance_and_weights_of_ones_own_are_one_too_many(csv: Path, fit: Fit) -> None:
    Path("made.py").write_text(
        "import torch\nfrom torchobjectives import BinaryCrossEntropyLoss\n"
        "made = BinaryCrossEntropyLoss(pos_weight=9.0)\n"
        "class Made(torch.nn.Module):\n"
        "    def __init__(self, pos_weight):\n"
        "        super().__init__()\n        self.it = BinaryCrossEntropyLoss(pos_weight=pos_weight)\n"
        "    def forward(self, p, t):\n        return self.it(p, t)\n"
        "def weighed(p, t, weight=None, class_weight=None):\n    return BinaryCrossEntropyLoss()(p, t, weight=weight)\n"
    )
    options: dict[str, Any] = {"data": csv, "target": "label"}
    for loss in ("binary_cross_entropy_loss pos_weight=3", "made.py:Made pos_weight=3"):
        with pytest.raises(InputError, match=f'--pos-weight balanced and "{loss}" both give pos_weight'):
            fit(**options, pos_weight="balanced", loss=["focal_loss", loss])
    with pytest.raises(InputError, match=r'--pos-weight balanced: "made.py:made" is made already, with a pos_weight'):
        fit(**options, pos_weight="balanced", loss="made.py:made")
    fit(**options, pos_weight="balanced", loss="made.py:Made")
    fit(**options, class_weight="balanced", loss="made.py:weighed")
    with pytest.raises(InputError, match=r'--class-weight balanced and "made.py:weighed .*" both weigh'):
        fit(**options, class_weight="balanced", loss="made.py:weighed class_weight=[1,2]")
