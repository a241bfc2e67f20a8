"""The class form of a loss: it holds hyper-parameters, calls the function and holds no maths."""

from __future__ import annotations

import abc
import functools
import inspect
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Self, final

import torch
from torch import Tensor, nn

from torchobjectives import _reduction, _validate
from torchobjectives._exports import snake_case
from torchobjectives._fields import Fields, owned
from torchobjectives._link import unweighted
from torchobjectives._reduction import Reduction, full_precision, widened, without_autocast
from torchobjectives._spec import CUSTOM, Spec

_CONTRACT: Final = ("weight", "mask", "reduction")
# A function takes weight, mask and reduction itself, or returns one value per unit, the latter perhaps only when
# asked for reduction="none", as torch's.
Convention = Literal["contract", "values", "torch"]


class Loss(Fields, abc.ABC):
    """Base of every loss class: ``loss(y_pred, y_true, *, weight=None, mask=None)`` → scalar.

    A subclass names its function and lists its hyper-parameters; classes are either abstract or final.
    The function is either in the full contract (it takes ``weight``, ``mask`` and ``reduction`` itself), or
    takes only ``y_pred``, ``y_true`` and hyper-parameters and returns one value per unit.

    >>> import torch
    >>> from torchobjectives import Loss
    >>> class PowerLoss(Loss):
    ...     power: float = 3.0
    ...     @staticmethod
    ...     def function(y_pred, y_true, *, power):
    ...         return (y_pred - y_true).abs() ** power
    >>> PowerLoss(power=2.0)(torch.tensor([1.0, 3.0]), torch.tensor([0.0, 0.0]))
    tensor(5.)
    >>> PowerLoss(powr=2.0)
    Traceback (most recent call last):
    TypeError: PowerLoss has no hyper-parameter 'powr'. Did you mean 'power'?

    Args:
        reduction: ``"mean"`` (Σwℓ/Σw), ``"sum"`` (Σwℓ) or ``"none"`` (wℓ per unit).
    """

    function: ClassVar[Callable[..., Tensor]]
    spec: ClassVar[Spec] = CUSTOM
    # Buffers whose numbers must stay exact, such as counts: .half() and .to(dtype) leave them the dtype they have.
    float64_buffers: ClassVar[tuple[str, ...]] = ()
    _convention: ClassVar[Convention] = "contract"
    _class_facts = ("function", "spec")

    reduction: Reduction = "mean"

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        if "forward" not in cls.__dict__:
            # A code object of its own: torch.compile counts recompilations per code object, not per class.
            cls.forward = _copied(cls.forward)  # type: ignore[method-assign]
        if "function" in cls.__dict__:
            given = cls.__dict__["function"]
            if inspect.isfunction(given):
                cls.function = staticmethod(given)
            cls._convention = convention_of(cls.function)

    def __init__(self, *args: Any, **given: Any) -> None:
        super().__init__(*args, **given)
        self._check()

    def _check(self) -> None:
        """Check the hyper-parameters by calling the function, the one home of those checks, on nothing."""
        if not hasattr(type(self), "function"):
            raise TypeError(f"{type(self).__name__} is abstract: it names no function.")
        _validate.choice("reduction", self.reduction, _reduction.REDUCTIONS)
        # A function of the user's own is not called: nothing says what an empty batch of it looks like.
        if getattr(type(self).function, "in_contract", False):
            with torch.no_grad():
                self.evaluate(*self._nothing(), reduction="sum")

    def _nothing(self) -> tuple[Tensor, Tensor]:
        """An empty batch of the shape this loss takes."""
        fields = self.values()
        tensors = [t for t in fields.values() if isinstance(t, Tensor)]
        device = next((t.device for t in (*self.buffers(), *self.parameters())), torch.device("cpu"))
        spec = type(self).spec
        if spec.y_true in ("classes", "masks"):
            # One number per class, or a matrix of classes.
            classes = next((len(t) for t in tensors if t.ndim in (1, 2)), 2)
            y_true = torch.empty(0, dtype=torch.long, device=device)
            return torch.empty(0, classes, device=device), y_true
        if spec.y_pred in ("parameters", "quantiles", "logits") and spec.y_true == "real":
            one = spec.y_pred == "quantiles" and not isinstance(fields["quantiles"], tuple)
            axes = () if one else (len(spec.parameters) or self.num_outputs(),)
            return torch.empty(0, *axes, device=device), torch.empty(0, device=device)
        dim = fields.get("dim", -1)
        least = max(dim, -1 - dim, 1) if isinstance(dim, int) else 1
        try:
            inner = torch.broadcast_shapes((1,) * least, *(t.shape for t in tensors))  # type: ignore[no-untyped-call]
        except RuntimeError as error:
            shapes = ", ".join(str(tuple(t.shape)) for t in tensors)
            raise ValueError(f"the tensors given have shapes {shapes}, which do not broadcast together.") from error
        return torch.empty(0, *inner, device=device), torch.empty(0, *inner, device=device)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        if fn(torch.empty(0)).device.type == "mps":  # which has no float64
            self._buffers.update(
                {n: b if b is None or b.dtype != torch.float64 else b.float() for n, b in self._buffers.items()}
            )
        kept = {name: b for name in self.float64_buffers if (b := self._buffers.get(name)) is not None}
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for name, before in kept.items():
            after = self.get_buffer(name)
            if after.dtype != before.dtype:
                self._buffers[name] = before.to(after.device)
        return self

    @property
    def name(self) -> str:
        """The name of the function, under which the loss is known; of one without, the class's in snake case."""
        name = name_of(type(self).function)
        return snake_case(type(self).__name__) if name == "function" else name

    def hyper_parameters(self) -> dict[str, Any]:
        """The fields that go to the function: all but ``reduction``."""
        values = self.values()
        del values["reduction"]
        return values

    def evaluate(
        self,
        y_pred: Tensor,
        y_true: Tensor,
        *,
        weight: Tensor | None = None,
        mask: Tensor | None = None,
        reduction: Reduction = "mean",
    ) -> Tensor:
        """Evaluate under any reduction, whatever ``self.reduction`` says."""
        given = self.hyper_parameters()
        population: dict[str, Any] = {"weight": weight, "mask": mask, "reduction": reduction}
        if self._convention == "contract":
            return self.function(y_pred, y_true, **given, **population)
        if self._convention == "torch":
            given["reduction"] = "none"
        return reduce_values(y_pred, y_true, function=self.function, hyper_parameters=given, **population)

    def forward(
        self, y_pred: Tensor, y_true: Tensor, *, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        """Evaluate under ``self.reduction``."""
        return self.evaluate(y_pred, y_true, weight=weight, mask=mask, reduction=self.reduction)

    if TYPE_CHECKING:

        def __call__(
            self, y_pred: Tensor, y_true: Tensor, *, weight: Tensor | None = None, mask: Tensor | None = None
        ) -> Tensor: ...

    def predict(self, y_pred: Tensor, *, calibrated: bool = False) -> Tensor:
        """Turn a raw prediction into a prediction: a probability, or a value on the scale of y_true.

        Args:
            y_pred: the raw prediction that the loss takes.
            calibrated: give the true probability of which the prediction is the minimiser: undo what a loss that
                is not proper, class weights or label smoothing do to it.

        Returns:
            The prediction in the dtype of ``y_pred``; half precision is computed in float32.

        Raises:
            ValueError: the loss knows no link, or no inverse for ``calibrated``.
        """
        spec = type(self).spec
        if spec is CUSTOM:
            raise ValueError(
                f"{self.name} does not say how a raw prediction becomes a prediction. "
                "Subclass Loss and give it spec=Spec(..., link=...)."
            )
        if calibrated and spec.calibration is None and not spec.proper:
            raise ValueError(f"{self.name} is not proper and no inverse is known: leave out calibrated=True.")
        _validate.tensor("y_pred", y_pred)
        # In the precision of the loss itself: half inputs in float32, autocast off, the dtype restored.
        wide = widened(y_pred)
        with without_autocast(y_pred.device.type):
            raw = getattr(self, "from_logits", True)
            prediction = spec.link.inverse(wide, **self._taken(spec.link.takes)) if raw else wide
            prediction = self._calibrated(prediction) if calibrated else prediction
        return prediction.to(y_pred.dtype) if prediction.dtype is wide.dtype else prediction

    def _calibrated(self, prediction: Tensor) -> Tensor:
        calibration = type(self).spec.calibration
        takes = () if calibration is None else calibration.takes
        if calibration is not None:
            prediction = calibration.inverse(prediction, **self._taken(takes))
        class_weight = None if "class_weight" in takes else getattr(self, "class_weight", None)
        return prediction if class_weight is None else unweighted(prediction, class_weight)

    def _taken(self, names: tuple[str, ...]) -> dict[str, Any]:
        return {name: getattr(self, name) for name in names}

    def num_outputs(self, num_classes: int | None = None) -> int:
        """How many raw numbers per sample the last layer must give, for so many classes."""
        link = type(self).spec.link
        return link.outputs(num_classes, **self._taken(link.takes))

    def to_config(self) -> dict[str, Any]:
        """The name and the fields as plain data, from which ``from_config`` makes an equal loss.

        Raises:
            ValueError: the loss is not registered: ``register("name", loss)`` first.
        """
        from torchobjectives._registry import config_of

        return config_of(self)

    def extra_repr(self) -> str:
        """The hyper-parameters, and the reduction where it is not the mean."""
        shown = {n: v for n, v in self.values().items() if n != "reduction" or v != "mean"}
        return ", ".join(f"{name}={_shown(value)}" for name, value in shown.items())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.extra_repr()})"


def _copied(function: Any) -> Any:
    """The same function with a code object of its own."""
    copied = types.FunctionType(
        function.__code__.replace(),
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    copied.__kwdefaults__ = function.__kwdefaults__
    return functools.update_wrapper(copied, function)


def _shown(value: Any) -> str:
    if not isinstance(value, Tensor):
        return repr(value)
    if value.is_meta or value.numel() > 20:
        return f"<{_validate.dtype_name(value.dtype)} tensor of shape {_validate.shape(value)}>"
    return str(value.detach().tolist())


@final
class FunctionLoss(Loss):
    """What :func:`as_loss` makes: a loss around a function, with hyper-parameters of its own."""

    def __init__(self, function: Callable[..., Tensor], reduction: Reduction, hyper_parameters: dict[str, Any]) -> None:
        _validate.choice("reduction", reduction, _reduction.REDUCTIONS)
        _check_hyper_parameters(function, hyper_parameters)
        self.function = function  # type: ignore[misc, method-assign]  # the one class whose function differs by instance
        self.reduction = reduction
        self._convention = convention_of(function)  # type: ignore[misc]
        self._names = tuple(hyper_parameters)
        for name, value in hyper_parameters.items():
            if isinstance(value, Tensor) and not isinstance(value, nn.Parameter):
                self.register_buffer(name, owned(value))
            else:
                setattr(self, name, value)

    @property
    def name(self) -> str:
        """The name of the function."""
        return name_of(self.function)

    def values(self) -> dict[str, Any]:
        """The hyper-parameters given to :func:`as_loss`, and the reduction."""
        return {name: getattr(self, name) for name in self._names} | {"reduction": self.reduction}

    def __repr__(self) -> str:
        return f"{self.name}({self.extra_repr()})"


def as_loss(function: Callable[..., Tensor], *, reduction: Reduction = "mean", **hyper_parameters: Any) -> Loss:
    """Make a full loss of any function that returns one value per unit.

    The result has everything a loss of this library has: reduction, weight, mask, precision, name, repr,
    pickling (where the function can be imported by name). Tensors among the hyper-parameters become buffers,
    ``nn.Parameter`` is trained. A function that takes ``reduction`` itself, such as torch's, is asked for
    ``"none"``. Masked slots are overwritten with values of a live one before the function sees them, so
    their NaN cannot reach value or gradient.

    Args:
        function: ``function(y_pred, y_true, **hyper_parameters)`` → one value per unit: a tensor with
            the shape of ``y_true``, or a leading part of it such as (N,).
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.
        **hyper_parameters: what the function takes beside ``y_pred`` and ``y_true``.

    Raises:
        TypeError: the function does not take a hyper-parameter of that name.
        ValueError: when called, the function returned a scalar, or broadcast silently.

    >>> import torch
    >>> from torchobjectives import as_loss
    >>> def power_loss(y_pred, y_true, power=3.0):
    ...     return (y_pred - y_true).abs() ** power
    >>> loss = as_loss(power_loss, power=2.0)
    >>> loss
    power_loss(power=2.0)
    >>> y_pred, y_true = torch.tensor([1.0, 3.0]), torch.tensor([0.0, float("nan")])
    >>> loss(y_pred, y_true, mask=torch.tensor([True, False]))
    tensor(1.)
    """
    if isinstance(function, Loss):
        raise TypeError(f"{function.name} is a loss already: use it as it is.")
    if isinstance(function, type):
        raise TypeError(f"as_loss takes a function, got the class {function.__name__}: pass {function.__name__}(...).")
    if not callable(function):
        raise TypeError(f"as_loss takes a function, got {type(function).__name__}.")
    return FunctionLoss(function, reduction, hyper_parameters)


def _check_hyper_parameters(function: Callable[..., Tensor], given: dict[str, Any]) -> None:
    for name in given:
        if name in _CONTRACT:
            raise TypeError(
                f"{name!r} is what every loss takes with the call: loss(y_pred, y_true, {name}=...). An argument of "
                f"{name_of(function)} with that name goes through functools.partial."
            )
        if hasattr(FunctionLoss, name) or name in ("function", "training"):
            raise TypeError(f"{name!r} is taken by every loss: give it through functools.partial instead.")
    parameters = parameters_of(function)
    if parameters is None or any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return
    known = [name for name in list(parameters)[2:] if name not in _CONTRACT]
    for name in given:
        if name not in known:
            raise TypeError(f"{name_of(function)} takes no {name!r}. {_validate.near(name, known)}")


def name_of(function: Callable[..., Tensor]) -> str:
    """The name of a function, a partial or a callable object."""
    while isinstance(function, functools.partial):
        function = function.func
    return getattr(function, "__name__", type(function).__name__)


def parameters_of(function: Callable[..., Any]) -> dict[str, inspect.Parameter] | None:
    """The parameters of a function by name, of a module those of its forward; None for a builtin."""
    try:
        return dict(inspect.signature(function.forward if isinstance(function, nn.Module) else function).parameters)
    except (TypeError, ValueError):
        return None


def convention_of(function: Callable[..., Tensor]) -> Convention:
    """How a function is called; decided once, by the names of its parameters."""
    parameters = parameters_of(function)
    if parameters is None:
        return "values"
    if next(iter(parameters), None) == "self":
        raise TypeError("A loss function takes (y_pred, y_true, ...), not self: make it a @staticmethod.")
    taken = [name for name in _CONTRACT if name in parameters]
    if len(taken) == len(_CONTRACT):
        return "contract"
    if "mask" in taken:
        missing = " and ".join(name for name in _CONTRACT if name not in taken)
        raise TypeError(
            f"{name_of(function)} takes {' and '.join(taken)} but not {missing}: take all of weight, mask "
            "and reduction, or none of them and return one value per unit."
        )
    return "torch" if "reduction" in taken else "values"


@full_precision
def reduce_values(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    function: Callable[..., Tensor],
    hyper_parameters: dict[str, Any],
    weight: Tensor | None,
    mask: Tensor | None,
    reduction: Reduction,
) -> Tensor:
    """Give the contract to a function that returns one value per unit and knows nothing of weights."""
    _validate.prediction(y_pred)
    live = _live(weight, mask)
    if live is not None:
        classes = _has_class_axis(y_pred, y_true)
        y_pred, y_true = _fill_from_live(y_pred, live, classes=classes), _fill_from_live(y_true, live)
    values = function(y_pred, y_true, **hyper_parameters)
    _check_values(function, values, y_pred, y_true)
    w = _reduction.unit_weight(values, weight, mask)
    if w is not None:
        values = torch.where(w > 0, values, torch.zeros_like(values))
    return _reduction.reduce(values, w, reduction)


def _live(weight: Tensor | None, mask: Tensor | None) -> Tensor | None:
    """Which leading slots count, before the function has shown the shape of its units."""
    if mask is not None:
        _validate.tensor("mask", mask)
    if weight is None:
        return mask if mask is None else mask.bool()
    _validate.tensor("weight", weight)
    live = weight.detach() > 0
    if mask is None:
        return live
    longer, shorter = (live, mask.bool()) if live.ndim >= mask.ndim else (mask.bool(), live)
    if longer.shape[: shorter.ndim] != shorter.shape:
        raise ValueError(
            f"weight has shape {_validate.shape(weight)}, mask {_validate.shape(mask)}: "
            "one must be a leading part of the other."
        )
    return longer & shorter.reshape(shorter.shape + (1,) * (longer.ndim - shorter.ndim))


def _has_class_axis(y_pred: Tensor, y_true: Tensor) -> bool:
    """Whether y_pred is (N, C, …) beside y_true (N, …); where it could also be (N, …, k), integers are classes."""
    if y_pred.ndim != y_true.ndim + 1 or y_pred.shape[:1] + y_pred.shape[2:] != y_true.shape:
        return False
    return y_pred.shape[:-1] != y_true.shape or not y_true.is_floating_point()


def _fill_from_live(values: Tensor, live: Tensor, *, classes: bool = False) -> Tensor:
    """``values`` with the first live row in place of every dead one; ``classes``: dim 1 belongs to the row.

    What is legal for a stranger's function only a live row of the same batch can show.
    """
    if not live.ndim or not values.numel():
        return values
    if classes and live.ndim > 1:
        return _fill_from_live(values.movedim(1, -1), live).movedim(-1, 1)
    if values.shape[: live.ndim] != live.shape:
        # Probabilities (N, C, …) as targets beside units (N, …).
        fits = values.ndim == live.ndim + 1 and values.shape[:1] + values.shape[2:] == live.shape
        return _fill_from_live(values, live, classes=True) if fits and not classes else values
    rows, alive = values.flatten(0, live.ndim - 1), live.flatten()
    first = alive.to(torch.int8).argmax().reshape(1)
    legal = rows.detach().index_select(0, first)
    # With nothing alive the row may hold anything; a half is legal for most, and counts for nothing.
    legal = torch.where(alive.any(), legal, torch.full_like(legal, 0.5))
    alive = alive.reshape(-1, *(1,) * (rows.ndim - 1))
    return torch.where(alive, rows, legal).reshape(values.shape)


def _check_values(function: Callable[..., Tensor], values: object, y_pred: Tensor, y_true: Tensor) -> None:
    name = name_of(function)
    if not isinstance(values, Tensor):
        raise TypeError(f"{name} returned {type(values).__name__}, wanted a tensor with one value per unit.")
    if values.ndim == 0 and y_pred.ndim:
        raise ValueError(
            f"{name} returned a scalar, wanted one value per unit: leave out the .mean() or .sum() at its end "
            '(a torch module: reduction="none").'
        )
    if values.shape != y_true.shape[: values.ndim]:
        raise ValueError(
            f"{name} returned shape {_validate.shape(values)} for y_pred {_validate.shape(y_pred)} and y_true "
            f"{_validate.shape(y_true)}: wanted y_true's shape or a leading part of it; it may have broadcast "
            f"silently.{_validate.squeeze_hint(y_pred, y_true)}"
        )
