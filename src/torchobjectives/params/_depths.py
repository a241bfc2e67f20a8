"""How far from the input each parameter is: read from the sequences of layers that a model is built of."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from torch import nn

from torchobjectives.params._roles import Entry

# A layer is what lies under these paths: a block, and the norms after it that hold no weight of their own.
_Layer: TypeAlias = list[str]
_SEQUENCES = (nn.Sequential, nn.ModuleList)


def depths(model: nn.Module, entries: Sequence[Entry]) -> dict[Entry, int]:
    """The depth of every parameter: 0 before the first layer, then the layer's number, one more after the last.

    Embeddings outside of the layers have depth 0 wherever they are listed; what stands between two layers
    goes with the first.
    """
    number = {path: index for index, layer in enumerate(_found(model, entries), 1) for path in layer}
    last, reached, result = max(number.values()), 0, {}
    for entry in entries:
        parts = entry.name.split(".")
        within = [number[path] for count in range(len(parts)) if (path := ".".join(parts[:count])) in number]
        if within:
            reached = max(reached, within[-1])
            result[entry] = within[-1]
        elif entry.role == "embedding":
            result[entry] = 0
        else:
            result[entry] = last + 1 if reached == last else reached
    return result


def _found(model: nn.Module, entries: Sequence[Entry]) -> list[_Layer]:
    """The layers in order: sequences of blocks if there are any, else sequences of plain layers."""
    weighted = {
        ".".join(parts[:count])
        for parts in (entry.name.split(".") for entry in entries if entry.role == "weight")
        for count in range(len(parts))
    }
    tree = _Tree(weighted)
    for is_sequence in (tree.is_sequence_of_blocks, tree.is_sequence):
        layers = tree.layers("", model, is_sequence)
        if len(layers) >= 2:
            return layers
    children = [name for name, child in model.named_children() if any(True for _ in child.parameters())]
    raise ValueError(
        f"layer_decay needs to know which layer follows which, and {type(model).__name__} has no nn.Sequential or "
        f"nn.ModuleList of at least two layers with weights; it has: {', '.join(children) or 'no layers'}. Put its "
        'layers into one, or leave layer_decay out and give learning rates as rules=[("first.*", {"lr": 0.01}), …]'
    )


class _Tree:
    """The modules of a model, seen as what holds weights and what does not."""

    def __init__(self, weighted: set[str]) -> None:
        self.weighted = weighted  # paths of the modules that hold a weight, at any depth

    def members(self, path: str, module: nn.Module) -> list[tuple[str, nn.Module]]:
        """The children that hold weights, by full path."""
        children = [(f"{path}.{name}" if path else name, child) for name, child in module.named_children()]
        return [(name, child) for name, child in children if name in self.weighted]

    def is_block(self, path: str, module: nn.Module) -> bool:
        """Whether it is built of layers; a parametrized layer is not."""
        return any(not name.endswith("parametrizations") for name, _ in self.members(path, module))

    def is_sequence(self, path: str, module: nn.Module) -> bool:
        return isinstance(module, _SEQUENCES) and len(self.members(path, module)) >= 2

    def is_sequence_of_blocks(self, path: str, module: nn.Module) -> bool:
        return self.is_sequence(path, module) and sum(self.is_block(*m) for m in self.members(path, module)) >= 2

    def layers(self, path: str, module: nn.Module, is_sequence: Callable[[str, nn.Module], bool]) -> list[_Layer]:
        """The layers inside a module: the members of its outermost sequences, sequences in sequences laid out flat.

        Of a sequence in which a class comes twice, that class is the block, and what is in it (its MLP, its
        experts) is not taken apart. A class that comes once may be a whole backbone beside a head.
        """
        members = self.members(path, module)
        if not is_sequence(path, module):
            return [layer for member in members for layer in self.layers(*member, is_sequence)]
        kinds = [type(child) for name, child in members if self.is_block(name, child)]
        repeats = any(kinds.count(kind) > 1 for kind in kinds if kind not in _SEQUENCES)
        found: list[_Layer] = []
        for local_name, child in module.named_children():
            name = f"{path}.{local_name}" if path else local_name
            if name in self.weighted:
                inner = [] if repeats and type(child) not in _SEQUENCES else self.layers(name, child, is_sequence)
                found += inner or [[name]]
            elif found:
                found[-1].append(name)
        return found
