"""Selectors: which tensors of a model a penalty or an optimizer option speaks of."""

from typing import TypeVar

from torch import nn

from torchobjectives.params._marks import Mark, write
from torchobjectives.params._roles import Role, describe, inventory
from torchobjectives.params._selector import (
    Everything,
    Matching,
    OfRole,
    OfType,
    Selector,
    Weights,
    as_selector,
    trainable as trainable,
)

__all__ = [
    "Selector",
    "biases",
    "embeddings",
    "everything",
    "mark",
    "matching",
    "norm_scales",
    "of_type",
    "role",
    "scales",
    "weights",
]

_Module = TypeVar("_Module", bound=nn.Module)


def weights() -> Selector:
    """Selects what is regularized by default: the matrices and kernels of a model.

    Those of linear, bilinear, convolution, attention and recurrent layers, and bare parameters with at least
    two dimensions above 1. Not biases whatever their name, norm scales, embeddings, PReLU slopes, layer
    scales. The layer that owns a tensor decides, not a word in its full name; a mark (see :func:`mark`)
    outranks both.

    Returns:
        The selector.

    Example:
        >>> model = nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 1))
        >>> [name for name, _ in weights()(model)]
        ['1.weight', '3.weight']
        >>> [name for name, _ in (weights() - "3.*" | embeddings())(model)]
        ['0.weight', '1.weight']

    Elsewhere: ``ndim >= 2`` (nanoGPT, timm) also takes embeddings and stacked biases; ``"bias" not in name``
    also takes norm scales, and misses ``bias_proj.weight``.
    """
    return Weights()


def biases() -> Selector:
    """Selects biases: also attention's ``in_proj_bias``, an LSTM's ``bias_ih_l0``, stacked biases of experts.

    Returns:
        The selector; marks do not change what it selects.

    Example:
        >>> [name for name, _ in biases()(nn.LSTMCell(2, 2))]
        ['bias_ih', 'bias_hh']
    """
    return OfRole(("bias",), "biases")


def norm_scales() -> Selector:
    """Selects the scales of batch, layer, group, instance and RMS norms, and of classes that are named so.

    Returns:
        The selector; marks do not change what it selects.

    Example:
        >>> [name for name, _ in norm_scales()(nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2)))]
        ['1.weight']
    """
    return OfRole(("norm_scale",), "norm_scales")


def embeddings() -> Selector:
    """Selects the tables of ``Embedding`` and ``EmbeddingBag``, also where an output layer is tied to one.

    Returns:
        The selector; marks do not change what it selects.

    Example:
        >>> [name for name, _ in embeddings()(nn.Sequential(nn.Embedding(5, 2), nn.Linear(2, 5)))]
        ['0.weight']
    """
    return OfRole(("embedding",), "embeddings")


def scales() -> Selector:
    """Selects the rest: PReLU slopes, layer scales, class tokens, temperatures, weight norm's length.

    Returns:
        The selector; marks do not change what it selects.

    Example:
        >>> [name for name, _ in scales()(nn.Sequential(nn.Linear(2, 2), nn.PReLU()))]
        ['1.weight']
    """
    return OfRole(("scale",), "scales")


def role(*roles: Role) -> Selector:
    """Selects by role; each parameter of a model has one.

    Args:
        *roles: Of ``"weight"``, ``"bias"``, ``"norm_scale"``, ``"embedding"``, ``"scale"``.

    Returns:
        The selector. Unlike :func:`weights`, ``role("weight")`` goes by the role alone, whatever marks say.

    Raises:
        ValueError: No role, or an unknown one.

    Example:
        >>> [name for name, _ in role("bias", "norm_scale")(nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2)))]
        ['0.bias', '1.weight', '1.bias']
    """
    return OfRole(roles)


def of_type(*types: type) -> Selector:
    """Selects the parameters of modules of these types, those of modules inside them included.

    Args:
        *types: Classes of modules; subclasses count too. ``torch.compile`` and parametrizations hide nothing.

    Returns:
        The selector.

    Raises:
        ValueError: No type.
        TypeError: Something that is not a class, such as a module.

    Example:
        >>> model = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2))
        >>> [name for name, _ in of_type(nn.LayerNorm)(model)]
        ['1.weight', '1.bias']
    """
    return OfType(types)


def everything() -> Selector:
    """Selects every parameter of a model.

    Returns:
        The selector.

    Example:
        >>> [name for name, _ in (everything() - biases())(nn.Linear(3, 2))]
        ['weight']
    """
    return Everything()


def matching(*patterns: str) -> Selector:
    """Selects parameters by name: ``*`` stands for anything, dots included.

    A leading ``*.`` also stands for nothing: ``*.bias`` takes a top-level ``bias`` too. The prefixes that
    ``DistributedDataParallel``, FSDP and ``torch.compile`` put before names need not be written, and a tied
    tensor is found under each of its names. A marked tensor is found like any other.

    Args:
        *patterns: One or more patterns; a parameter is selected if one of them matches.

    Returns:
        The selector. Called on a model in which a pattern matches no parameter, it raises a ``ValueError`` that
        lists near names; one that matches frozen parameters alone selects nothing.

    Raises:
        ValueError: No pattern, or an empty one.
        TypeError: A pattern that is not a string.

    Example:
        >>> model = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1))
        >>> [name for name, _ in matching("*.bias", "2.*")(model)]
        ['0.bias', '2.weight', '2.bias']
        >>> matching("*.bais")(model)
        Traceback (most recent call last):
        ValueError: pattern '*.bais' matches no parameter. Did you mean '0.bias' or '2.bias'?
    """
    return Matching(patterns)


def mark(module: _Module, on: str | Selector = "*", *, regularized: bool | None = False) -> _Module:
    """Says of single parameters whether they are regularized by default, whatever their role.

    A mark outranks the role: :func:`weights`, and with it the penalties' default and the ``weight_decay`` of
    ``param_groups``, leaves out what is marked False and takes what is marked True. What is asked for by
    another selector or by a pattern is selected, marked or not.

    The mark is kept with the module that holds the parameter, under the parameter's name there. So it survives
    ``copy.deepcopy``, pickle, ``AveragedModel``, ``.to()``, ``to_empty``, ``load_state_dict``, ``torch.compile``
    and a parametrization registered later; it is not in the ``state_dict``.

    What other libraries write down is read too, as marked False: ``parameter._no_weight_decay = True`` (which
    ``copy.deepcopy`` drops), and the names that a module's method ``no_weight_decay()`` returns, relative to
    that module and with ``*`` for anything. A mark made here outranks both.

    Args:
        module: A model, or the layer that holds the parameters, such as ``self`` at the end of ``__init__``.
        on: Which of the module's parameters, frozen ones included: a pattern or a selector.
        regularized: False, True, or None to take the marks away.

    Returns:
        The module.

    Raises:
        ValueError: ``on`` selects nothing.
        TypeError: Not a module: a tensor does not keep its attributes when it is copied.

    Example:
        >>> model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
        >>> [name for name, _ in weights()(mark(model, "1.*"))]
        ['0.weight']
    """
    if not isinstance(module, nn.Module):
        raise TypeError(
            f"a mark is kept with a module, got {type(module).__name__}: write select.mark(model, 'name.of.parameter')"
        )
    if regularized is not None and not isinstance(regularized, bool):
        raise TypeError(f"regularized must be True, False or None, got {regularized!r}")
    selector, entries = as_selector(on), inventory(module)
    marked = selector.pick(entries)
    if not marked:
        raise ValueError(f"{selector!r} selects nothing to mark; there is: {describe(entries)}")
    said: Mark | None = None if regularized is None else "regularized" if regularized else "unregularized"
    for entry in marked:
        for name in (entry.name, *entry.tied):
            write(entry.modules, name, said)
    return module
