"""Losses of adaptive: cases and reference values."""

from __future__ import annotations

from tests.cases.base import HEAD, Case, Golden, Variant, case, features

CASES: tuple[Case, ...] = (case("adaptive_log_softmax_loss", None, Variant(features, HEAD), unit_axis=1),)

GOLDEN: tuple[Golden, ...] = ()
