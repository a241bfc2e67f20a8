"""Losses by name: the library's own, and what a user registers. Nothing here imports by a given string."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Mapping
from typing import Any

from torchobjectives import _exports
from torchobjectives._fields import from_plain, to_plain
from torchobjectives._loss import FunctionLoss, Loss, as_loss
from torchobjectives._validate import near

_registered: dict[str, type[Loss] | Loss] = {}


def loss_names() -> list[str]:
    """All known names, sorted."""
    return sorted({*_exports.LOSSES, *_registered})


def loss_class(name: str) -> type[Loss]:
    """The class behind a name.

    Raises:
        ValueError: there is no such loss; the message lists near names.
    """
    entry = _entry(name)
    return entry if isinstance(entry, type) else type(entry)


def _entry(name: str) -> type[Loss] | Loss:
    if name in _registered:
        return _registered[name]
    if name not in _exports.LOSSES:
        raise ValueError(f"There is no loss {name!r}. {near(name, loss_names())}")
    class_name, module = _exports.LOSSES[name]
    found: type[Loss] = getattr(importlib.import_module(f"torchobjectives.{module}"), class_name)
    return found


def get(name: str, **hyper_parameters: Any) -> Loss:
    """Make a loss by its name.

    Args:
        name: such as ``"focal_loss"``.
        **hyper_parameters: as in the class.

    Raises:
        ValueError: there is no such loss, or a hyper-parameter is out of range.
        TypeError: there is no such hyper-parameter.

    >>> import torchobjectives
    >>> torchobjectives.get("focal_loss", gamma=1.5)
    FocalLoss(gamma=1.5, alpha=None, from_logits=True)
    >>> torchobjectives.get("focal_los")
    Traceback (most recent call last):
    ValueError: There is no loss 'focal_los'. Did you mean 'focal_loss'?
    """
    entry = _entry(name)
    if isinstance(entry, type):
        return entry(**hyper_parameters)
    # Copies: what one loss of this name trains is not the next one's.
    defaults = copy.deepcopy(entry.values())
    if isinstance(entry, FunctionLoss):
        return as_loss(entry.function, **{**defaults, **hyper_parameters})
    return type(entry)(**{**defaults, **hyper_parameters})


def register(name: str, loss: type[Loss] | Loss) -> None:
    """Make a loss of your own known by a name, for :func:`get` and for configurations.

    Args:
        name: the name; it must be free.
        loss: a subclass of ``Loss``, or a loss such as :func:`as_loss` makes (its hyper-parameters are
            then the defaults).

    Raises:
        ValueError: the name is taken.
        TypeError: ``loss`` is not a loss.
    """
    if not isinstance(name, str) or not name.isidentifier():
        raise ValueError(f"a loss is registered under a word such as 'power_loss', got {name!r}.")
    if not isinstance(loss, Loss) and not (isinstance(loss, type) and issubclass(loss, Loss) and loss is not Loss):
        raise TypeError(f"register takes a Loss, got {loss!r}. Wrap a function with as_loss first.")
    if name in _exports.LOSSES or _registered.get(name, loss) is not loss:
        raise ValueError(f"The name {name!r} is taken: choose another.")
    _registered[name] = loss


def registered_name(loss: Loss) -> str:
    """The name under which a loss can be made again.

    Raises:
        ValueError: there is none.
    """
    for name, (class_name, module) in _exports.LOSSES.items():
        if type(loss).__name__ == class_name and type(loss).__module__ == f"torchobjectives.{module}":
            return name
    for name, entry in _registered.items():
        if isinstance(entry, FunctionLoss) and isinstance(loss, FunctionLoss):
            # A default of the entry that this loss does not state would slip in.
            if entry.function is loss.function and entry.values().keys() <= loss.values().keys():
                return name
        elif type(loss) is (entry if isinstance(entry, type) else type(entry)) and not isinstance(loss, FunctionLoss):
            return name
    raise ValueError(
        f"{loss.name} has no name of its own in a configuration: "
        f'call torchobjectives.register("{loss.name}", loss) first.'
    )


def config_of(loss: Loss) -> dict[str, Any]:
    """The name and the fields of a loss as plain data; a None that is the default anyway is left out."""
    name = registered_name(loss)
    entry = _entry(name)
    defaults = {f.name: f.default for f in entry.fields().values()} if isinstance(entry, type) else entry.values()
    given = {
        key: value for key, value in loss.values().items() if value is not None or defaults.get(key, 0) is not None
    }
    return {"name": name, **{key: to_plain(value) for key, value in given.items()}}


def from_config(config: Mapping[str, Any]) -> Loss:
    """Make the loss that ``loss.to_config()`` described; nothing outside the registry is imported or run.

    Args:
        config: ``{"name": ..., hyper-parameters...}``.

    Raises:
        ValueError: the name is missing or unknown, or a value is out of range.
        TypeError: there is no such hyper-parameter.

    >>> from torchobjectives import HuberLoss, from_config
    >>> from_config(HuberLoss(delta=2.0).to_config())
    HuberLoss(delta=2.0)
    """
    if not isinstance(config, Mapping):
        raise TypeError(f"from_config takes what to_config gave, a dict, got {config!r}. Did you mean get({config!r})?")
    values = {key: from_plain(value) for key, value in config.items()}
    name = values.pop("name", None)
    if not isinstance(name, str):
        raise ValueError(f"A loss's configuration names it: {{'name': 'huber_loss', ...}}; got {config!r}.")
    return get(name, **values)
