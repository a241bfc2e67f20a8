"""The atlas of losses: it is whole, or it is not built."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from torchobjectives import Loss, Spec, _exports
from torchobjectives._registry import loss_class
from torchobjectives.workbench import curves
from torchobjectives.workbench.finding import Entry

DOCS = Path(__file__).resolve().parent.parent / "docs"
sys.path.insert(0, str(DOCS))
try:
    import atlas  # type: ignore[import-not-found]
finally:
    sys.path.remove(str(DOCS))

BIB = "@article{a2000,\n  title = {A {B} C},\n  year  = {2000}\n}\n\n@misc{b2001,\n  title = {B},\n}\n"
FULL = Spec(
    task="regression",
    y_pred="real",
    y_true="real",
    use="Plain fits.",
    avoid="Wild targets: huber_loss.",
    paper="A 2000",
    cites=("a2000",),
)
DOCSTRING = "One line.\n\n.. math:: d^2\n\nOne value per element.\n\nArgs:\n    y_pred: numbers.\n\nElsewhere: nowhere."


def whole(y_pred: Any, y_true: Any) -> Any:
    return (y_pred - y_true) ** 2


class Whole(Loss):
    function = staticmethod(whole)
    spec = FULL


@pytest.fixture
def papers(tmp_path: Path) -> Any:
    (tmp_path / "regression.bib").write_text(BIB, encoding="utf-8")
    return atlas.read_papers(tmp_path)


def entry(monkeypatch: pytest.MonkeyPatch, docstring: str = DOCSTRING, **changes: Any) -> Entry:
    monkeypatch.setattr(whole, "__doc__", docstring)
    monkeypatch.setattr(Whole, "spec", replace(FULL, **changes))
    return Entry("whole_loss", "regression", Whole)


def test_what_is_whole_passes(monkeypatch: pytest.MonkeyPatch, papers: Any) -> None:
    assert atlas.missing(entry(monkeypatch), papers) == []
    assert atlas.missing(entry(monkeypatch, paper="textbook", cites=()), papers) == []


@pytest.mark.parametrize(
    ("changes", "lacking"),
    [
        ({"use": ""}, "Spec.use"),
        ({"avoid": ""}, "Spec.avoid"),
        ({"paper": ""}, "Spec.paper"),
        ({"cites": ()}, "Spec.cites"),
        ({"cites": ("a2000", "c2002")}, "the BibTeX entry 'c2002'"),
        ({"docstring": DOCSTRING.replace(".. math:: d^2", "d²")}, "a formula (.. math::) in the docstring"),
        ({"docstring": DOCSTRING.replace("Elsewhere: nowhere.", "")}, "Elsewhere: in the docstring"),
    ],
)
def test_each_missing_part_is_named(
    changes: dict[str, Any], lacking: str, monkeypatch: pytest.MonkeyPatch, papers: Any
) -> None:
    one = entry(monkeypatch, **changes)
    assert lacking in atlas.missing(one, papers)
    with pytest.raises(atlas.IncompleteError) as stopped:
        atlas.check([one], papers)
    assert f"whole_loss has no {lacking}" in str(stopped.value)


def test_a_loss_that_cannot_be_shown_is_named(monkeypatch: pytest.MonkeyPatch, papers: Any) -> None:
    lacking = atlas.missing(entry(monkeypatch, y_true="unknown"), papers)
    assert any(part.startswith("a curve (") for part in lacking)


def test_papers_are_read_whole(papers: Any) -> None:
    assert atlas.paper("a2000", "regression", papers) == BIB.split("\n\n")[0]
    assert atlas.paper("b2001", "elsewhere", papers) == "@misc{b2001,\n  title = {B},\n}"
    both = {**papers, "robust": {"a2000": "of its own family"}}
    assert atlas.paper("a2000", "robust", both) == "of its own family"


def test_a_page_has_all_its_parts(monkeypatch: pytest.MonkeyPatch, papers: Any) -> None:
    kind = loss_class("huber_loss")
    monkeypatch.setattr(kind, "spec", replace(FULL, exemptions={"vmap": "a reason"}, claims=("convex",)))
    page = atlas.loss_page(Entry("huber_loss", "regression", kind), papers)
    parts = ["# huber_loss", "## Formula", ".. math::", "**For:** Plain fits.", "[huber_loss](huber_loss.md)", "<svg"]
    parts += ["HuberLoss(delta=1.0)", "loss 0.", ".. autofunction:: huber_loss", "guarantees.md"]
    parts += ["**not vmap**", "a reason", "## Elsewhere", "torch gives the same number", "## Paper", "@article{a2000"]
    places = [page.index(part) for part in parts]
    assert places == sorted(places)
    assert "stroke: currentColor" in page, "ink of the page, light or dark"


def test_the_reference_keeps_arguments_and_doctest() -> None:
    lines = [
        "One line.",
        "",
        "Args:",
        "    x: with |d|, :math:`|d|` and ``a|b``.",
        "",
        ">>> a | b",
        "1",
        "",
        "Source: x.",
    ]
    kept = atlas.reference_part(lines)
    assert kept[:2] == ["Args:", r"    x: with \|d\|, :math:`|d|` and ``a|b``."]
    assert ">>> a | b" in kept
    assert "Source: x." not in kept


def test_bars_stay_bars() -> None:
    text = "|d| and :math:`|d|` in ``|``:\n\n.. math:: |d|\n\n    + |e|\n\nthen |d|"
    assert atlas._with_bars(text) == r"\|d\|" + text[3:].removesuffix("|d|") + r"\|d\|"


def test_the_table_names_every_loss() -> None:
    families = {
        family: [
            Entry(function or _exports.snake_case(name), family, loss_class(function or _exports.snake_case(name)))
        ]
        for family, ((name, function), *_) in _exports.FAMILIES.items()
    }
    table = atlas.index(families)
    for members in families.values():
        assert f"[{members[0].name}](losses/{members[0].name}.md)" in table
        assert f"losses/{members[0].family}\n" in table


def test_a_family_is_compared_in_shape() -> None:
    compared = curves.compare("regression")
    drawn = {curve.label for lines in compared.curves.values() for curve in lines}
    assert drawn == {function for _, function in _exports.FAMILIES["regression"]}
    for axis, lines in compared.curves.items():
        for curve in lines:
            where, values = torch.tensor(curve.positions), torch.tensor(curve.values)
            assert float(values.min()) == 0
            assert float(values[(where - compared.marks[axis]).abs().argmin()]) == pytest.approx(1)
    assert 'role="img"' in compared.svg()
