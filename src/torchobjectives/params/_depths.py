"""How far from the input each parameter is: read from the sequences of layers that a model is built of."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeAlias

from torch import nn

from torchobjectives.params._roles import Entry

# A layer is what lies under these paths: a block, and the norms after it that hold no weight of their own.
_Layer: TypeAlias = list[str]
_SEQUENCES = (nn.Sequential, nn.ModuleList)


def depths(model: nn.Module, entries: Sequence[Entry]) -> dict[Entry, int]:
    """The depth of every parameter: 0 before the first layer, then the layer's number, one more after the last.

    The layers are the members of sequences of blocks if that tells anything apart, else of sequences of plain layers.
    """
    tree = _Tree(model, entries)
    for is_sequence in (tree.is_sequence_of_blocks, tree.is_sequence):
        found = _numbered(tree.layers("", model, is_sequence), entries)
        if len(set(found.values())) > 1:
            return found
    children = [name for name, child in model.named_children() if any(True for _ in child.parameters())]
    raise ValueError(
        f"layer_decay needs to know which layer follows which, and {type(model).__name__} has no nn.Sequential or "
        f"nn.ModuleList of at least two layers with weights; it has: {', '.join(children) or 'no layers'}. Put its "
        'layers into one, or leave layer_decay out and give learning rates as rules=[("first.*", {"lr": 0.01}), …]'
    )


def _numbered(layers: Sequence[_Layer], entries: Sequence[Entry]) -> dict[Entry, int]:
    """The depths that layers give; outside of them embeddings have 0, what stands between two goes with the first."""
    number = {path: index for index, layer in enumerate(layers, 1) for path in layer}
    reached, result = 0, {}
    for entry in entries:
        parts = entry.name.split(".")
        within = [number[path] for count in range(len(parts)) if (path := ".".join(parts[:count])) in number]
        if within:
            reached = max(reached, within[-1])
            result[entry] = within[-1]
        elif entry.role == "embedding" or not reached:
            result[entry] = 0
        else:
            result[entry] = reached + (reached == len(layers))
    return result


class _Tree:
    """The modules of a model, seen as what holds weights and what does not."""

    def __init__(self, model: nn.Module, entries: Sequence[Entry]) -> None:
        names = (entry.name.split(".") for entry in entries if entry.role == "weight")
        # The paths of the modules that hold a weight, at any depth.
        self.weighted = {".".join(parts[:count]) for parts in names for count in range(len(parts))}
        self.uses = Counter(type(module) for module in model.modules())

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
        """Two blocks or more, or a single one of a class of its own: a stage may be that short."""
        members = self.members(path, module)
        blocks = [child for name, child in members if self.is_block(name, child)]
        is_short = len(members) == 1 and any(type(child) not in _SEQUENCES for child in blocks)
        return isinstance(module, _SEQUENCES) and (len(blocks) >= 2 or is_short)

    def layers(self, path: str, module: nn.Module, is_sequence: Callable[[str, nn.Module], bool]) -> list[_Layer]:
        """The layers inside a module: the members of its outermost sequences, sequences in sequences laid out flat.

        A class that the model uses more than once is a block, and what is in it (its MLP, its experts) is not
        taken apart. A class that it uses once may be a whole backbone beside a head, but not between blocks.
        """
        if not is_sequence(path, module):
            return [layer for member in self.members(path, module) for layer in self.layers(*member, is_sequence)]
        kinds = Counter(type(child) for name, child in self.members(path, module) if self.is_block(name, child))
        repeats = any(count > 1 for kind, count in kinds.items() if kind not in _SEQUENCES)
        found: list[_Layer] = []
        for local_name, child in module.named_children():
            name = f"{path}.{local_name}" if path else local_name
            if name in self.weighted:
                is_whole = type(child) not in _SEQUENCES and (repeats or self.uses[type(child)] > 1)
                found += (not is_whole and self.layers(name, child, is_sequence)) or [[name]]
            elif found:
                found[-1].append(name)
        return found
