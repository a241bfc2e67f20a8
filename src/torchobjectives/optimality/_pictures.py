"""The way to the pictures, which need a library of the workbench."""

from types import ModuleType


def pictures() -> ModuleType:
    """The module that draws.

    Raises:
        ImportError: matplotlib is missing.
    """
    try:
        from torchobjectives.workbench import optimality_figures
    except ImportError as error:
        raise ImportError(
            f'{error.name} is not installed, which plot() needs: pip install "torchobjectives[workbench]"'
        ) from error
    return optimality_figures
