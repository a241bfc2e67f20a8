"""What is seen of the predictions and their gradient; each signal remembers, and speaks when it is sure."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from torchobjectives.check._calls import FEW, Part
from torchobjectives.check._guess import least
from torchobjectives.check._held import Devices, Graphs, Parameters
from torchobjectives.check._kinds import class_axis, right, set_kinds
from torchobjectives.check._look import LOOKS, Look, Signal, sums_to_one, varies
from torchobjectives.check._progress import Falling, FirstLoss, OneTerm, Plateau
from torchobjectives.check._report import Finding, number
from torchobjectives.check._subject import Subject


class Broadcast(Signal):
    """Every prediction is compared with every target."""

    def look(self, look: Look) -> Iterator[Finding]:
        """Only the first look counts: a shape stays what it is."""
        self.done = True
        for part in look.parts:
            if not part.plain or part.y_pred.numel() != part.y_true.numel() or part.y_pred.numel() > 4096:
                continue
            pred, true = tuple(part.y_pred.shape), tuple(part.y_true.shape)
            count = len(part.y_pred)
            if count < 2 or {pred, true} != {(count,), (count, 1)}:
                continue
            subject = part.subject()
            if subject is None:
                continue
            value, meant = subject.value(), subject.value(subject.y_pred.reshape(true))
            if not all(map(math.isfinite, (value, meant))) or abs(value - meant) <= 1e-4 * max(abs(value), abs(meant)):
                continue
            yield Finding(
                "broadcast",
                "error",
                f"Step {look.step}: y_pred {pred} and y_true {true} were combined to {(count, count)}{part.of}: every "
                f"prediction is compared with every target. The loss is {number(value)} instead of {number(meant)}.",
                "y_pred.squeeze(1)" if len(pred) > 1 else "y_true.squeeze(1)",
                {"step": look.step, "loss": value, "meant": meant},
            )


class ConstantPredictions(Signal):
    """Every sample gets the same prediction."""

    seldom = True

    def __init__(self) -> None:
        self.seen: dict[str, int] = {}

    def look(self, look: Look) -> Iterator[Finding]:
        """Not at the first step: a last layer may start at 0."""
        for part in look.parts if look.count else []:
            if not part.plain or part.y_pred.shape[0] < FEW:
                continue
            # Of nearly all models the first two differ, and the others need not be asked.
            if not torch.equal(part.bare[0], part.bare[1]):
                self.seen[part.name] = 0
                continue
            y_pred = part.bare[: part.rows or 2]
            spread, largest = float((y_pred - y_pred[:1]).abs().max()), float(y_pred[0].abs().max())
            same = spread <= 1e-6 * largest and varies(part.y_true[: len(y_pred)])
            self.seen[part.name] = self.seen.get(part.name, 0) + 1 if same else 0
            if self.seen[part.name] == LOOKS:
                yield Finding(
                    "dead-outputs",
                    "warning",
                    f"Step {look.step}: in {LOOKS} looks the predictions{part.of} were the same for all {len(y_pred)} "
                    f"samples (they differ by {number(spread)}, and are {number(largest)}): they do not depend on the "
                    "input.",
                    "Look for the layer whose output no longer varies (all ReLUs at 0, an input that is not used); a "
                    "smaller learning rate or nn.LeakyReLU keeps units alive.",
                    {"step": look.step, "spread": spread, "largest": largest},
                )


class Probabilities(Signal):
    """Probabilities go into a loss that makes probabilities of logits itself."""

    def __init__(self) -> None:
        self.seen: dict[str, int] = {}

    def look(self, look: Look) -> Iterator[Finding]:
        """Rows that sum to 1 are seen at once; single probabilities only when they reach both ends."""
        self.done = all(self.seen.get(part.name, 0) >= LOOKS for part in look.parts)
        for part in look.parts:
            if not part.plain or self.seen.get(part.name, 0) >= LOOKS:
                continue
            first = part.bare[: part.rows or FEW]
            if not bool(((first >= 0) & (first <= 1)).all()):
                self.seen[part.name] = LOOKS
                continue
            subject = part.subject()
            if subject is None:
                continue
            axis = class_axis(subject)
            if axis is not None and not subject.y_true.is_floating_point():
                self.seen[part.name] = self.seen.get(part.name, 0) + 1
                if sums_to_one(subject.y_pred, axis):
                    yield from self._softmax(look.step, part, subject, axis)
            elif subject.y_true.shape == subject.y_pred.shape and subject.y_pred.numel() >= FEW:
                yield from self._sigmoid(look.step, part, subject)

    def _softmax(self, step: int, part: Part, subject: Subject, axis: int) -> Iterator[Finding]:
        value, shifted = subject.value(), subject.value(subject.y_pred + 3)
        subject.pred_kind, subject.true_kind = "logits", "class_indices"
        hot, far = right(subject, 0.5), right(subject)
        if hot is None or far is None or abs(value - shifted) > 1e-3 * abs(value):
            return
        best, possible = subject.value(hot + 0.5), subject.value(far)
        if best - possible > 0.1 * abs(value):
            yield self._twice(step, part, "softmax", value, best, possible, "rows sum to 1")
            self.seen[part.name] = LOOKS

    def _sigmoid(self, step: int, part: Part, subject: Subject) -> Iterator[Finding]:
        y_pred, y_true = subject.y_pred, subject.y_true
        if y_pred.ndim > 1 and y_pred.shape[1] > 1 and sums_to_one(y_pred, 1) and sums_to_one(y_true.to(y_pred), 1):
            shifted = subject.value(y_pred + 3)
            if abs(subject.value() - shifted) > 1e-3 * abs(shifted):
                return
        elif not bool(((y_true == 0) | (y_true == 1)).all()) or float(y_pred.min()) > 0.1 or float(y_pred.max()) < 0.9:
            return
        subject.pred_kind, subject.true_kind = "logits", "binary"
        far, value, best = right(subject), subject.value(), subject.value(y_true.to(y_pred))
        possible = float("nan") if far is None else subject.value(far)
        # A loss of probabilities is least, or not even defined, at numbers beyond 0 and 1.
        if best - possible > 0.1 * abs(value):
            self.seen[part.name] = self.seen.get(part.name, 0) + 1
            if self.seen[part.name] == LOOKS:
                yield self._twice(step, part, "sigmoid or softmax", value, best, possible, "all lie in [0, 1]")

    def _twice(
        self, step: int, part: Part, what: str, value: float, best: float, possible: float, seen: str
    ) -> Finding:
        return Finding(
            "probs-vs-logits",
            "error",
            f"Step {step}: the predictions{part.of} are probabilities ({seen}), but the loss applies {what} itself. "
            f"The best loss reachable now is {number(best)}, not {number(possible)}; it is {number(value)}.",
            "Remove the last Softmax or Sigmoid layer of the model: the loss takes logits.",
            {"step": step, "loss": value, "reachable": best, "possible": possible},
        )


class DeadOutputs(Signal):
    """Most predictions get no gradient, although better ones would cost less."""

    seldom = True

    def __init__(self) -> None:
        self.seen: dict[str, int] = {}
        # Where the backward pass of the last look left more than half without: the share, which they are, and of what.
        self.shares: dict[str, tuple[float, Tensor, Part]] = {}
        self.told: set[str] = set()

    def look(self, look: Look) -> Iterator[Finding]:
        """Say what came of the gradient of the last look, and wait for that of this one."""
        for name, (share, dead, part) in self.shares.items():
            self.seen[name] = self.seen.get(name, 0) + 1
            if self.seen[name] == LOOKS:
                self.told.add(name)
                yield from self._matters(look.step, part, share, dead)
        self.shares.clear()
        for part in look.parts:
            if part.plain and part.name not in self.told and part.y_pred.requires_grad and part.rows:
                part.y_pred.register_hook(self._waiting(part.name, part.loss, part.bare, part.y_true, part.rows))

    def _waiting(
        self, name: str, loss: Callable[..., Any], y_pred: Tensor, y_true: Tensor, rows: int
    ) -> Callable[[Tensor], None]:
        """What a hook does with the gradient; it keeps no graph alive."""
        itself = weakref.ref(self)

        def seen(gradient: Tensor) -> None:
            signal = itself()
            if signal is None:
                return
            zeros = gradient.numel() - int(torch.count_nonzero(gradient))
            if zeros > 0.5 * gradient.numel():
                share, dead = zeros / gradient.numel(), gradient.detach()[:rows] == 0
                signal.shares[name] = share, dead, Part(loss, y_pred, y_true, name=name)
            else:
                signal.seen[name] = 0

        return seen

    def _matters(self, step: int, part: Part, share: float, dead: Tensor) -> Iterator[Finding]:
        """It does if the loss falls when those alone that get no gradient are put right."""
        subject = part.subject()
        if subject is None:
            return
        set_kinds(subject, None, None)
        at, y_pred = subject.value(), subject.y_pred
        better = [right(subject, strength) for strength in (1.0, 12.0)]
        better += [subject.y_true.to(y_pred) if subject.y_true.shape == y_pred.shape else None, -y_pred]
        replaced = [torch.where(dead, prediction, y_pred) for prediction in better if prediction is not None]
        best = least(subject, replaced)
        if best is None or not at > 0 or best > 0.8 * at:
            return
        yield Finding(
            "dead-outputs",
            "warning",
            f"Step {step}: in {LOOKS} looks a gradient of exactly 0 reached most of the predictions{part.of}, last "
            f"{share:.0%} of them, although the loss is high: {number(at)}, and {number(best)} if those were right. "
            "A clamp or a margin cuts them off.",
            "Clip probabilities, not logits, or leave out the clamp; a loss of logits needs none "
            "(F.binary_cross_entropy_with_logits, F.cross_entropy).",
            {"step": step, "share": share, "loss": at, "possible": best},
        )

    def close(self) -> None:
        """Let go of the last batch."""
        self.shares.clear()


def signals_of(loss: Any, optimizers: tuple[Any, ...]) -> list[Signal]:
    """All that is looked at for a loss; what says most comes first."""
    signals: list[Signal] = [Broadcast(), Probabilities(), FirstLoss(), DeadOutputs(), ConstantPredictions()]
    signals += [OneTerm(), Plateau(), Falling(), Graphs()]
    if isinstance(loss, nn.Module):
        if any(p.requires_grad for p in loss.parameters()):
            signals.insert(0, Parameters(loss, optimizers))
        signals.append(Devices(loss))
    return signals
