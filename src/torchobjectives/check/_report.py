"""What a check finds, and how it is said."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, final

Level = Literal["error", "warning", "note"]

LEVELS: tuple[Level, ...] = ("error", "warning", "note")
# The closed list of codes: each names one fault, or one fact.
CODES: dict[str, str] = {
    "argument-order": "the truth stands where the prediction is passed",
    "batch-scaling": "a term that is a mean is mixed with one that is a sum",
    "broadcast": "every prediction is compared with every target",
    "constant-loss": "no prediction changes the loss",
    "could-not-run": "the loss fails on the example",
    "crash-on-batch": "the loss fails on a batch that comes up in training",
    "dead-outputs": "many predictions get no gradient although they are wrong",
    "dtype-hazard": "the same targets in another dtype give another loss",
    "empty-targets": "not finite, or without a slope, where there is nothing to average",
    "float64-promotion": "a float32 prediction gives a float64 loss",
    "gradient-mismatch": "the gradient is not the slope of the loss",
    "half-precision": "wrong in float16 or bfloat16",
    "hidden-parameters": "gradients reach tensors that the loss does not own",
    "hyper-parameter": "a hyper-parameter does something else than its name says",
    "ignored-counted": "positions that are ignored count",
    "improper": "the loss is least at another probability than the true one",
    "keeps-graph": "graphs of earlier calls are kept",
    "mutates-input": "the input is changed in place",
    "nan-at-extremes": "not finite at predictions that are far out",
    "nan-gradient": "the loss is finite, its gradient is not",
    "no-compile": "torch.compile(fullgraph=True) fails",
    "no-double-backward": "there is no second derivative, or a wrong one",
    "no-gradient": "no gradient reaches the prediction",
    "no-vmap": "torch.vmap fails",
    "nondeterministic": "two calls on the same batch differ",
    "not-buffer": "a tensor that the loss does not move with itself",
    "not-picklable": "the loss cannot be pickled or copied",
    "not-scalar": "the loss is not one number",
    "order-dependent": "the order of the samples matters",
    "part-without-gradient": "a part of the loss has no gradient",
    "probs-vs-logits": "probabilities where logits are wanted, or the reverse",
    "state-not-saved": "state is lost with a checkpoint",
    "stopped-on-purpose": "detach() or no_grad() stops a gradient",
    "unbounded-below": "the loss falls without end",
    "whole-batch": "the loss of a batch is not the mean over its parts",
    "wrong-direction": "a better prediction costs more",
    "wrong-minimum": "the perfect prediction is not the best",
}
WIDTH = 100


@final
@dataclass(frozen=True)
class Finding:
    """One thing that a check found."""

    code: str
    """What it is, of the closed list ``CODES``."""
    level: Level
    """error: wrong for certain. warning: wrong unless intended. note: a fact to know."""
    message: str
    """What was done, what was seen, and why it matters; its first sentence says the fault."""
    fix: str
    """What to do about it."""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """The numbers that were seen."""

    def __post_init__(self) -> None:
        assert self.code in CODES, self.code
        assert self.level in LEVELS, self.level

    def __str__(self) -> str:
        body = textwrap.fill(self.message, WIDTH, initial_indent="    ", subsequent_indent="    ")
        fix = textwrap.fill(self.fix, WIDTH, initial_indent="    fix: ", subsequent_indent="         ")
        return f"{self.level} {self.code}\n{body}\n{fix}"


@final
@dataclass(frozen=True)
class Skipped:
    """A check that did not run."""

    check: str
    reason: str
    argument: str | None = None
    """What to pass to :func:`check_loss` so that it runs; None where nothing does."""
    unfinished: bool = False
    """Whether it was begun, and did not come to an end."""

    def __str__(self) -> str:
        return f"{self.check}: {self.reason}" + (f" - pass {self.argument}" if self.argument else "")


@final
@dataclass(frozen=True)
class LossReport:
    """What :func:`check_loss` found; true where there is no error and no warning."""

    subject: str
    """What the loss is called."""
    findings: tuple[Finding, ...]
    """Errors first, then warnings and notes."""
    skipped: tuple[Skipped, ...]
    checks: tuple[str, ...]
    """The checks that ran."""
    kinds: Mapping[str, str]
    """What y_pred and y_true were taken for, and where that was inferred."""
    expected: Mapping[str, str] = field(default_factory=dict)
    """Codes that were found and expected, each with the reason."""

    def __bool__(self) -> bool:
        return not self.errors and not self.warnings

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that are wrong for certain."""
        return self._of("error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings that are wrong unless they are intended."""
        return self._of("warning")

    @property
    def notes(self) -> tuple[Finding, ...]:
        """Facts to know; they never count."""
        return self._of("note")

    def _of(self, level: Level) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.level == level)

    @property
    def headline(self) -> str:
        """The report in a line."""
        if not self.findings:
            open_ends = sum(skipped.unfinished for skipped in self.skipped)
            left = f"; {counted(open_ends, 'check')} did not come to an end" if open_ends else ""
            return f"{self.subject}: clean, {counted(len(self.checks), 'check')}{left}"
        counts = [counted(len(self._of(level)), level) for level in LEVELS if self._of(level)]
        codes = ", ".join(dict.fromkeys(f.code for f in self.findings if f.level != "note"))
        return f"{self.subject}: {', '.join(counts)}" + (f" ({codes})" if codes else "")

    def __str__(self) -> str:
        kinds = ", ".join(f"{name} {kind}" for name, kind in self.kinds.items())
        parts = [self.headline, *(str(finding) for finding in self.findings)]
        parts += [f"expected {code}: {reason}" for code, reason in self.expected.items()]
        counts = [counted(len(self._of(level)), level, always=True) for level in LEVELS]
        end = f"{counted(len(self.checks), 'check')}, {', '.join(counts)}" + (f"; taken for: {kinds}" if kinds else "")
        parts += [end, *(f"skipped {skipped}" for skipped in self.skipped)]
        return "\n".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data, which json takes as it is."""
        return {
            "subject": self.subject,
            "clean": bool(self),
            "findings": [{**asdict(finding), "evidence": plain(finding.evidence)} for finding in self.findings],
            "skipped": [asdict(skipped) for skipped in self.skipped],
            "checks": list(self.checks),
            "kinds": dict(self.kinds),
            "expected": dict(self.expected),
        }


class LossCheckError(AssertionError):
    """A loss has an error; ``report`` holds all that was found."""

    def __init__(self, report: LossReport) -> None:
        super().__init__(str(report))
        self.report = report


def counted(count: int, word: str, *, always: bool = False) -> str:
    """``3 notes``; ``no errors`` where always is asked for."""
    number = "no" if always and not count else str(count)
    return f"{number} {word}{'' if count == 1 else 's'}"


def plain(value: Any) -> Any:
    """A value as json takes it: what is not finite as text."""
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, float):
        return value if abs(value) < float("inf") else str(value)
    return value if value is None or isinstance(value, str | int | bool) else str(value)


def number(value: float) -> str:
    """A number in a sentence.

    >>> number(0.123456), number(float("nan")), number(3.0)
    ('0.1235', 'nan', '3')
    """
    return f"{value:.4g}"
