"""Penalties: functions of a model's parameters that an objective adds to its losses."""

from torchobjectives.penalties._penalty import Penalty
from torchobjectives.penalties.groups import GroupLasso
from torchobjectives.penalties.norms import L1, L2, ElasticNet
from torchobjectives.penalties.plan import Plan
from torchobjectives.penalties.schedules import cosine_schedule, linear_schedule

__all__ = ["L1", "L2", "ElasticNet", "GroupLasso", "Penalty", "Plan", "cosine_schedule", "linear_schedule"]
