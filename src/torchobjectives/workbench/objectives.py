"""From flags to an objective: the losses, by name or from a file, suited to the task, and the penalties."""

import ast
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from torchobjectives import L1, L2, ElasticNet, GroupLasso, Loss, Objective, as_loss, get, links
from torchobjectives._exports import numbered, snake_case
from torchobjectives._link import IDENTITY, LOGIT, SOFTMAX, Link
from torchobjectives._loss import name_of
from torchobjectives._registry import loss_class
from torchobjectives._spec import CUSTOM
from torchobjectives._validate import near
from torchobjectives.objective import text_of, unit_keywords
from torchobjectives.penalties import Penalty
from torchobjectives.workbench import own
from torchobjectives.workbench.config import PENALTIES, RunConfig
from torchobjectives.workbench.data import Problem
from torchobjectives.workbench.errors import InputError
from torchobjectives.workbench.metrics import metrics_of
from torchobjectives.workbench.models import first_layer
from torchobjectives.workbench.readings import Reading, reading_of

DEFAULT_LOSSES = {
    "binary": "binary_cross_entropy_loss",
    "multiclass": "cross_entropy_loss",
    "regression": "mse_loss",
}
# How a raw prediction is read where the loss does not say.
LINKS: dict[str, Link] = {"binary": LOGIT, "multiclass": SOFTMAX, "regression": IDENTITY}
TRAINABLE = ("real", "log_mean", "parameters", "quantiles", "logits", "log_probabilities", "features")
WORDS = {"true": True, "false": False}


@dataclass(frozen=True)
class Term:
    """One loss of an objective, and how it is asked for."""

    text: str
    loss: Callable[..., Tensor]
    factor: float
    task: str
    # The user's file that the loss is from.
    own: Path | None = None
    # Hyper-parameters: those asked for, and those that the training rows told.
    given: Mapping[str, Any] = field(default_factory=dict)
    filled: Mapping[str, Any] = field(default_factory=dict)

    @property
    def speaks(self) -> Loss | None:
        """The loss, where it says itself how a raw prediction is read and how wide the last layer is."""
        return self.loss if isinstance(self.loss, Loss) and type(self.loss).spec is not CUSTOM else None

    @property
    def link(self) -> Link:
        """How a raw prediction becomes a prediction."""
        return LINKS[self.task] if self.speaks is None else type(self.speaks).spec.link

    @property
    def name(self) -> str:
        """What the term is called in an objective of several."""
        if isinstance(self.loss, Loss):
            return self.loss.name
        return snake_case(name_of(self.loss))

    @property
    def shown(self) -> str:
        """The loss in one line."""
        return text_of(self.loss)

    @property
    def reading(self) -> Reading:
        """How the prediction is read where it is several numbers per row."""
        # Of a loss from the user's file only the link is stored, so only the link is used.
        return reading_of(self.speaks if self.own is None else None, self.link)

    @property
    def has_label_axis(self) -> bool:
        """Whether y_pred and y_true are (N, L), with an axis of labels, of which a column is one."""
        spec = None if self.speaks is None else type(self.speaks).spec
        return spec is not None and (spec.task, spec.unit) == ("binary", "sample")

    def predict(self, raw: Tensor) -> Tensor:
        """The prediction that a raw prediction stands for."""
        # Of a loss from the user's file only the link is stored, so only the link is used.
        return self.link.inverse(raw) if self.speaks is None or self.own is not None else self.speaks.predict(raw)

    def num_outputs(self, num_classes: int | None) -> int:
        """The width of the last layer."""
        return self.link.outputs(num_classes) if self.speaks is None else self.speaks.num_outputs(num_classes)


@dataclass(frozen=True)
class Fitted:
    """A network, and the objective it is fitted with; the first term says how predictions are read."""

    network: nn.Sequential
    terms: list[Term]
    objective: Objective
    class_weights: Tensor | None = None
    # By what the optimizer divides the objective, so that the target's unit is not the learning rate's.
    unit: float = 1.0

    @property
    def loss(self) -> Any:
        """The loss of the first term."""
        return self.terms[0].loss

    def read(self, raw: Tensor) -> Tensor:
        """What a raw prediction stands for, all of it."""
        return self.terms[0].predict(raw)

    def predict(self, raw: Tensor) -> Tensor:
        """The prediction that a raw prediction stands for: of a regression one number per row."""
        return self.terms[0].reading.value(self.read(raw))

    def evaluate(self, raw: Tensor, y_true: Tensor) -> Tensor:
        """The objective of a batch."""
        weight = None if self.class_weights is None else self.class_weights.to(raw.device)[y_true.long()]
        pairs = [(x.unsqueeze(1) if term.has_label_axis else x for x in (raw, y_true)) for term in self.terms]
        if len(self.terms) == 1:
            return self.objective(*pairs[0], model=self.network, weight=weight)
        names = list(self.objective.losses)
        y_pred, y_true_of = (dict(zip(names, column, strict=True)) for column in zip(*pairs, strict=True))
        given = {"y_pred": y_pred, "y_true": y_true_of}
        weights = None if weight is None else dict.fromkeys(names, weight)
        return self.objective(**given, model=self.network, weight=weights)


def parse_loss(text: str, whole: str | None = None) -> tuple[str, dict[str, Any]]:
    """Split ``"name key=value …"`` into the name and its hyper-parameters.

    Args:
        text: The loss.
        whole: What was asked for, in messages, where that is more than the loss.

    >>> parse_loss("focal_loss gamma=2 alpha=0.75")
    ('focal_loss', {'gamma': 2, 'alpha': 0.75})
    >>> parse_loss("my losses/file.py:MyLoss cutoffs=[2, 5] alpha=-inf hard=true link='probit'")
    ('my losses/file.py:MyLoss', {'cutoffs': [2, 5], 'alpha': -inf, 'hard': True, 'link': 'probit'})
    """
    asked = f'--loss "{text if whole is None else whole}"'
    # A value runs up to the next "word=", so that a list may hold spaces.
    name, *pairs = re.split(r"\s+(?=[^\W\d]\w*\s*=)", text.strip())
    if not re.fullmatch(r"\w+|.+\.py:\w+", name, re.ASCII if ".py:" not in name else 0):
        raise InputError(f"{asked}: {_no_name(name)}")
    given: dict[str, Any] = {}
    for pair in pairs:
        key, value = (part.strip() for part in pair.split("=", 1))
        if key in given:
            raise InputError(f"{asked}: {key} is given twice")
        if not value:
            raise InputError(f"{asked}: {key} has no value; write {key}=…")
        given[key] = _value(value)
    return name, given


def _no_name(text: str) -> str:
    """Why a text is no name of a loss."""
    first, _, rest = text.partition(" ")
    if re.search(r"\.py\b|[/:\\]", text):
        return "a loss of your own is called path/to/file.py:NAME, with a name from the file's top level"
    if rest and re.fullmatch(r"[\d.]+", first):
        return f"a factor is followed by *: {first} * {rest.strip()}"
    if re.fullmatch(r"\w+", first) and re.fullmatch(r"[^\W\d]\w*", rest.strip()):
        return f"{rest.strip()} has no value; write {rest.strip()}=…"
    return 'wanted a name and key=value pairs, such as "focal_loss gamma=2"'


def weighted(text: str) -> tuple[float, str]:
    """Split ``"0.5 * loss"`` into factor and loss; 1 where there is no factor."""
    before, star, after = text.partition("*")
    if not star or re.search(r"[=/\\]|\.py", before):  # the star is part of a value or of a path
        return 1.0, text
    try:
        factor = float(before)
    except ValueError:
        if ".py:" in after:
            return 1.0, text
        said = f"{before.strip()} is no number" if before.strip() else "there is no factor in front of *"
        raise InputError(f'--loss "{text}": {said}; half of a loss is 0.5 * NAME') from None
    if not 0 < factor < math.inf:
        raise InputError(
            f'--loss "{text}": the factor is {factor:g}, wanted a finite number greater than 0'
            + ("; a loss that shall not count is left out" if factor == 0 else "")
        )
    return factor, after


def _value(text: str) -> Any:
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        pass
    try:
        return float(text)  # inf and nan, which are no Python literals
    except ValueError:
        return text


def build_terms(config: RunConfig, problem: Problem, class_counts: list[int], width: int) -> list[Term]:
    """Return the losses that the flags ask for, with what the training rows tell filled in.

    Args:
        config: The flags.
        problem: What is to be predicted.
        class_counts: Rows of each class in the training part.
        width: Features that a loss with its own head gets to see.
    """
    told: dict[str, Any] = {"in_features": width}
    if class_counts:
        told |= {"class_counts": class_counts, "num_classes": len(class_counts)}
    if config.pos_weight == "balanced":
        if problem.task != "binary":
            raise InputError(f"--pos-weight balanced is for a binary task, and the task is {problem.task}")
        told["pos_weight"] = class_counts[0] / class_counts[1]
    terms = [_term(text, problem, told) for text in config.loss or [DEFAULT_LOSSES[problem.task]]]
    if config.pos_weight == "balanced":
        _check_pos_weight(terms)
    first, *others = terms
    classes = len(problem.classes) or None
    for other in others:
        if (other.link.name, other.num_outputs(classes)) != (first.link.name, first.num_outputs(classes)):
            raise InputError(
                f'--loss "{other.text}" reads the network\'s output otherwise than "{first.text}" '
                f"({other.link.name}, not {first.link.name}): terms of one objective share it"
            )
    return terms


def _check_pos_weight(terms: list[Term]) -> None:
    for term in terms:
        if "pos_weight" in term.given:
            raise InputError(f'--pos-weight balanced and "{term.text}" both give pos_weight: drop one of them')
    if not any("pos_weight" in term.filled for term in terms):
        made = any(isinstance(term.loss, Loss) and "pos_weight" in term.loss.values() for term in terms)
        raise InputError(
            f'--pos-weight balanced: "{terms[0].text}" '
            + ("is made already, with a pos_weight of its own" if made else "has no pos_weight")
            + "; binary_cross_entropy_loss has, or take --class-weight balanced"
        )


def _term(text: str, problem: Problem, told: dict[str, Any]) -> Term:
    factor, rest = weighted(text)
    name, given = parse_loss(rest, whole=text)
    file = own.file_of(name) if ".py:" in name else None
    try:
        loss, filled = own.build(name, given, told) if file else _from_library(name, given, problem, told)
        text_of(loss)  # a repr of the user's may fail, too
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        if file is None and not isinstance(error, TypeError | ValueError | RuntimeError | MemoryError):
            raise
        raise InputError(f'--loss "{text}": {own.reason(error, *([file] if file else []))}') from error
    term = Term(text, loss, factor, problem.task, file, given, filled)
    if term.speaks is not None:
        _check_kind(term.speaks, name, problem)
    if file is not None:
        _check_link(term)
    return term


def _check_link(term: Term) -> None:
    """Refuse a link that a run cannot store: of a loss from the user's file only the name of its link is kept."""
    public = {getattr(links, name) for name in links.__all__ if name != "Link"}
    if term.link not in public or term.link.takes:
        known = ", ".join(
            f"links.{name}" for name in links.__all__ if name != "Link" and not getattr(links, name).takes
        )
        raise InputError(
            f'--loss "{term.text}": its link, {term.link.name!r}, would be lost with the file, for a run is read '
            f"without it: give the Spec one of {known}"
        )


def _from_library(
    name: str, given: dict[str, Any], problem: Problem, told: dict[str, Any]
) -> tuple[Loss, dict[str, Any]]:
    kind = loss_class(name)
    _suit(kind, name, problem)
    for key in given:
        if key not in kind.fields():
            raise TypeError(f"{kind.__name__} has no hyper-parameter {key!r}. {near(key, kind.fields())}")
    filled = own.known(kind.fields(), given, told)
    return get(name, **{**filled, **given}), filled


def _check_kind(loss: Loss, name: str, problem: Problem) -> None:
    _suit(type(loss), name, problem)
    if getattr(loss, "from_logits", True) is False:
        raise InputError(f"--loss {name}: fit trains on logits: drop from_logits=False")
    if type(loss).spec.y_pred not in TRAINABLE:
        raise InputError(
            f"--loss {name}: it compares {type(loss).spec.y_pred}, and a column holds one number per row; "
            f"{DEFAULT_LOSSES[problem.task]} would fit"
        )


def _suit(kind: type[Loss], name: str, problem: Problem) -> None:
    task = kind.spec.task
    if task in (problem.task, "custom"):
        return
    proper = DEFAULT_LOSSES[problem.task]
    way_out = f"a {problem.task} loss such as {proper}"
    if task in problem.possible:
        way_out = f"--task {task}, or {way_out}"
    raise InputError(
        f"--loss {name} is a {task} loss, and the task is {problem.task} ({problem.reason}): use {way_out}"
    )


def with_scalar(term: Term, raw: Tensor, y_true: Tensor) -> Term:
    """The term as it is; a function or module of the user's that gives one value per row gets the contract."""
    if isinstance(term.loss, Loss):
        return term
    try:
        value = term.loss(raw, y_true)
    except (Exception, SystemExit):  # whatever it is, it is said when the whole objective is tried
        return term
    if not isinstance(value, Tensor) or not value.ndim:
        return term
    try:
        return replace(term, loss=as_loss(term.loss))
    except TypeError as error:
        raise InputError(f'--loss "{term.text}": {error}') from error


def build_penalties(config: RunConfig, network: nn.Module) -> list[Penalty]:
    """Return the penalties that the flags ask for."""
    on = f"{first_layer(network)}.weight" if config.penalty_on == "first-layer" else None
    made: dict[str, Penalty] = {
        "l1": L1(config.l1, on),
        "l2": L2(config.l2),
        "elastic_net": ElasticNet(config.elastic_net, config.l1_ratio, on),
        "group_lasso": GroupLasso(config.group_lasso, on),
    }
    return [made[name] for name in PENALTIES if getattr(config, name) > 0]


def build_objective(config: RunConfig, problem: Problem, terms: list[Term], penalties: list[Penalty]) -> Objective:
    """Return the sum of the terms plus the penalties."""
    if len(terms) == 1:
        return Objective(terms[0].loss, penalties, {"loss": terms[0].factor})
    named: dict[str, Term] = {}
    for term in terms:
        named[numbered(term.name, named)] = term
    # Columns of the history that are no loss.
    reserved = {"objective", *PENALTIES, *metrics_of(problem)}
    for name in named:
        if name in reserved:
            raise InputError(f'--loss "{named[name].text}": {name!r} is a name of the report\'s own: rename the loss')
    losses = {name: term.loss for name, term in named.items()}
    try:
        return Objective(losses, penalties, {name: term.factor for name, term in named.items()})
    except ValueError as error:
        raise InputError(f"--loss: {error}") from error


def without_penalties(fitted: Fitted, *, original: bool = False) -> Fitted:
    """The same with an objective of the losses alone.

    Args:
        fitted: The network and its objective, which shares its losses.
        original: Whether to take the losses as they were built, not as several processes share them.
    """
    names = list(fitted.objective.losses)
    built = dict(zip(names, (term.loss for term in fitted.terms), strict=True))
    losses: dict[str, Any] = built if original else dict(fitted.objective.losses.items())
    whole = losses if len(losses) > 1 else losses[names[0]]
    return replace(fitted, objective=Objective(whole, term_weights=fitted.objective.term_weights))


def class_weights(config: RunConfig, problem: Problem, class_counts: list[int], terms: list[Term]) -> Tensor | None:
    """Return the weight of a row of each class, where the flags ask for balance."""
    if config.class_weight == "none":
        return None
    if not class_counts:
        raise InputError(f"--class-weight balanced is for classes, and the task is {problem.task}")
    for term in terms:
        fields = term.loss.values() if isinstance(term.loss, Loss) else term.given
        if fields.get("class_weight") is not None:
            raise InputError(f'--class-weight balanced and "{term.text}" both weigh the classes: drop one of them')
        if "weight" not in unit_keywords(term.loss):
            raise InputError(f'--class-weight balanced: "{term.text}" takes no weight; a Loss does, as as_loss makes')
    counts = torch.tensor(class_counts, dtype=torch.float32)
    return counts.sum() / (len(class_counts) * counts)
