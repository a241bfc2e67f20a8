"""Checks of where a loss is least: at the truth, or somewhere else."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from torchobjectives.check._check import Check, check
from torchobjectives.check._kinds import DIFFERENCES, class_axis, inferred_pred_kind, one_hot, right
from torchobjectives.check._probes import (
    STRENGTHS,
    descended,
    is_a_set,
    is_hard,
    lowest,
    reach,
    undecided,
    usual,
)
from torchobjectives.check._report import Finding, Level, number
from torchobjectives.check._stops import stop_on_purpose
from torchobjectives.check._subject import LARGE, Subject
from torchobjectives.check._trace import Call, located
from torchobjectives.check.dtypes import wrapped

EXPLAINED = ("argument-order", "broadcast", "probs-vs-logits", "constant-loss", "wrong-direction")
AND_BOUNDED = (*EXPLAINED, "unbounded-below")
# What leaves each number in its place, and what is told of all numbers.
KEEPING = ("view", "reshape", "flatten", "squeeze", "unsqueeze", "to", "float", "double", "contiguous", "clone")
STATISTICS = ("mean", "sum", "var", "std", "norm", "amax", "max", "matmul", "__matmul__", "mm", "diff", "prod")
# Of the loss of usual predictions: less than that below the truth is a small penalty.
CLEARLY = 0.05
CASTS = ("long", "int", "to", "type", "short", "type_as")


@check("minimum-at-truth", needs=("number", "y_pred_kind", "y_true_kind"), unless=AND_BOUNDED)
def minimum_at_truth(subject: Subject) -> Iterator[Finding]:
    """Of values the loss is least where y_pred equals y_true."""
    if subject.true_kind not in ("values", "counts", "boxes") or subject.pred_kind == "scores":
        return
    truth = right(subject)
    if truth is None or not bool(truth.isfinite().all()) or not _is_of_one_quantity(subject):
        return
    least, wrong = subject.value(truth), usual(subject, truth)
    # Where the truth costs more than a guess it is all the more wrong.
    wrong = max(wrong, least)
    spread = float(truth.flatten().std(correction=0)) or 1.0
    found = {name: value for name, near in _near(truth, spread, subject) if math.isfinite(value := subject.value(near))}
    _, at = descended(subject, truth + 1e-3 * spread * subject.random(), rate=0.2 * spread)
    low, at = descended(subject, at, rate=0.02 * spread)
    low = min([low, *found.values()])
    scaled = subject.value(10 * truth)
    if scaled <= low and least - scaled < wrong - least:
        return  # the scale does not count, or hardly
    if _is_one_sided(subject, truth, spread, low):
        return
    drop, rounding = (least - low) / max(wrong - low, 1e-30), _rounding(subject)
    if not drop > (0.1 * CLEARLY if rounding else CLEARLY):
        return
    # As bad as a guess is no question of a penalty.
    if not rounding and _is_penalised(subject):
        return
    if not rounding and drop < 0.8 and not _moves_both_ways(subject, truth, spread, least, wrong):
        return
    name = min(found, key=lambda key: found[key], default="")
    where, level = _where(subject, truth, at, name, found.get(name, math.inf) <= low + CLEARLY * (wrong - low))
    slope = subject.evaluate(truth).slope
    yield Finding(
        "wrong-minimum",
        level,
        f"y_pred = y_true is not the minimum: the loss is {number(least)} there (gradient {number(slope)}), and "
        f"{number(low)} nearby{where}; predictions that are wrong cost {number(wrong)}.",
        _advice(subject, rounding, turned=subject.value(-truth) < min(least, wrong) - 0.5 * (wrong - low)),
        {"truth": least, "least": low, "usual": wrong, "gradient": slope},
    )


def _is_of_one_quantity(subject: Subject) -> bool:
    """Whether each number of y_pred is to be the one of y_true in its place."""
    # Who says one kind alone does not say that the two are the same; nor where the gradient is meant to be another.
    if not subject.sure and (inferred_pred_kind(subject) is None or stop_on_purpose(subject.trace) is not None):
        return False
    at, y_true = subject.value(), subject.y_true
    for axis in range(1, y_true.ndim):
        order = torch.randperm(y_true.shape[axis], generator=subject.generator).to(y_true.device)
        other = y_true.index_select(axis, order)
        if len(order) > 2 and abs(subject.value(y_true=other) - at) <= 1e-5 * max(1.0, abs(at)):
            return False  # samples of a distribution, in no order
    return True


def _is_one_sided(subject: Subject, truth: Tensor, spread: float, low: float) -> bool:
    """Whether y_pred is only to be above y_true, or below, the more the better: that is a reference to beat."""
    for way in (spread, -spread):
        least, near, far, other = (subject.value(truth + size * way) for size in (0, 10, 100, -10))
        if far <= near < least < other and far <= low:
            return True
    return False


def _advice(subject: Subject, rounding: Call | None, *, turned: bool) -> str:
    if rounding:
        return (
            f"`{rounding.name}`{located(rounding.place)} rounds y_true: leave it out, targets stay in floating point."
        )
    if turned:
        return "The opposite of y_true is better than y_true: look for a sign, or for the 1 - in front of a likeness."
    compared = "Compare y_pred with y_true itself, number by number: print both after every step that reshapes, shifts"
    meant = "" if subject.sure else " Where y_true is another quantity, pass expected={'wrong-minimum': 'what it is'}."
    return f"{compared} or scales one of them.{meant}"


def _rounding(subject: Subject) -> Call | None:
    """What rounds y_true, which holds fractions, on its way."""
    if not subject.y_true.is_floating_point() or is_hard(subject):
        return None
    for call in subject.trace.calls:
        if call.sources != {"y_true"} or not call.inputs[0].is_floating_point():
            continue
        integer = any(not out.is_floating_point() and out.dtype != torch.bool for out in call.outputs)
        if call.name in ("round", "floor", "ceil", "trunc", "fix") or (integer and call.name in CASTS):
            return call
    return None


def _near(truth: Tensor, spread: float, subject: Subject) -> Iterator[tuple[str, Tensor]]:
    """Predictions near the truth, by name."""
    for shift in (-1.0, -0.3, 0.3, 1.0):
        yield f"y_true {'+' if shift > 0 else '-'} {number(abs(shift) * spread)}", truth + shift * spread
    for factor in (0.0, 0.5, 0.8, 1.25, 1.5, 2.0):
        yield f"{number(factor)} * y_true", factor * truth
    for size in (0.03, 0.1, 0.3):
        yield "y_true with noise", truth + size * spread * subject.random()
    yield "round(y_true)", truth.round()
    for axis, length in enumerate(truth.shape):
        if length > 2:
            for shift in (1, -1):
                yield f"y_true shifted by {shift} along axis {axis}", truth.roll(shift, axis)


def _moves_both_ways(subject: Subject, truth: Tensor, spread: float, least: float, wrong: float) -> bool:
    """Whether another truth also fits that prediction better: a penalty on y_pred alone leaves it the best fit."""
    if not subject.y_true.is_floating_point():
        return True
    values = (subject.value(truth, near.to(subject.y_true)) for _, near in _near(truth, spread, subject))
    low = min((value for value in values if math.isfinite(value)), default=math.inf)
    return least - low > 0.2 * CLEARLY * (wrong - low)


def _is_penalised(subject: Subject) -> bool:
    """Whether y_pred as it is meets y_true as it is, and statistics of y_pred alone are taken besides."""
    trace = subject.trace
    raw = {name: {id(trace.sources[name])} for name in ("y_pred", "y_true")}
    met = alone = False
    for call in trace.calls:
        for ids in raw.values():
            if call.inputs and call.name in KEEPING and id(call.inputs[0]) in ids:
                ids.update(id(tensor) for tensor in call.outputs)
        pair = [id(tensor) for tensor in call.inputs[:2]]
        if call.name in DIFFERENCES and len(pair) == 2:
            sides = [{name for name, ids in raw.items() if one in ids} for one in pair]
            met = met or (len(sides[0]) == len(sides[1]) == 1 and sides[0] != sides[1])
        alone = alone or (call.sources == {"y_pred"} and call.name in STATISTICS)
    return met and alone


def _where(subject: Subject, truth: Tensor, at: Tensor, name: str, near: bool) -> tuple[str, Level]:
    """Where the minimum is, in words, and how grave that is."""
    level: Level = subject.level("error", "warning")
    if _has_units(subject):
        return ", in the units that the loss holds", "note"
    if subject.pred_kind == "real" and _is_of_logarithms(subject, truth, at):
        return ", at the logarithm of y_true", "note"
    if near and name.startswith("y_true shifted"):
        # Along the steps of a sequence the next one may be what is predicted.
        return f", at {name}", level if name.endswith("axis 0") else "note"
    goal, place = truth.flatten().double(), at.flatten().double()
    order = goal.argsort()
    goal, place = goal[order], place[order]
    slope, offset, rest = _line(goal, place)
    if rest < 1e-3:
        said = f", at about {number(slope)} * y_true {'+' if offset >= 0 else '-'} {number(abs(offset))}"
        units = not 0.3 < abs(slope) < 3.4 or _owns_numbers(subject) or _standardises(subject)
        return said, "note" if slope > 0 and units else level
    steps = place.diff()
    inner = steps[goal.diff() > 1e-6 * float(goal.abs().max())]
    cut = max(1, len(inner) // 4)
    size = float(place.abs().max()) or 1.0
    mostly = bool((inner > -1e-2 * size).all()) and bool((inner[cut:-cut] > 1e-4 * size).all())
    if (mostly and len(inner) > 2 * cut + 2) or (len(inner) > 1 and bool((inner > 1e-4 * size).all())):
        # A link, for values on another scale; a positive prediction of positive values is on theirs.
        same_scale = subject.sure and subject.pred_kind == "positive"
        return ", at an increasing function of y_true", "error" if same_scale else "note"
    return (f", at {name}" if near and name else ""), level


def _line(goal: Tensor, place: Tensor) -> tuple[float, float, float]:
    """The slope, the offset and the share of variance that is left of a line through points."""
    x, y = goal - goal.mean(), place - place.mean()
    slope = float((x * y).sum() / x.square().sum().clamp(min=1e-30))
    rest = float((y - slope * x).square().sum() / y.square().sum().clamp(min=1e-30))
    return slope, float(place.mean() - slope * goal.mean()), rest


def _is_of_logarithms(subject: Subject, truth: Tensor, at: Tensor) -> bool:
    """Whether the logarithm of y_true is about as good as what is best: it is that of a mean which is predicted."""
    if bool((truth < 0).any()):
        return False
    said, least, low = subject.value(truth.clamp(min=0.1).log()), subject.value(truth), subject.value(at)
    return said - low < 0.3 * (least - low)


def _has_units(subject: Subject) -> bool:
    """Whether y_true alone is shifted or scaled by tensors that the module holds, such as a mean and a spread."""
    return subject.module is not None and any(
        call.name in ("sub", "__sub__", "div", "true_divide", "__truediv__")
        and call.sources == {"y_true"}
        and any(not subject.trace.of(tensor) for tensor in call.inputs[1:])
        for call in subject.trace.calls
    )


def _owns_numbers(subject: Subject) -> bool:
    """Whether the loss has numbers of its own that may be units: means, scales."""
    module = subject.module
    if module is None:
        return False
    numbers = [value for value in vars(module).values() if isinstance(value, float | Tensor)]
    return bool(numbers) or any(True for _ in module.buffers()) or any(True for _ in module.parameters())


def _standardises(subject: Subject) -> bool:
    """Whether a mean or a spread is taken of y_true alone."""
    names = ("mean", "std", "var", "norm", "median", "amax", "max", "amin", "min", "std_mean", "var_mean", "nanmean")
    return any(call.name in names and call.sources == {"y_true"} for call in subject.trace.calls)


@check("minimum-at-class", needs=("number", "y_pred_kind", "y_true_kind"), unless=AND_BOUNDED)
def minimum_at_class(subject: Subject) -> Iterator[Finding]:
    """Of classes the loss is least where the true one is the greatest."""
    if subject.true_kind not in ("class_indices", "binary") or subject.pred_kind not in ("logits", "scores"):
        return
    if wrapped(subject) is not None:
        return  # it is the arithmetic of y_true that goes wrong
    if not is_hard(subject) or (not subject.sure and not is_a_set(subject)):
        return
    if finding := _other_axis(subject):
        yield finding
        return
    reached = reach(subject)
    best, nothing, low = reached.best, reached.undecided, reached.descended
    if not all(map(math.isfinite, (best, nothing, low))) or not low < nothing:
        return
    if not best - low > 0.5 * (nothing - low) or _is_code(subject, reached.at) or _is_ahead(subject, low, nothing):
        return
    random = sorted(subject.value(subject.random()) for _ in range(3))[1]
    axis = class_axis(subject) if subject.true_kind == "class_indices" else None
    along = "" if axis is None else f" (built along axis {axis})"
    viewed = any(call.name in ("view", "reshape", "flatten") and call.sources for call in subject.trace.calls)
    layout = axis is not None and subject.y_pred.ndim > 2 and viewed
    yield Finding(
        "wrong-minimum",
        subject.level("error", "warning"),
        f"The perfect prediction{along} costs {number(best)} at best, an undecided one {number(nothing)}, random ones "
        f"{number(random)}, and descending the gradient gives {number(low)}: the loss wants something else.",
        "Check the layout: view(-1, C) needs permute(0, 2, 3, 1) first, movedim(1, -1) in general."
        if layout
        else "Check which number of y_pred is meant for which class, and what is done to y_true before they meet.",
        {"perfect": best, "undecided": nothing, "random": random, "descended": low, "axis": axis},
    )


def _other_axis(subject: Subject) -> Finding | None:
    """Constants along another axis than the one of the classes change nothing: the softmax runs along that."""
    axis, y_pred = class_axis(subject), subject.y_pred
    if subject.true_kind != "class_indices" or axis is None or y_pred.numel() > LARGE:
        return None
    at = subject.value()
    near = 1e-4 * max(abs(at), 1e-3)
    if abs(subject.value(y_pred + 3 * _constant(subject, axis)) - at) <= 30 * near:
        return None
    for other, length in enumerate(y_pred.shape):
        if other == axis or length < 2:
            continue
        if any(abs(subject.value(y_pred + size * _constant(subject, other)) - at) > near for size in (1.0, 3.0)):
            continue
        if length == y_pred.shape[axis] and len(set(subject.y_true.flatten().tolist())) == length:
            continue  # each with each: a matrix of pairs may be read along either axis
        shift = torch.zeros_like(y_pred)
        shift.select(axis, 0).fill_(3.0)
        return Finding(
            "wrong-minimum",
            subject.level("error", "warning"),
            f"The classes stand along axis {axis} of y_pred {tuple(y_pred.shape)}, but the loss normalises along axis "
            f"{other}: constants along that change nothing ({number(at)}), and adding 3 to class 0 everywhere gives "
            f"{number(subject.value(y_pred + shift))}. Each prediction is compared with other "
            f"{'positions of its sample' if other else 'samples'}.",
            f"Use the axis of the classes: softmax(dim={axis}), log_softmax(dim={axis})",
            {"axis": other, "class_axis": axis, "loss": at},
        )
    return None


def _constant(subject: Subject, axis: int) -> Tensor:
    """Random numbers that are the same along an axis."""
    return subject.random().select(axis, 0).unsqueeze(axis).expand_as(subject.y_pred)


def _is_code(subject: Subject, at: Tensor) -> bool:
    """Whether the best prediction says the classes in another way: cumulative ones, of ordered classes."""
    axis = class_axis(subject)
    if subject.true_kind != "class_indices" or axis is None:
        return False
    rows = (at.movedim(axis, -1) > 0).flatten(0, -2)
    labels = subject.y_true.flatten()
    codes: dict[int, tuple[bool, ...]] = {}
    for row, label in zip(rows.tolist(), labels.tolist(), strict=True):
        if codes.setdefault(label, tuple(row)) != tuple(row):
            return False
    single = all(sum(code) == 1 for code in codes.values())
    return len(set(codes.values())) == len(codes) > 1 and not single


def _is_ahead(subject: Subject, low: float, nothing: float) -> bool:
    """Whether each step of a sequence predicts the next one's class, as language models do."""
    axis = class_axis(subject)
    if subject.true_kind != "class_indices" or axis is None:
        return False
    for along in range(1, subject.y_true.ndim):
        for shift in (-1, 1):
            hot = one_hot(subject, subject.y_true.roll(shift, along))
            assert hot is not None
            best = lowest(subject, (strength * (2 * hot - 1) for strength in STRENGTHS))
            if best - low <= 0.3 * (nothing - low):
                return True
    return False


@check("minimum-of-distributions", needs=("number", "y_pred_kind", "y_true_kind"), unless=AND_BOUNDED)
def minimum_of_distributions(subject: Subject) -> Iterator[Finding]:
    """Of distributions the loss is least, and not below 0, where y_pred equals y_true."""
    if subject.true_kind != "probabilities" or subject.pred_kind not in ("probabilities", "log_probabilities"):
        return
    same = right(subject)
    if same is None:
        return
    if finding := _logarithm_of_truth(subject):
        yield finding
        return
    log = subject.pred_kind == "log_probabilities"
    share = same.exp() if log else same
    least, nothing = subject.value(same), subject.value(undecided(subject))
    values = {"sharper": _value_of(subject, share.pow(1.5), log), "flatter": _value_of(subject, share.pow(0.6), log)}
    for index in range(3):
        values[f"other {index}"] = _value_of(subject, share * (0.3 * subject.random()).exp(), log)
    wrong = [subject.value(_as_kind(share.flip(0), log)), subject.value(_as_kind(share.flip(1), log)), nothing]
    spread = max(value for value in wrong if not math.isnan(value)) - least
    low = min((value for value in values.values() if math.isfinite(value)), default=math.inf)
    # Class weights and label smoothing move the minimum a little, and leave it above 0.
    clearly = CLEARLY if least < 0 else 0.3
    if not math.isfinite(least) or not least - low > clearly * max(spread, 1e-6):
        return
    # A sharper answer alone is asked for by losses that are not proper, and are meant to be so.
    if least >= 0 and values["sharper"] <= low + 1e-9:
        return
    below = f", value {number(least)} < 0" if least < -1e-3 * spread else ""
    yield Finding(
        "wrong-minimum",
        subject.level("error", "warning"),
        f"y_pred = y_true is not a minimum: the loss is {number(least)} there{below}, and {number(low)} at "
        f"distributions nearby; an undecided one costs {number(nothing)}.",
        "The divergence from y_true to y_pred is F.kl_div(log_probabilities_of_y_pred, y_true, reduction='batchmean'): "
        "logarithms first, the truth second; of a mixture take the logarithm, too.",
        {"truth": least, "nearby": values, "undecided": nothing},
    )


def _logarithm_of_truth(subject: Subject) -> Finding | None:
    """The logarithm is taken of y_true, and none of y_pred: the arguments of a cross entropy are swapped."""
    logs = [call for call in subject.trace.calls if call.name in ("log", "log_softmax", "kl_div", "xlogy", "log2")]
    swapped = [call for call in logs if call.sources == {"y_true"}]
    if not swapped or any("y_pred" in call.sources for call in logs) or subject.pred_kind != "probabilities":
        return None
    likeliest = subject.y_true.amax(1, keepdim=True) == subject.y_true
    same, certain = subject.value(right(subject)), subject.value(likeliest.to(subject.y_pred))
    if not certain < same:
        return None
    return Finding(
        "wrong-minimum",
        subject.level("error", "warning"),
        f"y_pred = y_true is not the minimum: it costs {number(same)}, certainty of the likeliest class "
        f"{number(certain)}. The logarithm is taken of y_true at {swapped[0].place}, and none of y_pred: the two are "
        "swapped.",
        "Take the logarithm of the prediction: -(y_true * y_pred.clamp(min=1e-12).log()).sum(1).mean()",
        {"truth": same, "certain": certain, "place": str(swapped[0].place)},
    )


def _value_of(subject: Subject, share: Tensor, log: bool) -> float:
    return subject.value(_as_kind(share / share.sum(1, keepdim=True), log))


def _as_kind(share: Tensor, log: bool) -> Tensor:
    return share.clamp(min=1e-9).log() if log else share


CHECKS: tuple[Check, ...] = (minimum_at_truth, minimum_at_class, minimum_of_distributions)
