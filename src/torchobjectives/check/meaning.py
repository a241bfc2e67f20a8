"""Checks of what a loss takes y_pred for: logits, probabilities, or logarithms of these."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import chain

import torch

from torchobjectives.check._check import Check, check
from torchobjectives.check._flow import LOG_SOFT, LOGS, SOFT, Flow, flow, squashes
from torchobjectives.check._kinds import class_axis, is_linear, right, signs
from torchobjectives.check._probes import CLASSIFIED, hot_truth, taken_for, undecided
from torchobjectives.check._report import Finding, number
from torchobjectives.check._subject import Subject
from torchobjectives.check._trace import located

FAR = 30.0
RAW = (("logits", "class_indices"), (None, "class_indices"))


@check("probabilities-or-logits", unless=("argument-order", "broadcast"))
def probabilities_or_logits(subject: Subject) -> Iterator[Finding]:
    """The loss takes y_pred for what it is: logits, probabilities or their logarithms."""
    if not subject.y_pred.is_floating_point():
        return
    seen = flow(subject.trace, subject.y_pred.numel())
    for find in FAULTS:
        if finding := find(subject, seen):
            yield finding
            return


def _logarithm_of_raw(subject: Subject, seen: Flow) -> Finding | None:
    """A logarithm of y_pred itself, which holds numbers that no probability has."""
    y_pred, error = subject.y_pred, subject.example.error
    refused = error is not None and "between 0 and 1" in str(error)
    if not refused and (not seen.logs or subject.true_kind not in CLASSIFIED):
        return None
    calls = [call for call in subject.trace.calls if call.name in LOGS and "y_pred" in call.sources]
    call = next(iter([*seen.logs, *calls]), None)
    low, high = float(y_pred.min()), float(y_pred.max())
    where = located(call.place if call else None)
    name = f"`{call.name}`" if call else "The loss"
    if refused or (not subject.example.is_number and (low < 0 or high > 1)):
        said = f"it raises: {error}" if refused else f"the loss is {number(subject.example.number)}"
        what = f"y_pred goes from {number(low)} to {number(high)}, and {said}"
    elif subject.pred_kind == "logits" and (raw := right(subject, 3.0)) is not None:
        outcome = subject.evaluate(raw)
        if outcome.is_number or isinstance(outcome.error, ValueError):
            return None
        what = f"at logits of -3 and 3, all of them right, the loss is {number(outcome.number)}"
    else:
        return None
    several = subject.true_kind != "binary" and class_axis(subject) is not None
    return Finding(
        "probs-vs-logits",
        "error",
        f"The loss takes y_pred for probabilities: {name} is applied to it{where}; but {what}. These are logits.",
        "Use the form for logits: " + ("F.cross_entropy(y_pred, y_true)" if several else BINARY_FORM),
        {"least": low, "greatest": high, "loss": subject.example.number, "place": str(call.place) if call else None},
    )


BINARY_FORM = "F.binary_cross_entropy_with_logits(y_pred, y_true), or torch.sigmoid(y_pred) first"


def _not_logarithms(subject: Subject, seen: Flow) -> Finding | None:
    """What takes logarithms of probabilities is given y_pred itself, and it holds none."""
    for maker, call in seen.made_for_logs:
        if call.name == "nll_loss" and (subject.pred_kind, subject.true_kind) not in RAW:
            continue
        return Finding(
            "probs-vs-logits",
            "error",
            f"`{call.name}` takes logarithms of probabilities, but gets the probabilities that {maker.name} at "
            f"{maker.place} makes ({call.place}). The loss is {number(subject.example.number)}, and is not what it is "
            "called.",
            f"Use log_{maker.name.removeprefix('log_')} there: F.{call.name}(F.log_softmax(y_pred, dim=1), ...)",
            {"loss": subject.example.number, "calls": [maker.name, call.name], "place": str(call.place)},
        )
    for call, given in seen.of_logs:
        if (
            given.ndim < 1
            or not given.numel()
            or (call.name == "kl_div" and subject.true_kind not in (None, "probabilities"))
        ):
            continue
        values = given.detach().double()
        total = float(values.exp().sum(1 if values.ndim > 1 else 0).mean())
        greatest = float(values.max())
        if greatest <= 1e-3 and total <= 1.01:
            continue
        unit = bool((values >= 0).all()) and abs(float(values.sum(1 if values.ndim > 1 else 0).mean()) - 1) < 1e-3
        held = "probabilities" if unit else "logits"
        fix = "y_pred.clamp(min=1e-12).log()" if unit else "F.log_softmax(y_pred, dim=1)"
        return Finding(
            "probs-vs-logits",
            "error",
            f"`{call.name}` takes logarithms of probabilities, but gets y_pred as it is ({call.place}): its greatest "
            f"number is {number(greatest)}, and exp(y_pred) sums to {number(total)}, not to 1, over the classes. "
            f"These are {held}, and the loss is {number(subject.example.number)}.",
            f"Give it logarithms: F.{call.name}({fix}, ...)"
            + (", or F.cross_entropy(y_pred, y_true)" if call.name == "nll_loss" else ""),
            {"greatest": greatest, "sum": total, "loss": subject.example.number, "place": str(call.place)},
        )
    return None


def _squashed_twice(subject: Subject, seen: Flow) -> Finding | None:
    """Probabilities made inside are squashed again: a confident right answer keeps costing."""
    if subject.true_kind not in ("class_indices", "binary") or subject.pred_kind not in (None, "logits", "scores"):
        return None
    if not subject.example.is_number:
        return None
    logits = taken_for(subject, "logits")
    values = [_of_right(logits, strength) for strength in (12.0, FAR, 100.0)]
    nothing = subject.value(undecided(logits))
    if not all(map(math.isfinite, (*values, nothing))):
        return None
    plateau = values[-1]
    stuck = abs(values[1] - plateau) <= 1e-3 * abs(nothing) and 0.05 * nothing < plateau < nothing
    bounded = seen.doubled and not stuck and _is_bounded(logits, nothing)
    if bounded:
        said = f"Wrong answers cost {number(bounded)} at most, of logits of 30 as of 100"
    elif stuck and (seen.doubled or (not seen.clamped and _is_of_two(logits, plateau))):
        said = f"A confident right answer still costs {number(plateau)} (logits of 100; an undecided one costs "
        said += f"{number(nothing)})"
    else:
        return None
    name = "sigmoid" if subject.true_kind == "binary" else "softmax"
    vanishes = "where an answer is wrong" if bounded else "before the answer is good"
    return Finding(
        "probs-vs-logits",
        "error",
        f"{said}: a second {name} is inside{_inside(seen)}. The gradient vanishes {vanishes}.",
        _left_out(seen),
        {"plateau": plateau, "undecided": nothing, "calls": [call.name for call in chain(*seen.doubled[:1])]},
    )


def _is_bounded(logits: Subject, nothing: float) -> float:
    """What wrong answers cost, if that is the same however wrong they are; else 0."""
    some, more = (_of_right(logits, -strength) for strength in (FAR, 100.0))
    return more if nothing < more and abs(more - some) <= 1e-3 * abs(more) else 0.0


def _of_right(logits: Subject, strength: float) -> float:
    """What answers cost that are right so strongly; of a negative strength wrong ones."""
    said = right(logits, strength)
    return math.nan if said is None else logits.value(said)


def _inside(seen: Flow) -> str:
    """Where something is squashed, and where again."""
    if not seen.doubled:
        return ""
    first, second = seen.doubled[0]
    return f": {first.name}{located(first.place)}, then {second.name}{located(second.place)}"


def _left_out(seen: Flow) -> str:
    """What to do about a second squashing."""
    if not seen.doubled:
        return "Squash once: give y_pred itself to what takes logits."
    first, second = seen.doubled[0]
    plain = "loss" if second.name in SOFT else second.name
    return f"Leave out the first one, {first.name}: give y_pred itself to {plain}."


def _distribution_squashed_twice(subject: Subject, seen: Flow) -> Finding | None:
    """Of distributions: probabilities made inside are squashed again, and logits that say y_true are not the best."""
    if (subject.pred_kind, subject.true_kind) != ("logits", "probabilities") or not seen.doubled:
        return None
    same = right(subject)
    if same is None:
        return None
    outcome, nothing = subject.evaluate(same), subject.evaluate(undecided(subject))
    if not outcome.is_number or not outcome.slope > 1e-3 * nothing.slope:
        return None
    return Finding(
        "probs-vs-logits",
        "error",
        f"Logits that say y_true exactly cost {number(outcome.number)}, and are not the best (the norm of the gradient "
        f"is {number(outcome.slope)}): a second softmax is inside{_inside(seen)}.",
        _left_out(seen),
        {"truth": outcome.number, "gradient": outcome.slope, "calls": [call.name for call in seen.doubled[0]]},
    )


def _is_of_two(logits: Subject, plateau: float) -> bool:
    """Whether a plateau is the one of a cross entropy after two squashings."""
    axis = class_axis(logits)
    if logits.true_kind == "class_indices" and axis is not None:
        least = math.log1p((logits.y_pred.shape[axis] - 1) / math.e)
        return abs(plateau - least) <= 1e-3 * least
    share = float((signs(logits, logits.y_true) > 0).double().mean())
    least = share * math.log1p(1 / math.e) + (1 - share) * math.log(2)
    return logits.true_kind == "binary" and abs(plateau - least) <= 1e-3 * least


def _truth_squashed(subject: Subject, seen: Flow) -> Finding | None:
    """A softmax of the truth, which holds probabilities already."""
    y_true = subject.y_true
    if subject.true_kind != "probabilities" or y_true.ndim < 2 or not bool((y_true >= 0).all()):
        return None
    sums = y_true.sum(1)
    calls = [call for call in subject.trace.calls if call.name in SOFT | LOG_SOFT and call.sources == {"y_true"}]
    if not calls or not torch.allclose(sums, torch.ones_like(sums), atol=1e-3):
        return None
    return Finding(
        "probs-vs-logits",
        "error",
        f"`{calls[0].name}`{located(calls[0].place)} is applied to y_true, which holds probabilities (rows sum to 1): "
        "it makes flatter ones of them.",
        "Give the loss the logits of the teacher, or leave the softmax of y_true out: y_true.clamp(min=1e-12).log()",
        {"operation": calls[0].name, "place": str(calls[0].place)},
    )


def _squashes_probabilities(subject: Subject, seen: Flow) -> Finding | None:
    """The loss applies softmax or sigmoid itself, to probabilities."""
    if _unit_rows(subject):
        subject = taken_for(subject, "probabilities")
    if subject.pred_kind != "probabilities" or subject.true_kind not in CLASSIFIED or not subject.example.is_number:
        return _perhaps_probabilities(subject, seen)
    several = subject.true_kind != "binary"
    exact = hot_truth(subject)
    if exact is None or (subject.true_kind == "probabilities" and not several):
        return None
    certain, strong = subject.value(exact), subject.value(FAR * (2 * exact - 1))
    if subject.true_kind == "probabilities":
        strong = subject.value(exact.clamp(min=1e-9).log())
    nothing = subject.value(undecided(subject))
    if not all(map(math.isfinite, (certain, strong, nothing))) or certain - strong <= 0.1 * (nothing - strong):
        return None
    name = "softmax" if several else "sigmoid"
    if several and not _moves_nothing(subject):
        return None
    if not several and not seen.squashed:
        return None
    looks = "rows sum to 1" if several else f"from {number(subject.y_pred.min().item())} to "
    looks += "" if several else number(subject.y_pred.max().item())
    how = "adding 3 to y_pred changes nothing" if several else f"`{seen.squashed[0].name}` at {seen.squashed[0].place}"
    return Finding(
        "probs-vs-logits",
        "error",
        f"y_pred looks like probabilities ({looks}), but the loss applies {name} itself ({how}). The best loss "
        f"reachable now is {number(certain)}, not {number(strong)}.",
        f"Remove the {'Softmax' if several else 'Sigmoid'} layer from the model, and give the loss logits.",
        {"best": certain, "logits": strong, "undecided": nothing},
    )


def _unit_rows(subject: Subject) -> bool:
    """Whether y_pred looks like probabilities of classes, and it is the loss alone that speaks of logits."""
    y_pred = subject.y_pred
    axis = class_axis(subject) if subject.true_kind == "class_indices" else 1
    if subject.pred_kind != "logits" or "y_pred_kind" in subject.given or axis is None or y_pred.ndim < 2:
        return False
    sums = y_pred.sum(axis)
    several = subject.true_kind in ("class_indices", "probabilities")
    return several and bool((y_pred >= 0).all()) and torch.allclose(sums, torch.ones_like(sums), atol=1e-3)


def _perhaps_probabilities(subject: Subject, seen: Flow) -> Finding | None:
    """A note: nobody said what numbers from 0 to 1 are that go through a sigmoid."""
    y_pred = subject.y_pred
    if (
        subject.pred_kind not in (None, "logits")
        or subject.true_kind != "binary"
        or not seen.squashed
        or y_pred.numel() < 8
    ):
        return None
    if bool(((y_pred < 0) | (y_pred > 1)).any()) or "y_pred_kind" in subject.given:
        return None
    call = seen.squashed[0]
    return Finding(
        "probs-vs-logits",
        "note",
        f"All {y_pred.numel()} numbers of y_pred lie between 0 and 1, and `{call.name}` at {call.place} takes them for "
        "logits. If the model ends in a Sigmoid, that is one too many.",
        "Say which: y_pred_kind='logits' or y_pred_kind='probabilities'; of probabilities drop the model's Sigmoid.",
        {"least": float(y_pred.min()), "greatest": float(y_pred.max())},
    )


def _moves_nothing(subject: Subject) -> bool:
    """Whether a constant that is added to y_pred changes nothing."""
    at = subject.value()
    return all(abs(subject.value(subject.y_pred + shift) - at) <= 1e-4 * max(abs(at), 1e-3) for shift in (3.0, -3.0))


def _linear_in_logits(subject: Subject, seen: Flow) -> Finding | None:
    """The loss of logits falls in proportion to the true one: there is no softmax in it."""
    kinds = subject.pred_kind == "logits" and subject.true_kind in ("class_indices", "probabilities")
    if not kinds or not subject.example.is_number or squashes(subject.trace):
        return None
    at = subject.value()
    shifts = {shift: subject.value(subject.y_pred + shift) - at for shift in (1.0, -1.0, 10.0, 100.0)}
    fall = -shifts[1.0]
    if not fall > 1e-4 or any(
        abs(change + shift * fall) > 1e-3 * abs(shift * fall) for shift, change in shifts.items()
    ):
        return None
    strong = [subject.value(said) for k in (10.0, 100.0, 1000.0) if (said := right(subject, k)) is not None]
    if subject.true_kind == "class_indices" and not (len(strong) == 3 and strong[2] < strong[1] < strong[0] < 0):
        return None
    return Finding(
        "probs-vs-logits",
        "error",
        f"The loss takes logarithms of probabilities, but gets logits: adding 10 to all of y_pred changes it by "
        f"{number(shifts[10.0])}, adding 100 by {number(shifts[100.0])}, without end, where softmax would change "
        "nothing.",
        "Normalise first: y_pred = F.log_softmax(y_pred, dim=1), or use F.cross_entropy(y_pred, y_true)",
        {"changes": shifts, "right": strong},
    )


def _never_squashed(subject: Subject, seen: Flow) -> Finding | None:
    """Of logits: the loss is right for probabilities, and goes wrong beyond them."""
    if subject.pred_kind != "logits" or subject.true_kind not in ("class_indices", "binary"):
        return None
    exact = hot_truth(subject)
    if exact is None or squashes(subject.trace) or seen.clamped or not subject.example.is_number:
        return None
    if is_linear(subject):
        return None  # a critic
    certain, wrong, nothing = (subject.value(said) for said in (exact, 1 - exact, torch.full_like(exact, 0.5)))
    inside = 0.9 * exact + 0.05
    ordered = certain < subject.value(inside) < nothing < wrong or certain < nothing <= wrong
    if not ordered or abs(certain) > 0.03 * wrong or _moves_nothing(subject):
        return None
    beyond = [subject.value(said) for k in (1.0, 3.0, 10.0) if (said := right(subject, k)) is not None]
    beyond += [subject.value(), *(subject.value(3 * subject.random()) for _ in range(3))]
    least = min((value for value in beyond if math.isfinite(value)), default=0.0)
    strong = max(value for value in beyond[:3])
    if not (
        least < certain - 0.05 * wrong
        or ("y_pred_kind" in subject.given and strong > certain + 0.5 * (wrong - certain))
    ):
        return None
    falls = least < certain - 0.05 * wrong
    beyond_said = f"falls to {number(least)}, below it" if falls else f"rises to {number(strong)}"
    form = "y_pred.softmax(dim=1)" if subject.true_kind == "class_indices" else "torch.sigmoid(y_pred)"
    return Finding(
        "probs-vs-logits",
        "error",
        f"The loss takes y_pred for probabilities: at exact ones it is {number(certain)}, its least value; but y_pred "
        f"holds logits, nothing squashes them, and outside of 0 to 1 the loss {beyond_said}.",
        f"Squash first: y_pred = {form}",
        {"exact": certain, "least": least, "strong": strong, "wrong": wrong},
    )


FAULTS: tuple[Callable[[Subject, Flow], Finding | None], ...] = (
    _logarithm_of_raw,
    _not_logarithms,
    _squashed_twice,
    _distribution_squashed_twice,
    _truth_squashed,
    _squashes_probabilities,
    _linear_in_logits,
    _never_squashed,
)


CHECKS: tuple[Check, ...] = (probabilities_or_logits,)
