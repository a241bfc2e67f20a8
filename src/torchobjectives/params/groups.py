"""Optimizer options per parameter: every trainable parameter in exactly one group."""

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias, final

from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from torchobjectives._validate import in_range, number
from torchobjectives.params._depths import depths
from torchobjectives.params._roles import Entry, describe, inventory
from torchobjectives.params._selector import Selector, as_selector, trainable
from torchobjectives.params.select import weights
from torchobjectives.params.table import aligned

__all__ = ["ParameterGroups", "Rule", "param_groups"]

Rule: TypeAlias = tuple[str | Selector, Mapping[str, Any]]


@final
class ParameterGroups(list[dict[str, Any]]):
    """A list of optimizer groups that prints as a table; an optimizer takes it as it is."""

    def __repr__(self) -> str:
        options = list(dict.fromkeys(key for group in self for key in group if key not in _RESERVED))
        rows = [["group", *options, "tensors", "numbers", "names"]]
        for index, group in enumerate(self):
            tensors, names = _contents(group)
            numbers = sum(0 if isinstance(tensor, UninitializedParameter) else tensor.numel() for tensor in tensors)
            values = [_short(group[key]) if key in group else "-" for key in options]
            rows.append([str(index), *values, str(len(tensors)), f"{numbers:,}", _abbreviated(names)])
        return aligned(rows)


def param_groups(
    model: nn.Module,
    *,
    lr: float | Tensor | None = None,
    weight_decay: float = 0.0,
    rules: Iterable[Rule] = (),
    layer_decay: float | None = None,
) -> ParameterGroups:
    """Optimizer groups in which ``weight_decay`` goes to weights only, and rules say the rest.

    Each trainable parameter is in exactly one group, tied tensors once; parameters with equal options share a
    group, so that an optimizer's fused and foreach forms stay fast. ``weight_decay`` goes to what
    ``select.weights()`` selects and 0.0, in writing, to all others (AdamW's own default is not 0). Rules come
    on top and merge key by key; of several that match, the last wins.

    Args:
        model: Its trainable parameters are grouped; names stay with them (the optimizer's ``param_names``).
        lr: Learning rate of every group; None leaves it to the optimizer.
        weight_decay: For weights. What it minimises is the optimizer's affair: SGD and Adam add
            ``½·weight_decay·‖w‖²`` to the objective, AdamW does not.
        rules: Pairs ``(pattern or selector, options)``, such as ``("*.bias", {"lr": 0.5})``. What they say is
            taken as written: a rule's ``lr`` is not decayed.
        layer_decay: A factor in (0, 1] by which the learning rate falls from each layer to the one before it:
            ``lr`` after the last layer, ``lr·layer_decay`` in it, and so on down to embeddings and stem (of a
            model that ends in a layer, that one has ``lr``). Layers are the members of the outermost
            ``nn.Sequential`` or ``nn.ModuleList``, of several one after the other, in the order in which the
            model lists them. The factor is part of each group's ``lr``, so schedulers that multiply keep the
            ratios; ``OneCycleLR`` and ``CyclicLR`` set rates of their own: give them one per group.

    Returns:
        A list of groups for any torch optimizer; printed, it is a table.

    Raises:
        ValueError: A pattern matches nothing (near names are listed), a negative or NaN ``lr`` or
            ``weight_decay``, an option that is no option, no trainable parameter; ``layer_decay`` without ``lr``,
            or for a model whose layers are in no sequence.
        TypeError: A rule that is not a pair.

    Example:
        >>> model = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1))
        >>> groups = param_groups(model, lr=0.1, weight_decay=0.01, rules=[("*.bias", {"lr": 0.5})])
        >>> print(groups)
        group  lr   weight_decay  tensors  numbers  names
        0      0.1  0.01          2        8        0.weight, 2.weight
        1      0.5  0.0           2        3        0.bias, 2.bias
        >>> import torch
        >>> optimizer = torch.optim.SGD(groups)

    Elsewhere: mmengine makes one group per tensor (slow); timm, detectron2 and mmengine ignore a pattern that
    matches nothing. timm writes layer decay into ``lr_scale``, which torch's schedulers do not read.
    """
    number("weight_decay", weight_decay, low=0.0)
    entries = inventory(model)
    trained = [entry for entry in entries if entry.trainable]
    if not trained:
        raise ValueError(
            f"{type(model).__name__} has no trainable parameter to group; its parameters: {describe(entries)}"
        )
    rates = _rates(model, entries, lr, layer_decay)
    decayed = set(trainable(weights(), entries))
    options = {entry: {**rates[entry], "weight_decay": weight_decay if entry in decayed else 0.0} for entry in trained}
    for rule in _checked_rules(rules):
        for entry in _picked(rule, entries):
            options[entry].update(rule[1])
    groups = _grouped(options)
    prove_partition(groups, entries)
    return groups


def _rates(
    model: nn.Module, entries: Sequence[Entry], lr: float | Tensor | None, layer_decay: float | None
) -> dict[Entry, dict[str, Any]]:
    """The learning rate of each parameter, as an option to merge."""
    if lr is not None:
        _checked("lr", lr)
    if layer_decay is None:
        return {entry: {} if lr is None else {"lr": lr} for entry in entries}
    _FACTOR(layer_decay=layer_decay)
    if lr is None:
        raise ValueError("layer_decay multiplies lr: give param_groups the lr of the last layers too")
    depth = depths(model, entries)
    deepest = max(depth.values())
    # One object per depth: parameters with a tensor as their rate share a group only if it is the same tensor.
    by_depth = {d: lr * layer_decay ** (deepest - d) for d in set(depth.values())}
    return {entry: {"lr": by_depth[depth[entry]]} for entry in entries}


def prove_partition(groups: ParameterGroups, entries: Sequence[Entry]) -> None:
    """Raise unless every trainable parameter is in exactly one group, and nothing else is in any."""
    homes: dict[int, list[int]] = {id(entry.parameter): [] for entry in entries}
    names = {id(entry.parameter): entry.name for entry in entries}
    for index, group in enumerate(groups):
        for name, tensor in group["params"]:
            homes.setdefault(id(tensor), []).append(index)
            names.setdefault(id(tensor), name)
    trained = {id(entry.parameter) for entry in entries if entry.trainable}
    for tensor, found in homes.items():
        if len(found) != (tensor in trained):
            raise AssertionError(
                f"{'trainable' if tensor in trained else 'frozen or foreign'} parameter {names[tensor]!r} is in "
                f"{f'groups {found}' if found else 'no group'}: a defect of param_groups, please report it"
            )


def _grouped(options: Mapping[Entry, dict[str, Any]]) -> ParameterGroups:
    groups = ParameterGroups()
    for entry, wanted in options.items():
        home = next((group for group in groups if _same(wanted, group)), None)
        if home is None:
            home = {"params": [], **wanted}
            groups.append(home)
        home["params"].append((entry.name, entry.parameter))
    return groups


def _same(wanted: Mapping[str, Any], group: Mapping[str, Any]) -> bool:
    """Equal options; tensors (a learning rate may be one) and arrays only if they are one object."""
    if wanted.keys() != group.keys() - {"params"}:
        return False
    return all(
        value is group[key] or (isinstance(value, _PLAIN) and isinstance(group[key], _PLAIN) and value == group[key])
        for key, value in wanted.items()
    )


def _checked_rules(rules: Iterable[Rule]) -> list[Rule]:
    if isinstance(rules, str | Mapping) or not isinstance(rules, Iterable):
        raise TypeError('rules must be a list of pairs such as ("*.bias", {"lr": 0.5})' + f", got {rules!r}")
    checked = []
    for rule in rules:
        if not (isinstance(rule, Sequence) and len(rule) == 2 and isinstance(rule[1], Mapping)):
            raise TypeError(f'a rule must be a pair such as ("*.bias", {{"lr": 0.5}}), got {rule!r}')
        for key, value in rule[1].items():
            _checked(key, value)
        checked.append(rule)
    return checked


def _checked(key: object, value: Any) -> None:
    if not isinstance(key, str) or key in _RESERVED:
        raise ValueError(f"{key!r} is not an option of an optimizer group: use lr, weight_decay, momentum, …")
    # torch takes a misspelt option without a word, and its optimizers then ignore it.
    if key not in _OPTIONS:
        near = difflib.get_close_matches(key.lower(), _OPTIONS, n=1, cutoff=0.85)
        meant = _OTHER_WORDS.get(key.lower()) or (near[0] if near else None)
        if meant:
            raise ValueError(f"{key!r} is no option that torch's optimizers know. Did you mean {meant!r}?")
    if key in ("lr", "weight_decay", "momentum"):
        number(key, value.item() if isinstance(value, Tensor) and value.numel() == 1 else value, low=0.0)
    for part in value if isinstance(value, tuple | list) else (value,):
        if isinstance(part, float) and math.isnan(part):
            raise ValueError(f"the option {key!r} is {value!r}, wanted numbers: what was it computed from?")


def _picked(rule: Rule, entries: Sequence[Entry]) -> list[Entry]:
    chosen, _ = rule
    if not isinstance(chosen, str | Selector):
        raise TypeError(f"a rule starts with a pattern or a selector, got {chosen!r}")
    selector = as_selector(chosen)
    if not selector.pick(entries):
        raise ValueError(f"the rule for {chosen!r} selects nothing; there is: {describe(entries)}")
    return trainable(selector, entries)


_FACTOR = in_range(low=0, high=1, open_low=True)
# What a group holds beside its options.
_RESERVED = ("params", "param_names")
_OPTIONS = (
    *(
        "lr",
        "weight_decay",
        "momentum",
        "dampening",
        "nesterov",
        "maximize",
        "foreach",
        "fused",
        "capturable",
    ),
    *("differentiable", "betas", "eps", "amsgrad", "rho", "alpha", "centered", "lr_decay", "lambd", "etas"),
    *("momentum_decay", "decoupled_weight_decay", "initial_accumulator_value", "step_sizes", "ns_steps"),
    # Of optimizers outside torch, and near enough to the above to be taken for a slip.
    *(
        "beta",
        "beta1",
        "beta2",
        "beta2_decay",
        "d",
        "eps1",
        "eps2",
        "eta",
        "ns_coefficients",
        "adjust_lr_fn",
        "step_size",
    ),
)
_OTHER_WORDS = {"learning_rate": "lr", "learningrate": "lr", "wd": "weight_decay", "decay": "weight_decay"}
_PLAIN = (int, float, str, tuple, list, type(None))


def _contents(group: Mapping[str, Any]) -> tuple[list[Tensor], list[str]]:
    """Tensors and names of a group, before and after an optimizer took it (which takes the pairs apart)."""
    if "param_names" in group:
        return list(group["params"]), list(group["param_names"])
    return [tensor for _, tensor in group["params"]], [name for name, _ in group["params"]]


def _short(value: Any) -> str:
    """A value as written; floats that a product made long, rounded."""
    text = str(value)
    return f"{value:.6g}" if isinstance(value, float) and len(text) > 10 else text


def _abbreviated(names: Sequence[str], width: int = 60) -> str:
    shown = ", ".join(names)
    if len(shown) <= width:
        return shown
    kept = shown[:width].rpartition(", ")[0] or names[0]
    return f"{kept}, … (+{len(names) - kept.count(', ') - 1})"
