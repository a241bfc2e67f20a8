"""What was said of single parameters by hand: kept with the module that holds them, so that copies have it too."""

import re
from collections.abc import Collection, Mapping
from typing import Literal, TypeAlias

from torch import Tensor, nn

Mark: TypeAlias = Literal["regularized", "unregularized"]

# ``copy.deepcopy`` drops attributes of a parameter and keeps those of a module; a plain dict there is in no
# ``state_dict``, and a weight that a parametrization takes the place of keeps its name in it.
_ATTRIBUTE = "_torchobjectives_marks"


def write(modules: Mapping[str, nn.Module], name: str, mark: Mark | None) -> None:
    """Mark the parameter ``name``, or take its mark away."""
    path, _, local_name = name.rpartition(".")
    marks: dict[str, Mark] = modules[path].__dict__.setdefault(_ATTRIBUTE, {})
    if mark is None:
        marks.pop(local_name, None)
    else:
        marks[local_name] = mark


def written(modules: Mapping[str, nn.Module]) -> dict[str, Mark]:
    """All marks of a model, by the full name of the parameter."""
    return {
        f"{path}.{local_name}" if path else local_name: mark
        for path, module in modules.items()
        for local_name, mark in module.__dict__.get(_ATTRIBUTE, {}).items()
    }


def listed(modules: Mapping[str, nn.Module]) -> list[str]:
    """What methods ``no_weight_decay()`` list, as regular expressions of names in the whole model."""
    return [
        expression(f"{path}.{name}" if path else name) for path, module in modules.items() for name in _names(module)
    ]


def lists(module: nn.Module) -> bool:
    """Whether it has a method ``no_weight_decay()``.

    In its class: wrappers pass unknown attributes on to the model inside, relative to which the names are.
    """
    return callable(getattr(type(module), "no_weight_decay", None))


def mark_of(parameter: Tensor, marks: Collection[Mark], is_listed: bool) -> Mark | None:
    """The mark of a parameter for which these were written: of two that disagree, the cautious one."""
    if marks:
        return "unregularized" if "unregularized" in marks else "regularized"
    return "unregularized" if is_listed or getattr(parameter, "_no_weight_decay", False) is True else None


def _names(module: nn.Module) -> list[str]:
    names: object = module.no_weight_decay()  # type: ignore[operator]
    if isinstance(names, str) or not isinstance(names, Collection) or not all(isinstance(n, str) for n in names):
        raise TypeError(f"{type(module).__name__}.no_weight_decay() must return a set of names, got {names!r}")
    return list(names)


def expression(pattern: str) -> str:
    """A pattern of names as a regular expression (torch.compile cannot trace ``fnmatch``)."""
    start, rest = (r"(.*\.)?", pattern[2:]) if pattern.startswith("*.") else ("", pattern)
    return start + ".*".join(re.escape(piece) for piece in rest.split("*"))
