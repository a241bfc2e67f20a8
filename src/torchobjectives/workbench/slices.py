"""A line through the predictions of a loss, along which it is drawn: one number moves, the others stay."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from torchobjectives import Loss
from torchobjectives.workbench import samples

# Positions along the line (M,), the target, the loss → y_pred and y_true of M units.
Batch = Callable[[Tensor, Any, Loss], tuple[Tensor, Tensor]]

RESIDUAL = "y_pred − y_true (unit of y_true)"
RATIO = "y_pred − log y_true (log of the ratio)"
SIGNED = "signed logit, (2·y_true − 1) · y_pred"
MARGIN = "logit of the true class"
# Where a loss has its interesting part, if not in the usual range.
RANGES = {
    "asymmetric_loss": (-4.0, 8.0),
    "hinge_loss": (-2.0, 3.0),
    "ldam_loss": (-1.0, 2.0),
    "multi_margin_loss": (-2.0, 3.0),
    "pairwise_auc_loss": (-4.0, 4.0),
    "tukey_loss": (-10.0, 10.0),
    "wing_loss": (-25.0, 25.0),
}
# The logits of the other classes, where a loss says little of logits that are all 0 but one.
OTHERS = {"logit_norm_loss": (1.0, -1.0)}
# A small batch that stays while one unit is added to it and moves.
RESTING_TRUTH = torch.tensor([3.0, 2.0, 0.5, 2.5], dtype=torch.float64)
RESTING_ERRORS = torch.tensor([0.3, -0.2, 0.1, -0.4], dtype=torch.float64)
RESTING_LOGITS = torch.tensor([2.0, -0.5, 0.5, -2.0, 1.0, -1.0], dtype=torch.float64)
RESTING_LABELS = torch.tensor([1, 1, 0, 0, 1, 0])
RESTING_ROWS = torch.tensor([[2.0, 0.0, 0.0], [0.0, 0.5, 0.0], [0.0, 0.0, -1.0]], dtype=torch.float64)


@dataclass(frozen=True)
class Slice:
    """What moves, from where to where, and which batch stands for it.

    Args:
        axis: what moves, with its unit.
        low: where the line begins.
        high: where it ends.
        batch: the units at positions of the line.
        caption: what stays, in words.
        targets: each target that is looked at, and what it is called.
        whole: the batch is evaluated as one, with one moving unit in it.
        reference: the position at which losses are compared.
    """

    axis: str
    low: float
    high: float
    batch: Batch
    caption: str
    targets: tuple[tuple[str, Any], ...] = (("", None),)
    whole: bool = False
    reference: float = 0.0

    def evaluate(self, loss: Loss, target: Any, points: int) -> tuple[Tensor, Tensor, Tensor]:
        """Positions, values and slopes of a loss along the line."""
        position = torch.linspace(self.low, self.high, points, dtype=torch.float64, requires_grad=True)
        if self.whole:
            each = torch.arange(points).unsqueeze(1)
            values = torch.stack([loss.evaluate(*self.batch(position[one], target, loss)) for one in each])
        else:
            values = loss.evaluate(*self.batch(position, target, loss), reduction="none")
        (slopes,) = torch.autograd.grad(values.sum(), position)
        return position.detach(), values.detach(), slopes


def slice_of(kind: type[Loss], *, zoom: bool = True) -> Slice:
    """The line along which a loss is drawn; ``zoom``: where it has its interesting part.

    Raises:
        LookupError: none is known for what the loss takes.
    """
    spec, name = kind.spec, samples.loss_name(kind)
    # Counts that are given instead of taken from the batch make units independent.
    whole = spec.unit == "batch" or ("micro_batch" in spec.exemptions and name not in samples.CHOSEN)
    makers: dict[str, Callable[[type[Loss], bool], Slice]] = {
        "real": _numbers,
        "vectors": _angle,
        "binary": _labels,
        "classes": _classes,
        "masks": _pixels,
    }
    if spec.y_true not in makers:
        raise LookupError(f"{name} takes {spec.y_true} as y_true, and no line through such batches is known")
    found = makers[spec.y_true](kind, whole)
    if zoom and name in RANGES:
        low, high = RANGES[name]
        found = replace(found, low=low, high=high)
    return found


def _numbers(kind: type[Loss], whole: bool) -> Slice:
    spec = kind.spec
    if spec.y_pred == "logits":
        return _bins(kind)
    width = len(spec.parameters)
    others = f"; {', '.join(spec.parameters[1:])} at 0" if width > 1 else ""
    logarithm = spec.y_pred == "log_mean" or spec.parameters[:1] == ("log-mean",)

    def batch(position: Tensor, target: Any, loss: Loss) -> tuple[Tensor, Tensor]:
        y_true = torch.ones_like(position).detach()
        y_pred = position if logarithm else y_true + position
        if width:
            y_pred = torch.stack([y_pred, *[torch.zeros_like(y_pred)] * (width - 1)], -1)
        return y_pred, y_true

    def resting(position: Tensor, target: Any, loss: Loss) -> tuple[Tensor, Tensor]:
        y_pred, y_true = batch(position, target, loss)
        return torch.cat([RESTING_TRUTH + RESTING_ERRORS, y_pred]), torch.cat([RESTING_TRUTH, y_true])

    low = -3.0
    if not logarithm and math.isfinite(spec.pred_domain.low):
        low = max(low, spec.pred_domain.low - 1 + 0.2)
    caption = f"y_true = 1{others}"
    if whole:
        caption += f"; one of {len(RESTING_TRUTH) + 1} units moves, the others are off by 0.1 to 0.4"
    return Slice(
        RATIO if logarithm else RESIDUAL, low, 3.0, resting if whole else batch, caption, whole=whole, reference=1.0
    )


def _bins(kind: type[Loss]) -> Slice:
    given = samples.needed(kind)
    loss = kind(**given)
    bins = loss.num_outputs()
    step = (given["high"] - given["low"]) / bins
    chosen = bins // 2

    def batch(position: Tensor, target: Any, loss: Loss) -> tuple[Tensor, Tensor]:
        return _one_column(position, [0.0] * bins, chosen), torch.full_like(position, target)

    middle = given["low"] + (chosen + 0.5) * step
    caption = f"{bins} bins from {given['low']:g} to {given['high']:g}, y_true in the middle of one, other logits 0"
    return Slice("logit of the bin of y_true", -6.0, 6.0, batch, caption, (("", middle),))


def _angle(kind: type[Loss], whole: bool) -> Slice:
    def batch(position: Tensor, target: Any, loss: Loss) -> tuple[Tensor, Tensor]:
        angle = torch.deg2rad(position)
        y_true = torch.tensor([1.0, 0.0], dtype=position.dtype).expand(len(position), 2)
        return torch.stack([torch.cos(angle), torch.sin(angle)], 1), y_true

    return Slice(
        "angle between y_pred and y_true (degrees)", -180.0, 180.0, batch, "vectors of length 1", reference=90.0
    )


def _labels(kind: type[Loss], whole: bool) -> Slice:
    rows = kind.spec.unit == "sample"

    def batch(position: Tensor, target: int, loss: Loss) -> tuple[Tensor, Tensor]:
        y_pred = position if target else -position
        y_true = torch.full_like(position, target, dtype=torch.long)
        if rows:
            rest = torch.ones_like(position).detach()
            return torch.stack([y_pred, rest, -rest], 1), torch.stack([y_true, rest.long(), 0 * rest.long()], 1)
        if whole:
            return torch.cat([RESTING_LOGITS, y_pred]), torch.cat([RESTING_LABELS, y_true])
        return y_pred, y_true

    caption = "one logit of each unit"
    if rows:
        caption = "one label of three moves; of the others one is 1, with logit 1, and one 0, with logit −1"
    elif whole:
        caption = f"one of {len(RESTING_LABELS) + 1} units moves, three of the others are positive"
    targets = (("y_true = 1", 1), ("y_true = 0", 0))
    return Slice(SIGNED, -6.0, 6.0, batch, caption, targets, whole)


def _pixels(kind: type[Loss], whole: bool) -> Slice:
    labels = _labels(kind, whole=True)

    def batch(position: Tensor, target: int, loss: Loss) -> tuple[Tensor, Tensor]:
        y_pred, y_true = labels.batch(position, target, loss)
        return y_pred[None, None], y_true[None]

    caption = f"one of {len(RESTING_LABELS) + 1} pixels moves, three of the others are 1"
    return replace(labels, batch=batch, caption=caption)


def _classes(kind: type[Loss], whole: bool) -> Slice:
    spec = kind.spec
    if spec.y_pred == "features":
        return _features()
    given = samples.needed(kind)
    others = OTHERS.get(samples.loss_name(kind), (0.0, 0.0))
    if kind(**given).num_outputs(samples.CLASSES) != samples.CLASSES:
        raise LookupError(f"{samples.loss_name(kind)} takes other columns than one per class")

    def batch(position: Tensor, target: int, loss: Loss) -> tuple[Tensor, Tensor]:
        row = list(others)
        row.insert(target, 0.0)
        y_pred = _one_column(position, row, target)
        y_true = torch.full_like(position, target, dtype=torch.long)
        if whole:
            return torch.cat([RESTING_ROWS, y_pred]), torch.cat([torch.arange(samples.CLASSES), y_true])
        return y_pred, y_true

    counts = given.get("class_counts", ())
    names = [f"true class seen {n} of {sum(counts)} times" for n in counts] or ["class 0", "class 1", "class 2"]
    caption = f"{samples.CLASSES} classes, other logits " + (
        " and ".join(f"{o:g}" for o in others) if any(others) else "0"
    )
    if whole:
        caption += f"; one of {len(RESTING_ROWS) + 1} units moves"
    line = Slice(MARGIN, -6.0, 6.0, batch, caption, ((names[0], 0), (names[2], 2)), whole)
    if spec.y_pred == "log_probabilities":
        return replace(line, axis="log-probability of the true class (nats)", high=0.0, reference=-1.0)
    return line


def _features() -> Slice:
    def batch(position: Tensor, target: int, loss: Loss) -> tuple[Tensor, Tensor]:
        start = torch.zeros(1, samples.VALUES["in_features"], dtype=position.dtype, requires_grad=True)
        (uphill,) = torch.autograd.grad(loss.evaluate(start, torch.tensor([target])), start)
        y_pred = -position[:, None] * uphill / uphill.norm()
        return y_pred, torch.full_like(position, target, dtype=torch.long)

    caption = "a head of random weights; the features start from 0, towards lower loss"
    targets = (("a frequent class", 0), ("a rare class", 2))
    return Slice("length of the features", -6.0, 6.0, batch, caption, targets)


def _one_column(position: Tensor, row: list[float], moving: int) -> Tensor:
    columns = [position if index == moving else torch.full_like(position, value) for index, value in enumerate(row)]
    return torch.stack(columns, 1)


def unit_of(body: str) -> str:
    """The unit of a loss, as its documentation states it; empty where it has none, or does not say.

    >>> unit_of("One value per element. Unit: that of y_true, squared; so is δ's.")
    'unit of y_true, squared'
    """
    text = " ".join(body.split())
    if "in nats" in text:
        return "nats"
    _, stated, rest = text.partition("Unit: that of ")
    return "unit of " + re.split(r"[;(]|\. ", rest)[0].strip(" .") if stated else ""
