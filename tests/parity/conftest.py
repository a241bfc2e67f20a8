"""Settings of the other libraries, before their import, and the page that a whole run writes."""

from __future__ import annotations

import os
import tempfile

import pytest

os.environ["KERAS_BACKEND"] = "torch"
os.environ.setdefault("KERAS_HOME", tempfile.mkdtemp(prefix="parity-keras-"))
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["JAX_ENABLE_X64"] = "1"

from tests.parity import page


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    page.record(report)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(page.publish())
