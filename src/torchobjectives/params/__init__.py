"""Parameters of a model: which ones a rule speaks of, and which options the optimizer gives them."""

from torchobjectives.params import select
from torchobjectives.params.groups import ParameterGroups, param_groups

__all__ = ["ParameterGroups", "param_groups", "select"]
