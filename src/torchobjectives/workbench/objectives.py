"""From flags to an objective: the loss by name, suited to the task, and its penalties."""

import ast
import re
from dataclasses import dataclass
from typing import Any

from torch import nn

from torchobjectives import L1, L2, Loss, Objective, get
from torchobjectives._registry import loss_class
from torchobjectives.workbench.config import RunConfig
from torchobjectives.workbench.data import Problem
from torchobjectives.workbench.errors import InputError

DEFAULT_LOSSES = {
    "binary": "binary_cross_entropy_loss",
    "multiclass": "cross_entropy_loss",
    "regression": "mse_loss",
}
TRAINABLE = ("real", "logits", "log_probabilities", "features")
WORDS = {"true": True, "false": False}


@dataclass(frozen=True)
class Fitted:
    """A network, and the objective it is fitted with."""

    network: nn.Sequential
    loss: Loss
    objective: Objective


def parse_loss(text: str) -> tuple[str, dict[str, Any]]:
    """Split ``"name key=value …"`` into the name and its hyper-parameters.

    >>> parse_loss("focal_loss gamma=2 alpha=0.75")
    ('focal_loss', {'gamma': 2, 'alpha': 0.75})
    >>> parse_loss("x cutoffs=[2, 5] alpha=-inf hard=true link='probit'")
    ('x', {'cutoffs': [2, 5], 'alpha': -inf, 'hard': True, 'link': 'probit'})
    """
    # A value runs up to the next "word=", so that a list may hold spaces.
    name, *pairs = re.split(r"\s+(?=[^\W\d]\w*\s*=)", text.strip())
    if not re.fullmatch(r"\w+", name, re.ASCII):
        raise InputError(f'--loss "{text}": wanted a name and key=value pairs, such as "focal_loss gamma=2"')
    given: dict[str, Any] = {}
    for pair in pairs:
        key, value = (part.strip() for part in pair.split("=", 1))
        if key in given:
            raise InputError(f'--loss "{text}": {key} is given twice')
        if not value:
            raise InputError(f'--loss "{text}": {key} has no value; write {key}=…')
        given[key] = _value(value)
    return name, given


def _value(text: str) -> Any:
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        pass
    try:
        return float(text)  # inf and nan, which are no Python literals
    except ValueError:
        return text


def build_loss(text: str, problem: Problem, class_counts: list[int], width: int) -> Loss:
    """Return the loss that the text names, with what the training rows tell filled in.

    Args:
        text: Name and hyper-parameters.
        problem: What is to be predicted.
        class_counts: Rows of each class in the training part.
        width: Features that a loss with its own head gets to see.
    """
    name, given = parse_loss(text)
    try:
        kind = loss_class(name)
        _suit(kind, name, problem)
        filled = given | _known(kind.fields(), given, class_counts, width)
        loss = get(name, **filled)
    except (TypeError, ValueError) as error:
        raise InputError(f'--loss "{text}": {error}') from error
    if getattr(loss, "from_logits", True) is False:
        raise InputError(f'--loss "{text}": fit trains on logits: drop from_logits=False')
    if kind.spec.y_pred not in TRAINABLE:
        raise InputError(
            f"--loss {name}: it compares {kind.spec.y_pred}, and a column holds one number per row; "
            f"{DEFAULT_LOSSES[problem.task]} would fit"
        )
    return loss


def _suit(kind: type[Loss], name: str, problem: Problem) -> None:
    task = kind.spec.task
    if task == problem.task:
        return
    proper = DEFAULT_LOSSES[problem.task]
    way_out = f"a {problem.task} loss such as {proper}"
    if task in problem.possible:
        way_out = f"--task {task}, or {way_out}"
    raise InputError(
        f"--loss {name} is a {task} loss, and the task is {problem.task} ({problem.reason}): use {way_out}"
    )


def _known(fields: "Any", given: dict[str, Any], class_counts: list[int], width: int) -> dict[str, Any]:
    """Return what the training rows tell and the person left open."""
    known: dict[str, Any] = {}
    if "in_features" in fields and "in_features" not in given:
        known["in_features"] = width
    if class_counts and not given.keys() & {"class_counts", "num_classes"}:
        # A loss that has both fields takes exactly one of them; the counts say more.
        if "class_counts" in fields:
            known["class_counts"] = class_counts
        elif "num_classes" in fields:
            known["num_classes"] = len(class_counts)
    return known


def build_objective(config: RunConfig, loss: Loss) -> Objective:
    """Return loss plus the penalties that the flags ask for."""
    penalties = [kind(value) for kind, value in ((L1, config.l1), (L2, config.l2)) if value > 0]
    return Objective(loss, penalties=penalties)
