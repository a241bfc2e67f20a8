"""What is said on the way, where perhaps nobody reads it."""

import os
from contextlib import suppress
from typing import Any

from rich.console import Console


class Quiet(Console):
    """A console that is no reason to stop: where nobody reads any more (``| head``, a full disk), it falls silent."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print, if it can be."""
        try:
            super().print(*objects, **options)
        except OSError:
            self.on_broken_pipe()

    def on_broken_pipe(self) -> None:
        """Say no more."""
        self.quiet = True
        nowhere = open(os.devnull, "w")  # noqa: SIM115
        # What is still to be written goes nowhere, too: Python tries again when it ends.
        with suppress(OSError, ValueError):
            os.dup2(nowhere.fileno(), self.file.fileno())
        self.file = nowhere
