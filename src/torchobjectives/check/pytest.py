"""The checks of a loss as tests of pytest: one test for each loss and each check."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sized
from typing import Any, NoReturn

from torchobjectives._validate import near
from torchobjectives.check import _door
from torchobjectives.check._check import Check
from torchobjectives.check._kinds import checked_kinds
from torchobjectives.check._report import Finding, LossCheckError, Skipped
from torchobjectives.check._subject import Subject, called

PARTS = ("loss", "y_pred", "y_true")
OPTIONS = ("y_pred_kind", "y_true_kind", "ignore_index", "prefers", "expected")


def parametrize_with_loss_checks(cases: Iterable[Any]) -> Callable[[Any], Any]:
    """Make one test of each loss and each check, as scikit-learn's ``parametrize_with_checks`` does for estimators.

    It decorates a test function of ``loss`` and ``check`` whose body is ``check(loss)``. A test fails with
    :class:`~torchobjectives.check.LossCheckError` where its check finds an error or a warning; notes pass. It is
    skipped, with the reason, where the check does not apply. Its id names both: ``MyLoss-gradient-arrives``; a second
    loss of the same name is ``MyLoss_2``. Checks that take seconds, and find notes alone, are left out.

    Args:
        cases: One for each loss: ``(loss, y_pred, y_true)``; or with options of
            :func:`~torchobjectives.check.check_loss` as a fourth part, ``(loss, y_pred, y_true, {"y_pred_kind":
            "logits", "expected": {"whole-batch": "contrastive"}})``; or a dict of all of them by name. What is expected
            passes.

    Returns:
        The decorator.

    Raises:
        ImportError: pytest is not installed.
        TypeError: A case is no such case.
        ValueError: There is no case, or an option has no such value.

    Example::

        import torch
        from torchobjectives.check.pytest import parametrize_with_loss_checks

        y_pred, y_true = torch.randn(16, 3), torch.randint(3, (16,))

        @parametrize_with_loss_checks([(torch.nn.CrossEntropyLoss(), y_pred, y_true), (MyLoss(), y_pred, y_true)])
        def test_losses(loss, check):
            check(loss)
    """
    pytest = _pytest()
    checks = [check for check in _door.CHECKS if not check.slow]
    rows, names = [], Counter[str]()
    if not isinstance(cases, Iterable):
        raise TypeError(f"cases is {cases!r}, wanted a list of (loss, y_pred, y_true)")
    for place, case in enumerate(cases):
        try:
            examination = Examination(*_case(case))
        except (TypeError, ValueError) as error:
            raise type(error)(f"case {place}: {error}") from error
        name = called(examination.loss)
        names[name] += 1
        ordinal = f"_{names[name]}" if names[name] > 1 else ""
        rows += [
            pytest.param(examination.loss, LossCheck(check, checks, examination), id=f"{name}{ordinal}-{check.name}")
            for check in checks
        ]
    if not rows:
        raise ValueError("cases is empty, wanted one (loss, y_pred, y_true) or more")
    decorator: Callable[[Any], Any] = pytest.mark.parametrize(("loss", "check"), rows)
    return decorator


class Examination:
    """A loss under check: what each check found, which is asked for once."""

    def __init__(self, loss: Callable[..., Any], y_pred: Any, y_true: Any, options: Mapping[str, Any]) -> None:
        self.loss, self.example, self.options = loss, _door.checked_example(loss, y_pred, y_true), options
        self.known = _door.known_of(loss, options.get("expected") or {})
        self.prefers = _door.checked_pairs(options.get("prefers") or (), self.example[0])
        checked_kinds(options.get("y_pred_kind"), options.get("y_true_kind"))
        self.outcomes: dict[str, list[Finding] | Skipped] = {}
        self._subject: Subject | None = None

    @property
    def subject(self) -> Subject:
        """The loss with its example, whose kinds are inferred when they are first asked for."""
        if self._subject is None:
            subject = _door.subject_of(self.loss, *self.example, self.options.get("ignore_index"), self.prefers)
            _door.infer(subject, self.options.get("y_pred_kind"), self.options.get("y_true_kind"))
            self._subject = subject
        return self._subject

    @property
    def codes(self) -> set[str]:
        """What was found until now."""
        return {f.code for outcome in self.outcomes.values() if not isinstance(outcome, Skipped) for f in outcome}

    def of(self, check: Check, checks: Iterable[Check]) -> list[Finding] | Skipped:
        """What a check finds after those before it, whose findings may explain its own."""
        for other in checks:
            if other.name not in self.outcomes:
                self.outcomes[other.name] = _door.outcome_of(other, self.subject, self.codes)
            if other is check:
                break
        return self.outcomes[check.name]

    def again(self, loss: Callable[..., Any]) -> Examination:
        """The same of another loss."""
        return Examination(loss, *self.example, self.options)


class LossCheck:
    """One check, bound to the example of a loss; call it with the loss."""

    def __init__(self, check: Check, checks: Iterable[Check], examination: Examination) -> None:
        self.check, self.checks, self.examination = check, tuple(checks), examination

    def __repr__(self) -> str:
        return self.check.name

    def __call__(self, loss: Callable[..., Any]) -> None:
        """Raise :class:`LossCheckError` where the check finds an error or a warning; skip where it does not apply."""
        examination = self.examination if loss is self.examination.loss else self.examination.again(loss)
        outcome = examination.of(self.check, self.checks)
        if isinstance(outcome, Skipped):
            _skip(outcome, examination.codes)
        report = _door.report_of(examination.subject, outcome, (), [self.check.name], examination.known)
        if not report:
            raise LossCheckError(report)


def _skip(skipped: Skipped, codes: set[str]) -> NoReturn:
    """Leave a test out, and say why."""
    reason = str(skipped) if skipped.reason else f"{skipped.check}: {', '.join(sorted(codes))} was found before"
    _pytest().skip(reason)
    raise AssertionError  # skip does not return


def _pytest() -> Any:
    try:
        import pytest
    except ImportError as error:
        raise ImportError("parametrize_with_loss_checks needs pytest: pip install pytest") from error
    return pytest


def _case(case: Any) -> tuple[Any, Any, Any, Mapping[str, Any]]:
    """The loss, its example and its options, if that is what a case holds."""
    if isinstance(case, Mapping):
        options = {name: value for name, value in case.items() if name not in PARTS}
        parts = [case[name] for name in PARTS if name in case]
    elif isinstance(case, tuple | list):
        parts, options = list(case[:3]), case[3] if len(case) == 4 else {}
    else:
        parts, options = [], {}
    if len(parts) != 3 or not isinstance(options, Mapping) or (not isinstance(case, Mapping) and len(case) > 4):
        came = f"a {type(case).__name__}" + (f" of {len(case)} parts" if isinstance(case, Sized) else "")
        raise TypeError(f"a case is {came}, wanted (loss, y_pred, y_true), and perhaps a dict of options")
    for name in options:
        if name not in OPTIONS:
            raise TypeError(
                f"a case has the option {name!r}, wanted one of {', '.join(OPTIONS)}. {near(str(name), OPTIONS)}"
            )
    return parts[0], parts[1], parts[2], options
