"""Checks of what torch's tools make of a loss: torch.compile and torch.vmap. They find notes alone."""

from __future__ import annotations

import functools
import re
import sysconfig
import types
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from itertools import count
from typing import Any

import torch
from torch import Tensor, nn

from torchobjectives.check._check import Check, check
from torchobjectives.check._kinds import plausible
from torchobjectives.check._report import Finding, number
from torchobjectives.check._subject import SEED, Subject, surroundings
from torchobjectives.check._trace import Place, is_foreign, located, place_of
from torchobjectives.check.structure import spelt

# What reads a number out of a tensor, and what dynamo says of code that depends on one.
READS = ("item", "tolist", "numpy", "__bool__", "__int__", "__float__", "__index__")
DEPENDS = "data-dependent"
STDLIB = sysconfig.get_path("stdlib")
UNSOUND = ("could-not-run", "not-scalar", "no-gradient", "mutates-input", "keeps-graph", "nondeterministic")
_numbers = count()


# Also slow: where torch maps by a decomposition, the first time it imports sympy.
@check("maps-over-batches", needs=("number",), unless=UNSOUND, slow=True)
def maps_over_batches(subject: Subject) -> Iterator[Finding]:
    """torch.vmap over a new axis gives what calls one by one give."""
    predictions = [subject.y_pred, plausible(subject)]
    single = [subject.value(y_pred) for y_pred in predictions]
    loss = subject.copy()
    truth = torch.stack([subject.y_true, subject.y_true])
    try:
        with surroundings(SEED, subject.y_pred):
            mapped = torch.func.vmap(loss, randomness="same")(torch.stack(predictions), truth)
    except Exception as error:
        yield Finding(
            "no-vmap",
            "note",
            f"torch.vmap over a stack of two batches fails{located(place_of(error))}: {first_line(error)}",
            "Nothing to do unless you map: per-sample gradients and ensembles need code without .item(), without "
            "`if` on a tensor, and without shapes that depend on values.",
            {"error": type(error).__name__, "text": first_line(error)},
        )
        return
    if not isinstance(mapped, Tensor) or mapped.shape != (2,):
        return
    for wanted, got in zip(single, mapped.detach().tolist(), strict=True):
        if abs(wanted - got) > 1e-4 * max(1.0, abs(wanted)):
            yield Finding(
                "no-vmap",
                "note",
                f"torch.vmap over a stack of two batches gives {number(got)} where a call alone gives "
                f"{number(wanted)}.",
                "Nothing to do unless you map; an axis that is counted from the front, or a state, is the usual cause.",
                {"values": [wanted, got]},
            )
            return


@check("compiles", needs=("number",), unless=UNSOUND, slow=True)
def compiles(subject: Subject) -> Iterator[Finding]:
    """torch.compile takes the loss as one graph."""
    if is_compiled(subject.original) or not works():
        return
    error = failure(subject.copy(), subject.y_pred, subject.y_true)
    if error is None:
        return
    place = place_in(error)
    yield Finding(
        "no-compile",
        "note",
        f"torch.compile(loss, fullgraph=True) fails{located(place)}: {_reason(subject, error, place)}",
        "Nothing to do: without fullgraph=True the rest is compiled. For one graph leave out what it names, "
        ".item() and `if` on a tensor foremost.",
        {"error": type(error).__name__, "text": first_line(error), "place": str(place)},
    )


def place_in(error: BaseException) -> Place | None:
    """The innermost line of somebody's file that an error of torch.compile's names."""
    lines = str(error).partition("from user code:")[2].splitlines()
    heads = (re.match(r'\s*File "(.+)", line (\d+), in', line) for line in lines)
    found = [(at, head[1], int(head[2])) for at, head in enumerate(heads) if head and _is_own(head[1])]
    if not found:
        return None
    at, file, line = found[-1]
    return Place(file, line, "".join(lines[at + 1 : at + 2]).strip())


def _is_own(file: str) -> bool:
    return is_foreign(file) and not file.startswith(STDLIB)


def _reason(subject: Subject, error: BaseException, place: Place | None) -> str:
    """Why a loss is not taken as one graph, in a sentence."""
    read = subject.trace.first(*READS)
    if DEPENDS in str(error).lower() and read is not None:
        where = " there" if read.place == place else located(read.place)
        return f"what is calculated depends on a number that {spelt(read)} reads out of a tensor{where}."
    # Of an operation it does not know dynamo says first that there is one, and then which.
    explained = re.search(r"Explanation: (.+)", str(error))
    return _sentence(explained[1]) if explained else first_line(error)


def is_compiled(loss: Any) -> bool:
    """Whether a loss comes out of torch.compile."""
    return type(loss).__name__ == "OptimizedModule" or hasattr(loss, "_torchdynamo_orig_callable")


def failure(loss: Callable[..., Any], y_pred: Tensor, y_true: Tensor) -> Exception | None:
    """What compiling a loss raises, run eagerly afterwards; nothing of it stays in the caller's caches."""

    def wrapped(given: Tensor, truth: Tensor) -> Any:
        return loss(given, truth)

    # Compiled code is kept with a code object, and only so many to each: one of its own for each loss.
    code = wrapped.__code__.replace(co_name=f"checked_{next(_numbers)}")
    fresh = types.FunctionType(code, wrapped.__globals__, code.co_name, None, wrapped.__closure__)
    silent = StringIO()
    try:
        with surroundings(SEED, y_pred), redirect_stdout(silent), redirect_stderr(silent):
            compiled = torch.compile(fresh, fullgraph=True, backend="eager", dynamic=False)
            compiled(y_pred.clone().requires_grad_(), y_true.clone())
    except Exception as error:
        return error
    return None


@functools.cache
def works() -> bool:
    """Whether anything compiles here: of some versions of Python nothing does."""
    return failure(nn.functional.mse_loss, torch.zeros(2), torch.zeros(2)) is None


def first_line(error: BaseException) -> str:
    """The reason in a sentence, without what to do about it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return _sentence(lines[0]) if lines else f"{type(error).__name__}."


def _sentence(text: str) -> str:
    """The first sentence of a text that is no advice."""
    sentences = re.split(r"(?<=[.`])(?<!e\.g\.) (?=[A-Z])", text)
    return next((each for each in sentences if not each.startswith("Consider ")), sentences[0]).rstrip(".") + "."


CHECKS: tuple[Check, ...] = (maps_over_batches, compiles)
