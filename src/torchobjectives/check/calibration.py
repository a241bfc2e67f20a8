"""Facts to know about a loss: which probability it is least at, and what its weights do."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from torchobjectives.check._check import Check, check
from torchobjectives.check._kinds import class_axis
from torchobjectives.check._report import Finding, number
from torchobjectives.check._subject import LARGE, Subject

WRONG = ("argument-order", "broadcast", "probs-vs-logits", "constant-loss", "wrong-direction", "wrong-minimum")
# True probabilities that are asked for, and the logits among which the best is looked for.
ASKED = (0.6, 0.9)
GRID = [0.5 * step for step in range(-8, 9)]
FEW = 3
WEIGHTS = ("alpha", "weight", "pos_weight", "class_weight", "class_weights", "weights", "w", "beta", "lam")


@check(
    "proper",
    needs=("number", "y_pred_kind", "y_true_kind", "samples"),
    unless=(*WRONG, "unbounded-below", "dead-outputs"),
)
def proper(subject: Subject) -> Iterator[Finding]:
    """The loss is least at the true probability."""
    if subject.pred_kind not in ("logits", "probabilities") or subject.y_pred.numel() > LARGE:
        return
    if subject.true_kind == "binary":
        labels, count = _binary_labels(subject), 2
    elif subject.true_kind == "class_indices" and class_axis(subject) is not None:
        axis = class_axis(subject)
        assert axis is not None
        labels, count = list(range(subject.y_pred.shape[axis])), subject.y_pred.shape[axis]
    else:
        return
    if count > FEW or not _is_mean_of_samples(subject):
        return
    # What a prediction costs where all is of one class, for each logit.
    costs = [[subject.value(_said(subject, z), torch.full_like(subject.y_true, c)) for z in GRID] for c in labels]
    if not all(math.isfinite(value) for row in costs for value in row):
        return
    table = torch.tensor(costs, dtype=torch.float64)
    found: dict[float, float] = {}
    for asked in ASKED:
        shares = torch.tensor([asked, *[(1 - asked) / (count - 1)] * (count - 1)], dtype=torch.float64)
        expected = shares @ table
        places = [_probability(z, count) for z in _minimisers(expected)]
        found[asked] = min(places, key=lambda place: abs(place - asked))
    asked, place = max(found.items(), key=lambda pair: abs(pair[1] - pair[0]))
    if abs(place - asked) <= 0.05:
        return
    way = "understates" if place < asked else "overstates"
    said = {where: number(round(there, 3)) for where, there in found.items()}
    yield Finding(
        "improper",
        "note",
        f"If the true probability is {asked:.2f}, this loss is minimal at {place:.2f} (of "
        f"{', of '.join(f'{where:.2f} at {there}' for where, there in said.items())}): its scores are no "
        f"probabilities, it {way} confidence. Normal for focal losses, hinges, class weights and label smoothing.",
        "Calibrate afterwards where probabilities are wanted: fit a temperature on held-out samples.",
        {"minimal at": found},
    )


def _minimisers(expected: Tensor) -> list[float]:
    """The logits at which values over the grid are least: that of a parabola, or all of a flat stretch."""
    least, place = float(expected.min()), int(expected.argmin())
    flat = (expected <= least + 1e-9 * float(expected.max() - least)).nonzero().flatten().tolist()
    if len(flat) > 1 or not 0 < place < len(GRID) - 1:
        return [GRID[index] for index in flat]
    below, here, above = expected[place - 1 : place + 2].tolist()
    return [GRID[place] + 0.5 * (GRID[1] - GRID[0]) * (below - above) / (below - 2 * here + above)]


def _binary_labels(subject: Subject) -> list[int]:
    """The label of the class that a logit speaks for, then the other one."""
    return [1, -1] if subject.goes_below_zero else [1, 0]


def _said(subject: Subject, logit: float) -> Tensor:
    """The prediction that gives each sample's first class, or the positive one, this logit."""
    said = torch.zeros_like(subject.y_pred)
    if subject.true_kind == "binary":
        said += logit
        return said.sigmoid() if subject.pred_kind == "probabilities" else said
    axis = class_axis(subject)
    assert axis is not None
    said.select(axis, 0).fill_(logit)
    return said.softmax(axis) if subject.pred_kind == "probabilities" else said


def _probability(logit: float, count: int) -> float:
    return 1 / (1 + (count - 1) * math.exp(-logit))


def _is_mean_of_samples(subject: Subject) -> bool:
    """Whether the loss is the mean, or the sum, of what its samples cost."""
    whole, size = subject.value(), subject.y_pred.shape[0]
    if size < 2:
        return False
    cut = size // 2
    parts = [
        (stop - start, subject.value(subject.y_pred[start:stop], subject.y_true[start:stop]))
        for start, stop in ((0, cut), (cut, size))
    ]
    sums = sum(value for _, value in parts)
    means = sum(length * value for length, value in parts) / size
    near = 1e-4 * max(abs(whole), 1e-6)
    return abs(sums - whole) <= near or abs(means - whole) <= near


@check("hyper-parameters", needs=("number", "module"), unless=WRONG)
def hyper_parameters(subject: Subject) -> Iterator[Finding]:
    """A weight does what its name says."""
    if subject.y_pred.numel() > LARGE:
        return
    inputs = _inputs(subject)
    before = [subject.value(pred, true) for pred, true in inputs]
    if not all(math.isfinite(value) and abs(value) > 1e-9 for value in before):
        return
    for name in WEIGHTS:
        doubled = _changed(subject, name, lambda value: 2 * value)
        if doubled is None:
            continue
        after = [subject.value(pred, true, loss=loss) for (pred, true), loss in zip(inputs, doubled, strict=True)]
        if not all(map(math.isfinite, after)):
            continue
        ratios = [new / old for new, old in zip(after, before, strict=True)]
        alike = max(ratios) - min(ratios) <= 1e-4 * abs(ratios[0])
        value = getattr(subject.module, name)
        single = not isinstance(value, Tensor) or value.numel() == 1
        if name.startswith("alpha") and single and alike and abs(ratios[0] - 2) < 1e-4:
            value = float(value)
            yield Finding(
                "hyper-parameter",
                "note",
                f"`{name}` only rescales the loss (ratio constant {number(value)} against {name} = 1, for each class "
                f"and {len(ratios)} inputs): it does not balance the classes.",
                f"Weigh the classes apart: torch.where(y_true == 1, self.{name}, 1 - self.{name}) * ...",
                {"name": name, "value": value, "ratios": ratios},
            )
        elif (
            "weight" in name and abs(ratios[0] - 2) > 0.02 and abs(ratios[0] - 1) > 0.02 and _weighs_all(subject, name)
        ):
            yield Finding(
                "hyper-parameter",
                "note",
                f"Doubling `{name}` multiplies the loss by {number(ratios[0])}, not by 2: it also enters something "
                "that is not linear in it, such as a focusing factor.",
                f"Take the factor from the unweighted loss, and multiply by self.{name} at the end.",
                {"name": name, "ratios": ratios},
            )


def _inputs(subject: Subject) -> list[tuple[Tensor, Tensor]]:
    """The example, another prediction, and where the truth is of classes each of them alone."""
    inputs = [(subject.y_pred, subject.y_true), (subject.y_pred.flip(0), subject.y_true)]
    if subject.true_kind in ("binary", "class_indices"):
        labels = sorted(set(subject.y_true[~subject.ignored].flatten().tolist()))[:3]
        inputs += [(subject.y_pred, torch.full_like(subject.y_true, label)) for label in labels]
    return inputs


def _weighs_all(subject: Subject, name: str) -> bool:
    """Whether a weight is one of all samples: of 0 nothing is left of the loss."""
    removed = _changed(subject, name, lambda value: 0 * value)
    if removed is None:
        return False
    left = subject.value(loss=removed[0])
    return abs(left) <= 1e-6 * abs(subject.value())


def _changed(subject: Subject, name: str, change: Callable[[Tensor | float], Tensor | float]) -> list[nn.Module] | None:
    """Copies of the loss with another value of an attribute, one for each input; None where that cannot be had."""
    value = getattr(subject.module, name, None)
    if isinstance(value, bool | nn.Parameter) or not isinstance(value, float | int | Tensor):
        return None
    if isinstance(value, Tensor) and not value.is_floating_point():
        return None
    copies = []
    for _ in _inputs(subject):
        try:
            other = copy.deepcopy(subject.module)
            setattr(other, name, change(value))
        except Exception:
            return None
        assert isinstance(other, nn.Module)
        copies.append(other)
    return copies


CHECKS: tuple[Check, ...] = (proper, hyper_parameters)
