"""What a check is: one property of a loss, as a small function, and what it needs to know."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from torchobjectives.check._report import Finding
from torchobjectives.check._subject import Subject

Run = Callable[[Subject], Iterator[Finding]]

# need → (whether a subject has it, why the check is skipped without it, the argument that would enable it)
NEEDS: dict[str, tuple[Callable[[Subject], bool], str, str | None]] = {
    "number": (lambda s: s.example.is_number, "the example's loss is no finite number", None),
    "gradient": (lambda s: s.example.gradient is not None, "no gradient reaches y_pred", None),
    "y_pred_kind": (
        lambda s: s.pred_kind is not None,
        "the kind of y_pred is unknown",
        "y_pred_kind='logits' or another",
    ),
    "y_true_kind": (
        lambda s: s.true_kind is not None,
        "the kind of y_true is unknown",
        "y_true_kind='values' or another",
    ),
    "ignore_index": (lambda s: s.marker is not None, "no target is ignored", "ignore_index=-100 or another"),
    "prefers": (lambda s: bool(s.prefers), "no pair is given", "prefers=[(better, worse)]"),
    "module": (lambda s: s.module is not None, "the loss is no nn.Module", None),
    "samples": (
        lambda s: s.y_pred.ndim > 0 and s.y_true.ndim > 0 and s.y_pred.shape[0] == s.y_true.shape[0] > 1,
        "y_pred and y_true do not hold several samples along their first axis",
        None,
    ),
}


@dataclass(frozen=True)
class Check:
    """One property of a loss.

    Args:
        name: What the check is called, in reports and test ids.
        run: Yields what it finds.
        needs: What it needs to know, of ``NEEDS``.
        unless: Codes that explain what it would find: it is skipped where one of them was found.
        slow: Whether it may take seconds, so that a caller may leave it out.
    """

    name: str
    run: Run
    needs: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    slow: bool = False


def check(
    name: str, *, needs: tuple[str, ...] = (), unless: tuple[str, ...] = (), slow: bool = False
) -> Callable[[Run], Check]:
    """Make a check of a function."""
    assert set(needs) <= set(NEEDS), needs

    def made(run: Run) -> Check:
        return Check(name, run, needs, unless, slow)

    return made


class TimeLimitError(BaseException):
    """A check took too long; no Exception, which would be taken for one of the loss's own."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise :class:`TimeLimitError` within after so many seconds, where a signal can be had for that."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return
    if signal.getitimer(signal.ITIMER_REAL)[0]:  # somebody else's
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise TimeLimitError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
