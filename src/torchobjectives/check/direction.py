"""Checks of which of two predictions is the better one: the nearer to the truth, or the one that the caller prefers."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from torchobjectives.check._check import Check, check
from torchobjectives.check._flow import flow
from torchobjectives.check._kinds import class_axis, has_head, one_hot, relabelled, right
from torchobjectives.check._probes import CLASSIFIED, STRENGTHS, hot_truth, is_hard, lowest, reach
from torchobjectives.check._report import Finding, number
from torchobjectives.check._subject import Subject
from torchobjectives.check.dtypes import wrapped


@check("prefers", needs=("prefers",))
def prefers(subject: Subject) -> Iterator[Finding]:
    """Of each pair that the caller gives the first costs less."""
    for place, (good, bad) in enumerate(subject.prefers):
        better, worse = subject.value(good), subject.value(bad)
        if better < worse:
            continue
        said = "costs as much as" if better == worse else "costs more than"
        yield Finding(
            "wrong-direction",
            "error",
            f"Pair {place} of prefers: the better prediction {said} the worse one, {number(better)} against "
            f"{number(worse)}. Training goes the wrong way there.",
            "Look at what tells the two apart: a swapped hyper-parameter, side of a quantile, or order.",
            {"pair": place, "better": better, "worse": worse},
        )


@check(
    "direction",
    needs=("number", "y_pred_kind", "y_true_kind"),
    unless=("argument-order", "broadcast", "probs-vs-logits", "constant-loss"),
)
def direction(subject: Subject) -> Iterator[Finding]:
    """A prediction that is nearer to the truth costs less."""
    if wrapped(subject) is not None:
        return  # it is the arithmetic of y_true that goes wrong
    if moved := reversed_all(subject):
        better, worse = moved
        yield Finding(
            "wrong-direction",
            subject.level("error", "warning"),
            f"Moving every prediction towards its target raises the loss: {number(worse)} → {number(better)}. The sign "
            "of this term is reversed" + _by_sign(subject, worse) + ".",
            "Swap what is done to pairs of one label and of two; of distances as logits take the negative."
            if subject.pred_kind == "embedding"
            else "Turn it round: return -loss, or 1 - loss of an overlap or a correlation; of pairs swap the two.",
            {"towards": better, "away": worse},
        )
        return
    for name, better, worse in _reversed_parts(subject):
        yield Finding(
            "wrong-direction",
            subject.level("error", "warning"),
            f"Moving the predictions of {name} towards their target raises the loss, {number(worse)} → "
            f"{number(better)}, while the others lower it: a sign is wrong in that branch.",
            f"Look at the term of {name}: its sign, and which of the two classes its factor selects.",
            {"part": name, "towards": better, "away": worse},
        )
        return


def _by_sign(subject: Subject, worse: float) -> str:
    return ": a minus is missing" if worse < 0 and subject.true_kind in CLASSIFIED else ""


def reversed_all(subject: Subject) -> tuple[float, float] | None:
    """The loss of predictions that are right and of such that are wrong, where the former is the greater one."""
    pairs = []
    for said, denied in _towards_and_away(subject):
        better, worse = subject.value(said), subject.value(denied)
        # Of nan nothing is greater.
        if not better > worse + 1e-5 * max(abs(better), abs(worse)):
            return None
        pairs.append((better, worse))
    return pairs[0] if pairs and _denial_is_wanted(subject) else None


def _towards_and_away(subject: Subject) -> Iterator[tuple[Tensor, Tensor]]:
    """Pairs of predictions, of which the first is the better one."""
    truth = right(subject)
    if subject.pred_kind == "embedding" and subject.true_kind == "labels_of_embeddings":
        yield from _clusters(subject)
    if subject.pred_kind == "embedding" and subject.true_kind == "values" and _meets(subject):
        target, start = subject.y_true.to(subject.y_pred), subject.y_pred
        yield from ((target, start), (0.5 * (target + start), start), (target, start + subject.random()))
    if truth is None or (subject.pred_kind == "logits" and _is_of_what_it_is_not(subject)):
        return
    if subject.true_kind == "ranks" and _are_places(subject.y_true):
        return
    if subject.true_kind in ("values", "counts", "boxes") and not (subject.pred_kind == "scores" and subject.sure):
        for start in (subject.y_pred, truth + truth.flatten().std(correction=0) * subject.random()):
            # On both sides: what is linear goes up on one of them only.
            yield from ((truth, start), (truth, 2 * truth - start), (0.5 * (truth + start), start))
        return
    for strength in (2.0, 0.5, 6.0):
        said, denied = (_said(subject, way * strength) for way in (1, -1))
        if said is None or denied is None:
            return
        yield said, denied
    turned = right(subject, -1.0)
    if subject.true_kind == "probabilities" and turned is not None:
        yield truth, turned


def _meets(subject: Subject) -> bool:
    """Whether each embedding has a target of its own, to be like it."""
    return subject.y_pred.shape == subject.y_true.shape and subject.y_true.is_floating_point()


def _are_places(ranks: Tensor) -> bool:
    """Whether each row holds every place once: the first may be the best one, where of grades the greatest is."""
    rows = ranks.reshape(-1, ranks.shape[-1]) if ranks.ndim else ranks.reshape(1, 1)
    places = torch.arange(rows.shape[1], device=ranks.device)
    ordered = rows.sort(1).values
    return bool((ordered - ordered[:, :1] == places).all())


def _clusters(subject: Subject) -> Iterator[tuple[Tensor, Tensor]]:
    """Embeddings of which those of a class are alike, and embeddings of which those of different classes are."""
    labels = subject.y_true.flatten()
    # Where the loss has places of its own for the classes, any others are wrong.
    if labels.is_floating_point() or labels.dtype == torch.bool or has_head(subject) or not relabelled(subject):
        return
    labels = labels.long()
    kinds, index = sorted(set(labels.tolist())), torch.zeros_like(labels)
    rank = torch.zeros_like(labels)
    for place, label in enumerate(kinds):
        same = labels == label
        index[same], rank[same] = place, torch.arange(int(same.sum()), device=labels.device)
    if subject.y_pred.ndim != 2 or labels.numel() != len(subject.y_pred) or int(rank.max()) < 1 or len(kinds) < 2:
        return
    for size in (1.0, 4.0, 0.5, 2.0):
        corners = subject.random(labels.numel(), subject.y_pred.shape[1])
        corners = size * corners / corners.norm(dim=1, keepdim=True)
        noise = 0.1 * size * subject.random()
        yield corners[index] + noise, corners[rank] + noise


def _denial_is_wanted(subject: Subject) -> bool:
    """Whether of logits the opposite of the truth is about the best: by chance it may only be the better half."""
    if subject.pred_kind not in ("logits", "scores") or subject.true_kind not in CLASSIFIED:
        return True
    opposites = (said for strength in STRENGTHS if (said := _said(subject, -strength)) is not None)
    denied, reached = lowest(subject, opposites), reach(subject)
    gained = reached.undecided - denied
    return gained > 0 and gained >= 0.5 * (reached.undecided - reached.descended)


def _said(subject: Subject, strength: float) -> Tensor | None:
    """The prediction that says the truth so strongly; of a distribution its likeliest class."""
    if subject.true_kind != "probabilities":
        return right(subject, strength)
    if right(subject) is None:
        return None
    truth = subject.y_true.to(subject.y_pred)
    said = strength * (2 * (truth == truth.amax(1, keepdim=True)).to(truth) - 1)
    kinds = {"logits": said, "log_probabilities": said.log_softmax(1), "probabilities": said.softmax(1)}
    return kinds.get(subject.pred_kind or "")


def _is_of_what_it_is_not(subject: Subject) -> bool:
    """Whether y_true names a class that is not the true one: the logarithm of 1 − its probability is asked for."""
    seen = flow(subject.trace, subject.y_pred.numel())
    logs = any(call.name in ("log", "log1p") for call in subject.trace.calls)
    return subject.true_kind == "class_indices" and not subject.sure and logs and bool(seen.complements)


def _reversed_parts(subject: Subject) -> Iterator[tuple[str, float, float]]:
    """Classes whose predictions cost more where they are right."""
    hot = hot_truth(subject)
    if hot is None or subject.pred_kind not in ("logits", "scores") or subject.true_kind == "probabilities":
        return
    if not is_hard(subject):
        return
    reached = reach(subject)
    gained, possible = reached.undecided - reached.best, reached.undecided - reached.descended
    if subject.true_kind == "class_indices" and gained < 0.3 * possible:
        return  # the right prediction is not what it is taken for
    if subject.true_kind == "binary":
        parts = {"the positives": hot > 0.5, "the negatives": hot < 0.5}
    else:
        axis = class_axis(subject)
        assert axis is not None
        several = min(subject.y_pred.shape[axis], 6)
        marks = {c: one_hot(subject, torch.where(subject.y_true == c, subject.y_true, -1)) for c in range(several)}
        parts = {
            f"class {c}": mark.sum(axis, keepdim=True).expand_as(mark) > 0
            for c, mark in marks.items()
            if mark is not None
        }
    way = 2 * hot - 1
    for name, part in parts.items():
        if not bool(part.any()):
            continue
        if pairs := _reversed_part(subject, part, way):
            yield name, *pairs[1]


def _reversed_part(subject: Subject, part: Tensor, way: Tensor) -> list[tuple[float, float]]:
    """What right and wrong predictions of a part cost, where the right ones always cost more; else nothing."""
    pairs = []
    for base in (torch.zeros_like(way), subject.y_pred):
        for strength in (0.5, 2.0, 6.0):
            better, worse = (subject.value(torch.where(part, sign * strength * way, base)) for sign in (1, -1))
            if not better > worse + 1e-4 * max(abs(better), abs(worse)):
                return []
            pairs.append((better, worse))
    # Of what is only in the wrong place the opposite is no gain either.
    denied, said = min(worse for _, worse in pairs[:3]), max(better for better, _ in pairs[:3])
    reached = reach(subject)
    wanted = 0.1 * min(said - denied, reached.undecided - reached.descended)
    return pairs if reached.undecided - denied > wanted else []


CHECKS: tuple[Check, ...] = (prefers, direction)
