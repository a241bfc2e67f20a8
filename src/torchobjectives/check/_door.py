"""``check_loss``: the checks that apply, one after the other, and what they found."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor

from torchobjectives._loss import Loss
from torchobjectives._validate import choice, near
from torchobjectives.check import (
    batches,
    bounds,
    calibration,
    degenerate,
    direction,
    dtypes,
    gradients,
    meaning,
    minimum,
    numerics,
    owned,
    saved,
    state,
    structure,
    tools,
)
from torchobjectives.check._check import NEEDS, Check, TimeLimitError, limited
from torchobjectives.check._kinds import checked_kinds, kinds_said, set_kinds
from torchobjectives.check._rare import mark_in_labels
from torchobjectives.check._report import CODES, LEVELS, Finding, LossCheckError, LossReport, Skipped
from torchobjectives.check._subject import SEED, Subject, usual_modes

# In this order: what is found early explains what would be found late.
CHECKS: tuple[Check, ...] = (
    *structure.CHECKS,
    *state.CHECKS,
    *batches.CHECKS,
    *meaning.CHECKS,
    *numerics.CHECKS,
    *gradients.CHECKS,
    *dtypes.CHECKS,
    *degenerate.CHECKS,
    *direction.CHECKS,
    *bounds.CHECKS,
    *minimum.CHECKS,
    *calibration.CHECKS,
    *owned.CHECKS,
    *saved.CHECKS,
    *tools.CHECKS,
)
SECONDS = 10.0
STUMBLED = "it stumbled over this loss:"
# Where one of these is found, the loss is no loss yet, and other findings would only follow from it.
FATAL = frozenset({"could-not-run", "not-scalar", "no-gradient"})


def check_loss(
    loss: Callable[..., Any],
    y_pred: Tensor,
    y_true: Tensor,
    *,
    y_pred_kind: str | None = None,
    y_true_kind: str | None = None,
    ignore_index: int | None = None,
    prefers: Sequence[tuple[Tensor, Tensor]] = (),
    expected: Mapping[str, str] | None = None,
    on_fail: Literal["raise", "warn", "return"] = "raise",
) -> LossReport:
    """Say what is wrong with a loss function, why, and what to do about it.

    Many small checks, each of one property, call copies of the loss on variations of one realistic example: predictions
    that are far out, right, wrong or equal to the truth, batches of one, nothing to average, other dtypes, a second
    call. Checks that need to know what y_pred and y_true hold run where that is said, or can safely be told from the
    example; the report says what it took them for, and which checks were skipped.

    Args:
        loss: Any callable of (y_pred, y_true), or an ``nn.Module``: yours, torch's, or one of this library.
        y_pred: An example's prediction, as it comes out of the model in training.
        y_true: Its truth.
        y_pred_kind: What y_pred holds: ``"logits"``, ``"probabilities"``, ``"log_probabilities"``, ``"real"``,
            ``"positive"``, ``"embedding"`` or ``"scores"``.
        y_true_kind: What y_true holds: ``"values"``, ``"counts"``, ``"binary"``, ``"class_indices"``,
            ``"probabilities"``, ``"ranks"`` (grades, the greater the better), ``"boxes"`` or
            ``"labels_of_embeddings"``.
        ignore_index: The value of y_true that marks positions which do not count; -100 in labels, 255 in maps of
            labels that are all lower, and nan are taken for it.
        prefers: Pairs of predictions for this y_true, of which the first must cost less. Nothing else can see swapped
            α and β, or the wrong side of a quantile.
        expected: Codes of findings that are known, each with the reason in words: ``{"improper": "a margin is
            wanted"}``. They are listed and do not count.
        on_fail: ``"raise"`` for an exception where there are errors, ``"warn"`` for a warning where the report is not
            clean, ``"return"`` for neither.

    Returns:
        The report: true where there is no error and no warning. Printed, it is one line and then the details; it has
        ``findings``, ``skipped`` and ``to_dict()``.

    Raises:
        LossCheckError: The loss has an error, and ``on_fail`` is ``"raise"``. An AssertionError, with the report in
            ``report``.
        TypeError: What is no loss, no tensor or no pair.
        ValueError: A kind or a code that does not exist.

    Example:
        >>> import torch
        >>> from torchobjectives import check_loss
        >>> def accuracy_loss(y_pred, y_true):
        ...     return 1 - (y_pred.argmax(1) == y_true).float().mean()
        >>> report = check_loss(accuracy_loss, torch.randn(8, 3), torch.arange(8) % 3, on_fail="return")
        >>> bool(report), [finding.code for finding in report.findings]
        (False, ['no-gradient'])
        >>> bool(check_loss(torch.nn.functional.mse_loss, torch.randn(8), torch.randn(8)))
        True

    Elsewhere: scikit-learn's ``check_estimator`` for estimators; ``torch.autograd.gradcheck`` for gradients alone.
    """
    choice("on_fail", on_fail, ("raise", "warn", "return"))
    subject = subject_of(loss, y_pred, y_true, ignore_index, prefers)
    report = examined(subject, CHECKS, y_pred_kind, y_true_kind, expected)
    if report.errors and on_fail == "raise":
        raise LossCheckError(report)
    if not report and on_fail == "warn":
        warnings.warn(str(report), stacklevel=2)
    return report


def examined(
    subject: Subject,
    checks: Iterable[Check],
    y_pred_kind: str | None = None,
    y_true_kind: str | None = None,
    expected: Mapping[str, str] | None = None,
    progress: Callable[[str], None] | None = None,
) -> LossReport:
    """Run checks on a subject."""
    known = known_of(subject.original, expected or {})
    skipped = infer(subject, y_pred_kind, y_true_kind)
    found: list[Finding] = []
    ran: list[str] = []
    for check in checks:
        if progress is not None:
            progress(check.name)
        outcome = outcome_of(check, subject, {finding.code for finding in found})
        if isinstance(outcome, Skipped):
            skipped += [outcome] if outcome.reason else []
            continue
        found += outcome
        ran.append(check.name)
    return report_of(subject, found, skipped, ran, known)


def report_of(
    subject: Subject, found: Iterable[Finding], skipped: Iterable[Skipped], ran: Iterable[str], known: Mapping[str, str]
) -> LossReport:
    """What was found, errors first; what is known apart."""
    found = sorted(found, key=lambda finding: LEVELS.index(finding.level))
    kept = tuple(finding for finding in found if finding.code not in known)
    silenced = {finding.code: known[finding.code] for finding in found if finding.code in known}
    return LossReport(subject.name, kept, tuple(skipped), tuple(ran), _taken_for(subject), silenced)


def _taken_for(subject: Subject) -> dict[str, str]:
    """What was taken for what: the kinds, and a mark that was inferred."""
    said = kinds_said(subject)
    if subject.inferred_mark is not None and subject.marker == subject.inferred_mark:
        said["ignore_index"] = f"{subject.inferred_mark} (inferred)"
    return said


@contextmanager
def _bounded() -> Iterator[None]:
    """So many seconds, and no warnings: copies of a loss may warn anew of what it warned of when it was made."""
    with warnings.catch_warnings(), usual_modes(), limited(SECONDS):
        warnings.simplefilter("ignore")
        yield


def infer(subject: Subject, y_pred_kind: str | None, y_true_kind: str | None) -> list[Skipped]:
    """Set the kinds of a subject; what is returned says why they could not be inferred."""
    checked_kinds(y_pred_kind, y_true_kind)
    try:
        subject.endless = True  # until the example has an outcome
        with _bounded():
            subject.endless = subject.example is None
            if subject.ignore_index is None:
                subject.inferred_mark = mark_in_labels(subject)
            set_kinds(subject, y_pred_kind, y_true_kind)
    except TimeLimitError:
        reason = f"to infer them took longer than {SECONDS:g} s"
    except Exception as error:
        reason = _stumbled(error)
    else:
        return []
    return [] if subject.endless else [Skipped("kinds", reason, "y_pred_kind and y_true_kind", unfinished=True)]


def _stumbled(error: Exception) -> str:
    return f"{STUMBLED} {type(error).__name__}: {' '.join(str(error).split())}"


def outcome_of(check: Check, subject: Subject, codes: Set[str]) -> list[Finding] | Skipped:
    """What a check finds, where these codes were found before; or why it did not run."""
    if subject.endless:
        return [_endless()] if check.name == "runs" else Skipped(check.name, "")
    try:
        with _bounded():
            reason = _reason_to_skip(check, subject, codes)
        if reason is not None:
            return reason
        if check.slow:
            # The alarm in the middle of this import would leave it broken.
            importlib.import_module("torch._dynamo")
        # Whatever ran before: a check draws the same numbers.
        subject.generator.manual_seed(SEED)
        with _bounded():
            return list(check.run(subject))
    except TimeLimitError:
        return Skipped(check.name, f"it took longer than {SECONDS:g} s", unfinished=True)
    except Exception as error:  # a check that stumbles over a loss must not hide what the others found
        return Skipped(check.name, _stumbled(error), unfinished=True)


def _endless() -> Finding:
    return Finding(
        "could-not-run",
        "error",
        f"On the example the loss did not return within {SECONDS:g} s.",
        "Look for a loop that does not end; of a loss that is slow pass a smaller example, of 8 to 64 samples.",
        {"seconds": SECONDS},
    )


def _reason_to_skip(check: Check, subject: Subject, codes: Set[str]) -> Skipped | None:
    """Why a check does not run; without words where what was found says it all."""
    if (check.needs and codes & FATAL) or codes & set(check.unless):
        return Skipped(check.name, "")
    if subject.unsteady and "number" in check.needs:
        return Skipped(check.name, "two calls on the same batch do not agree, whatever the seed")
    for need in check.needs:
        there, reason, argument = NEEDS[need]
        if not there(subject):
            return Skipped(check.name, reason, argument)
    return None


def subject_of(loss: Any, y_pred: Any, y_true: Any, ignore_index: int | None = None, prefers: Any = ()) -> Subject:
    """The loss with its example, if they are such."""
    y_pred, y_true = checked_example(loss, y_pred, y_true)
    if ignore_index is not None and (isinstance(ignore_index, bool) or not isinstance(ignore_index, int)):
        raise TypeError(f"ignore_index is {ignore_index!r}, wanted the integer that marks what does not count")
    pairs = checked_pairs(prefers, y_pred)
    with usual_modes():
        return Subject(loss, y_pred, y_true, ignore_index, pairs)


def checked_example(loss: Any, y_pred: Any, y_true: Any) -> tuple[Tensor, Tensor]:
    """The example, if it is one."""
    if isinstance(loss, type):
        raise TypeError(f"loss is the class {loss.__name__}, wanted an instance: {loss.__name__}()")
    if not callable(loss):
        raise TypeError(f"loss is {loss!r}, wanted a function of (y_pred, y_true) or an nn.Module")
    for name, value in (("y_pred", y_pred), ("y_true", y_true)):
        if not isinstance(value, Tensor):
            raise TypeError(f"{name} is a {type(value).__name__}, wanted a tensor: torch.as_tensor({name})")
        if value.is_quantized:
            raise TypeError(f"{name} is quantized, wanted plain numbers: {name}.dequantize()")
        if value.layout != torch.strided or value.is_nested:
            held = "nested" if value.is_nested else "sparse"
            raise TypeError(f"{name} is {held}, wanted a dense tensor, such as {name}.to_dense() gives")
        if value.is_meta:
            raise TypeError(f"{name} is on the meta device, which holds no numbers: wanted an example with some")
    return y_pred, y_true


def checked_pairs(prefers: Any, y_pred: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Pairs of predictions, if they are."""
    if not isinstance(prefers, tuple | list):
        raise TypeError(f"prefers is {prefers!r}, wanted pairs of tensors: prefers=[(good_pred, bad_pred)]")
    pairs = [tuple(pair) if isinstance(pair, tuple | list) else (pair,) for pair in prefers]
    for pair in pairs:
        if len(pair) != 2 or not all(isinstance(part, Tensor) for part in pair):
            raise TypeError(f"prefers holds {pair!r}, wanted pairs of tensors: prefers=[(good_pred, bad_pred)]")
        for part in pair:
            if part.shape != y_pred.shape:
                raise ValueError(
                    f"prefers holds a prediction of shape {tuple(part.shape)}, wanted that of y_pred, "
                    f"{tuple(y_pred.shape)}"
                )
    return pairs


def known_of(loss: Any, expected: Mapping[str, str]) -> dict[str, str]:
    """The codes that are expected of a loss, each with the reason: as the caller says, and of ours as its Spec does."""
    if not isinstance(expected, Mapping):
        raise TypeError(f"expected is {expected!r}, wanted codes with reasons: {{'improper': 'a margin is meant'}}")
    for code, reason in expected.items():
        if code not in CODES:
            raise ValueError(f"expected: there is no code {code!r}. {near(str(code), CODES)}")
        if not isinstance(reason, str) or not reason.strip():
            raise ValueError(f"expected[{code!r}] is {reason!r}, wanted the reason in words")
    own = type(loss).spec.expected if isinstance(loss, Loss) else {}
    return {**own, **expected}
