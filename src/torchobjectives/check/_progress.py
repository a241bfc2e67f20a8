"""What is seen of the loss as the training goes on, against what a guess would cost."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterator

from torch import Tensor

from torchobjectives.check._calls import FEW, Part
from torchobjectives.check._guess import Targets, floor, ignorant, is_mean_over_samples, least
from torchobjectives.check._kinds import set_kinds
from torchobjectives.check._look import LOOKS, Look, Signal, varies
from torchobjectives.check._report import Finding, number
from torchobjectives.check._subject import Subject

# A first loss is large where it is so many times what a guess costs. Targets that are numbers are seldom centred, and
# a bias learns a moderate shift by itself.
LARGE_OF_CLASSES, LARGE_OF_VALUES = 2.5, 10.0
# Stretches of so many steps; twice so many are a plateau if the loss does not fall; so many are compared with a guess.
STRETCH, PLATEAU, COMPARED = 50, 10, 5
# A slope so many times its own error is none by chance.
CHANCE = 1.5
RATIO = 100.0


class FirstLoss(Signal):
    """The first loss is far above that of a constant guess."""

    def look(self, look: Look) -> Iterator[Finding]:
        """Only the first look counts."""
        self.done = True
        for part in look.parts:
            subject = part.subject()
            if subject is None or len(subject.y_pred) < FEW:
                continue
            set_kinds(subject, None, None)
            guess, first = least(subject, ignorant(subject)), subject.value()
            # Most first losses are near that of a guess: then nothing more is asked.
            if guess is None or not math.isfinite(first) or guess <= 0 or first < 1.6 * guess:
                continue
            lowest = floor(subject)
            # Where the truth is hardly better than a guess, a guess says nothing.
            if lowest is None or lowest > 0.6 * guess or not is_mean_over_samples(subject):
                continue
            values = subject.true_kind in ("values", "counts")
            above, spread = first - lowest, guess - lowest
            bound = (LARGE_OF_VALUES if values else LARGE_OF_CLASSES) * spread
            if above > bound and (values or subject.value(0.01 * subject.y_pred) - lowest < bound):
                yield self._said(look.step, part, subject, first, guess, values)

    def _said(self, step: int, part: Part, subject: Subject, first: float, guess: float, values: bool) -> Finding:
        largest = float(subject.y_pred.abs().max())
        said = f"Step {step}: first loss{part.of} {number(first)}, a constant guess would have {number(guess)}: "
        if values:
            centre = float(subject.y_true.double().mean())
            said += f"the targets are shifted (their mean is {number(centre)}), or the first predictions too large "
            said += f"(up to {number(largest)})."
            fix = f"Standardise y_true, or start from its mean: nn.init.constant_(model[-1].bias, {number(centre)})"
        else:
            said += f"the initial logits are too large (up to {number(largest)}), or the targets shifted."
            fix = "Standardise the inputs, and start the last layer small: nn.init.normal_(model[-1].weight, std=0.01)"
        evidence = {"step": step, "first": first, "constant": guess, "largest": largest}
        return Finding("wrong-minimum", "warning", said, fix, evidence)


class Plateau(Signal):
    """The loss stays where a constant prediction is as good."""

    def __init__(self) -> None:
        self.means: list[float] = []
        self.since: list[float] = []
        self.last = 0
        self.targets: dict[str, Targets] = {}
        self.pairs: dict[str, list[tuple[float, float, float]]] = {}
        self.kinds: dict[str, tuple[str | None, str | None]] = {}
        self.better: set[str] = set()

    def look(self, look: Look) -> Iterator[Finding]:
        """Compare with a guess where the loss has stopped falling."""
        if look.count == 0:
            self.last = look.step
            return
        self.done = all(part.name in self.better for part in look.parts)
        self.since.append(look.mean)
        if look.step - self.last < STRETCH:
            return
        self.last = look.step
        self.means = [*self.means, statistics.fmean(self.since)][-2 * PLATEAU :]
        self.since = []
        if len(self.means) < PLATEAU:
            return
        full = len(self.means) == 2 * PLATEAU
        if full and is_falling(self.means):
            self.pairs.clear()
            return
        for part in look.parts:
            # Whether it may be called costs more to find out than everything else, and is asked where it will be.
            known = part.name in self.kinds and not full
            subject = None if part.name in self.better else part.sample() if known else part.subject()
            if subject is None or (not known and not varies(subject.y_true)):
                continue
            if part.name not in self.kinds:
                set_kinds(subject, None, None)
                self.kinds[part.name] = subject.pred_kind, subject.true_kind
            subject.pred_kind, subject.true_kind = self.kinds[part.name]
            targets = self.targets.setdefault(part.name, Targets())
            constant = targets.constant(subject) if full else None
            targets.add(subject)
            if constant is not None:
                yield from self._compared(look.step, part, subject, constant)

    def _compared(self, step: int, part: Part, subject: Subject, constant: Tensor) -> Iterator[Finding]:
        """The loss and that of the constant, which was fitted to other batches, on this batch."""
        pairs = self.pairs.setdefault(part.name, [])
        lowest, guess, value = floor(subject), subject.value(constant), subject.value()
        if lowest is None or not all(map(math.isfinite, (guess, value))) or guess <= lowest:
            return
        if value - lowest < 0.9 * (guess - lowest):
            self.better.add(part.name)
            return
        pairs.append((value, guess, lowest))
        if len(pairs) < COMPARED:
            return
        self.better.add(part.name)
        value, guess, lowest = (statistics.fmean(column) for column in zip(*pairs, strict=True))
        if value - lowest >= 0.995 * (guess - lowest) and is_mean_over_samples(subject):
            yield _no_better(step, part, subject, value, guess)


def is_falling(means: list[float]) -> bool:
    """Whether a line through the means falls, by more than chance.

    >>> is_falling([4.0, 3.9, 3.9, 3.7]), is_falling([4.0, 3.9, 4.1, 4.0])
    (True, False)
    """
    count = len(means)
    half = count // 2
    if sum(means[half:]) < sum(means[:half]) - 0.05 * abs(sum(means[:half])):
        return True
    middle, mean = (count - 1) / 2, sum(means) / count
    width = sum((step - middle) ** 2 for step in range(count))
    slope = sum((step - middle) * value for step, value in enumerate(means)) / width
    left = sum((value - mean - slope * (step - middle)) ** 2 for step, value in enumerate(means))
    return slope < -CHANCE * math.sqrt(left / max(count - 2, 1) / width)


def _no_better(step: int, part: Part, subject: Subject, value: float, guess: float) -> Finding:
    pred, true = tuple(subject.y_pred.shape), tuple(subject.y_true.shape)
    said = f"Step {step}: the loss{part.of} has settled at {number(value)}; "
    evidence = {"step": step, "loss": value, "constant": guess}
    return Finding(
        "wrong-minimum",
        "warning",
        f"{said}the model does no better than a constant prediction, {number(guess)}.",
        "Try the model on one batch until it fits that. If it does not: is the learning rate right, do inputs and "
        "targets belong together after shuffling, are all layers in the optimizer?",
        {**evidence, "shapes": (pred, true)},
    )


class OneTerm(Signal):
    """One term of an objective supplies nearly all of the gradient, from the first step on."""

    def __init__(self) -> None:
        self.first: dict[str, float] = {}
        self.seen = 0

    def look(self, look: Look) -> Iterator[Finding]:
        """Compare the gradients that the terms send to what they were given."""
        if len(look.parts) < 2:
            self.done = True
            return
        norms: dict[str, tuple[float, float]] = {}
        for part in look.parts:
            subject = part.whole()
            outcome = None if subject is None else subject.evaluate()
            if outcome is None or not outcome.is_number or not math.isfinite(outcome.slope) or outcome.slope == 0:
                self.done = True
                return
            norms[part.name] = (outcome.slope, outcome.number)
            self.first.setdefault(part.name, outcome.number)
        factors = {part.name: abs(part.factor) for part in look.parts}
        large = max(norms, key=lambda name: norms[name][0] * factors[name])
        small = min(norms, key=lambda name: norms[name][0] * factors[name])
        ratio = norms[large][0] / norms[small][0]
        weighted = ratio * factors[large] / factors[small] if factors[small] else 0.0
        # What was meant is spared: a weight that makes it so, and a term that is learnt all the same.
        learnt = norms[small][1] < 0.5 * self.first[small]
        self.seen += 1
        if min(ratio, weighted) <= RATIO or learnt:
            self.done = True
        elif self.seen == LOOKS:
            self.done = True
            share = weighted / (1 + weighted)
            balance = factors[large] / weighted
            yield Finding(
                "batch-scaling",
                "warning",
                f"Step {look.step}: in {LOOKS} looks term {large!r} supplied {100 * share:.4g} % of the gradient at "
                f"the predictions, {number(weighted)} times that of {small!r}, which went from "
                f"{number(self.first[small])} to {number(norms[small][1])}.",
                f"Give both the same reduction (a sum beside a mean?), or balance them: "
                f"Objective(..., term_weights={{{large!r}: {number(balance)}}})",
                {"step": look.step, "term": large, "share": share, "ratio": weighted},
            )


class Falling(Signal):
    """The loss is below 0 and falls as fast as ever, and so it would go on."""

    def __init__(self) -> None:
        self.means: list[float] = []

    def look(self, look: Look) -> Iterator[Finding]:
        """Six falls in a row, which do not get smaller."""
        if look.count == 0:
            return
        self.means.append(look.mean)
        last = self.means[-7:]
        if look.mean >= 0:
            return
        falls = [before - after for before, after in itertools.pairwise(last)]
        if len(falls) < 6 or min(falls) <= 0 or sum(falls[3:]) < 0.8 * sum(falls[:3]):
            return
        if abs(last[-1]) < 10 * max(map(abs, self.means[:2])):
            return
        self.done = True
        part = look.parts[0]
        if len(look.parts) == 1 and (values := _along(part)) is not None:
            yield Finding(
                "unbounded-below",
                "warning",
                f"Step {look.step}: the loss is {number(last[-1])} and falls as fast as ever, by {number(falls[-1])} "
                f"in the last look. Predictions 10, 100 and 1000 times further along would give "
                f"{', '.join(map(number, values))}: it has no least value.",
                "Look for a sign that is missing in one branch, or bound the predictions (weight decay, a clipped "
                "critic) if the loss is meant so.",
                {"step": look.step, "loss": last[-1], "along": values},
            )


def _along(part: Part) -> list[float] | None:
    """The losses ever further along the slope, where they fall in proportion to the way."""
    subject = part.whole()
    if subject is None:
        return None
    outcome = subject.evaluate()
    if outcome.gradient is None or not outcome.is_number or not outcome.slope > 0:
        return None
    unit = outcome.gradient / outcome.gradient.abs().max() * float(1 + subject.y_pred.abs().max())
    values = [subject.value(subject.y_pred - way * unit) for way in (10, 100, 1000)]
    falls = [outcome.number - value for value in values]
    linear = falls[0] > 0 and falls[1] > 5 * falls[0] and falls[2] > 5 * falls[1]
    return values if linear and all(map(math.isfinite, values)) else None
