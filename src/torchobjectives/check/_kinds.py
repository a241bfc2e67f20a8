"""What y_pred and y_true hold: inferred where that is safe, and predictions that are right, wrong or random."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from torchobjectives._loss import Loss
from torchobjectives._spec import CUSTOM
from torchobjectives._validate import near
from torchobjectives.check._subject import Subject
from torchobjectives.check._trace import Trace

PRED_KINDS = ("logits", "probabilities", "log_probabilities", "real", "positive", "embedding", "scores")
TRUE_KINDS = (
    "values",
    "counts",
    "binary",
    "class_indices",
    "probabilities",
    "ranks",
    "boxes",
    "labels_of_embeddings",
)
# Of ours: what a Spec calls it → what it is called here; what is not here is not known here.
SPEC_PRED = {
    "real": "real",
    "logits": "logits",
    "probabilities": "probabilities",
    "log_probabilities": "log_probabilities",
}
SPEC_TRUE = {"real": "values", "binary": "binary", "classes": "class_indices", "masks": "binary"}
TORCH_KINDS: dict[str, tuple[str, str]] = {
    "BCELoss": ("probabilities", "binary"),
    "BCEWithLogitsLoss": ("logits", "binary"),
    "CrossEntropyLoss": ("logits", "class_indices"),
    "HuberLoss": ("real", "values"),
    "L1Loss": ("real", "values"),
    "MSELoss": ("real", "values"),
    "MultiLabelSoftMarginLoss": ("logits", "binary"),
    "MultiMarginLoss": ("scores", "class_indices"),
    "NLLLoss": ("log_probabilities", "class_indices"),
    "SmoothL1Loss": ("real", "values"),
    "SoftMarginLoss": ("scores", "binary"),
}
# More values than that are no grades of relevance.
GRADES = 6
# Predictions that are far on the right side, and not yet where float32 ends.
STRONG = 12.0


# What compares two tensors number by number, and what multiplies all with all.
DIFFERENCES = ("sub", "__sub__", "rsub", "__rsub__", "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "dist")
PRODUCTS = ("matmul", "__matmul__", "__rmatmul__", "mm", "bmm", "einsum", "linear", "cdist", "tensordot")
# What takes a part of the numbers, and what makes of several of one tensor another quantity.
SLICES = ("__getitem__", "narrow", "select", "roll", "unbind", "chunk", "split", "tensor_split")
OPERATORS = ("diff", "cumsum", "conv1d", "conv2d", "conv3d", "unfold", "fft_rfft", "fft_fft", "stft", *PRODUCTS)


def checked_kinds(y_pred_kind: str | None, y_true_kind: str | None) -> None:
    """Refuse what is no kind."""
    for argument, kind, kinds in (("y_pred_kind", y_pred_kind, PRED_KINDS), ("y_true_kind", y_true_kind, TRUE_KINDS)):
        if kind is not None and kind not in kinds:
            raise ValueError(f"{argument} {kind!r}: there is no such kind. {near(str(kind), kinds)}")


def set_kinds(subject: Subject, y_pred_kind: str | None, y_true_kind: str | None) -> None:
    """Take the kinds that the caller says, and infer the others where that is safe."""
    subject.given = frozenset(
        name for name, kind in (("y_pred_kind", y_pred_kind), ("y_true_kind", y_true_kind)) if kind is not None
    )
    subject.pred_kind, subject.true_kind = y_pred_kind, y_true_kind
    told = _told(subject)
    if told is not None:
        subject.true_kind, subject.pred_kind = subject.true_kind or told[1], subject.pred_kind or told[0]
        return
    subject.true_kind = subject.true_kind or _true_kind(subject)
    subject.pred_kind = subject.pred_kind or inferred_pred_kind(subject)


def kinds_said(subject: Subject) -> dict[str, str]:
    """The kinds in words; what was inferred says so."""
    said = {}
    for name, kind in (("y_pred", subject.pred_kind), ("y_true", subject.true_kind)):
        if kind is not None:
            said[name] = kind if f"{name}_kind" in subject.given else f"{kind} (inferred)"
    return said


def _told(subject: Subject) -> tuple[str | None, str | None] | None:
    """What ours and torch's own say of themselves; None where nobody says anything."""
    loss, y_true = subject.original, subject.y_true
    if isinstance(loss, Loss) and type(loss).spec is not CUSTOM:
        spec = type(loss).spec
        pred, true = SPEC_PRED.get(spec.y_pred), SPEC_TRUE.get(spec.y_true)
        if pred == "logits" and not getattr(loss, "from_logits", True):
            pred = "probabilities"
        if spec.y_true == "masks" and y_true.shape != subject.y_pred.shape:
            true = None if class_axis(subject) is None else "class_indices"
    elif type(loss).__module__.startswith("torch.nn.modules") and type(loss).__name__ in TORCH_KINDS:
        pred, true = TORCH_KINDS[type(loss).__name__]
    else:
        return None
    return pred, "probabilities" if true == "class_indices" and y_true.is_floating_point() else true


def class_axis(subject: Subject) -> int | None:
    """The axis of y_pred that holds classes, where y_true has one class per position; None where that is not clear."""
    pred, true = tuple(subject.y_pred.shape), tuple(subject.y_true.shape)
    if len(pred) != len(true) + 1 or len(pred) < 2:
        return None
    second, last = (*pred[:1], *pred[2:]) == true, pred[:-1] == true
    if second and last and len(pred) > 2:
        return None
    axis = 1 if second else len(pred) - 1 if last else None
    # A single channel holds no classes.
    return None if axis is None or pred[axis] < 2 else axis


def _true_kind(subject: Subject) -> str | None:
    y_true, y_pred = subject.y_true, subject.y_pred
    live = y_true[~subject.ignored]
    if not live.numel() or y_true.is_complex():
        return None
    if y_true.shape == y_pred.shape and (live.dtype == torch.bool or bool(((live == 0) | (live == 1)).all())):
        # Nothing but ones may be weights.
        weights = y_true.is_floating_point() and live.ndim > 0 and bool((live == 1).all())
        return None if weights else "binary"
    if y_true.shape == y_pred.shape and bool((live.abs() == 1).all()):
        return "binary"
    if _ranked(subject):
        return "ranks"
    if y_true.is_floating_point():
        if y_true.shape != y_pred.shape or not bool(live.isfinite().all()):
            return None
        if y_true.ndim > 1 and bool((y_true >= 0).all()) and _sums_to_one(y_true):
            return "probabilities"
        return None if _marks_gaps(live) else "values"
    if class_axis(subject) is None or live.dtype == torch.bool or bool((live < 0).any()):
        return None
    if relabelled(subject):
        return "labels_of_embeddings"
    axis = class_axis(subject)
    assert axis is not None
    return "class_indices" if int(live.max()) < y_pred.shape[axis] else None


def _marks_gaps(live: Tensor) -> bool:
    """Whether it is a truth of 0 and 1 in which a third number says that nothing is known: those are no values."""
    found = set(live.flatten()[:10_000].tolist())
    return len(found) == 3 and {0.0, 1.0} < found and all(value == round(value) for value in found)


def _ranked(subject: Subject) -> bool:
    """Whether y_true holds a few grades of which only the order counts, and y_pred only its differences."""
    y_true, at = subject.y_true, subject.value()
    if y_true.shape != subject.y_pred.shape or y_true.dtype == torch.bool or at != at:
        return False
    levels = torch.tensor(sorted(set(y_true.flatten().tolist())))
    if bool((levels < 0).any() | (levels != levels.round()).any()) or not 2 <= len(levels) <= y_true.numel() / 2:
        return False
    if len(levels) > GRADES:
        return False  # times of survival are ordered, too, and the later one has the lower risk
    near = 1e-5 * max(1.0, abs(at))
    by_order = all(abs(subject.value(y_true=other) - at) <= near for other in (2 * y_true + 1, y_true * y_true))
    shuffled = y_true.flatten()[torch.randperm(y_true.numel(), generator=subject.generator)].reshape(y_true.shape)
    by_difference = abs(subject.value(subject.y_pred + 1) - at) <= near
    return by_order and by_difference and abs(subject.value(y_true=shuffled) - at) > near


def relabelled(subject: Subject) -> bool:
    """Whether other names for the classes change nothing, though it matters which samples share one."""
    y_true, ignored, at = subject.y_true, subject.ignored, subject.value()
    # A byte ends at 255.
    labels = torch.where(ignored, 0, y_true).long()
    classes = int(labels.max()) + 1
    if classes < 2 or at != at:
        return False
    others = ((labels + shift) % classes for shift in range(1, min(classes, 4)))
    others = (torch.where(ignored, y_true, other.to(y_true.dtype)) for other in others)
    same = all(abs(subject.value(y_true=other) - at) <= 1e-5 * max(1.0, abs(at)) for other in others)
    return same and abs(subject.value(y_true=y_true[torch.randperm(len(y_true), generator=subject.generator)]) - at) > 0


def _sums_to_one(values: Tensor) -> bool:
    sums = values.sum(1)
    return bool(torch.allclose(sums, torch.ones_like(sums), atol=1e-4))


def inferred_pred_kind(subject: Subject) -> str | None:
    """What y_pred holds, as far as that is safe to say."""
    y_pred, kind = subject.y_pred, subject.true_kind
    if has_head(subject) or not y_pred.is_floating_point() or not bool(y_pred.isfinite().all()):
        return None
    if kind == "labels_of_embeddings":
        return "embedding"
    if kind == "ranks":
        return "scores"
    if kind == "boxes":
        return "real" if y_pred.shape == subject.y_true.shape else None
    below = bool((y_pred < 0).any())
    if kind in ("class_indices", "probabilities"):
        axis = 1 if kind == "probabilities" else class_axis(subject)
        if axis is None:
            return None
        if not below and _ones(y_pred.sum(axis)):
            return "probabilities"
        if bool((y_pred <= 0).all()) and _ones(y_pred.exp().sum(axis)):
            return "log_probabilities"
        # A number below 0 is no probability; where all are above, nobody can tell.
        return "logits" if below and not (kind == "class_indices" and _is_regression_of_classes(subject)) else None
    if kind == "binary":
        if subject.goes_below_zero:
            # Of −1 and 1 nobody can tell which way is up: of a distance, and of some critics' scores, it is down.
            said = STRONG * signs(subject, subject.y_true)
            up = below and subject.value(said) < subject.value(-said) and not is_linear(subject)
            return "scores" if up else None
        if not below and _ends_at_one(subject):
            return "probabilities"
        # A number above 1 may be a distance, one below 0 may not.
        return "logits" if below and not _is_regression(subject, strictly=True) else None
    if kind == "values" and subject.y_true.shape == y_pred.shape and not _all_with_all(subject):
        if _subtracted(subject.trace) is False:
            return None
        # A mean whose logarithm is predicted is above 0; so is what a positive prediction is compared with.
        compared = subject.goes_below_zero and _is_compared(subject)
        return "real" if compared or _is_regression(subject) or _is_likeness(subject) else None
    return None


def _ends_at_one(subject: Subject) -> bool:
    """Whether y_pred lies between 0 and 1, and the loss has no value beyond either: it takes both logarithms."""
    y_pred = subject.y_pred
    # A GPU does not survive to be asked for what F.binary_cross_entropy has no value for.
    if y_pred.device.type != "cpu" or not bool((y_pred <= 1).all()):
        return False
    return all(math.isnan(subject.value(beyond)) for beyond in (y_pred - 1.5, y_pred + 1.5))


def has_head(subject: Subject) -> bool:
    """Whether the loss has a matrix of its own over the numbers of y_pred: those are features then."""
    if subject.y_pred.ndim < 2:
        return False
    size = subject.y_pred.shape[1]
    if subject.module is not None:
        owned = [*subject.module.parameters(), *subject.module.buffers()]
        if any(tensor.ndim > 1 and size in tensor.shape for tensor in owned):
            return True
    trace = subject.trace
    return any(
        call.name in PRODUCTS and "y_pred" in call.sources and any(t.ndim > 1 and not trace.of(t) for t in call.inputs)
        for call in trace.calls
    )


def is_linear(subject: Subject) -> bool:
    """Whether the loss is proportional to the prediction, but for a constant."""
    at = [subject.value(factor * subject.y_pred) for factor in (0, 1, 2, -3)]
    slope = at[1] - at[0]
    wanted = [at[0] + factor * slope for factor in (2, -3)]
    return all(abs(one - other) <= 1e-4 * max(abs(slope), 1e-6) for one, other in zip(at[2:], wanted, strict=True))


def _all_with_all(subject: Subject) -> bool:
    """Whether every row of y_pred meets every row of y_true: those are embeddings."""
    return any(
        call.name in PRODUCTS
        and {"y_pred", "y_true"} <= call.sources
        and any(tensor.ndim > 1 for tensor in call.inputs)
        for call in subject.trace.calls
    )


def _is_compared(subject: Subject) -> bool:
    """Whether the loss takes y_pred and y_true for the same quantity: for their difference, or for either's place."""
    truth, at = subject.y_true.to(subject.y_pred), subject.value()
    near = 1e-5 * max(1.0, abs(at))
    # Where a constant counts for nothing it is about differences: of two answers, say.
    moves = abs(subject.value(subject.y_pred + 1) - at) > near
    if moves and _subtracted(subject.trace):
        return True
    if _is_symmetric(subject):
        return not is_linear(subject)
    return moves and abs(subject.value(subject.y_pred + 1, truth + 1) - at) <= near


def _is_symmetric(subject: Subject) -> bool:
    """Whether y_pred and y_true may change places."""
    at = subject.value()
    swapped = subject.value(subject.y_true.to(subject.y_pred), subject.y_pred)
    return abs(swapped - at) <= 1e-5 * max(1.0, abs(at))


def _subtracted(trace: Trace) -> bool | None:
    """Whether y_true is subtracted from y_pred, or both from each other after the same operators.

    A residual of an equation, with differences of y_pred on one side, is of two quantities. None where they do not
    meet in a difference.
    """
    made = {name: _operators(trace, name) for name in ("y_pred", "y_true")}
    found = None
    for call in trace.calls:
        if call.name not in DIFFERENCES or len(call.inputs) < 2 or any(len(trace.of(t)) != 1 for t in call.inputs[:2]):
            continue
        sides = {name: id(tensor) for tensor in call.inputs[:2] for name in trace.of(tensor)}
        if len(sides) == 2:
            found = found or made["y_pred"].get(sides["y_pred"]) == made["y_true"].get(sides["y_true"])
    return found


def _operators(trace: Trace, name: str) -> dict[int, tuple[str, ...]]:
    """Of the tensors that come from a source alone: the operators that relate its numbers to each other."""
    made: dict[int, tuple[str, ...]] = {id(trace.sources[name]): ()}
    parts: set[int] = set()
    for call in trace.calls:
        if call.sources != {name}:
            continue
        inputs = {id(tensor) for tensor in call.inputs} & made.keys()
        several = len(inputs) > 1 and not inputs.isdisjoint(parts)
        own = [call.name] if several or call.name in OPERATORS else []
        before = [operator for one in inputs for operator in made[one]]
        changed = call.inputs[:1] if call.name == "__setitem__" else call.outputs
        for tensor in changed:
            made[id(tensor)] = tuple(sorted(before + own))
            if call.name in SLICES or not inputs.isdisjoint(parts):
                parts.add(id(tensor))
    return made


def logarithms_along(y_pred: Tensor) -> int | None:
    """The axis along which y_pred holds logarithms of probabilities; None where there is none."""
    if not y_pred.is_floating_point() or not y_pred.numel() or not bool((y_pred <= 0).all()):
        return None
    return next((axis for axis in range(y_pred.ndim) if y_pred.shape[axis] > 1 and _ones(y_pred.exp().sum(axis))), None)


def _ones(values: Tensor) -> bool:
    return bool(torch.allclose(values, torch.ones_like(values), atol=1e-3))


def _is_regression(subject: Subject, *, strictly: bool = False) -> bool:
    """Whether the loss is least where y_pred equals y_true, among predictions that go through it.

    Of strictly it is more where they go beyond it.
    """
    truth = subject.y_true.to(subject.y_pred)
    least = subject.value(truth)
    beyond = STRONG * (2 * truth - 1)
    others = [subject.y_pred, 2 * truth, 0 * truth, truth + 1, truth - 1, beyond, -beyond]
    values = [subject.value(other) for other in others]
    # Where a constant counts for nothing it is about differences, or order.
    moved = least < values[3] or least < values[4]
    return moved and all(least <= value for value in values) and (not strictly or least < values[5])


def _is_likeness(subject: Subject) -> bool:
    """Whether the loss is greatest where y_pred equals y_true, as a likeness is that nobody subtracted from 1."""
    truth = subject.y_true.to(subject.y_pred)
    others = [subject.y_pred, 2 * truth, 0 * truth, truth + 1, truth - 1]
    most = subject.value(truth)
    return _is_symmetric(subject) and all(most > subject.value(other) + 1e-3 * abs(most) for other in others)


def _is_regression_of_classes(subject: Subject) -> bool:
    """Whether the loss is least where y_pred is 1 at the true class and 0 elsewhere, as squares are."""
    hot = one_hot(subject, subject.y_true)
    if hot is None:
        return False
    least = subject.value(hot)
    others = [subject.value(other) for other in (0 * hot, subject.y_pred, 2 * hot, 2 * hot - 1, STRONG * (2 * hot - 1))]
    return least < 0.3 * others[0] and all(least < other for other in others)


def right(subject: Subject, strength: float = STRONG, y_true: Tensor | None = None) -> Tensor | None:
    """The prediction that says the truth, so strongly; None where the kinds do not tell how.

    Of a negative strength it says the opposite. Where the truth is nan, anything is right.
    """
    said = _right(subject, strength, subject.y_true if y_true is None else y_true)
    if said is None or said.shape != subject.y_pred.shape:
        return said
    return torch.where(said.isnan(), subject.y_pred, said)


def _right(subject: Subject, strength: float, truth: Tensor) -> Tensor | None:
    pair = (subject.pred_kind, subject.true_kind)
    match pair:
        case ("logits" | "scores", "class_indices"):
            hot = one_hot(subject, truth)
            return None if hot is None else strength * (2 * hot - 1)
        case (_, "binary" | "probabilities") if truth.shape != subject.y_pred.shape:
            return None
        case (_, "probabilities") if truth.ndim < 2 or not _sums_to_one(truth):
            return None
        case ("logits" | "scores", "binary"):
            return strength * signs(subject, truth)
        case ("probabilities", "binary"):
            return torch.sigmoid(strength * signs(subject, truth))
        case ("log_probabilities" | "probabilities", "class_indices"):
            hot, axis = one_hot(subject, truth), class_axis(subject)
            if hot is None or axis is None:
                return None
            squash = F.log_softmax if subject.pred_kind == "log_probabilities" else F.softmax
            return squash(strength * (2 * hot - 1), dim=axis)
        case ("logits" | "log_probabilities" | "probabilities", "probabilities"):
            safe = truth.to(subject.y_pred).clamp(min=1e-6)
            if strength < 0:
                safe = (1 / safe) / (1 / safe).sum(1, keepdim=True)
            return safe if subject.pred_kind == "probabilities" else safe.log()
        case ("real" | "positive" | "scores", "values" | "ranks" | "counts" | "boxes") if (
            truth.shape != subject.y_pred.shape
        ):
            return None
        case ("real" | "positive", "values" | "counts" | "boxes"):
            wanted = truth.to(subject.y_pred)
            return wanted if strength > 0 else opposite(wanted, positive=subject.pred_kind == "positive")
        case ("scores", "values" | "ranks" | "counts"):
            centred = truth.to(subject.y_pred) - truth.to(subject.y_pred).nanmean()
            return strength * centred / centred.nan_to_num().abs().max().clamp(min=1e-12)
    return None


def opposite(values: Tensor, *, positive: bool) -> Tensor:
    """Values mirrored at their mean, or of positive ones at their geometric mean."""
    if positive:
        logs = values.clamp(min=1e-6).log()
        return (2 * logs.nanmean() - logs).exp()
    return 2 * values.nanmean() - values


def signs(subject: Subject, truth: Tensor) -> Tensor:
    """−1 and 1 for the classes of a binary truth, which may be written as 0 and 1 or as −1 and 1."""
    numbers = truth.to(subject.y_pred)
    return numbers if subject.goes_below_zero else 2 * numbers - 1


def one_hot(subject: Subject, truth: Tensor) -> Tensor | None:
    """1 at the true class along the class axis, and 0 at all of an ignored position; None where there is no axis."""
    axis = class_axis(subject)
    if axis is None:
        return None
    classes = subject.y_pred.shape[axis]
    known = (truth >= 0) & (truth < classes)
    if subject.ignore_index is not None:
        known = known & (truth != subject.ignore_index)
    hot = F.one_hot(torch.where(known, truth, 0).long(), classes).to(subject.y_pred) * known.unsqueeze(-1)
    return hot.movedim(-1, axis)


def plausible(subject: Subject) -> Tensor:
    """A random prediction of the example's kind and size."""
    drawn = subject.random()
    match subject.pred_kind:
        case "probabilities":
            axis = class_axis(subject) if subject.true_kind == "class_indices" else 1
            several = subject.true_kind in ("class_indices", "probabilities") and axis is not None
            return F.softmax(drawn, dim=axis) if several else torch.sigmoid(drawn)
        case "log_probabilities":
            return F.log_softmax(drawn, dim=class_axis(subject) or 1)
        case "positive":
            return subject.y_pred.abs().clamp(min=1e-3) * (0.5 * drawn).exp()
        case "logits" | "embedding":
            return drawn
    # Of what is not known: in the range of the example, one of its own values in each place.
    flat = subject.y_pred.flatten()
    order = torch.randperm(flat.numel(), generator=subject.generator).to(flat.device)
    return flat[order].reshape(subject.y_pred.shape)
