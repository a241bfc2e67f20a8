import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.workbench.conftest import Fit

EVIL = "<script>alert(1)</script>"
LOADS = {"src", "href", "xlink:href", "srcset", "action", "data", "poster", "formaction"}


class Page(HTMLParser):
    """What a page holds, as a browser would read it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.headings: list[str] = []
        self.labels: list[str] = []
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
    return Page(text), text


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
        pl.DataFrame({"$x_1$": x, EVIL: y, "t": target}).write_parquet("plane.parquet")
        read, _ = page(fit(data=Path("plane.parquet"), target="t"))
        drawn = [label for label in read.labels if label.startswith("Decision regions")]
        assert drawn == [f"Decision regions over $x_1$ and {EVIL}"], number
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
