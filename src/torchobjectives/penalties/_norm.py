"""Penalties whose proximal step has a closed form: what L1, L2, ElasticNet and GroupLasso share."""

import abc
from dataclasses import replace
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from torchobjectives._validate import positive, readable, shape
from torchobjectives.params._roles import Entry, Role, inventory
from torchobjectives.penalties._anchors import Anchors, Towards, anchors, difference, restore_
from torchobjectives.penalties._penalty import Penalty, checked_on, precise, selected, total
from torchobjectives.penalties._prox import Groups, Mix, shrink_
from torchobjectives.penalties._sharding import Everyone, local, peers, total_of
from torchobjectives.penalties.schedules import Coefficient, checked_coefficient


class Piece(NamedTuple):
    """One tensor that a penalty speaks of, where it is pulled to, and its groups."""

    entry: Entry
    anchor: float | Tensor | None
    groups: Groups | None

    @property
    def weight(self) -> Tensor:
        """The parameter."""
        return self.entry.parameter


class Norm(Penalty):
    """``l1·Σ|d| + ½·l2·Σd² + group·Σ c_g‖d_g‖`` of ``d = w − anchor``, all three proportional to a coefficient."""

    coefficient: Coefficient
    towards: Towards

    @abc.abstractmethod
    def mix(self, coefficient: float) -> Mix:
        """The three factors at a coefficient."""

    @abc.abstractmethod
    def groups_of(self, entry: Entry) -> Groups | None:
        """How a tensor is cut into groups, if it is."""

    def value(self, model: nn.Module) -> Tensor:
        """The penalty over the selected tensors of the model: a scalar with graph."""
        if callable(self.coefficient):
            raise ValueError(
                f"{self!r} has a schedule, which counts optimizer steps: attach the objective to the optimizer with "
                'objective.attach(optimizer, model); method="loss" keeps it in the loss.'
            )
        return self.measure(self.pieces(model), self.coefficient)

    def pieces(self, model: nn.Module) -> list[Piece]:
        """The selected tensors of a model."""
        chosen = selected(type(self).__name__, model, self.on)
        return [self.piece(entry) for entry in chosen]

    def piece(self, entry: Entry) -> Piece:
        """One tensor as this penalty sees it."""
        towards = self.towards
        anchor = towards.of(entry) if isinstance(towards, Anchors) else cast("float | None", towards)
        return Piece(entry, anchor, self.groups_of(entry))

    def measure(self, pieces: list[Piece], coefficient: float) -> Tensor:
        """The penalty of these tensors at a coefficient."""
        unit = self.mix(1.0)
        return coefficient * total_of([part for piece in pieces for part in _measure(piece, unit)], total)

    def prox(self, weight: Tensor, step: float | Tensor) -> Tensor:
        """The minimiser over x of ``R(x) + ½ Σ (x − weight)²/step``, for one bare tensor.

        Args:
            weight: Any real tensor; a matrix is (…, out, in).
            step: A number > 0, or one per weight.

        Raises:
            ValueError: ``towards`` holds weights by name, so that one of a bare tensor is not known; a schedule; a
                step that is not > 0, or of another shape.
            TypeError: ``weight`` is no real tensor.
        """
        _checked_step(weight, step)
        if isinstance(self.towards, Anchors) or callable(self.coefficient):
            raise ValueError(f"{self!r} needs the name of the tensor or the number of the step, which prox has not.")
        holder = nn.ParameterDict({"weight": nn.Parameter(weight.detach().clone(), requires_grad=False)})
        role: Role = "weight" if weight.ndim >= 2 else "scale"
        piece = self.piece(replace(inventory(holder)[0], role=role))
        step = local(step) if isinstance(step, Tensor) else step
        proximal_step_(local(piece.weight.detach()), self.mix(self.coefficient), step, piece)
        return piece.weight.detach()


def _checked_step(weight: Tensor, step: float | Tensor) -> None:
    if not isinstance(weight, Tensor) or not weight.is_floating_point():
        got = weight.dtype if isinstance(weight, Tensor) else type(weight).__name__
        raise TypeError(f"weight must be a tensor of real floating-point numbers, got {got}")
    if not isinstance(step, Tensor):
        positive(step=step)
    elif step.ndim and step.shape != weight.shape:
        raise ValueError(f"step has shape {shape(step)}, weight {shape(weight)}: give a number > 0, or one per weight.")
    elif readable(step) and not bool((step > 0).all()):
        raise ValueError("step holds a number that is not > 0: it is a step size, the inverse of a metric.")


def proximal_step_(weight: Tensor, mix: Mix, step: float | Tensor, piece: Piece) -> None:
    """Move a tensor to its proximal point, in place; half precision by way of float32.

    Weight and step are what this process holds of them. One that holds nothing of a group still has to listen.
    """
    if not weight.numel() and not (piece.groups and piece.groups.members.across):
        return
    if piece.anchor is None and weight.dtype.itemsize >= 4:
        shrink_(weight, mix, step, piece.groups)
        return
    moved = difference(precise(weight), piece.anchor)
    moved = moved.clone() if moved is weight else moved
    shrink_(moved, mix, step, piece.groups)
    weight.copy_(restore_(moved, piece.anchor))


def slope(piece: Piece, mix: Mix) -> Tensor:
    """The gradient, of the part that is here; 0 at a weight of 0 and in a group of zeros, where there are many."""
    d = difference(precise(local(piece.weight.detach())), piece.anchor)
    parts = []
    if mix.l2:
        parts.append(mix.l2 * d)
    if mix.l1:
        parts.append(mix.l1 * d.sgn())
    if mix.group and piece.groups is not None:
        groups = piece.groups
        length = groups.squares(d).sqrt()
        unit = torch.zeros_like(d)
        groups.layout(unit).view.copy_(groups.layout(d).view / torch.where(length > 0, length, 1.0))
        parts.append(mix.group * groups.factor * unit)
    return sum(parts[1:], parts[0]) if parts else torch.zeros_like(d)


def _measure(piece: Piece, mix: Mix) -> list[tuple[Tensor, Everyone]]:
    """What this process adds to the value, and who else adds to it."""
    d, everyone = difference(precise(local(piece.weight)), piece.anchor), peers(piece.weight)
    parts = []
    if mix.l1:
        parts.append((mix.l1 * d.abs().sum(), everyone))
    if mix.l2:
        parts.append((mix.l2 / 2 * _real(d).square().sum(), everyone))
    if mix.group and piece.groups is not None:
        # Who shares a group has its whole length already.
        others = tuple(peer for peer in everyone if peer not in piece.groups.members.across)
        parts.append((mix.group * _lengths(d, piece.groups), others))
    return parts or [(_real(d).sum() * 0, everyone)]


def _real(d: Tensor) -> Tensor:
    return torch.view_as_real(d) if d.is_complex() else d


def _lengths(d: Tensor, groups: Groups) -> Tensor:
    """``Σ c_g·‖d_g‖``.

    Not ``vector_norm``: its second derivative at a group of zeros is NaN.
    """
    squares = groups.squares(d)
    alive = squares > 0
    return groups.factor * torch.where(alive, torch.where(alive, squares, 1.0).sqrt(), 0.0).sum()


def settle(penalty: Norm) -> None:
    """Check and settle the fields that every penalty of this kind has."""
    object.__setattr__(penalty, "coefficient", checked_coefficient(penalty.coefficient))
    object.__setattr__(penalty, "towards", anchors(penalty.towards))
    checked_on(penalty.on)


def called(penalty: Norm, *numbers: float, **more: object) -> str:
    """``L1(0.0001, on='*.head.*')``: the ``repr`` of a penalty, which evaluates to its equal."""
    given = [repr(number) for number in (penalty.coefficient, *numbers)]
    on = [] if penalty.on is None else [f"on={penalty.on!r}"]
    towards = [] if penalty.towards is None else [f"towards={penalty.towards!r}"]
    keywords = [f"{name}={value!r}" for name, value in more.items()]
    return f"{type(penalty).__name__}({', '.join(given + on + keywords + towards)})"


def shown(penalty: Norm) -> str:
    """The coefficient in a formula: the number, or λ(t) where it has a schedule."""
    return "λ(t)" if callable(penalty.coefficient) else str(penalty.coefficient)


def where(penalty: Norm) -> str:
    """What a formula says of the tensors it sums over; nothing for the default."""
    return "" if penalty.on is None else f" [{penalty.on}]"


def variable(penalty: Norm) -> str:
    """What a formula sums over: ``w``, or its distance to the anchor."""
    if penalty.towards is None:
        return "w"
    return f"w−{'w₀' if isinstance(penalty.towards, Anchors) else format(penalty.towards, 'g')}"
