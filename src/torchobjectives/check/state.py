"""Checks of what a call leaves behind: in its input, in the loss, in autograd's graph, and in checkpoints."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from torchobjectives.check._check import Check, check
from torchobjectives.check._inside import Walk, holds_generator, listed, reseed, words_of
from torchobjectives.check._report import Finding, Level, number
from torchobjectives.check._stops import nodes
from torchobjectives.check._subject import SEED, Outcome, Subject, alike, as_of_a_model, surroundings
from torchobjectives.check._trace import Call, Trace
from torchobjectives.check.owned import parameters_of

WRITES = frozenset({"__setitem__", "__set__"})
CONVERSIONS = frozenset({"to", "type", "type_as", "float", "double", "half", "bfloat16", "long", "int", "bool", "cpu"})
CONVERSIONS |= {"cuda", "contiguous", "expand", "reshape", "view", "broadcast_tensors", "retain_grad", "detach"}
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
        seen = f" by `{'[...] =' if by.name == '__setitem__' else by.name}` at {by.place}" if by else ""
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
            _kept(by, name),
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
    memory = _memory(subject.trace.sources[name])
    calls = [call for call in subject.trace.calls if call.inputs and _memory(call.inputs[0]) == memory]
    named = (call for call in calls if call.name.strip("_") + "_" == call.name or call.name in WRITES)
    # What gives back its own input, as relu(inplace=True) does, and is no conversion that had nothing to do.
    given_back = (c for c in calls if c.outputs and c.outputs[0] is c.inputs[0] and c.name not in CONVERSIONS)
    return next((call for call in named if call.name != "requires_grad_"), next(given_back, None))


def _memory(tensor: Tensor) -> int | None:
    """Where a tensor's numbers are; None where that is not one place."""
    try:
        return tensor.untyped_storage().data_ptr()
    except (RuntimeError, NotImplementedError):
        return None


def _kept(call: Call | None, name: str) -> str:
    """How the input stays as it is."""
    if call is None or call.name in WRITES:
        return f"Change a copy: {name} = {name}.clone() first."
    if call.name.endswith("_"):
        return f"Leave out the underscore: {call.name.rstrip('_')} makes a new tensor. Or first {name} = {name}.clone()"
    return f"`{call.name}` without inplace=True or out=; or first {name} = {name}.clone()"


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
            subject.unsteady = draws.cause == "outside"
            yield _random(subject, "", draws, subject.traced(subject.y_pred, subject.y_true))
        return
    for training in (False, True):

        def made(training: bool = training) -> Any:
            return in_mode(subject.copy(), training)

        if draws := _draws(subject, made):
            subject.unsteady = draws.cause == "outside"
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
        outside = words_of(subject.original) & ENTROPY or holds_generator(subject.original)
        return Draws(first, again, "outside") if outside else None
    for seed in (1, 2):
        other = subject.value(loss=made(), seed=seed)
        if differ(first, other):
            # State that copies share is no random number here either: the first seed must give the first number.
            return None if differ(first, subject.value(loss=made())) else Draws(first, other, "torch")
    started = made()
    if reseed(started, 1, subject.original) and differ(first, other := subject.value(loss=started)):
        return Draws(first, other, "generator")
    return None


def _random(subject: Subject, mode: str, draws: Draws, trace: Trace) -> Finding:
    call = next((call for call in trace.calls if call.name in RANDOM), None)
    # Of a generator that a loss holds, and of training, random numbers are intended.
    level: Level = "note" if mode == "training" or draws.cause == "generator" else "warning"
    seen = (
        f"`{call.name}` at {call.place} draws random numbers"
        if call
        else "random numbers are drawn, of Python's or numpy's"
    )
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
    # Of what is held, that of the first call grows; where that is gone, what later calls went through.
    held = _attached(loss, calls.nodes[:1]) or _attached(loss, calls.nodes)
    calls.nodes.clear()  # what is kept here is kept alive
    alive = calls.first() is not None
    if alive:
        gc.collect()
        alive = calls.first() is not None
    if not (calls.shared or alive):
        if failed is not None and not failed.backward:
            yield _second_fails(failed)
        return
    finding = _keeps(held, calls.shared, alive, failed)
    if set(held) & set(_attached(subject.original, None)):
        finding = replace(finding, fix=f"Calculate {next(iter(held))} within the call, anew each time.")
    yield finding


def _keeps(held: dict[str, bool], shared: bool, alive: bool, failed: Outcome | None) -> Finding:
    """What to say of a graph that is kept, and of what holds it."""
    names = list(held)
    holds = f"{listed(names)} {'holds' if len(held) == 1 else 'hold'} a graph" if held else "A graph is kept"
    seen = []
    if alive:
        seen.append("after three calls, each with its backward pass, the first y_pred is still alive: memory grows")
    if failed is not None:
        text = " ".join(str(failed.error).split()).split(" (")[0].split(". ")[0]
        seen.append(f"the second backward() raises {type(failed.error).__name__}: {text}")
    elif shared:
        seen.append("the graph of a later loss goes through that of an earlier one, so that each step takes longer")
    if not held:
        fix = "Take value.detach() of all that outlives the call."
    elif held[names[0]]:
        fix = f"Put what has no graph into {names[0]}: value.detach(), or value.item() for a log."
    else:
        fix = f"Keep what has no graph: {names[0]} = value.detach(), or value.item() for a log."
    evidence = {"attributes": names, "alive": alive, "error": str(failed.error) if failed else None}
    return Finding("keeps-graph", "error", f"{holds}: {', and '.join(seen)}.", fix, evidence)


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
        graph = list(nodes(value))
        # What is at the end of a graph is shared by right; all else belongs to one call.
        inner = {node for node in graph if not hasattr(node, "variable")}
        self.shared = self.shared or any(inner & earlier for earlier in self.nodes)
        self.nodes.append(inner)
        try:
            own = [tensor for tensor in parameters_of(self.loss) if tensor.requires_grad]
            earlier = [node.variable for node in graph if hasattr(node, "variable")] if self.shared else []
            torch.autograd.grad(value.sum(), [leaf, *own, *earlier], allow_unused=True)
        except Exception as error:
            return Outcome(error=_told(error), backward=True)
        return Outcome()


def _told(error: BaseException) -> BaseException:
    """An error that keeps no frame alive, and with it no tensor."""
    error.__context__ = error.__cause__ = None
    return error.with_traceback(None)


def _attached(loss: Any, calls: list[set[Any]] | None) -> dict[str, bool]:
    """What holds a tensor with a graph, with one of these nodes in it; by its name, whether that is a container."""
    made: set[Any] = set().union(*(calls or ()))
    return {
        held.path.split("[")[0]: "[" in held.path
        for held in Walk().all_of(loss)
        if isinstance(held.value, Tensor)
        and held.value.grad_fn is not None
        and (calls is None or not made.isdisjoint(nodes(held.value)))
    }


def _second_fails(failed: Outcome) -> Finding:
    kind, text = type(failed.error).__name__, " ".join(str(failed.error).split())
    return Finding(
        "could-not-run",
        "error",
        f"The first call gives a number, a later one of the same loss on the same batch raises {kind}: {text}",
        "Look at what a call leaves behind in the loss's attributes.",
        {"error": kind, "text": text},
    )


CHECKS: tuple[Check, ...] = (leaves_its_input, repeats, frees_its_graph)
