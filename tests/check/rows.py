"""Which faulty losses run on each change: two of each code in each table; the others run with ``--all``."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest


def two_of_each(faulty: Mapping[str, tuple[Any, ...]]) -> list[Any]:
    """The names in a table of faulty losses as rows of a test."""
    rows, seen = [], Counter[str]()
    for name, (_, _, code, _) in faulty.items():
        seen[code] += 1
        rows.append(pytest.param(name, id=name, marks=[pytest.mark.grid] if seen[code] > 2 else []))
    return rows
