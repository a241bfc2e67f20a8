"""Checks of what a loss holds: whether it owns it, moves it with itself, and can be pickled with it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from torch import Tensor, nn

from torchobjectives.check._check import Check, check
from torchobjectives.check._elsewhere import Elsewhere
from torchobjectives.check._inside import Held, Walk, last_of, listed, own_classes
from torchobjectives.check._report import Finding, counted
from torchobjectives.check._stops import ADDING, nodes
from torchobjectives.check._subject import SEED, Subject, as_of_a_model, called, surroundings
from torchobjectives.check._trace import Trace, located


@check("owns-its-parameters", needs=("number", "gradient"))
def owns_its_parameters(subject: Subject) -> Iterator[Finding]:
    """Gradients reach y_pred and the loss's own parameters, and nothing else."""
    loss = subject.copy()
    leaf, given = as_of_a_model(subject.y_pred)
    with surroundings(SEED, subject.y_pred):
        value = loss(given, subject.y_true.clone())
    # Functions that a copy holds still see what the loss itself holds.
    own = {id(tensor) for holder in (loss, subject.original) for tensor in parameters_of(holder)}
    strange = [tensor for tensor in leaves(value) if tensor is not leaf and id(tensor) not in own]
    if not strange:
        return
    found = held_in(loss, strange)
    unnamed = [tensor for tensor in strange if id(tensor) not in found and isinstance(tensor, nn.Parameter)]
    owner = owner_of(loss)
    owned = {id(tensor) for tensor in parameters_of(owner)} if owner is not loss else set()
    here = [held for key, held in found.items() if key not in owned]
    if here:
        of_outside = here[0].module is not None and not here[0].path.startswith("self")
        alone = of_outside and enter_alone(subject.traced(subject.y_pred, subject.y_true, loss), strange)
        yield _penalty(here, len(strange)) if alone else _hidden(subject, here, len(strange))
    elif found:
        yield Finding(
            "hidden-parameters",
            "note",
            f"Gradients reach {counted(len(found), 'tensor')} of the {called(owner)} whose method this is; the loss "
            "as it is passed here lists no parameters.",
            f"Give the optimizer the parameters of the {called(owner)}, too.",
            {"tensors": len(found), "paths": [held.path for held in found.values()]},
        )
    elif unnamed and not any(isinstance(h.value, Tensor) and h.value.grad_fn is not None for h in Walk().all_of(loss)):
        yield Finding(
            "hidden-parameters",
            "error",
            f"Gradients reach {counted(len(unnamed), 'nn.Parameter')} that loss.parameters() does not list, and that "
            "no attribute holds: made anew in each call, or kept where only the loss finds it. Nothing trains it.",
            "Make it once, in __init__ of an nn.Module: self.weight = nn.Parameter(...)",
            {"tensors": len(unnamed), "paths": []},
        )


def _penalty(found: list[Held], count: int) -> Finding:
    """What to say of a model that is trained by right, and of which the loss holds a penalty."""
    return Finding(
        "hidden-parameters",
        "error",
        f"Gradients reach {counted(count, 'tensor')} of {_modules(found)} in a term that y_pred is no part of: a "
        "penalty, for which the loss takes the model from outside, and loss.parameters() does not list what learns.",
        "A penalty is of the model, not of y_pred and y_true: leave it out of the loss, and add it where the model is "
        f"at hand, Objective(loss, penalties=[L2(...)])(y_pred, y_true, model={found[0].module}).",
        {"tensors": count, "paths": [held.path for held in found]},
    )


def _hidden(subject: Subject, found: list[Held], count: int) -> Finding:
    """What to say of tensors that learn, and that the loss does not list."""
    evidence = {"tensors": count, "paths": [held.path for held in found]}
    whole = "give all to the optimizer: [*model.parameters(), *loss.parameters()]"
    first, name = found[0], called(subject.original)
    outside = not first.path.startswith("self")
    if outside and first.module is not None:
        said = f"of {_modules(found)}, which the loss takes from outside: loss.parameters() does not list"
        fix = (
            f"If this loss is not to train it: {first.module}.requires_grad_(False). Else make the loss an nn.Module "
            f"that holds it, self.{last_of(first.module)} = {first.module}, and {whole}"
        )
    elif outside:
        said = f"from outside of the loss, {_paths(found)}: loss.parameters() does not list"
        fix = f"Make the loss an nn.Module with self.{last_of(first.path)} = nn.Parameter(...), and {whole}"
    elif subject.module is None:
        said = f"in {_paths(found)}: {name} is no nn.Module, so that no loss.parameters() lists"
        fix = f"class {name}(nn.Module), with super().__init__() first and forward for __call__; then {whole}"
    else:
        said = f"in {_paths(found)}: loss.parameters() does not list"
        fix = f"{_registering(subject, first)}; then {whole}"
    them = "it" if count == 1 else "them"
    return Finding(
        "hidden-parameters",
        "error",
        f"Gradients reach {counted(count, 'tensor')} {said} {them}, and no optimizer that is given those trains "
        f"{them}.",
        f"{fix}.",
        evidence,
    )


def _registering(subject: Subject, held: Held) -> str:
    """How the holder of a tensor that learns is made to list it."""
    holders = {other.path: other.value for other in Walk().all_of(subject.original)}
    holder = holders.get(held.path.rpartition(".")[0])
    if holder is not None and not isinstance(holder, nn.Module):
        first = f"class {type(holder).__name__}(nn.Module), with super().__init__() first"
        called_as = ", and forward in place of __call__" if callable(holder) else ""
        last = last_of(held.path)
        return first + called_as + ("" if isinstance(held.value, nn.Parameter) else f", and nn.Parameter for {last}")
    name = held.path.split("[")[0].split(".")[1]
    value = getattr(subject.original, name, None)
    if isinstance(value, Mapping):
        kind = "nn.ModuleDict" if held.module else "nn.ParameterDict"
    elif isinstance(value, list | tuple):
        kind = "nn.ModuleList" if held.module else "nn.ParameterList"
    else:
        kind = "nn.Parameter"
    return f"self.{name} = {kind}({name})"


def _paths(found: list[Held]) -> str:
    return listed([held.path for held in found])


def _modules(found: list[Held]) -> str:
    return "the module " + listed(list(dict.fromkeys(held.module or held.path for held in found)))


def enter_alone(trace: Trace, tensors: list[Tensor]) -> bool:
    """Whether tensors meet y_pred and y_true in a sum of single numbers alone, as those of a penalty do."""
    alone, met = {id(tensor) for tensor in tensors}, False
    for call in trace.calls:
        found = [tensor for tensor in call.inputs if id(tensor) in alone]
        if found and not call.sources:
            alone |= {id(tensor) for tensor in call.outputs}
        elif found and (call.name not in ADDING or any(tensor.numel() > 1 for tensor in found)):
            return False
        met = met or bool(found and call.sources)
    return met


def leaves(value: Tensor) -> list[Tensor]:
    """The tensors that a backward pass from a value ends at."""
    found = [node.variable for node in nodes(value) if hasattr(node, "variable")]
    return [value, *found] if value.is_leaf and value.requires_grad else found


def held_in(loss: Any, tensors: list[Tensor]) -> dict[int, Held]:
    """Where a loss holds tensors, by their ids."""
    wanted = {id(tensor) for tensor in tensors}
    return {id(held.value): held for held in Walk().all_of(loss) if id(held.value) in wanted}


def owner_of(loss: Any) -> Any:
    """Whose method a loss is, or what a partial calls; else the loss."""
    if inspect.ismethod(loss):
        return loss.__self__
    return owner_of(loss.func) if isinstance(loss, functools.partial) else loss


def parameters_of(loss: Any) -> list[Tensor]:
    """What a loss lists as its parameters; also one that is no module."""
    if isinstance(loss, type) or not callable(getattr(loss, "parameters", None)):
        return []
    with suppress(Exception):
        return [tensor for tensor in loss.parameters() if isinstance(tensor, Tensor)]
    return []


@check("moves-with-itself", needs=("number",))
def moves_with_itself(subject: Subject) -> Iterator[Finding]:
    """What the loss computes with moves to a device with it."""
    loss = subject.copy()
    if not isinstance(loss, nn.Module) or _moves_itself(loss):
        return
    registered = {id(tensor) for tensor in (*loss.parameters(), *loss.buffers())}
    plain = {
        held.path: held.value
        for held in Walk(foreign=False, outside=False).all_of(loss)
        # What learns is another fault, and a single number fits every device.
        if isinstance(held.value, Tensor)
        and id(held.value) not in registered
        and held.value.ndim
        and not held.value.requires_grad
    }
    if not plain:
        return
    _, given = as_of_a_model(subject.y_pred)
    truth = subject.y_true.clone()
    mode = Elsewhere([given, truth, *loss.parameters(), *loss.buffers()], plain)
    # Where it fails on a device that is not there, what was mixed until then stands.
    with surroundings(SEED, subject.y_pred), mode, suppress(Exception):
        loss(given, truth)
    left = sorted(frozenset().union(*(mixed.paths for mixed in mode.mixed)))
    if not left:
        return
    first = next(mixed for mixed in mode.mixed if left[0] in mixed.paths)
    shape = tuple(plain[left[0]].shape)
    what = f"`{left[0]}` is a plain tensor of shape {shape}" if len(left) == 1 else f"{listed(left)} are plain tensors"
    yield Finding(
        "not-buffer",
        "error",
        f"{what}: loss.to('cuda') leaves {'it' if len(left) == 1 else 'them'} behind, and then "
        f"`{first.call.strip('_')}`{located(first.place)} fails for two devices. state_dict() leaves "
        f"{'it' if len(left) == 1 else 'them'} out, too.",
        _buffer(loss, left[0]),
        {"attributes": left, "shape": list(shape), "call": first.call, "place": str(first.place)},
    )


def _moves_itself(loss: nn.Module) -> bool:
    """Whether somebody wrote how the loss moves."""
    return any(name in vars(kind) for kind in own_classes(loss) for name in ("_apply", "to", "cuda"))


def _buffer(loss: nn.Module, path: str) -> str:
    """How a tensor at a path is registered."""
    name = path.partition(".")[2].split("[")[0]
    holder, _, last = name.rpartition(".")
    modules = dict(loss.named_modules())
    if "[" in path:
        many = f"name, tensor in {last}.items()" if "['" in path else f"name, tensor in enumerate({last})"
        return (
            f"Register each tensor of it under a name of its own: for {many}: "
            f"self.register_buffer(f'{last}_{{name}}', tensor); or stack them into one buffer."
        )
    if holder in modules:
        of = f" of {type(modules[holder]).__name__}" if holder else ""
        return f"In __init__{of}: self.register_buffer('{last}', {last})"
    return f"In __init__: self.register_buffer('{last}', {path}); and in forward use self.{last}."


CHECKS: tuple[Check, ...] = (owns_its_parameters, moves_with_itself)
