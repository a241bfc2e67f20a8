"""Options, profiles and the published table of guarantees."""

from __future__ import annotations

import itertools
import os
import shlex
from typing import Any

import hypothesis
import pytest
import torch

from tests import guarantees

# Other libraries are installed for these alone: ./dev parity
collect_ignore = ["parity"]

hypothesis.settings.register_profile("ci", max_examples=15, deadline=None, derandomize=True)
hypothesis.settings.register_profile("all", max_examples=50, deadline=None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="run the whole grid, not only what each change needs")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "grid: a row of the whole grid, run with --all only")
    _quote_library_path()
    hypothesis.settings.load_profile("all" if config.getoption("--all") else "ci")


def _quote_library_path() -> None:
    """Let the default compiler link in a checkout whose path has a space: torch 2.13 forgets to quote this path."""
    if shlex.quote(torch.__file__) != torch.__file__:
        from torch.utils import cpp_extension

        cpp_extension.TORCH_LIB_PATH = shlex.quote(cpp_extension.TORCH_LIB_PATH)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--all"):
        return
    left_out = [item for item in items if item.get_closest_marker("grid")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("grid")]
        config.stash[LEFT_OUT] = sorted({item.nodeid.split("[")[0] for item in left_out})


LEFT_OUT = pytest.StashKey[list[str]]()


def pytest_sessionfinish(session: pytest.Session) -> None:
    # With pytest-xdist the workers collect, and the process that prints does not.
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = session.config.stash.get(LEFT_OUT, [])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    # A worker that crashed has nothing to say; all others say the same.
    if hasattr(node, "workeroutput"):
        node.config.stash[LEFT_OUT] = node.workeroutput["left_out"]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Small tensors are slower on two threads, and two test processes share two cores."""
    torch.set_num_threads(1)
    torch.manual_seed(0)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    guarantees.record(report)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if left_out := config.stash.get(LEFT_OUT, []):
        terminalreporter.write_line("left to --all: rows of")
        for file, names in itertools.groupby(left_out, lambda name: name.split("::")[0]):
            terminalreporter.write_line(f"  {file}: {', '.join(name.split('::')[-1] for name in names)}")
    if config.getoption("--all") and "PYTEST_XDIST_WORKER" not in os.environ:
        guarantees.publish()
