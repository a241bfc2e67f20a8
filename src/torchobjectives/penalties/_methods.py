"""How a penalty reaches the weights: which method, and whether what is minimised is what was asked for."""

from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from torch import Tensor, nn
from torch.optim import Optimizer

from torchobjectives._validate import choice
from torchobjectives.penalties._norm import Norm, Piece, called
from torchobjectives.penalties._optimizers import decay_is_l2, facts_of
from torchobjectives.penalties._penalty import selected
from torchobjectives.penalties.norms import L1, L2

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


def carried(name: str, penalty: Any, method: str, optimizer: Optimizer, model: nn.Module) -> Carried:
    """Choose the method of a penalty, and find its tensors.

    Raises:
        ValueError: the method cannot carry this penalty with this optimizer, or there is nothing to penalise.
    """
    choice("method", method, METHODS)
    pieces = pieces_of(penalty, model)
    if isinstance(penalty, Norm) and not pieces:
        raise ValueError(f"{penalty!r} has nothing to penalise: every tensor that it selects is frozen.")
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
    chosen = selected(type(penalty).__name__, model, getattr(penalty, "on", None))
    return [Piece(entry, None, None) for entry in chosen]


def _groups_of(name: str, pieces: list[Piece], optimizer: Optimizer) -> list[dict[str, Any]]:
    """The optimizer's groups that hold the tensors.

    Raises:
        ValueError: the optimizer lacks one of them.
    """
    home = {id(parameter): group for group in optimizer.param_groups for parameter in group["params"]}
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
        return f"weight_decay is ½·λ·Σw², and {called(penalty) if isinstance(penalty, Norm) else penalty!r} is not"
    if not all(decay_is_l2(optimizer, group) for group in groups):
        return f"the weight_decay of {kind} is decoupled and minimises no ½·λ·Σw²"
    if penalty.towards is not None or callable(penalty.coefficient):
        return "weight_decay pulls towards 0, by one number that does not change"
    mine = {id(piece.weight) for piece in pieces}
    if any(id(parameter) not in mine for group in groups for parameter in group["params"]):
        return "a group of the optimizer also holds tensors that are not penalised; param_groups(model) parts them"
    return ""


def _check(penalty: Any, method: str, pieces: list[Piece], groups: list[dict[str, Any]], optimizer: Optimizer) -> None:
    if method == "weight_decay":
        reason = why_not_decay(penalty, pieces, groups, optimizer)
        if reason:
            raise ValueError(f'method="weight_decay" cannot carry {penalty!r}: {reason}. Use method="gradient".')
    elif method == "gradient":
        _check_gradient(penalty, optimizer)
    elif method in STEPWISE:
        _check_stepwise(penalty, method, pieces, optimizer)
    if method not in STEPWISE and isinstance(penalty, L1) and penalty.non_negative:
        raise ValueError(f'{penalty!r} keeps weights >= 0 by proximal steps alone: method="{method}" cannot.')
    if method == "loss" and callable(getattr(penalty, "coefficient", None)):
        return


def _check_gradient(penalty: Any, optimizer: Optimizer) -> None:
    if not isinstance(penalty, Norm):
        raise ValueError(f'method="gradient" needs the formula of the slope, which {penalty!r} has not: method="loss".')
    if type(optimizer).__name__ == "LBFGS":
        raise ValueError('LBFGS evaluates its closure many times in a step, and must see the penalty: method="loss".')


def _check_stepwise(penalty: Any, method: str, pieces: list[Piece], optimizer: Optimizer) -> None:
    if not isinstance(penalty, Norm) and not hasattr(penalty, "prox"):
        raise ValueError(
            f'method="{method}" needs penalty.prox(weight, step), which {type(penalty).__name__} has not: write it, or '
            'take method="loss".'
        )
    facts = facts_of(optimizer)
    if facts is None or facts.step is None:
        raise _unknown(optimizer)
    for piece in pieces:
        if piece.weight.is_complex():
            raise ValueError(f'{piece.entry.name!r} is complex, and has no proximal step here: method="loss".')
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
        return f"exact, with exact zeros; step {facts.metric}"
    if term.method == "dual_averaging":
        assert facts is not None
        return f"exact in the limit, right zeros under minibatch noise; steps added up: {facts.metric}"
    if isinstance(term.penalty, L2):
        return f"exact{_not_decay(optimizer)}"
    return "minimised, but no weight becomes exactly 0"


def _not_decay(optimizer: Optimizer) -> str:
    decoupled = facts_of(optimizer) is not None and not decay_is_l2(optimizer, optimizer.param_groups[0])
    return f" (the weight_decay of {type(optimizer).__name__} would not be L2)" if decoupled else ""


COSTS = {
    "loss": "a pass through autograd",
    "gradient": "one pass over the weights",
    "proximal": "one pass over the weights",
    "dual_averaging": "two passes, one copy of the weights",
    "weight_decay": "nothing",
}


def tensors_of(terms: list[Carried], methods: tuple[str, ...]) -> list[Tensor]:
    """The tensors that some of the methods carry, each once."""
    found = {id(piece.weight): piece.weight for term in terms if term.method in methods for piece in term.pieces}
    return list(found.values())
