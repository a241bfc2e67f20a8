"""Annotated fields become a keyword-only constructor.

A class lists its hyper-parameters once, as annotations with defaults; the constructor, its signature, the
repr and the configuration follow from that list. Tensors become buffers, ``nn.Parameter`` stays a parameter.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Self, dataclass_transform

import torch
from torch import Tensor, nn

from torchobjectives._validate import near, numbers

REQUIRED: Any = inspect.Parameter.empty


@dataclass(frozen=True)
class Field:
    """One hyper-parameter: its name, annotation and default (``REQUIRED`` where it has none)."""

    name: str
    annotation: str
    default: Any = REQUIRED

    @property
    def holds_tensor(self) -> bool:
        """Whether the annotation speaks of tensors: sequences are then turned into one."""
        return "Tensor" in self.annotation


# Type checkers take the class that carries this decorator as the marker and read fields from its
# subclasses only; on a class that has fields itself, those would be lost.
@dataclass_transform(kw_only_default=True)
class _Declarative:
    """The empty parent of :class:`Fields`."""


class Fields(_Declarative, nn.Module):
    """A module whose constructor is the list of its annotated fields."""

    _fields: ClassVar[dict[str, Field]] = {}
    # What a subclass may annotate without making it a hyper-parameter.
    _class_facts: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        own: dict[str, Field] = {}
        for name, annotation in inspect.get_annotations(cls).items():
            text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
            text = text if isinstance(annotation, (str, type)) else str(annotation)
            if name.startswith("_") or "ClassVar" in text or name in cls._class_facts:
                continue
            if name not in cls._fields and any(hasattr(base, name) for base in cls.__bases__):
                raise TypeError(
                    f"{cls.__name__}: every loss has a {name!r}: choose another name for the hyper-parameter."
                )
            own[name] = Field(name, text, cls.__dict__.get(name, REQUIRED))
            if name in cls.__dict__:
                # Left on the class, the default would hide a buffer of the same name.
                delattr(cls, name)
        # Own fields first: what is special about a loss reads before what all have.
        cls._fields = {**own, **{name: field for name, field in cls._fields.items() if name not in own}}
        cls.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [
                inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default, annotation=f.annotation)
                for f in cls._fields.values()
            ]
        )

    def __new__(cls, *args: Any, **given: Any) -> Self:
        # Here, not in __init__: a subclass's own __init__ may assign tensors before it calls ours.
        self = super().__new__(cls)
        nn.Module.__init__(self)
        return self

    def __init__(self, *args: Any, **given: Any) -> None:
        fields = type(self)._fields
        if args:
            names = ", ".join(f"{name}=..." for name in fields)
            raise TypeError(
                f"{type(self).__name__} takes keyword arguments only, got {len(args)} positional: "
                f"write {type(self).__name__}({names})."
            )
        for name in given:
            if name in ("weight", "mask") and name not in fields:
                classes = " For one weight per class: class_weight=..." if "class_weight" in fields else ""
                raise TypeError(
                    f"{type(self).__name__} takes {name} with the call: loss(y_pred, y_true, {name}=...).{classes}"
                )
            if name not in fields:
                raise TypeError(f"{type(self).__name__} has no hyper-parameter {name!r}. {near(name, fields)}")
        missing = [name for name, f in fields.items() if f.default is REQUIRED and name not in given]
        if missing:
            raise TypeError(f"{type(self).__name__} needs {', '.join(missing)}.")
        for name, field in fields.items():
            # A default is shared by all instances; what one of them trains or changes must be its own.
            self._store(field, given[name] if name in given else copy.deepcopy(field.default))

    def _store(self, field: Field, value: Any) -> None:
        if field.holds_tensor and (isinstance(value, (list, tuple)) or _is_array(value)):
            # float64, as Python's numbers are: what float32 would cut off, a float64 prediction would miss.
            if any(isinstance(item, Tensor) and item.ndim for item in value):
                raise TypeError(f"{field.name} is a list of tensors. Did you mean torch.stack({field.name})?")
            value = numbers(field.name, value)
        elif isinstance(value, list) or _is_array(value):
            value = tuple(value.tolist() if _is_array(value) else value)
        if value is None and field.holds_tensor:
            self.register_buffer(field.name, None)
        else:
            setattr(self, field.name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Tensor) and not isinstance(value, nn.Parameter) and name in type(self)._fields:
            self.__dict__.pop(name, None)
            if name not in self._parameters:
                self.register_buffer(name, owned(value))
                return
        super().__setattr__(name, value)

    @classmethod
    def fields(cls) -> Mapping[str, Field]:
        """The fields of the class by name, in the order of the constructor."""
        return MappingProxyType(cls._fields)

    def values(self) -> dict[str, Any]:
        """The fields of this instance and what they hold."""
        return {name: getattr(self, name) for name in type(self)._fields}


def _is_array(value: object) -> bool:
    """Whether it is an array of another library, such as NumPy's."""
    return hasattr(value, "__array__") and getattr(value, "ndim", 0) > 0 and not isinstance(value, Tensor)


def owned(value: Tensor) -> Tensor:
    """A copy, so that loading a state never writes into the caller's tensor; one that is trained is not copied."""
    return value if value.requires_grad else value.clone()


def to_plain(value: Any) -> Any:
    """A field's value as plain numbers, strings, lists and dictionaries, fit for TOML and JSON."""
    if isinstance(value, Tensor):
        kind = "parameter" if isinstance(value, nn.Parameter) else "tensor"
        return {kind: value.detach().cpu().tolist(), "dtype": str(value.dtype).removeprefix("torch.")}
    if isinstance(value, (tuple, list)):
        return [to_plain(item) for item in value]
    if value is None:
        return {"none": True}  # TOML has no word for it
    return value.item() if hasattr(value, "__array__") else value


def from_plain(value: Any) -> Any:
    """The inverse of :func:`to_plain`."""
    if not isinstance(value, dict):
        return value
    if value == {"none": True}:
        return None
    unknown = set(value) - {"tensor", "parameter", "dtype"}
    dtype = getattr(torch, str(value.get("dtype")), None)
    if unknown or not isinstance(dtype, torch.dtype):
        raise ValueError(f"{value!r} is no tensor: wanted the keys 'tensor' or 'parameter', and 'dtype'.")
    if "parameter" in value:
        return nn.Parameter(torch.tensor(value["parameter"], dtype=dtype))
    return torch.tensor(value["tensor"], dtype=dtype)
