"""Checks of what a call leaves behind: in its input, in the loss, in autograd's graph, and in checkpoints."""

from __future__ import annotations

import copy
import functools
import gc
import pickle
import types
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from torchobjectives.check._check import Check, check
from torchobjectives.check._inside import INTERNAL, Walk, listed, reseed, words_of
from torchobjectives.check._kinds import plausible
from torchobjectives.check._report import Finding, Level, number
from torchobjectives.check._subject import SEED, Outcome, Subject, alike, as_of_a_model, surroundings
from torchobjectives.check._trace import Call, Trace
from torchobjectives.check.owned import graph_of, parameters_of

Loss = Callable[..., Any]
RANDOM = frozenset(
    {"rand", "randn", "randint", "randperm", "rand_like", "randn_like", "randint_like", "bernoulli", "bernoulli_"}
    | {"multinomial", "normal", "normal_", "uniform_", "random_", "exponential_", "geometric_", "cauchy_", "poisson"}
    | {"log_normal_", "dropout", "dropout_", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "rrelu"}
    | {"feature_dropout", "feature_alpha_dropout", "gumbel_softmax", "native_dropout", "binomial"}
)
# Where random numbers come from that no seed of torch's, Python's or numpy's governs.
ENTROPY = frozenset({"default_rng", "SystemRandom", "urandom", "token_bytes", "perf_counter", "time_ns", "time"})


@check("leaves-its-input", unless=("not-scalar",))
def leaves_its_input(subject: Subject) -> Iterator[Finding]:
    """y_pred and y_true are after a call what they were before."""
    for name, after in subject.changed.items():
        before = getattr(subject, name)
        by = _changing(subject, name)
        seen = f" by `{_spelt(by)}` at {by.place}" if by else ""
        if alike(after, before):
            what = f"{name} was written to{seen}; on the example that changed nothing, on other batches it may"
        elif after.shape != before.shape:
            what = (
                f"{name} was changed in place{seen}: its shape was {tuple(before.shape)}, and is {tuple(after.shape)}"
            )
        else:
            same = (after == before) | ((after != after) & (before != before))
            what = f"{name} was changed in place{seen}: {int((~same).sum())} of {before.numel()} elements"
        yield Finding(
            "mutates-input",
            "error",
            f"{what}.{_second_call(subject)} Whatever comes after the loss, metrics for instance, gets the changed "
            f"{name}.",
            f"Change a copy: {name} = {name}.clone(), or use the call without the underscore.",
            {"input": name, "call": by.name if by else None, "place": str(by.place) if by else None},
        )


def _second_call(subject: Subject) -> str:
    """What the changed input gives, where that is another number."""
    if subject.example.backward:
        error = " ".join(str(subject.example.error).split()).split(":")[0]
        return f" The backward pass fails for that: {error}."
    again = subject.value(subject.changed.get("y_pred"), subject.changed.get("y_true"))
    first = subject.example.number
    if first != first or not differ(first, again):
        return ""
    return f" The second call on the same batch gives {number(again)} instead of {number(first)}."


def _changing(subject: Subject, name: str) -> Call | None:
    """The call that changes an input, or a view of it, in place."""
    memory = subject.trace.sources[name].untyped_storage().data_ptr()
    for call in subject.trace.calls:
        in_place = call.name.endswith("_") and not call.name.startswith("__")
        in_place = in_place or call.name in ("__setitem__", "__set__") or call.name.startswith("__i")
        if in_place and call.inputs and call.inputs[0].untyped_storage().data_ptr() == memory:
            return call
    return None


def _spelt(call: Call) -> str:
    return "[...] = " if call.name == "__setitem__" else call.name


def differ(one: float, other: float, tolerance: float = 1e-6) -> bool:
    """Whether two numbers are not the same; nan is the same as nan."""
    if one != one or other != other:
        return (one == one) != (other == other)
    return one != other and not abs(one - other) <= tolerance * max(abs(one), abs(other))


@dataclass(frozen=True)
class Draws:
    """What repeated calls gave."""

    first: float
    other: float
    cause: str
    """torch: a seed governs it. generator: one that the loss holds. outside: none."""


@check("repeats", needs=("number",), unless=("could-not-run",))
def repeats(subject: Subject) -> Iterator[Finding]:
    """Two calls on the same batch give the same number."""
    if subject.module is None:
        if draws := _draws(subject, subject.copy):
            yield _random(subject, "", draws, subject.traced(subject.y_pred, subject.y_true))
        return
    for training in (False, True):

        def made(training: bool = training) -> Any:
            return in_mode(subject.copy(), training)

        if draws := _draws(subject, made):
            trace = subject.traced(subject.y_pred, subject.y_true, made())
            yield _random(subject, "training" if training else "eval", draws, trace)
            return


def in_mode(loss: Any, training: bool) -> Any:
    """A copy in training or in evaluation mode."""
    return loss.train(training) if isinstance(loss, nn.Module) else loss


def _draws(subject: Subject, made: Callable[[], Any]) -> Draws | None:
    """Whether copies of the loss, made anew for each call, give other numbers for other seeds."""
    first, again = (subject.value(loss=made()) for _ in range(2))
    if differ(first, again):
        # State that copies share is no random number.
        return Draws(first, again, "outside") if words_of(subject.original) & ENTROPY else None
    for seed in (1, 2):
        other = subject.value(loss=made(), seed=seed)
        if differ(first, other):
            # State that copies share is no random number here either: the first seed must give the first number.
            return None if differ(first, subject.value(loss=made())) else Draws(first, other, "torch")
    started = made()
    if reseed(started, 1) and differ(first, other := subject.value(loss=started)):
        return Draws(first, other, "generator")
    return None


def _random(subject: Subject, mode: str, draws: Draws, trace: Trace) -> Finding:
    call = next((call for call in trace.calls if call.name in RANDOM), None)
    # Of a generator that a loss holds, and of training, random numbers are intended.
    level: Level = "note" if mode == "training" or draws.cause == "generator" else "warning"
    seen = f"`{call.name}` at {call.place} draws random numbers" if call else "it draws random numbers, not of torch's"
    start = {"eval": "In eval() two calls", "training": "In training mode two calls"}.get(mode, "Two calls")
    end = "; in eval() they agree" if mode == "training" else ", whatever the mode" if mode else ""
    end += ", from a generator that the loss holds" if draws.cause == "generator" else ""
    dropout = call is not None and "dropout" in call.name
    if mode == "training":
        fix = "Nothing to do where that is meant; validate in eval()."
    elif dropout:
        fix = "Pass the mode: F.dropout(x, p, training=self.training)" + ("" if mode else ", in an nn.Module.")
    elif mode:
        fix = "Draw while self.training alone, or from a generator with a fixed seed: torch.Generator().manual_seed(0)"
    else:
        fix = "Pass the random numbers in, or draw from torch.Generator().manual_seed(0) within the call."
    return Finding(
        "nondeterministic",
        level,
        f"{start} on the same batch gave {number(draws.first)} and {number(draws.other)}: {seen}{end}.",
        fix,
        {"values": [draws.first, draws.other], "call": call.name if call else None, "mode": mode or None},
    )


@check("frees-its-graph", needs=("number", "gradient"), unless=("mutates-input",))
def frees_its_graph(subject: Subject) -> Iterator[Finding]:
    """A call keeps nothing of the graph of an earlier one."""
    loss = in_mode(subject.copy(), True)
    calls = _Calls(subject, loss)
    with surroundings(SEED, subject.y_pred):
        told = [calls.make() for _ in range(3)]
    failed = next((outcome for outcome in told if outcome.error is not None), None)
    held = _attached(loss, calls.nodes[0]) if calls.nodes else []
    calls.nodes.clear()  # what is kept here is kept alive
    alive = calls.first() is not None
    if alive:
        gc.collect()
        alive = calls.first() is not None
    if not (calls.shared or alive):
        if failed is not None and not failed.backward:
            yield _second_fails(failed)
        return
    holds = f"{listed(held)} {'holds' if len(held) == 1 else 'hold'} a graph" if held else "Something holds a graph"
    seen = []
    if alive:
        seen.append("after three calls, each with its backward pass, the first y_pred is still alive")
    if failed is not None:
        seen.append(f"the next backward() raises: {' '.join(str(failed.error).split()).split('. ')[0]}")
    elif calls.shared:
        seen.append("the graph of a later loss goes through that of an earlier one")
    attribute = held[0] if held else None
    yield Finding(
        "keeps-graph",
        "error",
        f"{holds}: {', and '.join(seen)}. Memory grows with every step, or training stops at the second.",
        f"Keep what has no graph: {attribute or 'value'} is to take value.detach(), or value.item() where it is logged."
        + ("" if held else " In an autograd.Function keep tensors with ctx.save_for_backward() alone."),
        {"attributes": held, "alive": alive, "error": str(failed.error) if failed else None},
    )


class _Calls:
    """Calls of one copy, one after the other, with a backward pass each; only what the loss holds stays."""

    def __init__(self, subject: Subject, loss: Any) -> None:
        self.subject, self.loss = subject, loss
        self.first: Callable[[], Tensor | None] = lambda: None
        self.nodes: list[set[Any]] = []
        self.shared = False

    def make(self) -> Outcome:
        """A call; its error, if there is one, is not kept alive by a traceback."""
        leaf, given = as_of_a_model(self.subject.y_pred)
        if not self.nodes:
            # A graph ends at its leaf also after the backward pass, which frees what is between.
            self.first = weakref.ref(leaf)
        try:
            value = self.loss(given, self.subject.y_true.clone())
        except Exception as error:
            return Outcome(error=_told(error))
        if not isinstance(value, Tensor) or not value.requires_grad:
            return Outcome()
        nodes = graph_of([value])
        # What is at the end of a graph is shared by right; all else belongs to one call.
        inner = {node for node in nodes if not hasattr(node, "variable")}
        self.shared = self.shared or any(inner & earlier for earlier in self.nodes)
        self.nodes.append(inner)
        try:
            own = [tensor for tensor in parameters_of(self.loss) if tensor.requires_grad]
            earlier = [node.variable for node in nodes if hasattr(node, "variable")] if self.shared else []
            torch.autograd.grad(value.sum(), [leaf, *own, *earlier], allow_unused=True)
        except Exception as error:
            return Outcome(error=_told(error), backward=True)
        return Outcome()


def _told(error: BaseException) -> BaseException:
    """An error that keeps no frame alive, and with it no tensor."""
    error.__context__ = error.__cause__ = None
    return error.with_traceback(None)


def _attached(loss: Any, nodes: set[Any]) -> list[str]:
    """The attributes of a loss, or what it takes from outside, that hold a tensor with one of these nodes behind it."""
    held = [
        held.path.split("[")[0]
        for held in Walk().all_of(loss)
        if isinstance(held.value, Tensor) and held.value.grad_fn is not None and nodes & set(graph_of([held.value]))
    ]
    return list(dict.fromkeys(held))


def _second_fails(failed: Outcome) -> Finding:
    kind, text = type(failed.error).__name__, " ".join(str(failed.error).split())
    return Finding(
        "could-not-run",
        "error",
        f"The first call gives a number, a later one of the same loss on the same batch raises {kind}: {text}",
        "Look at what a call leaves behind in the loss's attributes.",
        {"error": kind, "text": text},
    )


@check("saves-its-state", needs=("number",), unless=("mutates-input", "keeps-graph"))
def saves_its_state(subject: Subject) -> Iterator[Finding]:
    """What calls leave behind in a loss, and later ones need, is in its state_dict()."""
    if subject.module is None:
        yield from _state_of_an_object(subject)
        return
    used = _used(subject)
    if used is None:
        return
    resumed = in_mode(subject.copy(), True)
    try:
        resumed.load_state_dict(copy.deepcopy(used.state_dict()))
    except Exception as error:
        said = " ".join(str(error).split())
        yield Finding(
            "state-not-saved",
            "warning",
            f"After three calls the state_dict() does not load into a new {subject.name}: {said}",
            "Give each buffer its final shape in __init__, so that a checkpoint fits: self.register_buffer(name, "
            "torch.zeros(...))",
            {"error": said},
        )
        return
    wanted, got = _next(subject, used), _next(subject, resumed)
    if not differ(wanted, got, 1e-5):
        return
    lost = _lost(subject, used, resumed, got)
    if not lost:
        return
    # Who says that a buffer is not to be saved means it.
    meant = all(path in _left_out(used) for path in lost)
    name = lost[0].rpartition(".")[2]
    yield Finding(
        "state-not-saved",
        "note" if meant else "warning",
        f"After three calls the next value is {number(wanted)}; in a new {subject.name} with the state_dict() of the "
        f"first it is {number(got)}. {listed(lost)} {'is' if len(lost) == 1 else 'are'} lost with a checkpoint.",
        f"self.register_buffer('{name}', torch.tensor(...)), and change it with no_grad: self.{name}.copy_(...); "
        "or get_extra_state and set_extra_state.",
        {"values": [wanted, got], "attributes": lost},
    )


def _used(subject: Subject) -> Any:
    """A copy after three calls in training mode; None where those fail."""
    loss = in_mode(subject.copy(), True)
    for y_pred in (subject.y_pred, plausible(subject), plausible(subject)):
        if subject.evaluate(y_pred, loss=loss, gradient=False).error is not None:
            return None
    return loss


def _next(subject: Subject, loss: Any) -> float:
    """What a call would give; the loss stays as it is, and its generators do not count."""
    try:
        twin = copy.deepcopy(loss)
    except Exception:
        return float("nan")
    reseed(twin, SEED)
    return subject.value(loss=twin)


def _state_of_an_object(subject: Subject) -> Iterator[Finding]:
    """An object that is no module has no state_dict()."""
    loss = subject.original
    if not vars(loss) if hasattr(loss, "__dict__") else True:
        return
    if not _is_object(loss):
        return
    used = _used(subject)
    if used is None:
        return
    fresh, after = _next(subject, subject.copy()), _next(subject, used)
    if differ(fresh, _next(subject, subject.copy())) or not differ(fresh, after, 1e-5):
        return
    changed = [f"self.{name}" for name, value in vars(used).items() if not same(value, vars(loss).get(name))]
    if changed:
        yield Finding(
            "state-not-saved",
            "note",
            f"The first call gives {number(fresh)}, one after three others {number(after)}: {listed(changed)} changes, "
            f"and {subject.name} is no nn.Module, so that no state_dict() saves it.",
            "Make it an nn.Module, and its state buffers: self.register_buffer(...)",
            {"values": [fresh, after], "attributes": changed},
        )


def _is_object(loss: Any) -> bool:
    """Whether a loss is an object of somebody's class, not a function."""
    return not isinstance(loss, types.FunctionType | types.MethodType | functools.partial | types.BuiltinFunctionType)


def _left_out(loss: nn.Module) -> set[str]:
    """The paths of the buffers that are not to be saved."""
    return {
        f"self.{prefix}.{name}" if prefix else f"self.{name}"
        for prefix, module in loss.named_modules()
        for name in module._non_persistent_buffers_set
    }


def _lost(subject: Subject, used: nn.Module, resumed: nn.Module, got: float) -> list[str]:
    """The attributes that differ, and without which the next value is another one."""
    found = []
    others = dict(resumed.named_modules())
    saved = set(used.state_dict())
    for prefix, module in used.named_modules():
        dot = f"{prefix}." if prefix else ""
        for name, value in {**vars(module), **module._buffers}.items():
            if name in INTERNAL or dot + name in saved or same(value, getattr(others.get(prefix), name, None)):
                continue
            try:
                twin = copy.deepcopy(resumed)
                setattr(dict(twin.named_modules())[prefix], name, copy.deepcopy(value))
            except Exception:
                continue
            if differ(_next(subject, twin), got):
                found.append(f"self.{dot}{name}")
    return found


def same(one: Any, other: Any) -> bool:
    """Whether two attributes hold the same."""
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return alike(one.detach(), other.detach())
    try:
        return pickle.dumps(one) == pickle.dumps(other)
    except Exception:
        return one is other


CHECKS: tuple[Check, ...] = (leaves_its_input, repeats, frees_its_graph, saves_its_state)
