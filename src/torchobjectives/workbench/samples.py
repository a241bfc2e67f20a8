"""A small batch for any loss, from the facts in its Spec, and the example that shows the loss on it."""

import math
from typing import Any

import torch

from torchobjectives import Loss, Spec
from torchobjectives._exports import snake_case
from torchobjectives._fields import REQUIRED
from torchobjectives._link import Domain

CLASSES = 3
WIDEST = 68  # so that an example, indented, fits a terminal of 80 columns
# What a hyper-parameter without a default is in an example, and in a picture.
VALUES: dict[str, Any] = {
    "class_counts": [100, 10, 1],
    "cutoffs": [2],
    "high": 5.0,
    "in_features": 4,
    "low": 0.0,
    "num_classes": CLASSES,
    "prior": 0.3,
    "sigma": 0.5,
    "transition": [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]],
}
# Hyper-parameters of which one must be given, though each has a default.
CHOSEN: dict[str, tuple[str, ...]] = {"seesaw_loss": ("class_counts",)}
# Of these the first that is legal is taken; positive numbers are legal almost everywhere.
NUMBERS = ([1.0, 0.5, 2.0, 4.0], [1.0, 0.0, 2.0, 4.0], [0.25, 0.5, 0.75, 1.0])
NEAR = ([1.5, 0.75, 1.5, 3.0], [0.5, 0.5, 0.25, 0.75])
RAW = [0.5, -0.25, 0.5, 1.5]
LOGITS = [[2.0, 0.5, -1.0, 0.25, -0.5, 1.0, 0.0, -2.0], [0.0, 1.5, 0.5, -1.0, 1.0, -0.5, 0.25, -0.25]]


def loss_name(kind: type[Loss]) -> str:
    """The name under which a loss is known; of a class without a function, its own in snake case."""
    function = getattr(kind, "function", None)
    return getattr(function, "__name__", snake_case(kind.__name__))


def needed(kind: type[Loss]) -> dict[str, Any]:
    """Values for the hyper-parameters of a loss that must be given.

    Raises:
        LookupError: no value is known for one of them.
    """
    name = loss_name(kind)
    names = [f.name for f in kind.fields().values() if f.default is REQUIRED]
    if missing := [n for n in names if n not in VALUES]:
        raise LookupError(f"{name}: there is no sample value of {', '.join(missing)}; samples.VALUES wants one")
    return {n: VALUES[n] for n in (*names, *CHOSEN.get(name, ()))}


def numbers(domain: Domain, choices: tuple[list[float], ...]) -> list[float]:
    """The first of some lists of numbers that lies in a domain.

    Raises:
        LookupError: none does.
    """
    for choice in choices:
        try:
            domain.check("a sample", torch.tensor(choice))
        except ValueError:
            continue
        return choice
    raise LookupError(f"no sample consists of {domain}")


def example(kind: type[Loss], **shown: Any) -> str:
    """A program that evaluates the loss on a small batch, and the slope at its prediction.

    Args:
        kind: the class of the loss.
        **shown: hyper-parameters that the program states though it need not.
    """
    given = needed(kind)
    if kind.spec.y_pred == "quantiles":
        given["quantiles"] = (0.1, 0.5, 0.9)
    given = {**shown, **given}
    y_pred, y_true = (_literal(values) for values in _batch(kind.spec, kind(**given)))
    made = f"torch.log_softmax({y_pred}, 1)" if kind.spec.y_pred == "log_probabilities" else y_pred
    return "\n".join(
        [
            "import torch",
            f"from torchobjectives import {kind.__name__}",
            "",
            *(["torch.manual_seed(0)"] if kind.spec.y_pred == "features" else []),
            f"loss = {_call(kind.__name__, given)}",
            f"# {holds(kind.spec, 'y_pred')}",
            f"y_pred = {made}.requires_grad_()",
            f"# {holds(kind.spec, 'y_true')}",
            f"y_true = {y_true}",
            "",
            "value = loss(y_pred, y_true)",
            "value.backward()",
            'print(f"loss {value:.4f}, largest slope {y_pred.grad.abs().max():.4f}")',
        ]
    )


def _call(name: str, given: dict[str, Any]) -> str:
    arguments = [f"{key}={value!r}" for key, value in given.items()]
    on_one_line = f"{name}({', '.join(arguments)})"
    if len(on_one_line) <= WIDEST:
        return on_one_line
    return f"{name}(\n" + "".join(f"    {argument},\n" for argument in arguments) + ")"


def holds(spec: Spec, side: str) -> str:
    """What y_pred or y_true holds, in words."""
    kind = spec.y_pred if side == "y_pred" else spec.y_true
    if kind == "parameters":
        return f"last axis: {', '.join(spec.parameters)}"
    words = {
        "binary": "0 or 1",
        "classes": "class indices",
        "features": "features, the input of the output layer",
        "log_mean": "logarithms of the mean",
        "log_probabilities": "log-probabilities, classes at dim 1",
        "logits": "logits, classes at dim 1" if spec.y_true in ("classes", "masks") else "logits",
        "masks": "class indices of pixels, or masks",
        "quantiles": "quantiles in the last axis",
        "real": "real numbers",
    }
    if spec.y_pred == "logits" and spec.y_true == "real" and side == "y_pred":
        return "logits of bins, at dim 1"
    domain = spec.pred_domain if side == "y_pred" else spec.true_domain
    plain = kind == "real" and (math.isfinite(domain.low) or math.isfinite(domain.high))
    return str(domain) if plain else words.get(kind, kind)


def _literal(values: list[Any]) -> str:
    if len(values) == 1 or not isinstance(values[0], list):
        return f"torch.tensor({values})"
    rows = "".join(f"    {row},\n" for row in values)
    return f"torch.tensor([\n{rows}])"


def _batch(spec: Spec, loss: Loss) -> tuple[list[Any], list[Any]]:
    """Numbers for y_pred and y_true, of the shapes that the loss takes."""
    if spec.y_true == "masks":
        return [[[2.0, 0.5, -1.0, -0.5]]], [[1, 1, 0, 0]]
    if spec.y_true == "classes":
        width = loss.num_outputs(CLASSES) if spec.y_pred != "features" else VALUES["in_features"]
        return _rows(width), [0, 2]
    if spec.y_true == "binary":
        return _binary(spec)
    if spec.y_true == "vectors":
        # Good as vectors and as the corners of boxes.
        return [[0.5, 0.0, 2.0, 1.0], [1.0, 1.5, 3.0, 3.5]], [[0.0, 0.0, 2.0, 1.5], [1.0, 1.0, 3.0, 4.0]]
    y_true = numbers(spec.true_domain, NUMBERS)
    if spec.y_pred == "logits":
        return _rows(loss.num_outputs()), y_true[:2]
    if spec.y_pred == "quantiles":
        return [[near - 0.5, near, near + 0.5] for near in NEAR[0]], y_true
    if spec.y_pred == "parameters":
        return [[near, *[0.0] * (len(spec.parameters) - 1)] for near in RAW], y_true
    return RAW if spec.y_pred == "log_mean" else numbers(spec.pred_domain, NEAR), y_true


def _rows(width: int) -> list[Any]:
    rows = [(row * (1 + width // len(row)))[:width] for row in LOGITS]
    return rows if width > 1 else [row[0] for row in rows]


def _binary(spec: Spec) -> tuple[list[Any], list[Any]]:
    if spec.y_pred == "probabilities":
        return [0.9, 0.25, 0.5, 0.1], [1, 0, 1, 0]
    if spec.unit == "sample":
        return [[2.0, -1.0, 0.5], [-0.5, 1.0, -2.0]], [[1, 0, 0], [0, 1, 1]]
    return [2.0, -1.0, 0.5, -3.0], [1, 0, 0, 1]
