"""The rows in batches: shuffled ones to train on, large ones in order to judge by."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from torchobjectives.workbench.config import RunConfig

Batch = tuple[Tensor, Tensor]
VALIDATION_BATCH = 65536


@dataclass(frozen=True)
class Data(Dataset[Batch]):
    """Some of the rows of a table, as tensors of all of them: nothing is copied before a batch is taken."""

    x: Tensor
    y: Tensor
    rows: Tensor

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, batch: Any) -> Batch:
        """Return the inputs and the truth of several rows, by their numbers among these."""
        rows = self.rows[batch]
        return self.x[rows], self.y[rows]

    def chunks(self) -> Iterator[Batch]:
        """Return all rows in order, in large batches."""
        return (self[part] for part in slices(len(self)))


def fingerprint(*parts: Data) -> str:
    """A number for what rows hold: other rows, or others in their order, have another."""
    digest = hashlib.sha256()
    for part in parts:
        for batch in part.chunks():
            for values in batch:
                digest.update(values.contiguous().numpy().data)
    return digest.hexdigest()


class Batches(Sampler[list[int]]):
    """The rows of each step: shuffled by (seed, epoch) alone, so that any epoch can be begun anew.

    Of a batch each of several processes takes every so many-th row.
    """

    def __init__(self, rows: int, config: RunConfig, *, rank: int = 0, processes: int = 1) -> None:
        self._rows, self._size, self._seed = rows, config.batch_size, config.seed
        self._rank, self._processes = rank, processes
        self._generator = torch.Generator()

    def set_epoch(self, epoch: int) -> None:
        """Begin an epoch; Lightning calls this at its start."""
        order, _ = seeds(self._seed, epoch)
        self._generator.manual_seed(order)

    def __iter__(self) -> Iterator[list[int]]:
        order = torch.randperm(self._rows, generator=self._generator)
        for batch in torch.split(order, self._size):
            yield batch[self._rank :: self._processes].tolist()

    def __len__(self) -> int:
        return -(-self._rows // self._size)


def seeds(seed: int, epoch: int) -> tuple[int, int]:
    """Two numbers that follow from (seed, epoch): for the order of the rows, and for torch's random numbers."""
    order, numbers = np.random.SeedSequence([seed, epoch]).generate_state(2, np.uint64) >> np.uint64(2)
    return int(order), int(numbers)


def load(data: Data, sampler: Sampler[list[int]] | None = None) -> DataLoader[Any]:
    """Return batches; one is one indexing, not one per row. Without a sampler: large ones, in order."""
    return DataLoader(data, sampler=_Chunks(len(data)) if sampler is None else sampler, batch_size=None)


class _Chunks(Sampler[slice]):
    """Large batches of neighbours."""

    def __init__(self, rows: int) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[slice]:
        return slices(self._rows)

    def __len__(self) -> int:
        return -(-self._rows // VALIDATION_BATCH)


def slices(rows: int) -> Iterator[slice]:
    """Return the parts in which many rows are evaluated: what is in between for all of them would not fit."""
    return (slice(start, start + VALIDATION_BATCH) for start in range(0, rows, VALIDATION_BATCH))
