"""The models: linear, and the multilayer perceptron."""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Rescale(nn.Module):
    """Put the last layer's output on the scale of the target: ``center + scale · x``.

    The loss then sees y_pred and y_true in the target's own units, while the network learns
    numbers of the order of 1.
    """

    center: Tensor
    scale: Tensor

    def __init__(self, center: float, scale: float) -> None:
        super().__init__()
        self.register_buffer("center", torch.tensor(center))
        self.register_buffer("scale", torch.tensor(scale))

    def forward(self, x: Tensor) -> Tensor:
        """Return the values on the target's scale."""
        return self.center + self.scale * x


class Squeeze(nn.Module):
    """Turn the one output per row into the shape of the target, (N,)."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the values without their last axis."""
        return x.squeeze(-1)


def build_network(
    inputs: int,
    hidden: Sequence[int],
    outputs: int,
    *,
    rescale: tuple[float, float] | None = None,
    log_probabilities: bool = False,
) -> nn.Sequential:
    """Return a network; linear if there are no hidden layers.

    Args:
        inputs: Numbers per row.
        hidden: Widths of the hidden layers, with a ReLU after each.
        outputs: Width of the last layer; one output loses its axis.
        rescale: Center and scale of a regression target.
        log_probabilities: End in a log-softmax, for losses that take log-probabilities.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    width = inputs
    for number, size in enumerate(hidden, start=1):
        layers[f"hidden_{number}"] = nn.Linear(width, size)
        layers[f"relu_{number}"] = nn.ReLU()
        width = size
    layers["output"] = nn.Linear(width, outputs)
    if outputs == 1:
        layers["squeeze"] = Squeeze()
    if rescale is not None:
        layers["rescale"] = Rescale(*rescale)
    if log_probabilities:
        layers["log_softmax"] = nn.LogSoftmax(dim=1)
    return nn.Sequential(layers)
