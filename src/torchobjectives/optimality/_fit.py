"""Fits of one model, again and again, that keep a given number of features."""

from typing import Any

import torch
from torch import Tensor, nn

from torchobjectives.objective import Objective
from torchobjectives.optimality._problem import Problem
from torchobjectives.optimality._solver import solve
from torchobjectives.optimality.largest import chosen_term, start_at_zero
from torchobjectives.params._roles import Entry
from torchobjectives.penalties._layout import layout
from torchobjectives.penalties._methods import pieces_of

# The search for a coefficient goes down from lambda_max in this ratio, at most so far.
DOWN, LEAST = 0.85, 1e-3
# As a share of the coefficient: which weights are 0 is settled long before their values.
TOLERANCE, ROUNDS = 1e-4, 20


class Fit:
    """Fits of one model, at the least coefficient that leaves no more features than a count.

    The least: where a feature has only just come in, it is chance that chooses it.
    """

    def __init__(self, objective: Objective, model: nn.Module, first: Entry, count: int | None) -> None:
        self._objective, self._model, self._first, self._count = objective, model, first, count
        self._term = chosen_term(objective, None)
        if not any(piece.weight is first.parameter for piece in pieces_of(objective.penalties[self._term], model)):
            raise ValueError(f"{objective.penalties[self._term]!r} does not speak of {first.name!r}, the first layer.")
        self._start = self._weights()
        # The coefficient on all rows, and that at which a search for it gives up.
        self.least = self._floor = 0.0

    def all_rows(self, x: Tensor, y_true: Any) -> Tensor:
        """The length of each feature's weights; other fits start from here."""
        if self._count is None:
            self.least = self._own_coefficient()
            lengths = self._lengths_at([(x, y_true)], self.least)
        else:
            largest = start_at_zero(self._objective, self._model, [(x, y_true)], self._term, 1e-9, ROUNDS)
            self._floor = LEAST * largest
            self.least, lengths = self._down([(x, y_true)], largest, self._count)
        self._start = self._weights()
        return lengths

    def rows(self, x: Tensor, y_true: Any) -> Tensor:
        """The same for some of the rows; their own coefficient is searched from that of all rows."""
        self._put(self._start)
        data = [(x, y_true)]
        lengths = self._lengths_at(data, self.least)
        if self._count is None:
            return lengths
        if _features(lengths) <= self._count:
            return self._down(data, self.least, self._count)[1]
        coefficient = self.least
        while _features(lengths) > self._count:
            coefficient /= DOWN
            lengths = self._lengths_at(data, coefficient)
        return lengths

    def _down(self, data: list[tuple[Tensor, Any]], coefficient: float, count: int) -> tuple[float, Tensor]:
        """From a coefficient that leaves few enough to the least that does."""
        lengths, weights = self._lengths(), self._weights()
        while coefficient > self._floor:
            more = self._lengths_at(data, DOWN * coefficient)
            if _features(more) > count:
                self._put(weights)
                break
            coefficient, lengths, weights = DOWN * coefficient, more, self._weights()
        return coefficient, lengths

    def _own_coefficient(self) -> float:
        own = self._objective.penalties[self._term].coefficient
        if callable(own):
            raise ValueError(f"{self._term!r} has a schedule: give one number, or per_resample=.")
        return float(own)

    def _lengths_at(self, data: list[tuple[Tensor, Any]], coefficient: float) -> Tensor:
        problem = Problem(self._objective, self._model, data, {self._term: coefficient})
        solve(problem, TOLERANCE * coefficient, ROUNDS)
        return self._lengths()

    def _lengths(self) -> Tensor:
        inputs = layout(self._first, "input")(self._first.parameter.detach()).view
        return inputs.flatten(1).double().square().sum(1).sqrt().cpu()

    def _weights(self) -> list[Tensor]:
        return [parameter.detach().clone() for parameter in self._model.parameters()]

    def _put(self, weights: list[Tensor]) -> None:
        with torch.no_grad():
            for parameter, value in zip(self._model.parameters(), weights, strict=True):
                parameter.copy_(value)


def _features(lengths: Tensor) -> int:
    return int((lengths > 0).sum())
