"""What ends the way of a gradient: on purpose, by reading numbers, or in a backward pass written by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import BackwardCFunction

from torchobjectives.check._subject import Subject
from torchobjectives.check._trace import Call, Trace
from torchobjectives.check.structure import COMPARISONS, STEPS

DETACHES = ("detach", "detach_", "data", "register_hook")
READS = ("item", "__float__", "tolist", "numpy")
DECISIONS = (*STEPS, *COMPARISONS, "long", "int", "bool", "byte", "one_hot", "histc", "bincount", "nonzero", "isin")
# A decision that takes part in one of these adds something to the loss; in others it selects what counts.
ADDING = ("add", "sub", "rsub", "add_", "sub_", "__add__", "__radd__", "__sub__", "__rsub__", "__iadd__", "__isub__")
DIVIDING = ("div", "true_divide", "__truediv__", "divide")


def stop_on_purpose(trace: Trace) -> Call | None:
    """The first detach(), no_grad() or the like on what comes from y_pred, if its result goes on into the loss."""
    without_grad = any(call.name == "_set_grad_enabled" for call in trace.calls)
    for index, call in enumerate(trace.calls):
        if "y_pred" not in call.sources:
            continue
        if call.name == "register_hook":
            return call
        stopped = call.name in DETACHES or (without_grad and _lost(call))
        if stopped and _goes_on(trace.calls[index + 1 :], call.outputs):
            return call
    return None


def _lost(call: Call) -> bool:
    """Whether what needed a gradient gave numbers that do not."""
    needed = any(tensor.requires_grad for tensor in call.inputs)
    numbers = [tensor for tensor in call.outputs if tensor.is_floating_point()]
    known = call.name in (*DECISIONS, *READS)
    return needed and bool(numbers) and not known and not any(tensor.requires_grad for tensor in numbers)


def _goes_on(calls: list[Call], outputs: tuple[Tensor, ...]) -> bool:
    """Whether tensors become part of something that has a gradient."""
    stopped = {id(tensor) for tensor in outputs}
    for call in calls:
        if not any(id(tensor) in stopped for tensor in call.inputs):
            continue
        if any(tensor.requires_grad for tensor in call.outputs):
            return True
        stopped |= {id(tensor) for tensor in call.outputs}
        # What is written into a buffer goes on with the buffer.
        if call.name.endswith("_") and call.inputs:
            stopped.add(id(call.inputs[0]))
    return False


def adds_decisions(trace: Trace) -> bool:
    """Whether a decision is added to the loss or divided by something soft, rather than to select what counts."""
    hard: set[int] = set()
    for call in trace.calls:
        if "y_pred" not in call.sources:
            continue
        if call.name in DECISIONS:
            hard |= {id(tensor) for tensor in call.outputs}
            continue
        found = [tensor for tensor in call.inputs if id(tensor) in hard]
        if not found:
            continue
        if not any(tensor.requires_grad for tensor in call.outputs):
            hard |= {id(tensor) for tensor in call.outputs}
        elif call.name in ADDING or (call.name in DIVIDING and found[0] is call.inputs[0]):
            return True
    return False


def reading(trace: Trace) -> Call | None:
    """The first call that reads numbers from what comes from y_pred."""
    return trace.first(*READS, source="y_pred")


class Altered(Trace):
    """Numbers that are read from what comes from y_pred come out larger, each by another share."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Make the call, and change what it read."""
        result = super().__torch_function__(func, types, args, kwargs)
        call = self.calls[-1]
        if call.name not in READS or "y_pred" not in call.sources:
            return result
        # By different shares, since a ratio of two of them would otherwise stay as it is.
        return _scaled(result, 1 + 0.1 * sum(other.name in READS for other in self.calls))


def _scaled(value: Any, share: float) -> Any:
    if isinstance(value, list):
        return [_scaled(entry, share) for entry in value]
    fractional = isinstance(value, float) or getattr(getattr(value, "dtype", None), "kind", "") == "f"
    return value * share if fractional else value


def reads_are_weights(subject: Subject) -> bool:
    """Whether numbers that are read from y_pred weigh other terms: the gradient is another one if they are changed."""
    loss = subject.copy()

    def altered(y_pred: Tensor, y_true: Tensor) -> Any:
        with Altered({"y_pred": y_pred, "y_true": y_true}):
            return loss(y_pred, y_true)

    before, after = subject.example.gradient, subject.evaluate(loss=altered).gradient
    if before is None or after is None:
        return False
    return float((before - after).norm()) > 1e-5 * float(before.norm())


def graph_of(subject: Subject, y_pred: Tensor | None = None, *, places: bool = False) -> tuple[Tensor, Tensor] | None:
    """A copy of y_pred and the loss of it, with the graph between them; None where there is none.

    With ``places`` every node keeps the lines that made it.
    """
    loss, kept = subject.copy(), list[tuple[Tensor, Any]]()

    def kept_loss(given: Tensor, y_true: Tensor) -> Any:
        with torch.autograd.set_detect_anomaly(True, check_nan=False) if places else torch.enable_grad():
            value = loss(given, y_true)
        kept.append((given, value))
        return value

    subject.evaluate(y_pred, loss=kept_loss, gradient=False)
    if not kept:
        return None
    given, value = kept[-1]
    if not isinstance(value, Tensor) or value.numel() != 1 or not value.requires_grad:
        return None
    return given, value.sum()


def nodes(*values: Tensor) -> Iterator[Any]:
    """All nodes of the graph behind values."""
    seen, ahead = set[Any](), [value.grad_fn for value in values]
    while ahead:
        node = ahead.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        yield node
        ahead += [following for following, _ in node.next_functions]


def by_hand(subject: Subject) -> list[type[Any]]:
    """The autograd Functions in the graph of the loss."""
    graph = graph_of(subject)
    if graph is None:
        return []
    found = (node for node in nodes(graph[1]) if isinstance(node, BackwardCFunction))
    return list(dict.fromkeys(node._forward_cls for node in found))  # type: ignore[attr-defined]


def is_surrogate(subject: Subject, function: type[Any]) -> bool:
    """Whether a Function returns its input, or steps: then its backward pass is another one on purpose."""
    calls = _calls_of(subject, function)
    return bool(calls) and all(_returns_input(inputs, output) or _is_flat(function, inputs) for inputs, output in calls)


def _calls_of(subject: Subject, function: type[Any]) -> list[tuple[tuple[Any, ...], Tensor]]:
    """The inputs and outputs of a Function within the loss."""
    calls, original = list[tuple[tuple[Any, ...], Tensor]](), function.__dict__.get("forward")
    if not isinstance(original, staticmethod):
        return []
    separate = function.setup_context is not torch.autograd.Function.setup_context

    def recorded(*args: Any) -> Any:
        output = original.__func__(*args)
        if isinstance(output, Tensor):
            inputs = args if separate else args[1:]
            calls.append((tuple(a.detach().clone() if isinstance(a, Tensor) else a for a in inputs), output.clone()))
        return output

    function.forward = staticmethod(recorded)
    try:
        subject.evaluate(gradient=False)
    finally:
        function.forward = original
    return calls


def _returns_input(inputs: tuple[Any, ...], output: Tensor) -> bool:
    return any(
        isinstance(value, Tensor) and value.shape == output.shape and bool(torch.equal(value.to(output), output))
        for value in inputs
    )


def _is_flat(function: type[Any], inputs: tuple[Any, ...]) -> bool:
    """Whether the output stays where its inputs are changed a little."""
    moved = tuple(
        value * (1 + 1e-6) + 1e-7 if isinstance(value, Tensor) and value.is_floating_point() else value
        for value in inputs
    )
    try:
        before, after = function.apply(*inputs), function.apply(*moved)
    except Exception:
        return False
    return isinstance(before, Tensor) and bool(torch.equal(before, after))
