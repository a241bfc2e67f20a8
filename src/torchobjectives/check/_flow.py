"""What a loss makes of y_pred on its way: where it is still itself, and where it has become probabilities."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from torchobjectives.check._trace import Call, Trace

VIEWS = {
    *("view", "view_as", "reshape", "reshape_as", "flatten", "unflatten", "ravel", "squeeze", "unsqueeze"),
    *("permute", "transpose", "swapaxes", "movedim", "moveaxis", "t", "T", "mT", "contiguous", "clone", "alias"),
    *("to", "type", "type_as", "float", "double", "half", "bfloat16", "expand", "expand_as", "broadcast_to"),
    *(
        "__getitem__",
        "narrow",
        "select",
        "gather",
        "take_along_dim",
        "unbind",
        "chunk",
        "split",
        "index_select",
        "masked_select",
        "requires_grad_",
    ),
}
CLAMPS = {"clamp", "clip", "clamp_", "clip_", "clamp_min", "clamp_max", "hardtanh", "relu6", "relu", "hardsigmoid"}
JOINS = {"stack", "cat", "concat"}
SUMS = {"add", "__add__", "__radd__", "add_", "__iadd__"}
LESS = {"rsub", "__rsub__", "sub", "__sub__"}
NEGATIONS = {"neg", "__neg__", "negative", "mul", "__mul__", "__rmul__"}
SOFT = {"softmax", "sigmoid", "softmin", "expit", "sigmoid_"}
LOG_SOFT = {"log_softmax", "logsigmoid"}
# What takes logits.
OF_LOGITS = {*SOFT, *LOG_SOFT, "cross_entropy", "binary_cross_entropy_with_logits", "soft_margin_loss"}
OF_LOGITS |= {"multilabel_soft_margin_loss", "sigmoid_focal_loss"}
LOGS = {"log", "log2", "log10", "binary_cross_entropy"}
# What takes logarithms of probabilities.
OF_LOGS = {"nll_loss", "kl_div"}
SQUASHES = {*OF_LOGITS, "tanh", "logsumexp", "exp", "softplus", "normalize", "erf", "atan", "log1p", "logaddexp"}


@dataclass
class Flow:
    """The calls at which y_pred meets what tells logits from probabilities."""

    doubled: list[tuple[Call, Call]] = field(default_factory=list)
    """What made probabilities, and what then took them for logits."""
    logs: list[Call] = field(default_factory=list)
    """Logarithms of y_pred itself, or of 1 − y_pred."""
    of_logs: list[tuple[Call, Tensor]] = field(default_factory=list)
    """What takes y_pred itself for logarithms of probabilities."""
    made_for_logs: list[tuple[Call, Call]] = field(default_factory=list)
    """What made probabilities, and what then took them for logarithms of such."""
    squashed: list[Call] = field(default_factory=list)
    """What takes y_pred itself for logits."""
    clamped: list[Call] = field(default_factory=list)
    """What cuts y_pred itself off, or its difference to y_true."""
    complements: list[Call] = field(default_factory=list)
    """1 − probabilities: of those the logarithm is asked for where a class is the one that it is not."""


def flow(trace: Trace, pred_size: int) -> Flow:
    """Follow y_pred through the calls of a trace."""
    seen = Flow()
    itself, probable, logged, errors = {id(trace.sources["y_pred"])}, dict[int, Call](), dict[int, Call](), set[int]()
    negated: set[int] = set()
    for call in trace.calls:
        if "y_pred" not in call.sources or not call.inputs:
            continue
        first, outputs = call.inputs[0], [id(tensor) for tensor in call.outputs]
        from_itself = id(first) in itself
        if call.name in OF_LOGITS:
            if maker := probable.get(id(first)):
                seen.doubled.append((maker, call))
            elif from_itself:
                seen.squashed.append(call)
        if call.name in LOGS and any(id(tensor) in itself for tensor in call.inputs[:1]):
            seen.logs.append(call)
        if call.name in OF_LOGS and from_itself:
            seen.of_logs.append((call, first))
        if call.name in OF_LOGS and id(first) in probable:
            seen.made_for_logs.append((probable[id(first)], call))
        if call.name in CLAMPS and (from_itself or id(first) in errors) and first.numel() == pred_size:
            seen.clamped.append(call)
        alone = len(call.inputs) == 1
        if alone and ((call.name in LESS and id(first) in probable) or (call.name == "log1p" and id(first) in negated)):
            seen.complements.append(call)
        if alone and call.name in NEGATIONS and (id(first) in negated or id(first) in probable):
            negated.update(outputs)
        if call.name in VIEWS:
            itself.update(outputs if from_itself else ())
            errors.update(outputs if id(first) in errors else ())
        if call.name in LESS and len(call.inputs) == 2 and any(id(tensor) in itself for tensor in call.inputs):
            errors.update(outputs if any(trace.of(t) == {"y_true"} for t in call.inputs) else ())
        if call.name in LESS | SUMS and alone and from_itself:
            itself.update(outputs)
        _mark(call, outputs, probable, logged)
    return seen


def _mark(call: Call, outputs: list[int], probable: dict[int, Call], logged: dict[int, Call]) -> None:
    """Note which of a call's outputs are probabilities, or logarithms of such."""
    first = id(call.inputs[0])
    alone = len(call.inputs) == 1
    if call.name in SOFT:
        probable.update(dict.fromkeys(outputs, call))
    elif call.name in LOG_SOFT:
        logged.update(dict.fromkeys(outputs, call))
    elif call.name == "exp" and first in logged:
        probable.update(dict.fromkeys(outputs, logged[first]))
    elif call.name in VIEWS or call.name in CLAMPS or (alone and call.name in SUMS | LESS):
        for marked in (probable, logged):
            if first in marked:
                marked.update(dict.fromkeys(outputs, marked[first]))
    elif call.name in JOINS and all(id(tensor) in probable for tensor in call.inputs):
        probable.update(dict.fromkeys(outputs, probable[first]))


def squashes(trace: Trace) -> bool:
    """Whether anything bends y_pred before it meets y_true."""
    return any(call.name in SQUASHES and "y_pred" in call.sources for call in trace.calls)


def saturated(call: Call) -> Tensor:
    """Which numbers a clamp has changed."""
    return (call.inputs[0].detach() != call.outputs[0].detach()) if call.outputs else torch.zeros(0, dtype=torch.bool)
