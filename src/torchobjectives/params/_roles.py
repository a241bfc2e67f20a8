"""What each parameter of a model is for: decided by its owner, its own name and its dimensions."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd
from torch.nn.parameter import UninitializedParameter
from torch.nn.utils.parametrize import ParametrizationList
from torch.optim.swa_utils import AveragedModel

from torchobjectives.params._marks import Mark, listed, lists, mark_of, written

Role: TypeAlias = Literal["weight", "bias", "norm_scale", "embedding", "scale"]

_NORMS = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
_LAYERS = (nn.Linear, nn.Bilinear, _ConvNd, nn.MultiheadAttention, nn.RNNBase, nn.RNNCellBase)
_TABLES = (nn.Embedding, nn.EmbeddingBag)
_CONTAINERS = (nn.ParameterList, nn.ParameterDict)
# The matrices of those layers: weight, in_proj_weight, q_proj_weight, weight_ih_l0_reverse; under the older
# hooks of torch.nn.utils also weight_orig (spectral norm, pruning) and weight_v (weight norm's direction).
_LAYER_WEIGHT = re.compile(r"((in|q|k|v)_proj_)?weight(_(ih|hh|hr)(_l\d+)?(_reverse)?)?(_orig|_v)?")
# A module that the user's own class names a norm: its scale goes by one of these names.
_SCALE = re.compile(r"weight|scale|gamma|gain|g|w")
_WRAPPERS = (nn.DataParallel, nn.parallel.DistributedDataParallel, AveragedModel)
WRAPPER_PARTS = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")


@dataclass(frozen=True, eq=False)
class Entry:
    """One parameter tensor of a model; tied names are one entry."""

    name: str  # the first under which the model lists it
    aliases: tuple[str, ...]  # every name that means it, also without the prefixes of wrappers
    owner: nn.Module  # the layer that it belongs to
    local_name: str  # its name there
    role: Role
    mark: Mark | None  # what was said of it by hand, which outranks the role
    parameter: nn.Parameter
    tied: tuple[str, ...]  # the further names under which the model lists it
    modules: Mapping[str, nn.Module] = field(repr=False)  # all of the model, by path

    def within(self) -> list[nn.Module]:
        """The modules that hold it, from the outside in, under each of its names."""
        paths = []
        for name in (self.name, *self.tied):
            parts = name.split(".")[:-1]
            paths += [".".join(parts[:count]) for count in range(len(parts) + 1)]
        return [self.modules[path] for path in dict.fromkeys(paths)]

    @property
    def trainable(self) -> bool:
        """Whether it is trained; what ``functional_call`` put in a parameter's place is, whatever its flag says."""
        return self.parameter.requires_grad or not isinstance(self.parameter, nn.Parameter)


def inventory(model: nn.Module) -> list[Entry]:
    """Every parameter of the model once, frozen ones included, in the model's own order."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}")
    modules = dict(model.named_modules(remove_duplicate=False))
    aliases: dict[int, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        aliases.setdefault(id(parameter), []).append(name)
    marks = written(modules)
    unregularized = listed({_without_wrappers(modules, path): m for path, m in modules.items() if lists(m)})
    entries = []
    for name, parameter in model.named_parameters():
        names = aliases[id(parameter)]
        owners = [_owner(modules, alias) for alias in names]
        owner, local_name = owners[0]
        plain = [_without_wrappers(modules, alias) for alias in names]
        plain += [without_hooks(alias) for alias in plain]
        known = tuple(dict.fromkeys(names + plain))
        # A table that is tied to an output layer is an embedding in whichever order the two are listed.
        is_table = any(isinstance(holder, _TABLES) for holder, _ in owners)
        role = "embedding" if is_table else role_of(owner, local_name, parameter)
        said = {marks[n] for alias in names for n in (alias, without_hooks(alias)) if n in marks} if marks else set()
        is_listed = any(re.fullmatch(pattern, alias) for pattern in unregularized for alias in known)
        mark = mark_of(parameter, said, is_listed)
        entries.append(Entry(name, known, owner, local_name, role, mark, parameter, tuple(names[1:]), modules))
    return entries


def role_of(owner: nn.Module, name: str, parameter: Tensor) -> Role:
    """The role of ``owner``'s parameter ``name``.

    The order matters: a bias is a bias in every layer, and a layer's own matrix is a weight even if it has
    one output; only tensors that no known layer explains are judged by their dimensions. (Weight norm's
    length, one number per row, falls out as a scale.)
    """
    if _is_bias(owner, name, parameter):
        return "bias"
    if isinstance(owner, _TABLES):
        return "embedding"
    if isinstance(owner, _NORMS):
        return "norm_scale"
    if isinstance(owner, nn.PReLU):
        return "scale"
    if isinstance(owner, _LAYERS) and _LAYER_WEIGHT.fullmatch(name):
        return "weight"
    if _is_named_norm(type(owner)) and _SCALE.fullmatch(name):
        return "norm_scale"
    return "weight" if _dimensions_above_one(name, parameter) >= 2 else "scale"


def _is_bias(owner: nn.Module, name: str, parameter: Tensor) -> bool:
    """``bias``, ``in_proj_bias``, ``bias_ih_l0``, ``bias_k``; also ``b1`` beside a larger ``w1``.

    And what is named like a bias (``bq``, ``w1_b``, ``offset``) and has the shape of a tensor beside it, one axis
    left out.
    """
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)
    if any(word.lower() in ("bias", "biases") for word in words):
        return True
    if re.fullmatch(r"b(\d+|_\w+)?", name):
        partners = [owner._parameters.get(stem + name[1:]) for stem in ("w", "W", "weight")]
        size = _dimensions_above_one(name, parameter)
        if any(p is not None and _dimensions_above_one(name, p) > size for p in partners):
            return True
    if not re.fullmatch(r"b|b\d+|b[a-z]|b_\w+|\w+_b\d*|(\w+_)?(offset|shift|beta)s?", name):
        return False
    siblings = [p for p in owner._parameters.values() if p is not None and p is not parameter]
    return any(_is_one_axis_less(parameter, sibling) for sibling in siblings)


def _is_one_axis_less(small: Tensor, large: Tensor) -> bool:
    if isinstance(small, UninitializedParameter) or isinstance(large, UninitializedParameter):
        return False
    shape = tuple(large.shape)
    return any(shape[:axis] + shape[axis + 1 :] == tuple(small.shape) for axis in range(len(shape)))


def _is_named_norm(owner: type[nn.Module]) -> bool:
    """A norm layer that torch does not know: ``LlamaRMSNorm``, ``LayerNorm2d``, or a subclass of one."""
    return any(re.search(r"[nN]orm([123]d)?$", base.__name__) for base in owner.__mro__)


def _dimensions_above_one(name: str, parameter: Tensor) -> int:
    if isinstance(parameter, UninitializedParameter):
        raise ValueError(f"parameter {name!r} has no shape yet, so no role: call the model once on a batch first")
    return sum(size > 1 for size in parameter.shape)


def _owner(modules: dict[str, nn.Module], name: str) -> tuple[nn.Module, str]:
    """The layer to which a parameter belongs, and its name there.

    Lists and dictionaries of parameters are no layers: ``biases.0`` belongs to the module that holds the
    list. ``lin.parametrizations.weight.original`` is the ``weight`` of ``lin``, and weight norm's direction
    too.
    """
    path, _, local_name = name.rpartition(".")
    holder = modules[path]
    if isinstance(holder, ParametrizationList):
        layer_path, _, tensor_name = path.rpartition(".parametrizations.")
        if path.startswith("parametrizations."):
            layer_path, tensor_name = "", path.removeprefix("parametrizations.")
        layer, is_direction = (
            modules[layer_path],
            type(holder[0]).__name__ == "_WeightNorm" and local_name == "original1",
        )
        if local_name == "original" or is_direction or isinstance(layer, (*_TABLES, *_NORMS)):
            return layer, tensor_name
        # Weight norm's length, or factors of the tensor: judged by their dimensions.
        return holder, local_name
    while isinstance(holder, _CONTAINERS) and path:
        path, _, part = path.rpartition(".")
        holder, local_name = modules[path], f"{part}_{local_name}"
    return holder, local_name


def _without_wrappers(modules: dict[str, nn.Module], name: str) -> str:
    """The name in the user's own model, without the prefixes of DDP, FSDP and compile."""
    kept, parts = [], name.split(".")
    for i, part in enumerate(parts):
        wrapped = part == "module" and isinstance(modules[".".join(parts[:i])], _WRAPPERS)
        if part not in WRAPPER_PARTS and not wrapped:
            kept.append(part)
    return ".".join(kept)


def without_hooks(name: str) -> str:
    """The name of the tensor that parametrizations or the older hooks take the place of: ``0.weight``, ``0.bias``."""
    name = re.sub(r"(?:^|(?<=\.))parametrizations\.(\w+)\.original\d*$", r"\1", name)
    return re.sub(r"((?:^|\.)(?:\w*weight\w*|bias))_(?:orig|v|g)$", r"\1", name)


def describe(entries: Sequence[Entry], limit: int = 8) -> str:
    """``'fc.weight' (weight), 'fc.bias' (bias) …``: what a message says is there."""
    shown = [
        f"{e.name!r} ({e.role}{f', marked {e.mark}' if e.mark else ''}{'' if e.trainable else ', frozen'})"
        for e in entries[:limit]
    ]
    return ", ".join(shown) + (f" and {len(entries) - limit} more" if len(entries) > limit else "") or "none"
