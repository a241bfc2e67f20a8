"""The table of losses that every generic test runs over: one module per family, a new loss is a new row there."""

from __future__ import annotations

from importlib import import_module

from tests.cases.base import Case as Case, Golden as Golden, Variant as Variant, generator as generator
from torchobjectives import _exports

_MODULES = [import_module(f"tests.cases.{family}") for family in _exports.FAMILIES]
CASES: tuple[Case, ...] = tuple(case for module in _MODULES for case in module.CASES)
GOLDEN: tuple[Golden, ...] = tuple(row for module in _MODULES for row in module.GOLDEN)
BY_NAME = {case.name: case for case in CASES}


def grid() -> list[tuple[Case, Variant, str]]:
    """Every variant of every loss, with a readable id."""
    return [(case, v, f"{case.name}-{number}") for case in CASES for number, v in enumerate(case.variants)]
