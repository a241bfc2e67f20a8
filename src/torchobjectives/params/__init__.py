"""Parameters of a model: which ones a rule speaks of, and which options the optimizer gives them."""

from torchobjectives.params import select
from torchobjectives.params.groups import ParameterGroups, param_groups
from torchobjectives.params.loading import guard_loading
from torchobjectives.params.table import ParameterRow, ParameterTable, parameter_table

__all__ = [
    "ParameterGroups",
    "ParameterRow",
    "ParameterTable",
    "guard_loading",
    "param_groups",
    "parameter_table",
    "select",
]
