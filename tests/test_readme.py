"""The documents cannot rot: their python blocks run and print what they say; copied parts equal the source."""

from __future__ import annotations

import ast
import contextlib
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests import documents
from torchobjectives import _exports, _registry

NUMBER = re.compile(r"-?\d+\.\d+(?:e[+-]\d+)?")


def same(printed: str, wanted: str) -> bool:
    """Equal text, decimal numbers to 1 %: the last digits of a training run differ between machines."""
    numbers = [float(n) for n in NUMBER.findall(printed)], [float(n) for n in NUMBER.findall(wanted)]
    words = [[line.rstrip() for line in NUMBER.sub("#", text).strip().splitlines()] for text in (printed, wanted)]
    return words[0] == words[1] and numbers[0] == pytest.approx(numbers[1], rel=0.01, abs=1e-9)


def test_numbers_that_differ_are_seen() -> None:
    assert same("loss 0.1000 \n", "loss 0.1001")
    assert not same("loss 0.10", "loss 0.11")
    assert not same("loss 0.10", "l1 0.10")


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page.name, marks=[pytest.mark.grid] if page.name == "feature-selection.md" else [])
        for page in documents.PAGES
    ],
)
def test_python_blocks_run_and_print(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A page reads as one session; what it registers is forgotten after it.
    monkeypatch.setattr(_registry, "_registered", {})
    torch.manual_seed(0)
    session: dict[str, object] = {"__name__": "__main__"}
    for number, (code, wanted) in enumerate(documents.python_blocks(page.read_text(encoding="utf-8")), 1):
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            exec(compile(code, f"{page.name}, block {number}", "exec"), session)
        if wanted is not None:
            assert same(output.getvalue(), wanted), f"block {number} of {page.name} prints:\n{output.getvalue()}"


def test_the_first_snippet_works_as_pasted(tmp_path: Path) -> None:
    code, wanted = documents.python_blocks((documents.ROOT / "README.md").read_text(encoding="utf-8"))[0]
    paths = os.pathsep.join(filter(None, sys.path))
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert wanted is not None
    assert same(ran.stdout, wanted)


@pytest.mark.parametrize(("file", "name"), documents.COPIED)
def test_copied_parts_equal_the_source(file: str, name: str) -> None:
    text = (documents.ROOT / file).read_text(encoding="utf-8")
    assert documents.part(text, name) == documents.COPIED[file, name](), "run: ./dev python -m tests.documents"


def test_every_loss_is_in_the_tables() -> None:
    table = documents.loss_table()
    guarantees = (documents.ROOT / "docs/guarantees.md").read_text(encoding="utf-8")
    for name, (class_name, _) in _exports.LOSSES.items():
        assert f"`{class_name}`" in table
        assert f"| {name} |" in guarantees, "run: ./dev test --all"


def test_relative_links_lead_somewhere() -> None:
    for page in (*documents.PAGES, documents.ROOT / "CONTRIBUTING.md", *(documents.ROOT / "docs/adr").glob("*.md")):
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
            # Pages of losses are written while the site is built; two pages by other commands.
            if not target.startswith("losses/") and Path(target).name not in ("fit.md", "guarantees.md"):
                assert (page.parent / target).exists(), f"{page.name} links to {target}"


LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")
CHINESE = re.compile(r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")  # words and punctuation


def code_and_strings(code: str) -> tuple[str, list[str]]:
    """The code without its strings and comments, and the strings."""
    tree = ast.parse(code)
    strings = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            strings.append(node.value)
            node.value = ""
    return ast.dump(tree), strings


def shape(text: str) -> list[str]:
    """What a translation keeps of a page: its headings, rows of tables, items and blocks, in their order."""
    return [line.split(" ")[0][:3] for line in text.splitlines() if re.match(r"#+ |\| |- |```", line)]


def missing_in_translation(page: str, translation: str) -> list[str]:
    """How a translated page differs from its original in anything but its sentences."""
    found = []
    for (code, _), (translated, _) in zip(*map(documents.python_blocks, (page, translation)), strict=False):
        (bare, strings), (translated_bare, translated_strings) = map(code_and_strings, (code, translated))
        pairs = list(zip(strings, translated_strings, strict=False))
        if bare != translated_bare or any(old != new and not CHINESE.search(new) for old, new in pairs):
            found.append(f"code:\n{translated}")
    links = [[target.replace(".zh-CN", "") for target in LINK.findall(text)] for text in (page, translation)]
    # The link to the other language is the one that each page has alone.
    if sorted(links[0][1:]) != sorted(links[1][1:]):
        found.append(f"links: {links}")
    if shape(page) != shape(translation):
        found.append("headings, rows, items or blocks")
    return found


@pytest.mark.parametrize(("original", "translation"), documents.TRANSLATED.items())
def test_translations_say_the_same(original: str, translation: str) -> None:
    pages = [(documents.ROOT / name).read_text(encoding="utf-8") for name in (original, translation)]
    assert missing_in_translation(*pages) == []
    for page, other in zip(pages, (translation, original), strict=True):
        assert LINK.findall(page)[0] == Path(other).name


def test_a_stale_translation_is_seen() -> None:
    page = "[zh](a.zh-CN.md)\n# A\n\n```python\nprint('one', 2)  # yes\n```\n\n[x](b.md)\n"
    good = "[en](a.md)\n# 甲\n\n```python\nprint('一', 2)  # 是\n```\n\n[甲](b.md)\n"
    assert missing_in_translation(page, good) == []
    for old, new in [("2", "3"), ("'一'", "'uno'"), ("(b.md)", "(c.md)"), ("# 甲", "## 甲"), ("'一', 2", "'一'")]:
        assert missing_in_translation(page, good.replace(old, new)) != [], new
