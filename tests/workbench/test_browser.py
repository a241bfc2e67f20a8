"""The report as a browser sees it: offline, on a phone, in the dark, on paper, and by rules of accessibility."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from tests.workbench.browser import CHROMIUM, Browser
from tests.workbench.conftest import Fit

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here: apt-get install chromium")

AUDIT = (Path(__file__).parent / "audit.js").read_text(encoding="utf-8")
VIEWS: dict[str, dict[str, Any]] = {
    "phone": {"width": 360},
    "phone in the dark": {"width": 360, "scheme": "dark"},
    "desktop": {"width": 1280},
    "desktop in the dark": {"width": 1280, "scheme": "dark"},
}
BACKGROUNDS = {"light": "rgb(255, 255, 255)", "dark": "rgb(21, 24, 28)"}
LONG = "x" * 300
MARKUP = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as started:
        yield started


def hostile() -> pl.DataFrame:
    x, y = np.random.default_rng(0).normal(size=(2, 90))
    names = [f"_{MARKUP}", "שלום \u202e\x1b[31m עולם", f"$\\frac$ </svg> {'long ' * 60}", "数据集的名字" * 9]
    return pl.DataFrame(
        {
            "": x,
            LONG: y,
            "\"'><img src=x onerror=alert(1)>": np.where(y > 0, "</td></table>", "עברית"),
            "\u202e$x_1$</svg>": np.array(names)[np.digitize(x, [-0.6, 0.0, 0.6])],
        }
    )


def plane() -> pl.DataFrame:
    return hostile().select("", LONG, "\u202e$x_1$</svg>")


TABLES: dict[str, tuple[Any, dict[str, Any]]] = {
    "binary": (None, {"dataset": "breast_cancer", "l1": 1e-3, "l2": 1e-3}),
    "many classes": (None, {"dataset": "digits"}),
    "regression": (None, {"dataset": "diabetes"}),
    "hostile": (hostile, {"target": "\u202e$x_1$</svg>", "l1": 1e-4}),
    "hostile plane": (plane, {"target": "\u202e$x_1$</svg>"}),
}


@pytest.mark.parametrize("case", list(TABLES))
def test_a_reader_anywhere_can_read_it(browser: Browser, fit: Fit, case: str) -> None:
    table, options = TABLES[case]
    if table is not None:
        table().write_parquet("it.parquet")
        options = options | {"data": Path("it.parquet")}
    page = fit(**options) / "report.html"
    browser.emulate(width=360)
    browser.open(page)
    problems = {view: found for view, how in VIEWS.items() if (found := audit(browser, **how))}
    assert not problems
    assert browser.evaluate("[...document.querySelectorAll('.failed')].map(failed => failed.textContent)") == []
    assert browser.evaluate("document.querySelectorAll('svg').length") >= 3
    assert browser.complaints() == []
    assert browser.requests() == [page.resolve().as_uri()]


def audit(browser: Browser, **how: Any) -> list[str]:
    browser.emulate(**how)
    found: list[str] = browser.evaluate(AUDIT)
    return found


def test_paper_is_white_and_complete(browser: Browser, fit: Fit) -> None:
    browser.open(fit(dataset="wine") / "report.html")
    colour = "getComputedStyle(document.body).backgroundColor"
    for scheme, wanted in BACKGROUNDS.items():
        browser.emulate(width=794, scheme=scheme)
        assert browser.evaluate(colour) == wanted
    browser.emulate(width=794, scheme="dark", media="print")
    assert browser.evaluate(colour) == BACKGROUNDS["light"]
    assert browser.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"
    assert browser.evaluate("document.documentElement.scrollWidth") <= 794
    assert browser.evaluate(AUDIT) == []
    assert browser.pdf().startswith(b"%PDF")


WRONG = """<!doctype html><html><head><style>@import "x.css";</style></head><body onload="1">
<h2 id="a">Second</h2><h2 id="a">level</h2><script>console.error("heard")</script>
<img src="http://127.0.0.1:9/x.png"><a href="#gone">away</a><div style="background: url(x.png)">y</div>
<p style="color: #999">faint</p><p style="font-size: 7px">small</p><table><tbody><tr><td>1</td></tr></tbody></table>
<p style="width: 500px">wide</p><div style="overflow-x: auto"><p style="width: 900px">wider</p></div><svg></svg>"""


def test_the_audit_finds_what_is_wrong(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "wrong.html"
    path.write_text(WRONG, encoding="utf-8")
    browser.emulate(width=360)
    browser.open(path)
    found = "\n".join(audit(browser, width=360))
    for problem in (
        "active element: <script>",
        "event handler onload",
        "load src=http://127.0.0.1:9/x.png",
        "load in style=background: url(x.png)",
        "load in a style sheet",
        "no language",
        "no title",
        "not one main",
        "id twice: a",
        "nothing has the id gone",
        "heading level 2 after 0",
        "no label: <table>",
        "no label: <svg>",
        "table without header cells",
        "row without header",
        "the page is",
        "sticks out: <p>",
        "scrolls, but not by keyboard: <div>",
        'contrast 2.85: <p> "faint"',
        'text of 7.0 px: <p> "small"',
    ):
        assert problem in found, problem
    assert "heard" in str(browser.complaints())
    assert "http://127.0.0.1:9/x.png" in browser.requests()
