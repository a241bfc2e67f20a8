"""Optimizer state goes back to the parameters that it came from, or not at all."""

from collections.abc import Sequence
from typing import Any

from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from torchobjectives.params._roles import WRAPPER_PARTS

__all__ = ["guard_loading"]


def guard_loading(optimizer: Optimizer) -> RemovableHandle:
    """Lets ``optimizer.load_state_dict`` refuse a state whose parameters have other names or another order.

    torch hands the saved state out by position: after a layer was renamed, added or moved, each tensor may get
    the momentum of another one of its shape, and no error. The guard compares the names that the
    optimizer keeps (``param_names``) with the saved ones. Prefixes of ``DistributedDataParallel``, FSDP and
    ``torch.compile`` do not count, and the optimizer's own names stay as they are.

    Args:
        optimizer: Built from named parameters: ``param_groups(model)``, or ``model.named_parameters()``.

    Returns:
        A handle; ``handle.remove()`` takes the guard away. A copied or unpickled optimizer has none.

    Raises:
        ValueError: The optimizer has no names. From ``load_state_dict``: the saved state has no names, or others,
            or in another order; the first that differ are listed, and nothing is loaded.
        TypeError: Not a ``torch.optim.Optimizer``.

    Example:
        >>> import torch
        >>> from torchobjectives import param_groups
        >>> old = torch.nn.ModuleDict({"a": torch.nn.Linear(2, 2), "b": torch.nn.Linear(2, 2)})
        >>> new = torch.nn.ModuleDict({"b": old["b"], "a": old["a"]})
        >>> saved = torch.optim.Adam(param_groups(old)).state_dict()
        >>> optimizer = torch.optim.Adam(param_groups(new))
        >>> handle = guard_loading(optimizer)
        >>> optimizer.load_state_dict(saved)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ValueError: the saved optimizer state is in another order: number 0 is 'a.weight' there, 'b.weight' here...

    Elsewhere: ``torch.optim`` documents that names do not affect loading, and takes the saved names over.
    """
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"optimizer must be a torch.optim.Optimizer, got {type(optimizer).__name__}")
    if _names(optimizer.param_groups) is None:
        raise ValueError(
            f"{type(optimizer).__name__} holds parameters without names, so there is nothing to compare: build it from "
            "param_groups(model) or from model.named_parameters()"
        )
    return optimizer.register_load_state_dict_pre_hook(_compare)


def _compare(optimizer: Optimizer, state_dict: dict[str, Any]) -> dict[str, Any]:
    """Raises where the names differ; gives the state under the optimizer's own names."""
    own, saved = _names(optimizer.param_groups) or [], _names(state_dict["param_groups"])
    if saved is None:
        raise ValueError(
            "the saved optimizer state has no names, so it cannot be told whose state it is: it was saved by an "
            "optimizer of unnamed parameters. If their order is surely the same, remove() the guard and load again"
        )
    if (difference := _difference(_bare(own), _bare(saved))) is not None:
        raise ValueError(
            f"the saved optimizer state {difference}. Load it into an optimizer of the model it was saved for"
        )
    groups = state_dict["param_groups"]
    if [len(group["params"]) for group in groups] == [len(group["params"]) for group in optimizer.param_groups]:
        groups = [
            {**group, "param_names": list(mine["param_names"])}
            for group, mine in zip(groups, optimizer.param_groups, strict=True)
        ]
    return {**state_dict, "param_groups": groups}


def _names(groups: Sequence[dict[str, Any]]) -> list[str] | None:
    if not all("param_names" in group for group in groups):
        return None
    return [name for group in groups for name in group["param_names"]]


def _difference(own: Sequence[str], saved: Sequence[str]) -> str | None:
    """What is wrong with the saved names, said with the first that differ; None if nothing is."""
    known, given = set(own), set(saved)
    missing = [name for name in own if name not in given]
    foreign = [name for name in saved if name not in known]
    if missing or foreign:
        parts = [f"lacks {_first(missing)}"] if missing else []
        parts += [f"has {_first(foreign)}, which this optimizer does not"] if foreign else []
        return f"is of other parameters: it {' and '.join(parts)}"
    for index, (mine, theirs) in enumerate(zip(own, saved, strict=False)):
        if mine != theirs:
            return f"is in another order: number {index} is {theirs!r} there, {mine!r} here"
    return None


def _first(names: Sequence[str], limit: int = 3) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(map(repr, names[:limit])) + more


def _bare(names: Sequence[str]) -> list[str]:
    """Names without the prefixes of wrappers; a part ``module`` may be the user's own, and stays where it is needed."""
    for parts in ((*WRAPPER_PARTS, "module"), WRAPPER_PARTS):
        bare = [".".join(part for part in name.split(".") if part not in parts) for name in names]
        if len(set(bare)) == len(names):
            break
    return bare
