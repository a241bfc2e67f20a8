"""A loss and its example, and what comes of evaluating the one on variations of the other."""

from __future__ import annotations

import copy
import functools
import inspect
import math
import random
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import MethodType, ModuleType
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from torchobjectives.check._report import Level
from torchobjectives.check._trace import Trace

Answer = TypeVar("Answer")
SEED = 0
# Above so many numbers an example is slow, and fewer variations of it must do.
LARGE = 20_000


@dataclass(frozen=True)
class Outcome:
    """What a call gave, and the backward pass after it."""

    value: Tensor | None = None
    """What was returned, detached; None where the call failed, or gave no tensor."""
    gradient: Tensor | None = None
    """Of y_pred; None where none arrived."""
    error: BaseException | None = None
    backward: bool = False
    """Whether the error is of the backward pass."""
    returned: Any = None
    """What was returned, where that is no tensor."""

    @property
    def number(self) -> float:
        """The value; nan where there is none, or a complex one."""
        if self.value is None or self.value.numel() != 1 or self.value.is_complex():
            return float("nan")
        return float(self.value)

    @property
    def slope(self) -> float:
        """The norm of the gradient; nan where there is none."""
        return float("nan") if self.gradient is None else float(self.gradient.double().norm())

    @property
    def is_number(self) -> bool:
        """Whether it is one finite number."""
        return self.error is None and math.isfinite(self.number)

    @property
    def has_slope(self) -> bool:
        """Whether there is a gradient, and all of it is finite."""
        return self.gradient is not None and bool(self.gradient.isfinite().all())


def once(question: Callable[[Subject], Answer]) -> Callable[[Subject], Answer]:
    """Ask a subject one time, and keep the answer no longer than it lives: it holds what the caller owns."""
    answers: WeakKeyDictionary[Subject, Answer] = WeakKeyDictionary()

    @functools.wraps(question)
    def asked(subject: Subject) -> Answer:
        if subject not in answers:
            answers[subject] = question(subject)
        return answers[subject]

    return asked


class Subject:
    """The loss under check. Whatever is done with it is done to copies.

    Args:
        loss: Any callable of (y_pred, y_true).
        y_pred: The example's prediction.
        y_true: The example's truth.
        ignore_index: The value of y_true that marks positions which do not count.
        prefers: Pairs of predictions, of which the first must cost less.
    """

    def __init__(
        self,
        loss: Callable[..., Any],
        y_pred: Tensor,
        y_true: Tensor,
        ignore_index: int | None = None,
        prefers: Sequence[tuple[Tensor, Tensor]] = (),
    ) -> None:
        self.original = loss
        self.module = loss if isinstance(loss, nn.Module) else None
        self.y_pred, self.y_true = y_pred.detach().clone(), y_true.detach().clone()
        self.ignore_index, self.prefers = ignore_index, tuple(prefers)
        # What y_pred and y_true hold, and which of the two the caller said.
        self.pred_kind: str | None = None
        self.true_kind: str | None = None
        self.given: frozenset[str] = frozenset()
        # What labels hold that can only be such a mark, where the caller said nothing.
        self.inferred_mark: int | None = None
        # Whether a call on the example takes too long, and whether no seed makes two calls agree.
        self.endless = self.unsteady = False
        self.generator = torch.Generator().manual_seed(SEED)

    @property
    def name(self) -> str:
        """What the loss is called."""
        return called(self.original)

    @property
    def known(self) -> bool:
        """Whether both kinds are known."""
        return self.pred_kind is not None and self.true_kind is not None

    @property
    def sure(self) -> bool:
        """Whether the caller said both kinds."""
        return {"y_pred_kind", "y_true_kind"} <= self.given

    def level(self, sure: Level, inferred: Level) -> Level:
        """The first where the caller said the kinds, the second where they were inferred."""
        return sure if self.sure else inferred

    @functools.cached_property
    def ignored(self) -> Tensor:
        """Which positions of y_true do not count."""
        mark = self.inferred_mark if self.ignore_index is None else self.ignore_index
        return torch.zeros_like(self.y_true, dtype=torch.bool) if mark is None else self.y_true == mark

    @functools.cached_property
    def goes_below_zero(self) -> bool:
        """Whether y_true does, where it counts: a binary one is then written as −1 and 1."""
        return bool((self.y_true[~self.ignored] < 0).any())

    @functools.cached_property
    def marker(self) -> float | None:
        """The value of y_true that marks what does not count: given, the loss's own, inferred, or nan."""
        if self.ignore_index is not None:
            return self.ignore_index
        if self.y_true.is_floating_point():
            return math.nan if bool(self.y_true.isnan().any()) else None
        own = option(self.original, "ignore_index")
        return own if isinstance(own, int) and not isinstance(own, bool) else self.inferred_mark

    def copy(self, dtype: torch.dtype | None = None) -> Callable[..., Any]:
        """The loss anew, as it came; its floating-point tensors in another dtype if one is given."""
        loss: Callable[..., Any] = sharing(self.original)
        if dtype is not None and isinstance(loss, nn.Module) and loss is not self.original:
            loss = loss.to(dtype)
        return loss

    def evaluate(
        self,
        y_pred: Tensor | None = None,
        y_true: Tensor | None = None,
        *,
        loss: Callable[..., Any] | None = None,
        gradient: bool = True,
        seed: int = SEED,
    ) -> Outcome:
        """Call the loss, or a copy that is given, on copies of the tensors; never with a truth that requires grad."""
        y_pred = self.y_pred if y_pred is None else y_pred
        y_true = self.y_true if y_true is None else y_true
        loss = self.copy() if loss is None else loss
        leaf, given = as_of_a_model(y_pred)
        with surroundings(seed, y_pred):
            try:
                value = loss(given, y_true.detach().clone())
            except (Exception, SystemExit) as error:
                return Outcome(error=error)
            if not isinstance(value, Tensor):
                return Outcome(returned=value)
            if not gradient or value.numel() != 1 or not value.requires_grad:
                return Outcome(value.detach())
            try:
                (slope,) = torch.autograd.grad(value.sum(), [leaf], allow_unused=True)
            except Exception as error:
                return Outcome(value.detach(), error=error, backward=True)
        return Outcome(value.detach(), None if slope is None else slope.detach())

    def value(self, y_pred: Tensor | None = None, y_true: Tensor | None = None, **options: Any) -> float:
        """The number alone; nan where there is none."""
        return self.evaluate(y_pred, y_true, gradient=False, **options).number

    @functools.cached_property
    def example(self) -> Outcome:
        """The outcome of the example as it came."""
        return self.evaluate()

    @functools.cached_property
    def trace(self) -> Trace:
        """The calls that the example makes; of a loss that fails those before it does."""
        return self.traced(self.y_pred, self.y_true)

    @functools.cached_property
    def changed(self) -> dict[str, Tensor]:
        """What the example's tensors are after a call, where that is not what they were: by name."""
        given, truth = as_of_a_model(self.y_pred)[1], self.y_true.detach().clone()
        before = {"y_pred": (given, given._version, self.y_pred), "y_true": (truth, truth._version, self.y_true)}
        loss = self.copy()
        # What was changed until it fails is changed, too.
        with surroundings(SEED, self.y_pred), suppress(Exception, SystemExit):
            loss(given, truth)
        return {
            name: tensor.detach().clone()
            for name, (tensor, version, was) in before.items()
            if tensor._version != version or not alike(tensor.detach(), was)
        }

    def traced(self, y_pred: Tensor, y_true: Tensor, loss: Callable[..., Any] | None = None) -> Trace:
        """The calls that the loss, or a copy that is given, makes on an input."""
        given, truth = as_of_a_model(y_pred)[1], y_true.detach().clone()
        trace = Trace({"y_pred": given, "y_true": truth})
        loss = self.copy() if loss is None else loss
        # Where it fails, what was called until then is what is asked for.
        with surroundings(SEED, y_pred), trace, suppress(Exception, SystemExit):
            loss(given, truth)
        return trace

    @functools.cached_property
    def double(self) -> Subject | None:
        """The same in float64, for slopes by differences; None where it does not run there, or gives other numbers."""
        if not self.y_pred.is_floating_point():
            return None
        truth = self.y_true.double() if self.y_true.is_floating_point() else self.y_true
        twin = self.twin(self.copy(torch.float64), self.y_pred.double(), truth)
        outcome = twin.example
        if not outcome.is_number or outcome.value is None or outcome.value.dtype != torch.float64:
            return None
        return twin

    def twin(self, loss: Callable[..., Any], y_pred: Tensor, y_true: Tensor) -> Subject:
        """Another loss with another example, of the same kinds."""
        twin = Subject(loss, y_pred, y_true, self.ignore_index)
        twin.pred_kind, twin.true_kind, twin.given = self.pred_kind, self.true_kind, self.given
        twin.inferred_mark = self.inferred_mark
        return twin

    def random(self, *shape: int) -> Tensor:
        """Standard normal numbers like y_pred, the same in every run."""
        drawn = torch.randn(shape or tuple(self.y_pred.shape), generator=self.generator, dtype=torch.float64)
        return drawn.to(self.y_pred)


def as_of_a_model(y_pred: Tensor) -> tuple[Tensor, Tensor]:
    """A leaf, and what a loss is called with: no leaf, as of a model, so that it may be changed in place."""
    leaf = y_pred.detach().clone().requires_grad_(y_pred.is_floating_point() or y_pred.is_complex())
    with torch.enable_grad():
        return leaf, leaf.clone()


def alike(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors hold the same, nan being nan."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    return bool(((one == other) | ((one != one) & (other != other))).all())


def sharing(value: Any, known: dict[int, Any] | None = None) -> Any:
    """A copy that shares only what cannot be copied: a lock or an open file, but not what holds it."""
    known = {} if known is None else known
    if id(value) in known:
        return known[id(value)]
    if isinstance(value, MethodType):
        return MethodType(value.__func__, sharing(value.__self__, known))
    tried = dict(known)  # what fails leaves halves behind
    try:
        made = copy.deepcopy(value, tried)
        known.update(tried)
        return made
    except Exception:
        plain = type(value) in (dict, list, tuple, set)
    if not plain and (not isinstance(getattr(value, "__dict__", None), dict) or inspect.isroutine(value)):
        return value
    if isinstance(value, type | ModuleType | Tensor):
        return value
    try:
        known[id(value)] = made = copy.copy(value)
    except Exception:
        return value
    if type(value) is dict:
        made.update((key, sharing(entry, known)) for key, entry in value.items())
    elif plain:
        known[id(value)] = made = type(value)(sharing(entry, known) for entry in value)
    else:
        made.__dict__.update((name, sharing(entry, known)) for name, entry in vars(value).items())
    return made


@contextmanager
def usual_modes() -> Iterator[None]:
    """As in training: with gradients, and without inference mode or autocast of whoever asks."""
    with torch.inference_mode(False), torch.enable_grad(), torch.autocast("cpu", enabled=False):
        if not torch.cuda.is_available():
            yield
            return
        with torch.autocast("cuda", enabled=False):
            yield


@contextmanager
def surroundings(seed: int, y_pred: Tensor) -> Iterator[None]:
    """Gradients on, warnings off, and random numbers that are afterwards what they were: torch's and others'."""
    devices = [y_pred.device] if y_pred.device.type == "cuda" else []
    python, numpy = random.getstate(), sys.modules.get("numpy")
    others = numpy.random.get_state() if numpy is not None else None
    with torch.random.fork_rng(devices=devices), torch.enable_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # torch.manual_seed takes 50 times as long: it asks for accelerators that are not there.
        torch.default_generator.manual_seed(seed)
        if devices:
            torch.cuda.manual_seed(seed)
        random.seed(seed)
        if numpy is not None:
            numpy.random.set_state(_numpy_state(seed))
        try:
            yield
        finally:
            random.setstate(python)
            if numpy is not None:
                numpy.random.set_state(others)


@functools.cache
def _numpy_state(seed: int) -> Any:
    # Seeding takes longer than setting.
    return sys.modules["numpy"].random.RandomState(seed).get_state()


def option(loss: Any, name: str) -> Any:
    """What a loss has for an option: as an attribute, bound by functools.partial, or as a default; None elsewhere."""
    if isinstance(loss, functools.partial):
        return loss.keywords[name] if name in loss.keywords else option(loss.func, name)
    if hasattr(loss, name):
        return getattr(loss, name)
    try:
        parameter = inspect.signature(loss).parameters.get(name)
    except (TypeError, ValueError):
        return None
    return None if parameter is None or parameter.default is parameter.empty else parameter.default


def called(loss: Any) -> str:
    """What a loss is called: the name of its class or function."""
    if isinstance(loss, functools.partial):
        return called(loss.func)
    if inspect.isroutine(loss) or isinstance(loss, type):
        return str(getattr(loss, "__name__", loss))
    return type(loss).__name__
