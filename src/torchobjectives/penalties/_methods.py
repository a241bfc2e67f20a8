"""How a penalty reaches the weights: which method, and whether what is minimised is what was asked for."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from torch import Tensor, nn
from torch.optim import Optimizer

from torchobjectives._validate import choice
from torchobjectives.penalties._norm import Norm, Piece
from torchobjectives.penalties._optimizers import decay_is_decoupled, decay_is_l2, facts_of
from torchobjectives.penalties._penalty import checked_on, in_words, selected
from torchobjectives.penalties.norms import L1, L2
from torchobjectives.penalties.schedules import at

Method: TypeAlias = Literal["auto", "loss", "gradient", "proximal", "dual_averaging", "weight_decay"]
METHODS: tuple[str, ...] = get_args(Method)
STEPWISE = ("proximal", "dual_averaging")


class Carried(NamedTuple):
    """One penalty of a plan."""

    name: str
    penalty: Any
    method: str
    # The tensors; of a penalty of one's own that stays in the loss there is no saying which.
    pieces: list[Piece]

    def value(self, model: nn.Module, step: Callable[[], int]) -> Tensor:
        """The value of the weights as they now are, with graph, at an optimizer step."""
        if isinstance(self.penalty, Norm):
            coefficient = self.penalty.coefficient
            # The number of the step is read only where it counts: compiled code is specialised for what it reads.
            now = at(coefficient, step()) if callable(coefficient) else coefficient
            return self.penalty.measure(self.pieces, now)
        value: Tensor = self.penalty.value(model)
        return value


def carried(name: str, penalty: Any, method: str, optimizer: Optimizer, model: nn.Module) -> Carried:
    """Choose the method of a penalty, and find its tensors.

    Raises:
        ValueError: the method cannot carry this penalty with this optimizer, or there is nothing to penalise.
    """
    choice("method", method, METHODS)
    pieces = pieces_of(penalty, model)
    if not pieces and (isinstance(penalty, Norm) or hasattr(penalty, "prox")):
        raise ValueError(f"{in_words(penalty)} has nothing to penalise: every tensor that it selects is frozen.")
    groups = _groups_of(name, pieces, optimizer)
    chosen = _auto(penalty, pieces, groups, optimizer) if method == "auto" else method
    _check(penalty, chosen, pieces, groups, optimizer)
    return Carried(name, penalty, chosen, pieces)


def pieces_of(penalty: Any, model: nn.Module) -> list[Piece]:
    """The tensors that a penalty speaks of; none where it is a value and nothing else."""
    if isinstance(penalty, Norm):
        return penalty.pieces(model)
    if not hasattr(penalty, "prox"):
        return []
    on = getattr(penalty, "on", None)
    checked_on(on)
    chosen = selected(type(penalty).__name__, model, on)
    return [Piece(entry, None, None) for entry in chosen]


def _groups_of(name: str, pieces: list[Piece], optimizer: Optimizer) -> list[dict[str, Any]]:
    """The optimizer's groups that hold the tensors.

    Raises:
        ValueError: the optimizer lacks one of them, or holds it twice.
    """
    held = [(id(parameter), group) for group in optimizer.param_groups for parameter in group["params"]]
    home, times = dict(held), Counter(key for key, _ in held)
    twice = next((piece.entry.name for piece in pieces if times[id(piece.weight)] > 1), None)
    if twice is not None:
        raise ValueError(
            f"{type(optimizer).__name__} holds {twice!r} more than once and would move it as often in each step: build "
            "it from param_groups(model), in which each parameter is once."
        )
    lost = [piece.entry.name for piece in pieces if id(piece.weight) not in home]
    if lost:
        shown = ", ".join(map(repr, lost[:5])) + (f" and {len(lost) - 5} more" if len(lost) > 5 else "")
        raise ValueError(
            f"{type(optimizer).__name__} does not hold {shown}, which the term {name!r} penalises: build it from this "
            "model's parameters, or narrow the penalty with on=."
        )
    return list({id(home[id(piece.weight)]): home[id(piece.weight)] for piece in pieces}.values())


def _auto(penalty: Any, pieces: list[Piece], groups: list[dict[str, Any]], optimizer: Optimizer) -> str:
    if not isinstance(penalty, Norm):
        return "proximal" if hasattr(penalty, "prox") else "loss"
    if facts_of(optimizer) is None:
        raise _unknown(optimizer)
    if not isinstance(penalty, L2):
        return "proximal"
    return "gradient" if why_not_decay(penalty, pieces, groups, optimizer) else "weight_decay"


def why_not_decay(penalty: Any, pieces: list[Piece], groups: list[dict[str, Any]], optimizer: Optimizer) -> str:
    """Why ``weight_decay`` is not this penalty; empty where it is."""
    kind = type(optimizer).__name__
    if not isinstance(penalty, L2):
        return f"weight_decay is ½·λ·Σw², and {in_words(penalty)} is not"
    if facts_of(optimizer) is None:
        return f"what the weight_decay of {kind} minimises, if it has one, is not known here"
    if not all(decay_is_l2(optimizer, group) for group in groups):
        return f"the weight_decay of {kind} is decoupled and minimises no ½·λ·Σw²"
    if penalty.towards is not None or callable(penalty.coefficient):
        return "weight_decay pulls towards 0, by one number that does not change"
    mine = {id(piece.weight) for piece in pieces}
    if any(id(parameter) not in mine for group in groups for parameter in group["params"]):
        return "a group of the optimizer also holds tensors that are not penalised; part them"
    sparse = next((piece.entry.name for piece in pieces if getattr(piece.entry.owner, "sparse", False)), None)
    if sparse is not None:
        return f"{sparse!r} has sparse gradients, to which weight_decay cannot be added"
    return ""


def _check(penalty: Any, method: str, pieces: list[Piece], groups: list[dict[str, Any]], optimizer: Optimizer) -> None:
    if method == "weight_decay":
        reason = why_not_decay(penalty, pieces, groups, optimizer)
        if reason:
            instead = "gradient" if isinstance(penalty, L2) else "auto"
            raise ValueError(
                f'method="weight_decay" cannot carry {in_words(penalty)}: {reason}. Use method="{instead}".'
            )
    elif method == "gradient":
        _check_gradient(penalty, optimizer)
    elif method in STEPWISE:
        _check_stepwise(penalty, method, pieces, groups, optimizer)
    if method not in STEPWISE and isinstance(penalty, L1) and penalty.non_negative:
        raise ValueError(f'{penalty!r} keeps weights >= 0 by proximal steps alone: method="{method}" cannot.')
    if method == "loss" and any(group.get("maximize") for group in optimizer.param_groups):
        raise ValueError(
            f'{type(optimizer).__name__} has maximize=True: method="loss" would maximise {in_words(penalty)} with the '
            "loss. Minimise the negative loss instead."
        )


def _check_gradient(penalty: Any, optimizer: Optimizer) -> None:
    if not isinstance(penalty, Norm):
        raise ValueError(
            f'method="gradient" needs the formula of the slope, which {in_words(penalty)} has not: method="loss".'
        )
    if type(optimizer).__name__ == "LBFGS":
        raise ValueError('LBFGS evaluates its closure many times in a step, and must see the penalty: method="loss".')


def _check_stepwise(
    penalty: Any, method: str, pieces: list[Piece], groups: list[dict[str, Any]], optimizer: Optimizer
) -> None:
    if not isinstance(penalty, Norm) and not hasattr(penalty, "prox"):
        raise ValueError(
            f'method="{method}" needs penalty.prox(weight, step), which {type(penalty).__name__} has not: write it, or '
            'take method="loss".'
        )
    facts = facts_of(optimizer)
    if facts is None or facts.step is None:
        raise _unknown(optimizer)
    for group in groups:
        momentum, dampening = group.get("momentum", 0), group.get("dampening", 0)
        # Without momentum, dampening does nothing.
        if momentum and max(momentum, dampening) >= 1:
            given = f"momentum={momentum:g}" + (f" and dampening={dampening:g}" if "dampening" in group else "")
            raise ValueError(
                f"{type(optimizer).__name__} has {given}: its steps do not come to rest where the gradient is 0, so no "
                "proximal step belongs to them. Take less than 1."
            )
    for piece in pieces:
        if piece.weight.is_complex():
            raise ValueError(f'{piece.entry.name!r} is complex, and has no proximal step here: method="loss".')
        if method == "dual_averaging" and piece.weight.dtype.itemsize < 4:
            raise ValueError(
                f"{piece.entry.name!r} is {piece.weight.dtype}, too coarse for the sum of many steps that dual "
                'averaging keeps: train it in float32, or take method="proximal".'
            )
    if method == "dual_averaging" and callable(getattr(penalty, "coefficient", None)):
        raise ValueError(f"{penalty!r} has a schedule, and dual averaging weighs all steps alike: give one number.")


def _unknown(optimizer: Optimizer) -> ValueError:
    return ValueError(
        f"{type(optimizer).__name__} has no proximal step whose fixed point is the minimiser of loss + penalty (there "
        'is for SGD, Adam, AdamW, NAdam, RAdam, RMSprop and Adagrad of torch.optim): use method="loss", without exact '
        "zeros, or one of those."
    )


def effect(term: Carried, optimizer: Optimizer) -> str:
    """What is minimised, and how exactly, in a line."""
    facts = facts_of(optimizer)
    if term.method == "weight_decay":
        return f"exact: the weight_decay of {type(optimizer).__name__} is ½·λ·Σw²"
    if term.method == "proximal":
        assert facts is not None
        return f"{_zeros(term.penalty)}; step {facts.metric}"
    if term.method == "dual_averaging":
        assert facts is not None
        which = "zeros" if getattr(term.penalty, "towards", None) is None else "weights at their anchor"
        zeros = f", right {which} under minibatch noise" if makes_zeros(term.penalty) else ""
        return f"exact in the limit{zeros}; steps added up: {facts.metric}"
    if isinstance(term.penalty, L2):
        return f"exact{_not_decay(optimizer)}"
    return "minimised, but no weight becomes exactly 0"


def decay_effect(optimizer: Optimizer, group: Mapping[str, Any], own: float) -> str:
    """What a decay that the optimizer has besides the penalties minimises."""
    if decay_is_l2(optimizer, group):
        return f"½·{own:g}·Σw² besides"
    if decay_is_decoupled(optimizer, group):
        return "nothing that can be written down: decoupled, not L2"
    return f"not known of {type(optimizer).__name__}"


def makes_zeros(penalty: Any) -> bool:
    """Whether the proximal steps of a penalty make weights exactly 0; of one's own, they may."""
    if not isinstance(penalty, Norm):
        return hasattr(penalty, "prox")
    mix = penalty.mix(1.0)
    return bool(mix.l1 or mix.group)


def _zeros(penalty: Any) -> str:
    if not isinstance(penalty, Norm):
        return "exact, with the zeros that its prox gives"
    if not makes_zeros(penalty):
        return "exact"
    return "exact, with exact zeros" if penalty.towards is None else "exact, with weights exactly at their anchor"


def _not_decay(optimizer: Optimizer) -> str:
    decoupled = any(decay_is_decoupled(optimizer, group) for group in optimizer.param_groups)
    return f" (the weight_decay of {type(optimizer).__name__} would not be L2)" if decoupled else ""


COSTS = {
    "loss": "a pass through autograd",
    "gradient": "one pass over the weights",
    "proximal": "one pass over the weights",
    "dual_averaging": "two passes, one copy of the weights",
    "weight_decay": "nothing",
}
