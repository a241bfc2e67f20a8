"""The bibliography: every key stands in one file, and every key that a loss cites is there."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from tests.cases import CASES

PAPERS = Path(__file__).parents[1] / "docs" / "papers"
KEYS = Counter(
    key
    for file in sorted(PAPERS.glob("*.bib"))
    for key in re.findall(r"@\w+\s*\{\s*([^,\s]+)\s*,", file.read_text(encoding="utf-8"))
)


def test_every_key_stands_once() -> None:
    assert [key for key, count in KEYS.items() if count > 1] == []


def test_every_citation_has_its_entry() -> None:
    cited = {key for case in CASES for key in case.loss_class.spec.cites}
    assert len(cited) > 50
    assert cited - KEYS.keys() == set()
