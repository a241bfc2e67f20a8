"""Checks of what every loss must be: one number, that depends on the prediction."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from torchobjectives.check._check import Check, check
from torchobjectives.check._report import Finding, number
from torchobjectives.check._subject import Subject, called
from torchobjectives.check._trace import Call, located, place_of

TRUE_NAMES = {"y_true", "y", "target", "targets", "label", "labels", "gt", "ground_truth", "true", "truth", "t"}
TRUE_NAMES |= {"ytrue", "tgt", "actual", "actuals"}
PRED_NAMES = {"y_pred", "y_hat", "input", "inputs", "pred", "preds", "prediction", "predictions", "output", "outputs"}
PRED_NAMES |= {"logits", "logit", "scores", "x", "p", "ypred", "yhat", "inp", "out", "outs", "predicted", "estimate"}
# What ends the way of a gradient.
READS = ("item", "tolist", "numpy", "__float__", "__int__", "__bool__", "tensor", "long", "int", "bool", "one_hot")
STEPS = (
    "argmax",
    "argmin",
    "argsort",
    "round",
    "floor",
    "ceil",
    "trunc",
    "sign",
    "bucketize",
    "searchsorted",
    "heaviside",
)
COMPARISONS = ("gt", "lt", "ge", "le", "eq", "ne", "__gt__", "__lt__", "__ge__", "__le__", "__eq__", "__ne__")
STOPS = (*READS, *STEPS, *COMPARISONS)


@check("runs")
def runs(subject: Subject) -> Iterator[Finding]:
    """The loss takes the example."""
    error = subject.example.error
    # Of logits where probabilities are wanted a check of the meaning says more.
    if error is None or "all elements of input should be between 0 and 1" in str(error):
        return
    value = subject.example.value
    if subject.example.backward and (subject.changed or (value is not None and value.is_complex())):
        return  # that is what breaks the backward pass, and it is found as such
    kind, text = type(error).__name__, " ".join(str(error).split())
    place = place_of(error)
    where = located(place)
    if subject.example.backward:
        yield Finding(
            "could-not-run",
            "error",
            f"The loss is {number(subject.example.number)}, but its backward pass raises {kind}{where}: {text}",
            "Make backward() work on the example first: no in-place change of what the gradient needs.",
            {"error": kind, "text": text, "place": str(place)},
        )
        return
    if order := _swapped(subject):
        yield order
        return
    yield Finding(
        "could-not-run",
        "error",
        f"On the example, y_pred {_said(subject.y_pred)} and y_true {_said(subject.y_true)}, the loss raises "
        f"{kind}{where}: {text}",
        "Make the loss run on the example, or pass an example as it comes up in training: "
        "check_loss(loss, y_pred, y_true).",
        {"error": kind, "text": text, "place": str(place)},
    )


def _swapped(subject: Subject) -> Finding | None:
    """The example may run with its parts swapped, where the names say so, too."""
    if not subject.y_true.is_floating_point() and not subject.y_pred.is_floating_point():
        return None
    if _names(subject.original) is None:
        return None
    swapped = subject.evaluate(subject.y_true, subject.y_pred, gradient=False)
    if swapped.value is None or swapped.value.numel() != 1:
        return None
    return _order(subject, f"it fails as called, and gives {number(swapped.number)} with the two swapped")


def _said(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} of shape {tuple(tensor.shape)}"


@check("one-number", unless=("could-not-run", "argument-order"))
def one_number(subject: Subject) -> Iterator[Finding]:
    """The loss is one number."""
    outcome = subject.example
    if outcome.error is not None and not outcome.backward:
        return
    if outcome.value is None:
        given = type(outcome.returned).__name__
        inside = (
            list(outcome.returned)
            if isinstance(outcome.returned, tuple | list)
            else list(outcome.returned.values())
            if isinstance(outcome.returned, dict)
            else []
        )
        if any(isinstance(part, Tensor) for part in inside):
            message = f"The loss returns a {given} of {len(inside)} parts; a loss must be one number."
            fix = "Return the total alone, and keep its parts as attributes or log them: return total"
            yield Finding("not-scalar", "error", message, fix, {"type": given, "parts": len(inside)})
        else:
            yield _without_gradient(subject, f"The loss returns a {given}, not a tensor")
        return
    if outcome.value.is_complex():
        yield Finding(
            "not-scalar",
            "error",
            f"The loss is complex ({outcome.value.dtype}); a loss must be one real number.",
            "Take the absolute value or the real part before the mean: x.abs().square().mean()",
            {"dtype": str(outcome.value.dtype)},
        )
        return
    if outcome.value.ndim == 0:
        return
    shape = tuple(outcome.value.shape)
    if outcome.value.numel() == 1:
        yield Finding(
            "not-scalar",
            "error",
            f"The loss has shape {shape}, with one number in it; a loss must be a scalar, of shape ().",
            "Sum over all axes without keepdim, or take .squeeze(): return loss.squeeze()",
            {"shape": shape},
        )
        return
    axes = [axis for axis, size in enumerate(subject.y_pred.shape) if (size,) == shape]
    meant = f" {shape[0]} is the size of axis {axes[0]} of y_pred, which is not reduced." if axes else ""
    yield Finding(
        "not-scalar",
        "error",
        f"The loss has shape {shape}; a loss must be one number.{meant}",
        "Reduce it: return loss.mean()",
        {"shape": shape},
    )


@check("gradient-arrives", unless=("could-not-run", "argument-order", "not-scalar", "no-gradient"))
def gradient_arrives(subject: Subject) -> Iterator[Finding]:
    """A gradient reaches y_pred, and it is not 0 everywhere."""
    if not subject.y_pred.is_floating_point():
        yield Finding(
            "no-gradient",
            "error",
            f"y_pred is {_said(subject.y_pred)}, which has no gradient.",
            "Pass the example as the model gives it, in floating point: y_pred.float()",
            {"dtype": str(subject.y_pred.dtype)},
        )
        return
    if subject.example.error is not None:
        return
    if subject.example.gradient is None:
        yield _without_gradient(subject, "The loss does not depend on y_pred for autograd: its gradient is None")
        return
    if not subject.example.is_number or bool(subject.example.gradient.any()):
        return
    predictions = [subject.y_pred, -subject.y_pred, 3 * subject.y_pred, *(subject.random() for _ in range(3))]
    outcomes = [outcome for outcome in map(subject.evaluate, predictions) if outcome.is_number]
    if len(outcomes) < 3 or any(outcome.gradient is None or outcome.gradient.any() for outcome in outcomes):
        return
    if _learns_from_others(subject):
        return
    values = [outcome.number for outcome in outcomes]
    if max(values) - min(values) <= 1e-6 * max(map(abs, values)):
        single = _of_one_class(subject)
        why, fix = (
            (
                f"`{single.name}`{located(single.place)} runs along an axis of size 1, where it is always the same.",
                "Of one number per sample take sigmoid, or F.binary_cross_entropy_with_logits(y_pred, y_true)",
            )
            if single
            else (
                "Something always wins: a mask filled with inf, a clamp, or a hinge that is never active.",
                "Look for the masked_fill, clamp or max that hides y_pred, and print what goes into it.",
            )
        )
        yield Finding(
            "constant-loss",
            "error",
            f"For {len(values)} different predictions the loss was {number(values[0])} and the gradient exactly 0. "
            + why,
            fix,
            {"value": values[0], "predictions": len(values)},
        )
    else:
        said = f"For {len(values)} predictions the gradient was exactly 0, while the loss went from "
        yield _without_gradient(subject, f"{said}{number(min(values))} to {number(max(values))}")


def _of_one_class(subject: Subject) -> Call | None:
    """A softmax along an axis of size 1."""
    for call in subject.trace.calls:
        if call.name in ("softmax", "log_softmax") and call.outputs and call.sources == {"y_pred"}:
            before, after = call.inputs[0].detach(), call.outputs[0].detach()
            if bool((after == after.flatten()[:1]).all()) and not bool((before == before.flatten()[:1]).all()):
                return call
        if call.name == "cross_entropy" and call.inputs[0].ndim > 1 and call.inputs[0].shape[1] == 1:
            return call
    return None


def _learns_from_others(subject: Subject) -> bool:
    """Whether another truth gives a gradient: the example's may have nothing to learn from, such as no pair."""
    first = subject.y_true.flatten()[:1]
    if not first.numel():
        return True
    truths = [first.expand(subject.y_true.shape), torch.zeros_like(subject.y_true), torch.ones_like(subject.y_true)]
    outcomes = [subject.evaluate(y_true=truth) for truth in truths]
    return any(outcome.gradient is not None and bool(outcome.gradient.any()) for outcome in outcomes)


def _without_gradient(subject: Subject, said: str) -> Finding:
    stop = stopping(subject)
    seen = f" Between y_pred and the loss I saw {spelt(stop)} at {stop.place}." if stop else ""
    return Finding(
        "no-gradient",
        "error",
        f"{said}.{seen} Nothing would be learnt from it.",
        "Keep tensors between y_pred and the loss, and soft values (probabilities) instead of decisions; "
        "requires_grad_() on the result only silences the error.",
        {"saw": spelt(stop) if stop else None, "place": str(stop.place) if stop else None},
    )


def stopping(subject: Subject) -> Call | None:
    """The first call that ends the way of a gradient from y_pred."""
    return subject.trace.first("detach", "detach_", *STOPS, source="y_pred")


def spelt(call: Call) -> str:
    """How a call is written: an operator as its sign."""
    signs = {"__gt__": ">", "gt": ">", "__lt__": "<", "lt": "<", "__ge__": ">=", "ge": ">=", "__le__": "<=", "le": "<="}
    signs |= {"__eq__": "==", "eq": "==", "__ne__": "!=", "ne": "!="}
    return f"`{signs.get(call.name, call.name.strip('_') + '()')}`"


@check("argument-order", needs=("number",), unless=("not-scalar", "no-gradient"))
def argument_order(subject: Subject) -> Iterator[Finding]:
    """The prediction comes first: by the names of the parameters, then by what the numbers say."""
    if _names(subject.original) is None:
        return
    here, there = subject.example.number, subject.value(subject.y_true.to(subject.y_pred), subject.y_pred)
    if abs(here - there) <= 1e-6 * max(abs(here), 1e-12):
        return  # symmetric: nothing is wrong with the numbers
    seen = f"called with the prediction first it gives {number(here)}, with the truth first {number(there)}"
    yield _order(subject, seen)


def _order(subject: Subject, seen: str) -> Finding:
    names = _names(subject.original)
    assert names is not None
    return Finding(
        "argument-order",
        "error",
        f"The signature is ({names[0]}, {names[1]}), but a loss is called with the prediction first: {seen}.",
        f"Swap the two: def {called(subject.original)}({names[1]}, {names[0]})",
        {"signature": list(names), "seen": seen},
    )


def _names(loss: Any) -> tuple[str, str] | None:
    """The names of the first two parameters, where the first is one of a truth and the second one of a prediction."""
    function = loss.forward if isinstance(loss, torch.nn.Module) else loss
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)][:2]
    if len(names) < 2 or names[0].lower() not in TRUE_NAMES or names[1].lower() not in PRED_NAMES:
        return None
    return names[0], names[1]


CHECKS: tuple[Check, ...] = (runs, one_number, gradient_arrives, argument_order)
