"""The mean over everything that counts in an optimizer step: all micro-batches, all processes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import final

import torch
import torch.distributed as dist
from torch import Tensor, nn

from torchobjectives._reduction import TOTALS
from torchobjectives.integrations._facts import evaluate, one_value, option, spec_of_sum, trainable


@final
class GlobalMean:
    """What :func:`global_mean` makes.

    Args:
        loss: the loss.
        process_group: the processes that share a step.
    """

    def __init__(self, loss: Callable[..., Tensor], process_group: dist.ProcessGroup | None = None) -> None:
        spec_of_sum(loss, "global_mean")
        self.loss = loss
        self._process_group = process_group
        self._sums: tuple[Tensor, Tensor] | None = None

    def __call__(
        self, y_pred: Tensor, y_true: Tensor, *, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        """This process's share: averaged over the processes, as DDP does with gradients, it is the global mean."""
        total, mass = self._totals(y_pred, y_true, weight, mask)
        (global_mass,) = self._over_processes(mass)
        return total * self._world_size() / _or_one(global_mass).to(total.dtype)

    def add(
        self, y_pred: Tensor, y_true: Tensor, *, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        """Σwℓ of a micro-batch, undivided, for ``backward()``; the mass is remembered until :meth:`divide`."""
        total, mass = self._totals(y_pred, y_true, weight, mask)
        so_far = self._sums or (0.0, 0.0)
        self._sums = (so_far[0] + _wide(total), so_far[1] + _wide(mass))
        return total

    def divide(self, parameters: Iterable[Tensor]) -> Tensor:
        """Divide every ``.grad`` by the global mass, once; before clipping and the optimizer's step.

        Args:
            parameters: all that learn from this loss: ``model.parameters()``.

        Returns:
            The global mean of the micro-batches since the last call, the same number in every process.

        Raises:
            ValueError: nothing was added, or there are no parameters.
            TypeError: ``parameters`` are no tensors.
        """
        distinct = _distinct(parameters)
        world_size = self._world_size()
        if self._sums is None and world_size == 1:
            raise ValueError("Nothing to divide: call add(y_pred, y_true).backward() for each micro-batch first.")
        # A process without a micro-batch takes part all the same: the others wait for it.
        nothing = torch.zeros((), device=distinct[0].device)
        total, mass = self._over_processes(*(self._sums or (nothing, nothing)))
        self._sums = None
        factor = torch.where(mass > 0, world_size / _or_one(mass), 1.0)
        for parameter in distinct:
            if parameter.grad is not None:
                _scale(parameter.grad, factor)
        return (total / _or_one(mass)).to(torch.promote_types(distinct[0].dtype, torch.float32))

    def __repr__(self) -> str:
        return f"global_mean({self.loss!r})"

    def _totals(
        self, y_pred: Tensor, y_true: Tensor, weight: Tensor | None, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        for name, given in (("weight", weight), ("class_weight", option(self.loss, "class_weight"))):
            if isinstance(given, Tensor) and given.requires_grad:
                raise ValueError(
                    f"{name} carries a gradient, and the mass is summed over processes without one: the gradient of "
                    f"the mean would be wrong. Detach {name}."
                )
        both = evaluate(self.loss, y_pred, y_true, weight=weight, mask=mask, reduction=TOTALS)
        if both.shape != (2,):  # a loss of the user's own that knows no such reduction
            raise one_value(self.loss, "global_mean")
        names = trainable(self.loss)
        if names and self._world_size() > 1:
            warnings.warn(
                f"The loss learns {', '.join(names)}: their gradients are averaged over processes only where the loss "
                "is part of the module that DistributedDataParallel wraps. Elsewhere they drift apart.",
                stacklevel=3,
            )
        total, mass = both.unbind()
        return total, mass

    def _world_size(self) -> int:
        if not (dist.is_available() and dist.is_initialized()):
            return 1
        return dist.get_world_size(self._process_group)

    def _over_processes(self, *values: Tensor) -> tuple[Tensor, ...]:
        """Each number summed over the processes, without gradient."""
        sums = torch.stack([_wide(value) for value in values])
        if self._world_size() > 1:
            dist.all_reduce(sums, group=self._process_group)
        return sums.unbind()


def global_mean(loss: Callable[..., Tensor], *, process_group: dist.ProcessGroup | None = None) -> GlobalMean:
    r"""The mean of a loss that stays right under gradient accumulation and DistributedDataParallel.

    .. math:: \frac{\sum_{\text{processes, micro-batches}} \sum w \ell}{\sum_{\text{processes, micro-batches}} \sum w}

    The mean of the processes' or micro-batches' means is not that: it gives units of a batch in which few count
    more weight than others. One division by the global mass does.

    - ``mean(y_pred, y_true, weight=…, mask=…)`` in place of the loss, where each process takes one batch per step.
    - ``mean.add(y_pred, y_true, …).backward()`` for each micro-batch and ``mean.divide(model.parameters())`` before
      the optimizer's step, under gradient accumulation.

    Every process must call them equally often. Where nothing counts anywhere the mean is 0. In one process, and
    without a process group, the result is the plain mean. A loss whose values depend on the batch (GHM: see
    ``spec.exemptions["micro_batch"]``) takes each micro-batch for one. Gradients of undivided sums are large: float16
    parameters overflow sooner; keep them in float32 and use autocast.

    Args:
        loss: a loss with one value per unit: a class instance, or a function (hyper-parameters through
            ``functools.partial``).
        process_group: the processes that share a step, as given to DistributedDataParallel; None for all.

    Raises:
        TypeError: not a loss of this library, or a class instead of its instance.
        ValueError: the loss has one value per batch.

    >>> import torch
    >>> from torchobjectives import MSELoss, global_mean
    >>> slope = torch.zeros((), requires_grad=True)
    >>> mean = global_mean(MSELoss())
    >>> for x in (torch.tensor([1.0]), torch.tensor([2.0, 3.0, 4.0])):
    ...     mean.add(slope * x, 2 * x).backward()
    >>> mean.divide([slope]), slope.grad
    (tensor(30.), tensor(-30.))
    """
    return GlobalMean(loss, process_group)


def _wide(value: Tensor) -> Tensor:
    """A number for summing up, without gradient: float64, where the device has it."""
    return value.detach() if value.device.type == "mps" else value.detach().double()


def _or_one(mass: Tensor) -> Tensor:
    return torch.where(mass > 0, mass, 1.0)


def _distinct(parameters: Iterable[Tensor]) -> list[Tensor]:
    if isinstance(parameters, nn.Module):
        raise TypeError("divide takes parameters, got a module: pass model.parameters().")
    given = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    for item in given:
        if not isinstance(item, Tensor):
            raise TypeError(f"divide takes parameters, got a {type(item).__name__}: pass model.parameters().")
    distinct = list(dict.fromkeys(given))  # One that occurs twice must not be divided twice.
    if not distinct:
        raise ValueError("divide got no parameters. A generator is empty after its first use: pass it anew.")
    return distinct


def _scale(gradient: Tensor, factor: Tensor) -> None:
    factor = factor.to(gradient.device)
    if gradient.dtype.itemsize < 4:
        # The factor itself may be too small for float16.
        gradient.copy_(gradient.to(factor.dtype) * factor)
    else:
        gradient.mul_(factor.to(gradient.dtype))
