"""The workbench: fit models with an objective on your own data, and predict with them.

Its libraries come with the extra ``workbench``; names are loaded on first use.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torchobjectives.workbench.errors import InputError as InputError
    from torchobjectives.workbench.prediction import FittedRun as FittedRun, load as load

__all__ = ["FittedRun", "InputError", "load"]

_HOMES = {"FittedRun": "prediction", "InputError": "errors", "load": "prediction"}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"torchobjectives.workbench has no {name!r}. There is: {', '.join(__all__)}")
    return getattr(import_module(f"torchobjectives.workbench.{_HOMES[name]}"), name)
