"""``watch``: a loss that trains is looked at now and then, and what is wrong is said once."""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeAlias, final

import torch
from torch import Tensor, nn
from torch.compiler import is_compiling
from torch.optim import Optimizer

from torchobjectives._validate import inside_transform, whole
from torchobjectives.check._calls import Part, detached, names_of, parts_of, split, undisturbed
from torchobjectives.check._look import OFTEN, SELDOM, Look, Signal
from torchobjectives.check._replay import Step, not_finite
from torchobjectives.check._report import Finding, counted
from torchobjectives.check._signals import signals_of
from torchobjectives.check._subject import called
from torchobjectives.check._trace import is_foreign

# What has more numbers is not kept until the next step: it would be memory that the model needs.
KEPT = 2**20
# How long a reason is in what is printed of a watch.
SHORT = 120
Callback: TypeAlias = Callable[[Finding], None]
# A step, and what the loss was called with: y_pred, y_true and the rest by place and by name.
Kept: TypeAlias = tuple[int, Any, Any, tuple[Any, ...], Mapping[str, Any]]


class LossWarning(UserWarning):
    """What :func:`watch` found while a model trains."""


def watch(
    loss: Callable[..., Any],
    *,
    every: int = 50,
    optimizer: Optimizer | Sequence[Optimizer] | None = None,
    callback: Callback | None = None,
    most: int = 3,
) -> Watch:
    """Watch a loss while a model trains, and say what is wrong, once and with a number.

    A module, also an ``Objective``, goes on being used itself; of a function what is returned is called in its
    place. At every step the loss is read; on an accelerator it is read when it has arrived, at the next step. At the
    first step and at every 50th the predictions, their gradient and what the loss owns are looked at, some of it after
    five looks at every fourth. The numbers of the training stay what they are, bit for bit. Only calls that give one
    number with a gradient are steps: validation under ``torch.no_grad`` is none. Inside ``torch.compile`` and
    ``torch.func`` nothing is watched.

    Args:
        loss: Called as ``loss(y_pred, y_true, …)``.
        every: Look at every so many steps.
        optimizer: Which optimizers there are, for parameters of the loss that none of them holds.
        callback: Called with each finding; without it each is a :class:`LossWarning`.
        most: Say so many things at most.

    Returns:
        What watches: ``watched.findings``; ``watched.detach()``, or leaving ``with watch(loss) as watched:``, ends it.

    Raises:
        TypeError: A loss that cannot be called, a class instead of its instance, or a module of ``torch.jit.script``;
            a callback or an optimizer that is none.
        ValueError: ``every`` or ``most`` below 1.

    Example:
        >>> import torch
        >>> _ = torch.manual_seed(0)
        >>> model, loss = torch.nn.Linear(4, 3), torch.nn.CrossEntropyLoss()
        >>> y_true = torch.arange(12) % 3
        >>> with watch(loss, callback=lambda finding: print(finding.code)) as watched:
        ...     value = loss(100 * model(torch.randn(12, 4)), y_true)
        wrong-minimum
        >>> print(watched.findings[0].fix.split(":")[0])
        Standardise the inputs, and start the last layer small
    """
    if isinstance(loss, type):
        raise TypeError(f"loss is the class {loss.__name__}, wanted an instance: {loss.__name__}()")
    if not callable(loss):
        raise TypeError(f"loss is {loss!r}, wanted a function of (y_pred, y_true) or an nn.Module")
    if isinstance(loss, Watch):
        raise TypeError("this loss is watched already; watched.loss is the loss itself")
    if isinstance(loss, torch.jit.ScriptModule):
        raise TypeError(
            "loss is a module of torch.jit.script, which takes no hook; watch a function that calls it: "
            "watched = watch(lambda y_pred, y_true: loss(y_pred, y_true))"
        )
    if callback is not None and not callable(callback):
        raise TypeError(f"callback is {callback!r}, wanted a function of a finding: callback=print")
    optimizers = () if optimizer is None else tuple(optimizer) if isinstance(optimizer, Sequence) else (optimizer,)
    for one in optimizers:
        if not hasattr(one, "param_groups"):
            raise TypeError(f"optimizer is {one!r}, wanted a torch.optim.Optimizer, or several")
    whole(low=1, every=every, most=most)
    return Watch(loss, every, optimizers, callback, most)


@final
class Watch:
    """A loss that is watched; made by :func:`watch`.

    It can be called as the loss. Of a module it is the module's hook that watches, so that both may be called. A copy
    of a watched module, also one that is pickled, is not watched; a copy of a watched function is watched anew.
    """

    def __init__(
        self,
        loss: Callable[..., Any],
        every: int,
        optimizers: tuple[Optimizer, ...],
        callback: Callback | None,
        most: int,
    ) -> None:
        self.loss = loss
        self.every, self.most, self.callback = every, most, callback
        self.stopped: str | None = None
        """Why nothing is watched any longer; None while it is."""
        self._found: list[Finding] = []
        self._looks, self._looked = 0, 0  # how many there were, and at which step the last
        self._arriving: tuple[Arriving, Kept] | None = None
        self._keeps, self._over = True, False
        self._hook = _Hook(self)
        self._names = names_of(loss)
        self._signals: list[Signal] = signals_of(loss, optimizers)
        self._handle = loss.register_forward_hook(self._hook, with_kwargs=True) if isinstance(loss, nn.Module) else None

    @property
    def steps(self) -> int:
        """How many steps were seen."""
        return self._hook.steps

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found, in the order of the steps."""
        self._settle()
        return tuple(self._found)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the loss."""
        value = self.loss(*args, **kwargs)
        if self._handle is None:
            self._hook(None, args, kwargs, value)
        return value

    def detach(self) -> None:
        """Stop watching; the loss is as before, and what was found stays."""
        self._settle()
        self._stop("detached")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.detach()

    def __repr__(self) -> str:
        codes = ", ".join(finding.code for finding in self._found)
        said = f"{counted(len(self._found), 'finding', always=True)}{f' ({codes})' if codes else ''}"
        return f"<Watch of {called(self.loss)}: {counted(self.steps, 'step')}, {said}{self._ended()}>"

    def _ended(self) -> str:
        return f", {self.stopped}" if self.stopped else ""

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self.loss, self.every, self.most)

    def _stop(self, reason: str) -> None:
        self.stopped = self.stopped or reason
        self._hook.on, self._hook.last, self._arriving = False, None, None
        for signal in self._signals:
            signal.close()
        if isinstance(self.loss, nn.Module) and self._handle is not None:
            self._handle.remove()

    def after(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], loss: Tensor) -> None:
        """What is done after a step of which more is wanted than its number."""
        if loss.numel() != 1 or inside_transform() or (loss.is_cuda and torch.cuda.is_current_stream_capturing()):
            return
        self._hook.steps += 1
        # A failure to look is no failure of the training.
        try:
            found = self._seen(args, kwargs, loss)
        except Exception as error:
            self._stop(f"stopped looking at step {self.steps}: {_in_short(error)}")
            return
        for finding in found:
            self._say(finding)

    def _seen(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], loss: Tensor) -> list[Finding]:
        """Read the loss; at some steps look at the rest."""
        found = self._arrived() if self._arriving is not None else []
        looks = self.steps >= self._hook.next
        given = (*args, (), {}) if len(args) == 2 and not kwargs else split(self._names, args, kwargs)
        # What is large is not kept until the number arrives.
        if not looks and self._keeps and on_the_way(loss):
            self._arriving = Arriving(loss), self._kept(*given)
            return found
        value = loss.item()
        found += self._read(value, self._kept(*given))
        if looks and math.isfinite(value):
            found += self._look(value, Part(self.loss, *given), loss)
        return found

    def _kept(self, y_pred: Any, y_true: Any, rest: tuple[Any, ...], named: Mapping[str, Any]) -> Kept:
        """What is needed to call the loss again, without graphs."""
        y_pred = y_pred.detach() if type(y_pred) is Tensor else detached(y_pred)
        if rest or named:
            rest, named = detached(rest), detached(named)
        return self.steps, y_pred, y_true, rest, named

    def _read(self, value: float, kept: Kept) -> list[Finding]:
        """Take in a loss; one that is not finite is the end of it."""
        if math.isfinite(value):
            self._hook.sum += value
            self._hook.last = (value, kept) if self._keeps else None
            return []
        self._over = True
        before = None if self._hook.last is None else self._step(*self._hook.last)
        with undisturbed():
            return [not_finite(self._step(value, kept), before)]

    def _step(self, value: float, kept: Kept) -> Step:
        return Step(kept[0], value, Part(self.loss, *kept[1:]))

    def _arrived(self) -> list[Finding]:
        """Take in the loss of the step before, which has arrived by now."""
        assert self._arriving is not None
        (arriving, kept), self._arriving = self._arriving, None
        return self._read(arriving.value(), kept)

    def _settle(self) -> None:
        """Take in the last loss."""
        if self._arriving is not None and not self.stopped:
            for finding in self._arrived():
                self._say(finding)

    def _look(self, value: float, part: Part, loss: Tensor) -> list[Finding]:
        """Give every signal a look."""
        hook, y_pred = self._hook, part.y_pred
        mean = hook.sum / (self.steps - self._looked)
        look = Look(self.steps, self._looks, value, mean, loss, part, parts_of(part), lambda: self.steps)
        self._looks, self._looked = self._looks + 1, self.steps
        hook.next, hook.sum = self.steps - self.steps % self.every + self.every, 0.0
        # The next steps are of the same kind.
        self._keeps = type(y_pred) is not Tensor or y_pred.numel() <= KEPT
        hook.plain = type(y_pred) is Tensor and self._keeps and loss.is_cpu
        passed = look.count >= OFTEN and look.count % SELDOM
        now = [signal for signal in self._signals if not (passed and signal.seldom)]
        found = [finding for signal in now for finding in signal.look(look)]
        self._signals = [signal for signal in self._signals if not signal.done]
        return found

    def _say(self, finding: Finding) -> None:
        """Say it, once and not too often."""
        if len(self._found) >= self.most or self.stopped:
            return
        self._found.append(finding)
        if self._over:
            self._stop("nothing is to be seen after that")
        elif len(self._found) >= self.most:
            self._stop("enough is said")
        if self.callback is not None:
            self.callback(finding)
        else:
            warnings.warn(f"{finding.message} {finding.fix} [{finding.code}]", LossWarning, stacklevel=_depth())


def _in_short(error: Exception) -> str:
    """An error in a line: those of torch's dispatcher have eighty."""
    line, _, more = f"{type(error).__name__}: {error}".strip().partition("\n")
    return line if len(line) <= SHORT and not more else f"{line[: SHORT - 1].rstrip(': ')}…"


def on_the_way(loss: Tensor) -> bool:
    """Whether reading a loss now would mean to wait for the device."""
    return loss.is_cuda


class Arriving:
    """A number on its way from an accelerator; when the next step is under way it is there, and nobody waits."""

    def __init__(self, loss: Tensor) -> None:
        self._copy = loss.detach().to("cpu", non_blocking=True)
        self._event = torch.Event(loss.device)
        self._event.record()

    def value(self) -> float:
        """The number."""
        self._event.synchronize()
        return self._copy.item()


class _Hook:
    """What is called after the loss at every step, and therefore does as little as can be.

    A copy of a module has one that does nothing: what it would watch is another loss.
    """

    __slots__ = ("last", "next", "on", "plain", "steps", "sum", "watched")

    def __init__(self, watched: Watch) -> None:
        self.watched = watched
        self.on = True
        self.steps, self.sum = 0, 0.0
        self.next = 1  # the step of the next look
        self.plain = False  # whether the last look met tensors, on the CPU
        self.last: tuple[float, Kept] | None = None

    def __call__(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], loss: Any) -> None:
        # Of other kinds of tensors (distributed, fake) nobody may ask for a number at will.
        if is_compiling() or not self.on or type(loss) is not Tensor or not loss.requires_grad:
            return
        step = self.steps + 1
        if self.plain and step != self.next and len(args) == 2 and not kwargs:
            try:
                value = loss.item()
                kept = step, args[0].detach(), args[1], (), kwargs
            except Exception:  # no longer plain
                value = math.nan
            if value - value == 0.0:
                self.steps = step
                self.sum += value
                self.last = value, kept
                return
        self.watched.after(args, kwargs, loss)

    def __reduce__(self) -> tuple[Any, ...]:
        return _unwatched, ()


def _unwatched() -> Callable[..., None]:
    return _nothing


def _nothing(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], value: Any) -> None:
    """The hook of a copy."""


def _again(loss: Callable[..., Any], every: int, most: int) -> Watch:
    """A watch of what a pickled or copied one watched: a module's hook is not copied, so it is watched anew."""
    return Watch(loss, every, (), None, most)


def _depth() -> int:
    """How far up the nearest line lies that is neither torch's nor of this folder: there the warning belongs."""
    frame, depth = sys._getframe(1), 1
    while frame.f_back is not None and not is_foreign(frame.f_code.co_filename):
        frame, depth = frame.f_back, depth + 1
    return depth
