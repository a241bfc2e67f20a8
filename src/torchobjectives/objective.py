"""The objective: named loss terms plus penalties, one scalar, every term reported."""

import copy
import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias, cast, final

from torch import Tensor, nn

from torchobjectives._exports import numbered, snake_case
from torchobjectives._loss import parameters_of
from torchobjectives._validate import inside_transform, near, number
from torchobjectives.penalties.plan import Plan

__all__ = ["BoundObjective", "Objective"]

LossTerm: TypeAlias = Callable[..., Tensor]


@final
class Objective(nn.Module):
    r"""Losses plus penalties, as one scalar with graph.

    .. math:: \sum_k c_k \, \ell_k(y_k^{pred}, y_k^{true}) + \sum_j R_j(\text{model})

    After a call, :attr:`terms` holds every term by name, detached, as it entered the sum. The model is given
    with the call (or once, by :meth:`bind`) and never owned: it is in no ``state_dict`` and no
    ``parameters()`` of the objective. What a loss learns itself is in both.

    Args:
        loss: What is called as ``loss(y_pred, y_true)`` and gives a scalar: a loss of this library or of
            torch, a function, any module; with ``weight`` and ``mask`` as keywords where they are given. Or a
            dict of such, by name: then y_pred, y_true and, if given, weight and mask are dicts with those
            names.
        penalties: What has ``value(model)`` giving a scalar. Their terms are called ``l1``, ``l2``,
            ``elastic_net``, ``group_lasso``; a second one ``l1_2``.
        term_weights: Factors c of named losses, 1 where none is given. Penalties have coefficients of their
            own.

    Raises:
        ValueError: Penalties and no model; unknown or missing names in a dict; a term that is no scalar
            tensor.
        TypeError: A loss that cannot be called, or a class instead of its instance; a penalty without
            ``value``.

    Example:
        >>> from torchobjectives.penalties import L1, L2
        >>> model = nn.Linear(2, 1, bias=False)
        >>> _ = nn.init.constant_(model.weight, -3.0)
        >>> objective = Objective(nn.MSELoss(), penalties=[L1(0.1), L2(0.01)])
        >>> import torch
        >>> x, y_true = torch.ones(4, 2), torch.zeros(4, 1)
        >>> objective(model(x), y_true, model=model)
        tensor(36.6900, grad_fn=<AddBackward0>)
        >>> {name: round(term.item(), 2) for name, term in objective.terms.items()}
        {'loss': 36.0, 'l1': 0.6, 'l2': 0.09}
        >>> print(objective)
        MSELoss() + 0.1·Σ|w| + ½·0.01·Σw²
    """

    def __init__(
        self,
        loss: LossTerm | Mapping[str, LossTerm],
        penalties: Iterable[Any] = (),
        term_weights: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__()
        self._named = isinstance(loss, Mapping | nn.ModuleDict)  # a ModuleDict, too, has names and no call
        losses = dict(cast("Mapping[str, LossTerm]", loss if self._named else {"loss": loss}).items())
        if not losses:
            raise ValueError('an objective needs at least one loss; got an empty dict, wanted {"main": …}')
        for name, term in losses.items():
            _check_name(name)
            _check_loss(name, term)
        named_penalties = _named_penalties(penalties, taken=losses)
        self._weights = _checked_weights(term_weights or {}, losses)
        self._accepted = {name: unit_keywords(term) for name, term in losses.items()}
        self._terms: dict[str, Tensor] = {}
        self._plan: Plan | None = None
        self.losses = nn.ModuleDict({name: _as_module(term) for name, term in losses.items()})
        self._penalties = nn.ModuleDict({name: _as_module(item) for name, item in named_penalties.items()})

    if TYPE_CHECKING:

        def __call__(  # noqa: D102
            self,
            y_pred: Any,
            y_true: Any,
            *,
            model: nn.Module | None = None,
            weight: Any = None,
            mask: Any = None,
        ) -> Tensor: ...

    def forward(
        self,
        y_pred: Any,
        y_true: Any,
        *,
        model: nn.Module | None = None,
        weight: Any = None,
        mask: Any = None,
    ) -> Tensor:
        """The sum of all terms. Penalties need the ``model``; the rest goes to the losses."""
        terms = self._loss_terms(y_pred, y_true, weight, mask) | self._penalty_terms(model)
        first, *rest = terms.values()
        total = first
        for term in rest:
            total = total + term.to(total.device)
        # Copies, because the usual ``loss /= steps`` of gradient accumulation works in place. Inside torch.func
        # transforms there is nothing to keep: their tensors end with them.
        self._terms = {} if inside_transform() else {name: term.detach().clone() for name, term in terms.items()}
        return total

    @property
    def terms(self) -> Mapping[str, Tensor]:
        """Every term of the last call by name, detached, as it entered the sum; read-only.

        Terms that a plan carries did not enter it: their values are those of the weights when they are read.
        """
        if self._plan is None or not self._terms:
            return MappingProxyType(self._terms)
        return Reported(self._terms, self._plan, list(self._penalties))

    @property
    def penalties(self) -> Mapping[str, Any]:
        """The penalties by the names of their terms; read-only."""
        return MappingProxyType({name: _item(module) for name, module in self._penalties.items()})

    @property
    def term_weights(self) -> Mapping[str, float]:
        """The factor of every loss term by name; read-only."""
        return MappingProxyType(self._weights)

    def bind(self, model: nn.Module) -> "BoundObjective":
        """The objective of this one model, for trainers that call ``loss(y_pred, y_true)``.

        It shares this objective, its terms and its learnable losses, and refers to the model without owning
        it.

        Raises:
            TypeError: ``model`` is no module.
        """
        return BoundObjective(self, model)

    def attach(self, optimizer: Any, model: nn.Module, method: str | Mapping[str, str] = "auto") -> Plan:
        """Apply the penalties at each step of an optimizer, where L1 gives exact zeros, instead of in the loss.

        From then on a call returns the losses, and what stays with ``method="loss"``; :attr:`terms` still reports
        every penalty. Which tensors are penalised is settled now: attach after the model is wrapped, moved and frozen.
        A checkpoint of the optimizer may be loaded before or after; it resumes the plan.

        Args:
            optimizer: Whose steps are followed; it holds the penalised parameters.
            model: Whose parameters are penalised.
            method: ``"auto"``, or one of the following for all penalties, or a dict of them by term.
                ``"proximal"``: a proximal step after each step, with the step size and metric of the optimizer (SGD,
                Adam, AdamW, NAdam, RAdam, RMSprop, Adagrad). ``"dual_averaging"``: the same on the sum of all steps,
                which finds the right zeros under minibatch noise. ``"gradient"``: the slope is added to the gradients
                before each step. ``"weight_decay"``: the optimizer's own option, where that is L2. ``"loss"``: through
                autograd, as without a plan. ``"auto"`` takes proximal steps for L1, ElasticNet, GroupLasso and what
                has a ``prox``, and for L2 ``"weight_decay"`` where that is exact, else ``"gradient"``.

        Returns:
            The plan: print it. ``plan.detach()`` undoes it.

        Raises:
            ValueError: No penalties, attached already, a parameter that the optimizer does not hold, an optimizer
                without a proximal step, a method that cannot carry a penalty, a penalty on nothing.
            TypeError: What is no optimizer or no module.

        Example:
            >>> import torch
            >>> from torchobjectives import L1, MSELoss
            >>> _ = torch.manual_seed(0)
            >>> x = torch.randn(64, 5)
            >>> y_true = x[:, :1] - x[:, 1:2]
            >>> model = nn.Linear(5, 1)
            >>> objective = Objective(MSELoss(), penalties=[L1(0.2)])
            >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
            >>> plan = objective.attach(optimizer, model)
            >>> for _ in range(200):
            ...     optimizer.zero_grad()
            ...     objective(model(x), y_true).backward()
            ...     optimizer.step()
            >>> (model.weight == 0).sum()
            tensor(3)
        """
        if not isinstance(model, nn.Module):
            raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}")
        if self._plan is not None:
            raise ValueError("this objective is attached already: plan.detach() it first.")
        self._plan = Plan(self, optimizer, model, method)
        return self._plan

    @property
    def plan(self) -> Plan | None:
        """The plan by which the penalties are attached; None where they are part of the returned scalar."""
        return self._plan

    def formula(self) -> str:
        """The objective as one line: ``FocalLoss(gamma=2.0) + 0.0001·Σ|w| + ½·0.001·Σw²``."""
        factors = [(self._weights[name], text_of(_item(term))) for name, term in self.losses.items()]
        parts = [text if factor == 1 else f"{factor}·{text}" for factor, text in factors]
        for penalty in self.penalties.values():
            parts.append(penalty.formula() if hasattr(penalty, "formula") else text_of(penalty))
        return " + ".join(parts)

    def __str__(self) -> str:
        return self.formula()

    def __getstate__(self) -> dict[str, Any]:
        # The last call's terms are a report, not state; on another machine their device may not exist.
        # A copy is attached to nothing: the optimizer and the model of the plan are not copied with it.
        return {**self.__dict__, "_terms": {}, "_plan": None}

    def _loss_terms(self, y_pred: Any, y_true: Any, weight: Any, mask: Any) -> dict[str, Tensor]:
        if not self._named:
            return {"loss": self._term("loss", y_pred, y_true, weight, mask)}
        predictions = self._by_name("y_pred", y_pred)
        targets = self._by_name("y_true", y_true)
        unit_weights = self._by_name("weight", weight, optional=True)
        masks = self._by_name("mask", mask, optional=True)
        return {
            name: self._term(name, predictions[name], targets[name], unit_weights.get(name), masks.get(name))
            for name in self.losses
        }

    def _term(self, name: str, y_pred: Any, y_true: Any, weight: Any, mask: Any) -> Tensor:
        given = {key: value for key, value in (("weight", weight), ("mask", mask)) if value is not None}
        for key in given:
            if key not in self._accepted[name]:
                text = text_of(_item(self.losses[name]))
                raise TypeError(f"the loss of term {name!r}, {text}, takes no {key}; wrap it with as_loss or drop it")
        value = _scalar(name, self.losses[name](y_pred, y_true, **given))
        factor = self._weights[name]
        return value if factor == 1 else factor * value

    def _penalty_terms(self, model: nn.Module | None) -> dict[str, Tensor]:
        plan = self._plan
        kept = [name for name in self._penalties if plan is None or plan.methods[name] == "loss"]
        if model is None and plan is None and kept:
            raise ValueError(
                f"this objective has penalties ({', '.join(kept)}) and got no model: call "
                "objective(y_pred, y_true, model=model), or objective.bind(model) once"
            )
        values = {name: plan.value(name) if plan else self.penalties[name].value(model) for name in kept}
        return {name: _scalar(name, value, shape_fix="let value(model) return a sum") for name, value in values.items()}

    def _by_name(self, what: str, given: Any, *, optional: bool = False) -> Mapping[str, Any]:
        """``given`` as a dict with the names of the losses; one that is optional may lack some or all."""
        names = list(self.losses)
        if given is None and optional:
            return {}
        if not isinstance(given, Mapping):
            raise TypeError(f"{what} must be a dict with the names of the losses, {names}, got {type(given).__name__}")
        _refuse_unknown(what, given, names)
        missing = [name for name in names if name not in given]
        if missing and not optional:
            raise ValueError(f"{what} has nothing for {missing}; it needs one entry for each of {names}")
        return given


@final
class Reported(Mapping[str, Tensor]):
    """The terms of a call, and the values of those that a plan carries, computed when they are read."""

    def __init__(self, terms: Mapping[str, Tensor], plan: Plan, penalties: list[str]) -> None:
        self._terms, self._plan = terms, plan
        losses = [name for name in terms if name not in penalties]
        self._names = losses + penalties

    def __getitem__(self, name: str) -> Tensor:
        if name in self._terms or name not in self._names:
            return self._terms[name]
        return self._plan.value(name).detach()

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return repr(dict(self))


@final
class BoundObjective(nn.Module):
    """An objective that knows its model: called as ``bound(y_pred, y_true)``.

    Made by :meth:`Objective.bind`. The model is referred to, not owned: its parameters are not among
    ``parameters()`` and not in ``state_dict()``, and ``.to()`` leaves it alone. A deep copy refers to the
    same model, or, where the same operation copies the model too (a module that holds both), to its copy.

    Args:
        objective: The objective, shared.
        model: Whose parameters its penalties are about.
    """

    def __init__(self, objective: Objective, model: nn.Module) -> None:
        super().__init__()
        if not isinstance(model, nn.Module):
            raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}")
        self.objective = objective
        self._model = (model,)  # in a tuple, where nn.Module does not look for submodules
        self._copies: dict[int, Any] = {}

    if TYPE_CHECKING:

        def __call__(  # noqa: D102
            self, y_pred: Any, y_true: Any, *, weight: Any = None, mask: Any = None
        ) -> Tensor: ...

    def forward(self, y_pred: Any, y_true: Any, *, weight: Any = None, mask: Any = None) -> Tensor:
        """The objective with its model."""
        return self.objective(y_pred, y_true, model=self._bound(), weight=weight, mask=mask)

    def _bound(self) -> nn.Module:
        """The model; after a deep copy its copy, if the same operation made one."""
        if self._copies:
            self._model = (self._copies.get(id(self._model[0]), self._model[0]),)
            self._copies = {}
        return self._model[0]

    @property
    def terms(self) -> Mapping[str, Tensor]:
        """The terms of the objective's last call."""
        return self.objective.terms

    def formula(self) -> str:
        """The objective as one line."""
        return self.objective.formula()

    def __str__(self) -> str:
        return self.formula()

    def __deepcopy__(self, memo: dict[int, Any]) -> "BoundObjective":
        copied = BoundObjective.__new__(BoundObjective)
        memo[id(self)] = copied
        model = self._bound()
        for key, value in self.__dict__.items():
            copied.__dict__[key] = (model,) if key == "_model" else copy.deepcopy(value, memo)
        # The model may be copied after this: which copy is meant is looked up when the whole operation is over.
        copied._copies = memo
        return copied

    def __getstate__(self) -> dict[str, Any]:
        self._bound()
        return self.__dict__


class _Held(nn.Module):
    """Gives a plain object, a function or a penalty, its place among modules."""

    def __init__(self, item: Any) -> None:
        super().__init__()
        self.item = item
        # A method or a partial of a module: what that module learns is learnt here too.
        self.behind = _module_behind(item)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.item(*args, **kwargs)

    def __repr__(self) -> str:
        return text_of(self.item)


def _module_behind(item: Any) -> nn.Module | None:
    while isinstance(item, functools.partial):
        item = item.func
    item = getattr(item, "__self__", item)
    return item if isinstance(item, nn.Module) else None


def _as_module(item: Any) -> nn.Module:
    return item if isinstance(item, nn.Module) else _Held(item)


def _item(module: nn.Module) -> Any:
    return module.item if isinstance(module, _Held) else module


def _scalar(name: str, value: object, shape_fix: str = 'give the loss reduction="mean"') -> Tensor:
    if isinstance(value, Tensor) and value.ndim == 0:
        return value
    if isinstance(value, Tensor):
        got, fix = f"a tensor of shape {tuple(value.shape)}", shape_fix
    else:
        number = isinstance(value, int | float)
        got = f"a {type(value).__name__}"
        fix = "return the tensor itself, without .item(), or nothing is learnt" if number else "return the loss alone"
    raise ValueError(f"term {name!r} must be a scalar tensor, got {got}: {fix}")


def _check_name(name: object) -> None:
    if not isinstance(name, str):
        raise TypeError(f"the name of a term must be a string, got {name!r}")
    if not name or "." in name or hasattr(nn.ModuleDict(), name):
        raise ValueError(f"{name!r} cannot name a term (empty, dotted, or a word of torch's own): choose another")


def _check_loss(name: str, term: object) -> None:
    if isinstance(term, type):
        raise TypeError(f"the loss of term {name!r} is the class {term.__name__}: pass {term.__name__}(), an instance")
    if not callable(term):
        raise TypeError(f"the loss of term {name!r} must be callable as loss(y_pred, y_true), got {term!r}")


def _named_penalties(penalties: Iterable[Any], taken: Iterable[str]) -> dict[str, Any]:
    """The penalties by term name: their own, with ``_2``, ``_3`` … from the second of a name on."""
    if not isinstance(penalties, Iterable):
        raise TypeError(f"penalties must be a list, got {penalties!r}: put it in brackets")
    named: dict[str, Any] = {}
    for penalty in penalties:
        if isinstance(penalty, type) or not callable(getattr(penalty, "value", None)):
            raise TypeError(f"a penalty must be an object with value(model), such as L1(1e-4), got {penalty!r}")
        name = getattr(penalty, "name", None) or snake_case(type(penalty).__name__)
        _check_name(name)
        named[numbered(name, named)] = penalty
    for name in taken:
        if name in named:
            raise ValueError(f"{name!r} names both a loss and a penalty ({named[name]!r}): rename the loss")
    return named


def _checked_weights(term_weights: Mapping[str, float], losses: Mapping[str, Any]) -> dict[str, float]:
    if not isinstance(term_weights, Mapping):
        raise TypeError(f'term_weights must be a dict such as {{"aux": 0.1}}, got {term_weights!r}')
    _refuse_unknown("term_weights", term_weights, list(losses))
    given = {name: number(f"term_weights[{name!r}]", weight) for name, weight in term_weights.items()}
    return {name: given.get(name, 1.0) for name in losses}


def _refuse_unknown(what: str, given: Mapping[str, Any], names: list[str]) -> None:
    for name in given:
        if name not in names:
            raise ValueError(f"{what} has the unknown name {name!r}. {near(str(name), names)}")


def unit_keywords(term: LossTerm) -> tuple[str, ...]:
    """Which of ``weight`` and ``mask`` a loss takes; needed only to refuse one in words."""
    parameters = parameters_of(term)
    if parameters is None:  # a function written in C
        return ("weight", "mask")
    open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    return tuple(key for key in ("weight", "mask") if open_ended or key in parameters)


def text_of(item: Any) -> str:
    """A loss or penalty in one line: a function by its name, a partial with its arguments, else the repr."""
    if isinstance(item, functools.partial):
        arguments = [*map(repr, item.args), *(f"{key}={value!r}" for key, value in item.keywords.items())]
        return f"{text_of(item.func)}({', '.join(arguments)})"
    if inspect.isroutine(item):
        return item.__name__
    if getattr(type(item), "__repr__", None) is object.__repr__:  # no address in a report
        return f"{type(item).__name__}()"
    return " ".join(repr(item).split())
