"""The command line: verbs only. What they do lies in the workbench, which is imported when a verb runs."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

if TYPE_CHECKING:
    from cyclopts import App

EXTRA = ("cyclopts", "jinja2", "lightning", "matplotlib", "numpy", "polars", "pydantic", "rich", "sklearn", "skops")
OUTPUT_LOST = 1
WRONG_INPUT = 2
INTERRUPTED = 130


def build_app() -> "App":
    """Return the application with its verbs."""
    from cyclopts import App, Parameter

    from torchobjectives.workbench.config import FitOptions

    app = App(
        name="torchobjectives",
        help="Objective = loss + regularization, for PyTorch.",
        version=_version,
        default_parameter=Parameter(negative=()),
        suppress_keyboard_interrupt=False,
    )

    @app.command
    def fit(data: Path | None = None, /, *, options: Annotated[FitOptions, Parameter(name="*")] | None = None) -> int:
        """Fit a model with an objective on a table, and report.

        Args:
            data: CSV or Parquet file with one row per example.
            options: The flags.
        """
        from torchobjectives.workbench.run import fit_as_asked

        return INTERRUPTED if fit_as_asked(data, options or FitOptions()) == "interrupted" else 0

    @app.command
    def predict(run: Path, file: Path, /, *, out: Path | None = None) -> None:
        """Predict the rows of a file with the model of a run.

        Args:
            run: Folder of the run.
            file: CSV or Parquet file with the columns that the run was fitted on; others are ignored.
            out: Where the predictions go, as Parquet or, by the suffix .csv, as CSV. By default
                RUN/predictions-<name of the file>.parquet.
        """
        from torchobjectives.workbench.prediction import predict_file

        predict_file(run, file, out)

    @app.command(name="list")
    def list_(*, task: str | None = None, search: str | None = None) -> int:
        """List the losses: what they take, when to use them, where they come from.

        Args:
            task: Only those for this task: regression, binary, multiclass or segmentation.
            search: Only those of whose name, family, use, paper and headline these words are a part.
        """
        from torchobjectives.workbench.finding import list_losses

        return list_losses(task, search)

    @app.command
    def show(
        loss: str,
        /,
        *,
        vary: str | None = None,
        out: Path | None = None,
        picture: Annotated[bool, Parameter(negative="--no-picture")] = True,
    ) -> None:
        """Show all about one loss: formula, shapes, hyper-parameters, when to use it; and draw it.

        Args:
            loss: Name of the loss, such as focal_loss.
            vary: Hyper-parameter and values to draw a line for each, such as gamma=0,1,2,5.
            out: Where the picture goes, as .png, .svg or .pdf. By default LOSS.png. An earlier picture of this
                command is replaced; any other file is not.
            picture: Draw loss and slope against the margin or the residual.
        """
        from torchobjectives.workbench.finding import show_loss

        show_loss(loss, vary=vary, out=out, picture=picture)

    @app.command
    def check(
        loss: str,
        /,
        *,
        kwargs: str = "{}",
        example: str | None = None,
        y_pred_kind: str | None = None,
        y_true_kind: str | None = None,
        ignore_index: int | None = None,
        json: bool = False,
    ) -> int:
        """Say what is wrong with a loss function: exit code 0 clean, 1 errors or warnings, 2 could not run.

        Args:
            loss: The loss: path/to/file.py:NAME, a class, a function or an instance; that file is run. Or the name of
                a loss of the library.
            kwargs: Its hyper-parameters as JSON, such as '{"gamma": 2}'.
            example: path/to/file.py:NAME of a function that returns (y_pred, y_true), as they come up in training, or
                of such a pair; a dict may also hold y_pred_kind, y_true_kind, ignore_index, prefers and expected. By
                default the example of the loss's own file.
            y_pred_kind: What y_pred holds: logits, probabilities, log_probabilities, real, positive, embedding or
                scores.
            y_true_kind: What y_true holds: values, counts, binary, class_indices, probabilities, ranks, boxes or
                labels_of_embeddings.
            ignore_index: The target that marks positions which do not count.
            json: Print the report as JSON.
        """
        from torchobjectives.workbench.checking import check_file

        given = {"y_pred_kind": y_pred_kind, "y_true_kind": y_true_kind, "ignore_index": ignore_index}
        return check_file(loss, kwargs, example, given, as_json=json)

    return app


def _version() -> str:
    from importlib.metadata import version

    return version("torchobjectives")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line: exit code 0 when done, 1 where output is lost, 2 for wrong input, 130 when interrupted."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that has no letter for a sign shows a question mark; that is no reason to lose a run.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        code = _run(sys.argv[1:] if arguments is None else list(arguments))
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in EXTRA:
            raise
        _stop(f'{error.name} is not installed: pip install "torchobjectives[workbench]"', code=1)
    except KeyboardInterrupt as error:
        _stop("; ".join(["interrupted", *map(str, error.args)]), code=INTERRUPTED)
    else:
        if code:
            sys.exit(code)


def _run(arguments: list[str]) -> int:
    app = build_app()
    from cyclopts import CycloptsError
    from pydantic import ValidationError

    from torchobjectives.workbench.config import explain
    from torchobjectives.workbench.errors import InputError, OutputError

    try:
        return int(app(arguments, exit_on_error=False, print_error=False, result_action="return_value") or 0)
    except CycloptsError as error:
        cause = error.__cause__
        _stop(explain(cause) if isinstance(cause, ValidationError) else _said(str(error)), code=WRONG_INPUT)
    except InputError as error:
        _stop(str(error), code=WRONG_INPUT)
    except OutputError as error:
        _stop(str(error), code=OUTPUT_LOST)
    return WRONG_INPUT


def _said(message: str) -> str:
    """What cyclopts says of a command line, in the words of this one."""
    from torchobjectives.workbench.config import OTHER_WORDS

    if unused := re.fullmatch(r"Unused Tokens: \[(.*)\]\.?", message):
        return f"{unused[1]} is left over: one file is read, and flags such as --overwrite take no value"
    if twice := re.fullmatch(r"Parameter (--[\w-]+) specified multiple times\.?", message):
        return f"{twice[1]} is given more than once, and takes one value: keep one"
    if unknown := re.search(r'Unknown option: "?--([\w-]+)', message):
        meant = OTHER_WORDS.get(unknown[1].replace("-", "_"))
        if meant:
            return f"Unknown option: --{unknown[1]}. Did you mean --{meant.replace('_', '-')}?"
    return " ".join(message.split())


def _stop(message: str, *, code: int) -> None:
    # One line, also where a name that it repeats has several.
    print(f"torchobjectives: {' '.join(message.splitlines())}", file=sys.stderr)
    sys.exit(code)
