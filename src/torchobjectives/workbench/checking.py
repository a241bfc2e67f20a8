"""The verb that checks a loss: the loss and the example from files of the user's, the report as text or JSON."""

import contextlib
import inspect
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from rich.console import Console
from rich.progress import Progress
from torch import Tensor

from torchobjectives._registry import get
from torchobjectives.check._door import CHECKS, examined, subject_of
from torchobjectives.check._report import LossReport
from torchobjectives.check._subject import Subject
from torchobjectives.workbench import objectives, own
from torchobjectives.workbench.errors import InputError
from torchobjectives.workbench.objectives import Fitted, Term

if TYPE_CHECKING:
    from torchobjectives.workbench.run import Prepared

CLEAN, FOUND, COULD_NOT_RUN = 0, 1, 2
# So many training rows are the example of a loss in fit.
ROWS = 64
# What a link of a loss says of y_pred, and the task of y_true.
KINDS = {
    ("binary", "logit"): ("logits", "binary"),
    ("multiclass", "softmax"): ("logits", "class_indices"),
    ("multiclass", "log-probability"): ("log_probabilities", "class_indices"),
    ("regression", "identity"): ("real", "values"),
}
# What an example may say beside y_pred and y_true, as check_loss takes it.
ARGUMENTS = ("y_pred_kind", "y_true_kind", "ignore_index", "prefers", "expected")


def check_file(reference: str, kwargs: str, example: str | None, given: Mapping[str, Any], *, as_json: bool) -> int:
    """Check a loss; return the exit code.

    Args:
        reference: ``path/to/file.py:NAME``, or the name of a loss of the library.
        kwargs: Its hyper-parameters, a JSON object.
        example: ``path/to/file.py:NAME`` of a function that returns (y_pred, y_true), or of such a pair.
        given: Arguments of ``check_loss``; what is None is not given.
        as_json: Print the report as JSON.
    """
    # What the user's files print must not stand in the report.
    with contextlib.redirect_stdout(sys.stderr):
        report = _checked(reference, _hyper_parameters(kwargs), example, given)
    print(json.dumps(report.to_dict(), indent=2) if as_json else report)
    if any(finding.code == "could-not-run" for finding in report.findings):
        return COULD_NOT_RUN
    return CLEAN if report else FOUND


def _checked(
    reference: str, hyper_parameters: dict[str, Any], example: str | None, given: Mapping[str, Any]
) -> LossReport:
    loss = _loss(reference, hyper_parameters)
    y_pred, y_true, said = _example(reference, example)
    said |= {name: value for name, value in given.items() if value is not None}
    try:
        subject = subject_of(loss, y_pred, y_true, said.get("ignore_index"), said.get("prefers", ()))
        with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
            bar = progress.add_task("", total=len(CHECKS))

            def show(name: str) -> None:
                progress.update(bar, advance=1, description=name)

            return examined(
                subject, CHECKS, said.get("y_pred_kind"), said.get("y_true_kind"), said.get("expected"), show
            )
    except (TypeError, ValueError) as error:
        raise InputError(f"{reference}: {error}") from error


def _hyper_parameters(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise InputError(
            f"--kwargs {text}: it is not JSON ({error}); wanted something like '{{\"gamma\": 2}}'"
        ) from error
    if not isinstance(found, dict):
        raise InputError(f"--kwargs {text}: wanted a JSON object, such as '{{\"gamma\": 2}}'")
    return found


def _loss(reference: str, hyper_parameters: dict[str, Any]) -> Callable[..., Any]:
    if ".py:" in reference:
        try:
            return own.build(reference, hyper_parameters, {}, flag="")[0]
        except InputError:
            raise
        except (Exception, SystemExit) as error:
            raise InputError(f"{reference}: {own.reason(error, own.file_of(reference))}") from error
    if reference.endswith(".py") or "/" in reference:
        raise InputError(f"{reference}: name the loss in the file, as in {Path(reference).with_suffix('.py')}:MyLoss")
    try:
        return get(reference, **hyper_parameters)
    except (TypeError, ValueError, KeyError) as error:
        raise InputError(f"{reference}: {error.args[0] if error.args else error}") from error


def _example(reference: str, example: str | None) -> tuple[Tensor, Tensor, dict[str, Any]]:
    """The example, and what it says beside."""
    place = example
    if place is None:
        if ".py:" not in reference:
            raise InputError("--example is missing: path/to/file.py:NAME of a function that returns (y_pred, y_true)")
        place = f"{own.file_of(reference)}:example"
    elif ".py:" not in place:
        raise InputError(f"--example {place}: wanted path/to/file.py:NAME, a function that returns (y_pred, y_true)")
    flag = "--example " if example is not None else ""
    try:
        found = own.named(place, flag, again=False)
    except InputError as error:
        if example is None:
            raise InputError(
                f"--example is missing, and {own.file_of(reference)} has no example() that returns (y_pred, y_true)"
            ) from error
        raise
    try:
        found = found() if inspect.isroutine(found) else found
    except (Exception, SystemExit) as error:
        raise InputError(f"{flag}{place}: {own.reason(error, own.file_of(place))}") from error
    if isinstance(found, Mapping):
        unknown = sorted(set(found) - {"y_pred", "y_true", *ARGUMENTS})
        if {"y_pred", "y_true"} <= set(found) and not unknown:
            said = {name: value for name, value in found.items() if name in ARGUMENTS}
            return found["y_pred"], found["y_true"], said
        raise InputError(
            f"{flag}{place}: wanted a dict of y_pred, y_true and {', '.join(ARGUMENTS)}, got {list(found)}"
        )
    if not isinstance(found, tuple | list) or len(found) != 2 or not all(isinstance(part, Tensor) for part in found):
        raise InputError(f"{flag}{place}: wanted (y_pred, y_true), two tensors, got {type(found).__name__}")
    return found[0], found[1], {}


def check_terms(fitted: Fitted, prepared: "Prepared") -> list[LossReport]:
    """Check each loss of the user's own on the first training rows, as the network sees them before training."""
    x, y_true = prepared.part("train")[:ROWS]
    with torch.no_grad():
        raw = fitted.network(x)
    return [_check_term(term, raw, y_true) for term in fitted.terms if term.own is not None]


def _check_term(term: Term, raw: Tensor, y_true: Tensor) -> LossReport:
    kinds = KINDS.get((term.task, term.link.name), (None, None))
    with contextlib.redirect_stdout(sys.stderr), torch.random.fork_rng(devices=[]):
        loss = objectives.with_scalar(_anew(term), raw, y_true).loss
        if term.has_label_axis:
            raw, y_true = raw.unsqueeze(1), y_true.unsqueeze(1)
        return examined(Subject(loss, raw, y_true), [check for check in CHECKS if not check.slow], *kinds)


def _anew(term: Term) -> Term:
    """The term with a loss from another run of its file: what a function keeps in its module is not to be touched."""
    assert term.own is not None
    reference, _ = objectives.parse_loss(objectives.weighted(term.text)[1])
    try:
        with own.another_run(term.own):
            return replace(term, loss=own.build(reference, {**term.filled, **term.given}, {})[0])
    except (Exception, SystemExit):  # a file that runs once alone, as one that registers an operator of torch's does
        return term
