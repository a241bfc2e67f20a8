"""The command line: verbs only. What they do lies in the workbench, which is imported when a verb runs."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

if TYPE_CHECKING:
    from cyclopts import App

EXTRA = ("cyclopts", "jinja2", "lightning", "matplotlib", "numpy", "polars", "pydantic", "rich", "sklearn", "skops")
WRONG_INPUT = 2
INTERRUPTED = 130


def build_app() -> "App":
    """Return the application with its verbs."""
    from cyclopts import App, Parameter

    from torchobjectives.workbench.config import FitOptions, RunConfig, checked

    app = App(
        name="torchobjectives",
        help="Objective = loss + regularization, for PyTorch.",
        version=_version,
        default_parameter=Parameter(negative=()),
        suppress_keyboard_interrupt=False,
    )

    @app.command
    def fit(data: Path | None = None, /, *, options: Annotated[FitOptions, Parameter(name="*")] | None = None) -> None:
        """Fit a model with an objective on a table, and report.

        Args:
            data: CSV or Parquet file with one row per example.
            options: The flags.
        """
        config = checked(RunConfig, {"data": data, **(options or FitOptions()).model_dump(exclude_unset=True)})
        from torchobjectives.workbench.run import fit as run

        run(config)

    return app


def _version() -> str:
    from importlib.metadata import version

    return version("torchobjectives")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line: exit code 0 when done, 2 for wrong input, 130 when interrupted."""
    try:
        _run(sys.argv[1:] if arguments is None else list(arguments))
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in EXTRA:
            raise
        _stop(f'{error.name} is not installed: pip install "torchobjectives[workbench]"', code=1)
    except KeyboardInterrupt:
        _stop("interrupted", code=INTERRUPTED)


def _run(arguments: list[str]) -> None:
    app = build_app()
    from cyclopts import CycloptsError
    from pydantic import ValidationError

    from torchobjectives.workbench.config import explain
    from torchobjectives.workbench.errors import InputError

    try:
        app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        cause = error.__cause__
        _stop(explain(cause) if isinstance(cause, ValidationError) else str(error), code=WRONG_INPUT)
    except InputError as error:
        _stop(str(error), code=WRONG_INPUT)


def _stop(message: str, *, code: int) -> None:
    print(f"torchobjectives: {message}", file=sys.stderr)
    sys.exit(code)
