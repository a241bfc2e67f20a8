"""The models: linear, and the multilayer perceptron."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn


class Rescale(nn.Module):
    """Put the last layer's outputs on the scale of the target: ``center + scale · x`` each, in float64.

    Where predictions have a floor, this is the logarithm of what they have above it. The loss then sees y_pred and
    y_true in the target's own units, while the network learns numbers of the order of 1. In float32 a target around
    10⁹ would have no digits left for what it is about.
    """

    center: Tensor
    scale: Tensor

    def __init__(self, scales: Sequence[tuple[float, float]], floor: float | None = None) -> None:
        super().__init__()
        columns = torch.tensor(scales, dtype=torch.float64).reshape(-1, 2).unbind(1)
        # One output has lost its axis.
        center, scale = (column.squeeze(0) if len(scales) == 1 else column for column in columns)
        self.register_buffer("center", center.clone())
        self.register_buffer("scale", scale.clone())
        self.floor = floor

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        probe = fn(torch.empty(0))
        # The one kind of device without float64 gets float32; a change of dtype is for weights, not for these.
        dtype = torch.float32 if probe.device.type == "mps" else torch.float64
        for name, value in self._buffers.items():
            assert value is not None
            self._buffers[name] = value.to(dtype).to(probe.device)
        return self

    def forward(self, x: Tensor) -> Tensor:
        """Return the values on the target's scale."""
        values = self.center + self.scale * x.to(self.center.dtype)
        return values if self.floor is None else self.floor + torch.exp(values)

    def steepness(self, values: Tensor) -> Tensor:
        """Return how fast the values, as they stand, grow with the last layer's output."""
        return self.scale if self.floor is None else self.scale * (values - self.floor)


class Squeeze(nn.Module):
    """Turn the one output per row into the shape of the target, (N,)."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the values without their last axis."""
        return x.squeeze(-1)


def first_layer(network: nn.Module) -> str:
    """Return the name of the layer that reads the inputs."""
    return next(str(name) for name, module in network.named_modules() if isinstance(module, nn.Linear))


@dataclass(frozen=True)
class Architecture:
    """What it takes to build a network again.

    Args:
        inputs: Numbers per row.
        hidden: Widths of the hidden layers, with a ReLU after each; none: linear.
        outputs: Width of the last layer; one output loses its axis.
        dropout: Share of each hidden layer that is switched off while training.
        rescale: Center and scale of every output, on the scale of a regression's target.
        floor: What all outputs lie above.
        log_probabilities: End in a log-softmax, for losses that take log-probabilities.
    """

    inputs: int
    hidden: Sequence[int]
    outputs: int
    dropout: float = 0.0
    rescale: Sequence[tuple[float, float]] | None = None
    floor: float | None = None
    log_probabilities: bool = False

    def build(self) -> nn.Sequential:
        """Return the network, freshly initialised."""
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        width = self.inputs
        for number, size in enumerate(self.hidden, start=1):
            layers[f"hidden_{number}"] = nn.Linear(width, size)
            layers[f"relu_{number}"] = nn.ReLU()
            if self.dropout:
                layers[f"dropout_{number}"] = nn.Dropout(self.dropout)
            width = size
        layers["output"] = nn.Linear(width, self.outputs)
        if self.outputs == 1:
            layers["squeeze"] = Squeeze()
        if self.rescale is not None:
            layers["rescale"] = Rescale(self.rescale, self.floor)
        if self.log_probabilities:
            layers["log_softmax"] = nn.LogSoftmax(dim=1)
        return nn.Sequential(layers)
