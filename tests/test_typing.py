"""Types, as an editor and mypy --strict see them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.grid
def test_types_accepted_and_rejected(tmp_path: Path) -> None:
    files = [HERE / "typing" / name for name in ("accepted.py", "rejected.py")]
    command = [sys.executable, "-m", "mypy", "--strict", "--no-pretty", "--hide-error-context"]
    command += ["--config-file", str(HERE.parent / "pyproject.toml"), "--cache-dir", str(tmp_path)]
    run = subprocess.run([*command, *map(str, files)], cwd=HERE.parent, capture_output=True, text=True, check=False)
    found = set(re.findall(r"(\w+)\.py:(\d+): error: .*\[([\w-]+)\]", run.stdout))
    wanted = {
        (file.stem, str(number), code)
        for file in files
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if "  # E: " in line
        for code in line.split("  # E: ")[1].split(", ")
    }
    assert found == wanted, run.stdout + run.stderr
