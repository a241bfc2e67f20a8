"""What is said on the way, where perhaps nobody reads it."""

import os
from contextlib import suppress
from typing import Any

from rich.console import Console

from torchobjectives.workbench.errors import OutputError


def is_live(console: Console) -> bool:
    """Whether a progress bar can be shown."""
    return console.is_terminal and not console.is_dumb_terminal


class Quiet(Console):
    """A console that is no reason to stop: where nobody reads any more (``| head``), it falls silent.

    What else keeps it from writing, such as a full disk, is kept in ``lost``, to be said in the end.
    """

    lost: OSError | None = None

    def print(self, *objects: Any, **options: Any) -> None:
        """Print, if it can be."""
        try:
            super().print(*objects, **options)
        except OSError as error:
            self.on_broken_pipe()
            self.lost = error

    def settle(self, done: str) -> None:
        """Raise what kept it from writing, once the work is done; ``done`` says what there is."""
        if self.lost is not None:
            raise OutputError(f"the output could not be written ({self.lost.strerror or self.lost}); {done}")

    def on_broken_pipe(self) -> None:
        """Say no more."""
        self.quiet = True
        nowhere = open(os.devnull, "w")  # noqa: SIM115
        # What is still to be written goes nowhere, too: Python tries again when it ends.
        with suppress(OSError, ValueError):
            os.dup2(nowhere.fileno(), self.file.fileno())
        self.file = nowhere
