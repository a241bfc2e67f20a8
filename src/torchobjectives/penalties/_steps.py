"""What a plan does at each optimizer step: slopes added before it, proximal steps after it."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.optim import Optimizer

from torchobjectives.penalties._anchors import same
from torchobjectives.penalties._methods import STEPWISE, Carried
from torchobjectives.penalties._norm import Norm, Piece, proximal_step_, slope
from torchobjectives.penalties._optimizers import facts_of
from torchobjectives.penalties._prox import Mix
from torchobjectives.penalties._sharding import local, local_gradient, local_state, placed, spread, whole
from torchobjectives.penalties.norms import L2
from torchobjectives.penalties.schedules import at

# What dual averaging keeps per parameter in the optimizer's state: the sum of steps, and the point without penalty.
POINT, SPAN = "dual_average", "dual_step"
# Numbers in a piece of a large tensor: a few tensors of this size fit a cache.
CHUNK = 1 << 17


class Target(NamedTuple):
    """One tensor and all proximal terms that speak of it."""

    piece: Piece
    penalties: tuple[Any, ...]
    averaged: bool
    group: int

    @property
    def elementwise(self) -> bool:
        """Whether each number moves by itself."""
        return self.piece.anchor is None and self.piece.groups is None and isinstance(self.penalties[0], Norm)

    def mix(self, step: int) -> Mix:
        """The sum of the terms at a step."""
        mix = Mix()
        for penalty in self.penalties:
            mix = mix.plus(penalty.mix(at(penalty.coefficient, step)))
        return mix


class Targets:
    """The tensors that proximal steps move.

    Raises:
        ValueError: terms on one tensor whose sum has no proximal step.
    """

    def __init__(self, terms: list[Carried], optimizer: Optimizer) -> None:
        home = {id(parameter): i for i, group in enumerate(optimizer.param_groups) for parameter in group["params"]}
        found: dict[int, Target] = {}
        for term in terms:
            if term.method not in STEPWISE:
                continue
            for piece in term.pieces:
                key, averaged = id(piece.weight), term.method == "dual_averaging"
                new = Target(piece, (term.penalty,), averaged, home[key])
                found[key] = _joined(found[key], new) if key in found else new
        self._targets = list(found.values())

    def move(self, optimizer: Optimizer, step: int) -> None:
        """Take the proximal step of every tensor that the optimizer has just changed."""
        facts = facts_of(optimizer)
        if facts is None or facts.step is None:
            return
        for target in self._targets:
            parameter = target.piece.weight
            if parameter.grad is None:  # then the optimizer has left it alone
                continue
            state, group = optimizer.state[parameter], optimizer.param_groups[target.group]
            here = local_state(state, parameter)
            if target.averaged:
                _average(target, parameter, state, facts.step(group, here))
            elif target.elementwise:
                mix = target.mix(step)
                for weight, own in _chunks(local(parameter), here):
                    proximal_step_(weight, mix, facts.step(group, own), target.piece)
            else:
                _proximal(target, parameter, facts.step(group, here), step)

    def move_by(self, size: float, step: int) -> None:
        """Take the proximal step of every tensor after a gradient step of one size for all."""
        for target in self._targets:
            _proximal(target, target.piece.weight, size, step)

    def forget(self, optimizer: Optimizer) -> None:
        """Remove what dual averaging kept."""
        for target in self._targets:
            for key in (POINT, SPAN):
                optimizer.state[target.piece.weight].pop(key, None)


def _joined(one: Target, other: Target) -> Target:
    name = one.piece.entry.name
    penalties = one.penalties + other.penalties
    if not all(isinstance(penalty, Norm) for penalty in penalties):
        raise ValueError(f"{name!r} has a proximal term of one's own and another: their sum has no proximal step.")
    if not same(one.piece.anchor, other.piece.anchor):
        raise ValueError(f"two proximal terms pull {name!r} to different points: give them the same towards=.")
    if one.averaged != other.averaged:
        raise ValueError(f"{name!r} has terms by proximal and by dual_averaging: give both the same method.")
    grouped = [piece for piece in (one.piece, other.piece) if piece.groups is not None]
    if len(grouped) > 1:
        raise ValueError(f"two group penalties speak of {name!r}: overlapping groups have no proximal step.")
    return Target(grouped[0] if grouped else one.piece, penalties, one.averaged, one.group)


def _chunks(weight: Tensor, state: Mapping[str, Any]) -> Iterator[tuple[Tensor, Mapping[str, Any]]]:
    """A tensor with its state, a large one on a CPU piece by piece.

    The metric takes several temporary tensors, and those that fit a cache cost a fourth. Without state there is none.
    """
    alike = {key: value for key, value in state.items() if isinstance(value, Tensor) and value.shape == weight.shape}
    all_in_a_row = all(tensor.is_contiguous() for tensor in (weight, *alike.values()))
    if weight.numel() <= CHUNK or weight.device.type != "cpu" or not (alike and all_in_a_row):
        yield weight, state
        return
    cut = {key: torch.split(value.view(-1), CHUNK) for key, value in alike.items()}
    for i, part in enumerate(torch.split(weight.detach().view(-1), CHUNK)):
        yield part, {**state, **{key: parts[i] for key, parts in cut.items()}}


def _proximal(target: Target, parameter: Tensor, size: float | Tensor, step: int) -> None:
    (first, *_) = target.penalties
    if isinstance(first, Norm):
        proximal_step_(local(parameter), target.mix(step), size, target.piece)
        return
    # One's own proximal step may need all of the tensor.
    size = whole(spread(size, parameter)) if isinstance(size, Tensor) else size
    parameter.copy_(placed(_own_prox(first, whole(parameter.detach()), size), parameter))


def _own_prox(penalty: Any, weight: Tensor, size: float | Tensor) -> Tensor:
    moved = penalty.prox(weight, size)
    if not isinstance(moved, Tensor) or moved.shape != weight.shape:
        got = f"a tensor of shape {tuple(moved.shape)}" if isinstance(moved, Tensor) else type(moved).__name__
        raise ValueError(
            f"{type(penalty).__name__}.prox gave {got}: return a tensor like its weight, {tuple(weight.shape)}."
        )
    return moved


def _average(target: Target, parameter: Tensor, state: dict[str, Any], size: float | Tensor) -> None:
    """Dual averaging: the steps without penalty add up in one point, from which one long proximal step is taken.

    The noise of single steps averages out in that point, so the zeros are those of the mean gradient.
    """
    if POINT in state:
        before, span = state[POINT].clone(), local_state(state, parameter)[SPAN]
        _proximal(target, before, span, 0)
        # What the optimizer did to the weights, it does to the point.
        state[POINT].add_(parameter - before)
        size = span + size
    else:
        state[POINT] = parameter.detach().clone()
    # A copy: the size may be the optimizer's own tensor lr, which schedulers change in place.
    state[SPAN] = spread(size * 1, parameter) if isinstance(size, Tensor) else size
    parameter.copy_(state[POINT])
    _proximal(target, parameter, size, 0)


class Gradients:
    """The slopes of penalties, added to the gradients before the optimizer sees them."""

    def __init__(self, terms: list[Carried], optimizer: Optimizer) -> None:
        self._terms, self._optimizer = terms, optimizer
        self.any = bool(terms)

    def add(self, step: int) -> None:
        """Add the slopes of all terms, at the scale that the gradients have."""
        scale = getattr(self._optimizer, "grad_scale", None)
        descends = {
            id(p): -1.0 if g.get("maximize") else 1.0 for g in self._optimizer.param_groups for p in g["params"]
        }
        with torch.no_grad():
            for term in self._terms:
                mix = term.penalty.mix(at(term.penalty.coefficient, step))
                live = [piece for piece in term.pieces if piece.weight.grad is not None]
                dense = not any(piece.weight.grad.is_sparse for piece in live)  # type: ignore[union-attr]
                if isinstance(term.penalty, L2) and term.penalty.towards is None and scale is None and dense:
                    _add_weights(live, mix.l2, descends)
                    continue
                for piece in live:
                    own = slope(piece, mix) * descends[id(piece.weight)]
                    _add(piece.weight, own if scale is None else own * scale)


def _add(weight: Tensor, slope: Tensor) -> None:
    gradient = local_gradient(weight)
    slope = slope.to(gradient.dtype)
    if gradient.is_sparse:  # the penalty has a slope in every row
        weight.grad = slope + gradient
    else:
        gradient.add_(slope)


def _add_weights(pieces: list[Piece], coefficient: float, descends: dict[int, float]) -> None:
    """``grad += coefficient·w`` for many tensors at once."""
    for sign in (1.0, -1.0):
        weights = [local(piece.weight.detach()) for piece in pieces if descends[id(piece.weight)] == sign]
        gradients = [local_gradient(piece.weight) for piece in pieces if descends[id(piece.weight)] == sign]
        if weights:
            torch._foreach_add_(gradients, weights, alpha=sign * coefficient)
