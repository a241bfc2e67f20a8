import dataclasses
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from tests.workbench.conftest import Fit, people
from torchobjectives.workbench import figures, preprocessing, report, summaries

EVIL = "<script>alert(1)</script>"
LOADS = {"src", "href", "xlink:href", "srcset", "action", "data", "poster", "formaction"}


class Page(HTMLParser):
    """What a page holds, as a browser would read it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.headings: list[str] = []
        self.labels: list[str] = []
        self.ids: list[str] = []
        self.bad: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        if tag in ("script", "iframe", "object", "embed", "link", "base", "form"):
            self.bad.append(tag)
        self.bad += [f"{tag} {name}" for name in given if name.startswith("on")]
        self.bad += [f"{tag} {n}={v}" for n, v in attrs if n in LOADS and not (v or "").startswith("#")]
        if given.get("id"):
            self.ids.append(given["id"] or "")
        if tag == "svg":
            self.labels.append(given.get("aria-label") or "")
        if tag in ("h1", "h2", "h3"):
            self.headings.append(tag)
        if tag not in ("meta", "br", "path", "use"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("path", "use"):
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def page(folder: Path) -> tuple[Page, str]:
    text = (folder / "report.html").read_text(encoding="utf-8")
    read = Page(text)
    assert "could not be drawn" not in read.text
    return read, text


@pytest.fixture
def kept(fit: Fit, monkeypatch: pytest.MonkeyPatch) -> Callable[..., report.Run]:
    """Fit, and return what the report was written from."""

    def run(**options: Any) -> report.Run:
        runs: list[report.Run] = []
        with monkeypatch.context() as patch:
            patch.setattr(report, "write", lambda path, run: runs.append(run))
            fit(**options)
        return runs[0]

    return run


def written(run: report.Run) -> Page:
    report.write(Path("report.html"), run)
    return Page(Path("report.html").read_text(encoding="utf-8"))


@pytest.mark.parametrize("target", ["label", "level", "income"])
def test_stands_alone(csv: Path, fit: Fit, target: str) -> None:
    read, text = page(fit(data=csv, target=target, l1=1e-4))
    assert not read.bad
    assert not read.open
    assert "://" not in text
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)
    assert all(read.labels)
    assert read.headings[:2] == ["h1", "h2"]
    assert len(set(read.ids)) == len(read.ids) > 10
    assert {"main", "header", "figcaption"} <= set(read.tags)


def test_says_what_was_done(csv: Path, fit: Fit) -> None:
    read, _ = page(fit(data=csv, target="label", l1=1e-4, l2=1e-3, loss="focal_loss gamma=2 alpha=0.75"))
    for words in (
        "FocalLoss(gamma=2, alpha=0.75",
        "0.0001·Σ|w|",
        "Confusion matrix",
        "Reliability",
        "The term l1",
        "hidden_1.weight",
        "Exact zeros",
        "town",
        "categorical",
        "balanced_accuracy",
        'loss = "focal_loss gamma=2 alpha=0.75"',
    ):
        assert words in read.text, words
    missing = 100 * pl.read_csv(csv)["town"].null_count() / 80
    assert f"{missing:.1f} %" in read.text


def test_a_plane_is_drawn_where_there_are_two_numbers(fit: Fit) -> None:
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(2, 60))
    for number, target in enumerate((np.where(x * y > 0, "a", "b"), np.digitize(x, [-0.5, 0.5]), x + y + 0.1)):
        for first in ("$x_1$", ""):
            pl.DataFrame({first: x, EVIL: y, "t": target}).write_parquet("plane.parquet")
            read, _ = page(fit(data=Path("plane.parquet"), target="t"))
            drawn = [label for label in read.labels if label.startswith("Decision regions")]
            assert drawn == [f"Decision regions over {first or 'column_0'} and {EVIL}"], number
            assert not read.bad


def test_escapes_what_came_from_the_file(fit: Fit) -> None:
    x = np.linspace(-1, 1, 40)
    evil = {EVIL: x, "<img src=x onerror=alert(1)>": x, "t": np.where(x > 0, EVIL, "&lt;b&gt; \" ' $\\frac")}
    pl.DataFrame(evil).write_parquet("evil.parquet")
    read, text = page(fit(data=Path("evil.parquet"), target="t"))
    assert not read.bad
    assert EVIL not in text
    assert EVIL in read.text
    pl.DataFrame({EVIL: x, "y": x}).rename({"y": '"><b>t'}).write_parquet("evil.parquet")
    read, _ = page(fit(data=Path("evil.parquet"), target='"><b>t'))
    assert "b" not in read.tags


def test_names_that_act_are_shown_instead(fit: Fit) -> None:
    x = np.linspace(-1, 1, 40)
    classes = np.array(["_hidden", "\x1b[31mred", "\u202etxt"])[np.digitize(x, [-0.3, 0.3])]
    pl.DataFrame({"x": x, "y\x07": x**2, "t": classes}).write_parquet("it.parquet")
    read, text = page(fit(data=Path("it.parquet"), target="t"))
    assert not set(text) & {"\x1b", "\x07", "\u202e"}
    for shown in ("␛[31mred", "y␇", "⟨U+202E⟩txt"):
        assert shown in read.text, shown
    # Two in the figures: matplotlib leaves names that begin with an underscore out of its legends.
    assert len(re.findall("\u200b_hidden", read.text)) == 2


@pytest.mark.parametrize("epochs", [0, 1])
@pytest.mark.parametrize("target", ["label", *(pytest.param(t, marks=pytest.mark.grid) for t in ("level", "income"))])
def test_an_interrupted_run_says_so(csv: Path, kept: Callable[..., report.Run], epochs: int, target: str) -> None:
    run = kept(data=csv, target=target, epochs=3)
    history = run.history.head(epochs) if epochs else pl.DataFrame()
    read = written(dataclasses.replace(run, history=history, scores=run.scores | {"status": "interrupted"}))
    assert f"Interrupted: {epochs} of 3 epochs were done." in " ".join(read.text.split())
    assert ("No epoch was finished" in read.text) == (not epochs)
    assert "Interrupted" not in written(run).text


def test_every_term_has_its_curve(csv: Path, kept: Callable[..., report.Run]) -> None:
    run = kept(data=csv, target="label", l1=1e-4)
    history = run.history.with_columns(train_aux=pl.col("train_loss"), valid_aux=pl.col("valid_loss"))
    read = written(dataclasses.replace(run, history=history.drop("valid_l1")))
    for term in ("The whole objective", "The term loss", "The term l1", "The term aux"):
        assert term in read.text
    # One term alone is the objective: one curve says it.
    read = written(kept(data=csv, target="label"))
    assert "The whole objective, which is the term loss alone" in read.text
    assert "The term loss" not in read.text


def test_a_figure_that_fails_does_not_lose_the_run(csv: Path, fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError(f"no ink {EVIL}")

    for name in ("learning_curve", "reliability", "precision_recall"):
        monkeypatch.setattr(figures, name, fails)
    monkeypatch.setattr(summaries, "use", fails)
    read = Page((fit(data=csv, target="label") / "report.html").read_text(encoding="utf-8"))
    assert read.text.count(f"This could not be drawn: RuntimeError: no ink {EVIL}") == 4
    assert not read.bad


def test_the_threshold_is_said_to_be_optimistic(csv: Path, fit: Fit) -> None:
    folder = fit(data=csv, target="label")
    threshold = json.loads((folder / "metrics.json").read_text())["threshold"]
    text = " ".join(page(folder)[0].text.split())
    rows = pl.read_parquet(folder / "predictions.parquet").filter(pl.col("split") == "valid")
    called, were = rows["probability_yes"] >= threshold["value"], rows["target"] == "yes"
    assert threshold["precision"] == pytest.approx((called & were).sum() / called.sum())
    assert threshold["recall"] == pytest.approx((called & were).sum() / were.sum())
    assert f"The threshold of {threshold['value']:.4g} on the probability of yes" in text
    assert "chosen on the same rows that judge it here" in text
    assert "threshold of 0.5" in text
    assert "Threshold" not in page(fit(data=csv, target="level"))[0].text


def test_notes_on_the_file_are_listed(csv: Path, kept: Callable[..., report.Run]) -> None:
    run = kept(data=csv, target="label")
    object.__setattr__(run.prepared.table, "notes", ("Semicolons part the cells.", EVIL))
    read = written(run)
    assert "Semicolons part the cells." in read.text
    assert EVIL in read.text
    assert not read.bad


def test_environment_and_command(csv: Path, fit: Fit) -> None:
    read, _ = page(fit(data=csv, target="label", l1=1e-4))
    for words in ("Python", "Platform", "CPUs", "Device", "cpu", "torch 2", "--l1 0.0001 --hidden 8 --epochs 2"):
        assert words in read.text, words


def test_inputs_belong_to_their_columns(kept: Callable[..., report.Run]) -> None:
    frame = people().rename({"town": "a_b"}).with_columns(a=pl.Series(["x", "c"] * 40), constant=pl.lit(1.0))
    frame.write_parquet("it.parquet")
    run = kept(data=Path("it.parquet"), target="label")
    prepared, network = run.prepared, run.fitted.network
    owners = [column for _, column in preprocessing.inputs(prepared.transformer)]
    assert {name: owners.count(name) for name in set(owners)} == {
        "age": 2,
        "member": 1,
        "since": 1,
        "income": 1,
        "level": 1,
        "constant": 1,
        "a": 2,
        "a_b": 4,
    }
    weight = network[0].weight.detach()
    for index, owner in enumerate(owners):
        if owner in ("a", "level"):
            weight[:, index] = 0
        if owner == "a_b":
            weight[:, index] = 3
    use = summaries.use(prepared, network)
    assert use is not None
    assert use["dropped"] == ["level", "a"]
    assert use["columns"] == 8
    norms = {row["name"]: row["norm"] for row in use["rows"]}
    train = prepared.x[prepared.rows["train"]].astype(float)
    spread = sum(train[:, index].var() for index, owner in enumerate(owners) if owner == "a_b")
    assert norms["a_b"] == pytest.approx(np.sqrt(8 * 9 * spread))
    assert norms["constant"] == 0
    assert not norms.keys() & {"a", "level"}
    assert use["rows"][0]["name"] == "a_b"
    assert "2 of 8 columns have only exact zeros" in written(run).text


@pytest.mark.parametrize("seed", [2**32 - 1, 2**32 - 150])
def test_the_largest_seeds_work(csv: Path, fit: Fit, seed: int) -> None:
    assert page(fit(data=csv, target="label", seed=seed, epochs=1))[0].headings


def test_same_run_same_report(csv: Path, kept: Callable[..., report.Run]) -> None:
    run = kept(data=csv, target="label", l1=1e-4)
    written(run)
    first = Path("report.html").read_bytes()
    written(run)
    assert Path("report.html").read_bytes() == first
