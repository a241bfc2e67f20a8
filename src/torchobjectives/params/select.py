"""Selectors: which tensors of a model a penalty or an optimizer option speaks of."""

import abc
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from torch import nn

from torchobjectives._validate import near
from torchobjectives.params._roles import Entry, inventory

__all__ = ["Selector", "matching", "weights"]


class Selector(abc.ABC):
    """Chooses among the trainable parameters of a model.

    Called on a model it gives ``(name, parameter)`` pairs in the model's own order: tied tensors once, under
    their first name; frozen ones never.
    """

    def __call__(self, model: nn.Module) -> list[tuple[str, nn.Parameter]]:
        """The selected ``(name, parameter)`` pairs of the model."""
        return [(entry.name, entry.parameter) for entry in trainable(self, inventory(model))]

    @abc.abstractmethod
    def pick(self, entries: Sequence[Entry]) -> list[Entry]:
        """The selected ones among all parameters of a model; whoever asks leaves the frozen ones out."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def trainable(selector: Selector, entries: Sequence[Entry]) -> list[Entry]:
    """What a selector picks and training changes, in the model's own order."""
    picked = {entry.name for entry in selector.pick(entries)}
    return [entry for entry in entries if entry.name in picked and entry.trainable]


def weights() -> Selector:
    """Selects what is regularized by default: the matrices and kernels of a model.

    Those of linear, bilinear, convolution, attention and recurrent layers, and bare parameters with at least
    two dimensions above 1. Not biases whatever their name, norm scales, embeddings, PReLU slopes, layer
    scales. The layer that owns a tensor decides, not a word in its full name.

    Returns:
        The selector.

    Example:
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 1))
        >>> [name for name, _ in weights()(model)]
        ['1.weight', '3.weight']

    Elsewhere: ``ndim >= 2`` (nanoGPT, timm) also takes embeddings and stacked biases; ``"bias" not in name``
    also takes norm scales, and misses ``bias_proj.weight``.
    """
    return _Weights()


def matching(*patterns: str) -> Selector:
    """Selects parameters by name: ``*`` stands for anything, dots included.

    A leading ``*.`` also stands for nothing: ``*.bias`` takes a top-level ``bias`` too. The prefixes that
    ``DistributedDataParallel``, FSDP and ``torch.compile`` put before names need not be written, and a tied
    tensor is found under each of its names.

    Args:
        *patterns: One or more patterns; a parameter is selected if one of them matches.

    Returns:
        The selector. Called on a model in which a pattern matches no parameter, it raises a ``ValueError`` that
        lists near names; one that matches frozen parameters alone selects nothing.

    Raises:
        ValueError: No pattern, or an empty one.
        TypeError: A pattern that is not a string.

    Example:
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1))
        >>> [name for name, _ in matching("*.bias", "2.*")(model)]
        ['0.bias', '2.weight', '2.bias']
        >>> matching("*.bais")(model)
        Traceback (most recent call last):
        ValueError: pattern '*.bais' matches no parameter. Did you mean '0.bias' or '2.bias'?
    """
    if not patterns:
        raise ValueError('select.matching() needs at least one pattern, such as "*.head.*"')
    for pattern in patterns:
        if not isinstance(pattern, str):
            raise TypeError(f"a pattern must be a string, got {pattern!r} of type {type(pattern).__name__}")
        if not pattern:
            raise ValueError('a pattern must not be empty; "*" matches every parameter')
    return _Matching(patterns)


@final
@dataclass(frozen=True, repr=False)
class _Weights(Selector):
    def pick(self, entries: Sequence[Entry]) -> list[Entry]:
        return [entry for entry in entries if entry.role == "weight"]

    def __repr__(self) -> str:
        return "select.weights()"


@final
@dataclass(frozen=True, repr=False)
class _Matching(Selector):
    patterns: tuple[str, ...]

    def pick(self, entries: Sequence[Entry]) -> list[Entry]:
        chosen: set[str] = set()
        for pattern in self.patterns:
            expression = _expression(pattern)
            matched = [e for e in entries if any(re.fullmatch(expression, alias) for alias in e.aliases)]
            if not matched:
                names = [entry.name for entry in entries]
                raise ValueError(f"pattern {pattern!r} matches no parameter. {near(pattern, names)}")
            chosen.update(entry.name for entry in matched)
        return [entry for entry in entries if entry.name in chosen]

    def __repr__(self) -> str:
        return f"select.matching({', '.join(map(repr, self.patterns))})"


def _expression(pattern: str) -> str:
    """The pattern as a regular expression (torch.compile cannot trace ``fnmatch``)."""
    start, rest = (r"(.*\.)?", pattern[2:]) if pattern.startswith("*.") else ("", pattern)
    return start + ".*".join(re.escape(piece) for piece in rest.split("*"))
