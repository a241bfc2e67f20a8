"""What is known of each optimizer: the proximal step that belongs to it, and what its ``weight_decay`` minimises.

With an update ``w ← prox(w − η·d)`` whose direction at rest is ``d = s·g/h``, only a proximal step of size η·s in the
metric h has the minimiser of f + R as its fixed point.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.optim import (
    ASGD,
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    NAdam,
    Optimizer,
    RAdam,
    RMSprop,
)

from torchobjectives.penalties._penalty import precise

Group: TypeAlias = Mapping[str, Any]
State: TypeAlias = Mapping[str, Any]
Step: TypeAlias = Callable[[Group, State], float | Tensor]


class Facts(NamedTuple):
    """What is known of an optimizer."""

    # The step η·s/h of one tensor, after the optimizer's own; None where there is no diagonal metric.
    step: Step | None
    # What that is, in words.
    metric: str


def _rate(group: Group) -> float | Tensor:
    """The learning rate; a tensor of shape (1,), which torch takes too, as one without axes."""
    lr: float | Tensor = group["lr"]
    return lr.reshape(()) if isinstance(lr, Tensor) else lr


def _sgd(group: Group, _: State) -> float | Tensor:
    momentum = group["momentum"]
    # At rest the buffer is g·(1 − τ)/(1 − μ), Nesterov's look-ahead included (which torch allows for τ = 0 only).
    return _rate(group) * (1 - group["dampening"]) / (1 - momentum) if momentum else _rate(group)


def _over(lr: float | Tensor, root: Tensor, eps: float) -> Tensor:
    """``lr/(root + ε)``, in the place of ``root``: tensors here are as large as the model."""
    return root.add_(eps).reciprocal_().mul_(lr)


def _root_of_moment(group: Group, state: State, key: str = "exp_avg_sq") -> Tensor:
    """√v̂."""
    correction = 1 - group["betas"][1] ** state["step"]
    return precise(state[key]).sqrt().mul_(correction**-0.5)


def _adam(group: Group, state: State) -> Tensor:
    root = _root_of_moment(group, state, "max_exp_avg_sq" if group["amsgrad"] else "exp_avg_sq")
    return _over(_rate(group), root, group["eps"])


def _nadam(group: Group, state: State) -> Tensor:
    t, product = state["step"], state["mu_product"]
    now, after = (group["betas"][0] * (1 - 0.5 * 0.96 ** (s * group["momentum_decay"])) for s in (t, t + 1))
    share = (1 - now) / (1 - product) + after / (1 - product * after)
    return _over(_rate(group) * share, _root_of_moment(group, state), group["eps"])


def _radam(group: Group, state: State) -> float | Tensor:
    t, beta2 = float(state["step"]), group["betas"][1]
    decayed = beta2**t
    longest = 2 / (1 - beta2) - 1
    length = longest - 2 * t * decayed / (1 - decayed)
    if length <= 5:  # too early to tell the variance: plain momentum
        return _rate(group)
    rectified = ((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)) ** 0.5
    return _over(_rate(group) * rectified * (1 - decayed) ** 0.5, precise(state["exp_avg_sq"]).sqrt(), group["eps"])


def _rmsprop(group: Group, state: State) -> Tensor:
    square = precise(state["square_avg"])
    if group["centered"]:
        mean = precise(state["grad_avg"])
        # Near a constant gradient rounding takes it below 0.
        root = square.addcmul(mean, mean, value=-1).clamp_(min=0).sqrt_()
    else:
        root = square.sqrt()
    return _over(_rate(group) / (1 - group["momentum"]), root, group["eps"])


def _adagrad(group: Group, state: State) -> Tensor:
    lr = _rate(group) / (1 + (state["step"] - 1) * group["lr_decay"])
    return _over(lr, precise(state["sum"]).sqrt(), group["eps"])


_MOMENT = "the optimizer's own metric, √v̂ + ε"
FACTS: dict[type[Optimizer], Facts] = {
    SGD: Facts(_sgd, "lr·(1−dampening)/(1−momentum)"),
    Adam: Facts(_adam, _MOMENT),
    AdamW: Facts(_adam, _MOMENT),
    NAdam: Facts(_nadam, _MOMENT + ", times Nesterov's share"),
    RAdam: Facts(_radam, _MOMENT + ", rectified"),
    RMSprop: Facts(_rmsprop, "the optimizer's own metric, √v + ε"),
    Adagrad: Facts(_adagrad, "the optimizer's own metric, √Σg² + ε"),
    **dict.fromkeys((Adadelta, Adamax, ASGD), Facts(None, "")),
}


def facts_of(optimizer: Optimizer) -> Facts | None:
    """What is known of an optimizer, or None: also for a subclass with a step of its own."""
    for kind in type(optimizer).__mro__:
        if kind in FACTS:
            own, known = (inspect.unwrap(each.step) for each in (type(optimizer), kind))
            return FACTS[kind] if own is known else None
    return None


def decay_is_l2(optimizer: Optimizer, group: Group) -> bool:
    """Whether ``weight_decay`` adds ½·weight_decay·‖w‖² to what is minimised, which decoupled decay does not."""
    return facts_of(optimizer) is not None and not group.get("decoupled_weight_decay", False)


def decay_is_decoupled(optimizer: Optimizer, group: Group) -> bool:
    """Whether ``weight_decay`` is known to shrink the weights themselves, beside the gradient."""
    return facts_of(optimizer) is not None and bool(group.get("decoupled_weight_decay", False))


def unwrapped(optimizer: Any) -> Optimizer:
    """The optimizer of torch inside a wrapper such as Accelerate's.

    Raises:
        TypeError: there is none.
    """
    inner = getattr(optimizer, "optimizer", None)
    if isinstance(inner, Optimizer):
        return unwrapped(inner)
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"optimizer must be a torch.optim.Optimizer, got {type(optimizer).__name__}")
    return optimizer


def skipped(optimizer: Optimizer) -> bool:
    """Whether the step that was just taken was none: a fused optimizer under a GradScaler sees overflow by itself."""
    overflow = getattr(optimizer, "found_inf", None)
    return isinstance(overflow, Tensor) and bool(torch.any(overflow))
