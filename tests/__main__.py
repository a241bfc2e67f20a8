"""The whole check, as ``./dev test`` runs it: lint, types, tests; prints the time of each.

``--all`` runs the full grid of tests; every other argument goes to pytest.
"""

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

STEPS: dict[str, list[str]] = {
    "lint": ["ruff", "check", "."],
    "format": ["ruff", "format", "--check", "."],
    "types": ["mypy"],
    # Halves, so that what the tests of a file share is made once, and the worker that is done first helps the other.
    "tests": ["pytest", "-n", "2", "--dist", "worksteal", *sys.argv[1:]],
}


def main() -> int:
    """Run the steps in order; stop at the first that fails."""
    times = []
    for name, (tool, *arguments) in STEPS.items():
        start = time.monotonic()
        code = subprocess.run([sys.executable, "-m", tool, *arguments], cwd=ROOT, check=False).returncode
        times.append(f"{name} {time.monotonic() - start:.0f} s")
        if code:
            print(f"{name} failed: {tool} {' '.join(arguments)}", file=sys.stderr)
            return code
    print("times: " + ", ".join(times))
    return 0


if __name__ == "__main__":
    sys.exit(main())
