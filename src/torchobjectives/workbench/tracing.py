"""The path of an L1 penalty on the layer that reads the columns: which of them stay, the stronger it is."""

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from rich.console import Console
from rich.progress import Progress
from torch import Tensor, nn

from torchobjectives import L1, L2, Objective, Penalty, lambda_max, regularization_path
from torchobjectives._exports import numbered
from torchobjectives.optimality.largest import VanishedError
from torchobjectives.optimality.paths import RegularizationPath
from torchobjectives.penalties._penalty import with_coefficient
from torchobjectives.workbench import own, preprocessing
from torchobjectives.workbench.batches import VALIDATION_BATCH, Batch, Data
from torchobjectives.workbench.callbacks import Interrupts, StoppedError
from torchobjectives.workbench.models import Rescale, first_layer
from torchobjectives.workbench.objectives import Fitted, build_penalties, without_penalties
from torchobjectives.workbench.quiet import is_live

if TYPE_CHECKING:
    from torchobjectives.workbench.config import RunConfig
    from torchobjectives.workbench.run import Prepared

# As a share of the first coefficient; float64 reaches far less, a picture needs no more.
TOLERANCE = 1e-5
# A convex path ends where the last weights come in. Of a network, the last ones leave late: as the first layer
# shrinks, the others grow.
LINEAR_RATIO = 1e-2
NETWORK_RANGE = (1e-2, 1e1)
LINEAR_ROUNDS, NETWORK_ROUNDS = 30, 3
# Of a network's weights, in the optimizer's unit, where no --l2 is asked for.
OTHER_LAYERS = 0.01


@dataclass(frozen=True)
class Traced:
    """A path, as a run tells it."""

    path: RegularizationPath
    """Of the model's inputs: a weight, or the norm of several; coefficients as --l1 takes them."""
    names: list[str]
    columns_read: list[int]
    columns: int
    single: bool
    """Whether an input has one weight."""
    flags: str
    """What makes the same objective on the command line, after --l1."""

    @property
    def line(self) -> str:
        """The path in a line."""
        path, best = self.path, self.path.best
        ends = sorted(path.lambdas.tolist())
        assert path.validation is not None
        return (
            f"{len(path.lambdas)} solutions, l1 from {ends[0]:.4g} to {ends[-1]:.4g}; least validation loss "
            f"{float(path.validation[best]):.4g} with {self.columns_read[best]} of {self.columns} columns: "
            f"--l1 {float(path.lambdas[best]):.4g}{self.flags}"
        )

    def rows(self) -> list[dict[str, float]]:
        """A row for each coefficient."""
        return [{**row, "columns_read": read} for row, read in zip(self.path.table(), self.columns_read, strict=True)]

    def write(self, file: Path) -> None:
        """Write a row for each coefficient, with a column for each input."""
        columns: dict[str, Any] = {}
        for name, weights in zip(self.names, self.path.coefficients.T, strict=True):
            # A number and a category may be called alike.
            columns[numbered(f"weight_{name}", columns)] = weights.numpy()
        table = pl.DataFrame(self.rows())
        table.with_columns(pl.Series(name, values) for name, values in columns.items()).write_csv(file)


class _Rows:
    """The rows of a part in float64, in large batches, the same in every pass; kept where they are few."""

    def __init__(self, part: Data, interrupts: Interrupts) -> None:
        self._part, self._interrupts = part, interrupts
        self._kept = list(self._read()) if len(part) <= VALIDATION_BATCH else None

    def _read(self) -> Iterator[Batch]:
        return ((x.double(), y_true) for x, y_true in self._part.chunks())

    def __iter__(self) -> Iterator[Batch]:
        for batch in self._read() if self._kept is None else self._kept:
            if self._interrupts.count:
                raise StoppedError
            yield batch


def trace(
    config: "RunConfig", prepared: "Prepared", fitted: Fitted, console: Console, interrupts: Interrupts
) -> Traced | str:
    """Solve for the coefficients of a path, from the trained model; return why there is none where that fails.

    The model stays what it is.

    Raises:
        StoppedError: It was interrupted.
    """
    network = copy.deepcopy(fitted.network).double().eval()
    files = [term.own for term in fitted.terms if term.own is not None]
    try:
        train, valid = (_Rows(prepared.part(name), interrupts) for name in ("train", "valid"))
        with Progress(console=console, transient=True, disable=not is_live(console)) as progress:
            bar = progress.add_task("path", total=config.l1_path)
            path = _solved(config, fitted, network, train, valid, lambda done, _: progress.update(bar, completed=done))
        return _told(config, prepared, fitted, network, path)
    except StoppedError:
        raise
    except VanishedError:
        # What it says itself is advice on Python.
        other = ", or the trained network passes nothing on: take weaker penalties" if config.hidden_sizes else ""
        return f"at weights of 0 the loss has no slope: the columns say nothing of the target{other}"
    except (Exception, SystemExit) as error:
        # What is trained by now must not be lost to a picture of something else.
        return own.reason(error, *files)


def _solved(
    config: "RunConfig",
    fitted: Fitted,
    network: nn.Sequential,
    train: Iterable[Batch],
    valid: Iterable[Batch],
    progress: Any,
) -> RegularizationPath:
    alone, unit = without_penalties(fitted, original=True), fitted.unit
    # A loss of the user's own is given what it was tried with.
    narrow = any(term.own for term in fitted.terms) and not _keeps_digits(network)

    def losses(raw: Tensor, y_true: Tensor) -> Tensor:
        return alone.evaluate(raw.float() if narrow else raw, y_true) / unit

    l1, others = L1(0.0, on=f"{first_layer(network)}.weight"), _others(config, fitted, network)
    lambdas = _of_network(config, Objective(losses, [l1]), network, train) if config.hidden_sizes else None
    assert config.l1_path is not None
    return regularization_path(
        Objective(losses, [l1, *others]),
        network,
        train,
        term="l1",
        lambdas=lambdas,
        num=config.l1_path,
        ratio=LINEAR_RATIO,
        validation=valid,
        tolerance=TOLERANCE,
        rounds=LINEAR_ROUNDS if lambdas is None else NETWORK_ROUNDS,
        progress=progress,
    )


def _keeps_digits(network: nn.Sequential) -> bool:
    """Whether a raw prediction is float64 in training, too: a regression's is, on the target's scale."""
    return any(isinstance(module, Rescale) for module in network)


def _others(config: "RunConfig", fitted: Fitted, network: nn.Sequential) -> list[Penalty]:
    """The other penalties that the flags of a solution ask for, as the optimizer sees them, its own decay included.

    A network's later layers have an L2 at least.
    """
    asked = config.model_copy(update={"l1": 0.0, "penalty_on": "first-layer"})
    made: list[Any] = build_penalties(asked, network)
    kept: list[Penalty] = [with_coefficient(penalty, penalty.coefficient / fitted.unit) for penalty in made]
    decay = 0.0 if config.decoupled else config.weight_decay
    least = OTHER_LAYERS if _lacks_l2(config) else 0.0
    return [*kept, *(L2(coefficient) for coefficient in (decay, least) if coefficient)]


def _lacks_l2(config: "RunConfig") -> bool:
    return bool(config.hidden_sizes) and not config.l2 and (config.decoupled or not config.weight_decay)


def _of_network(config: "RunConfig", objective: Objective, network: nn.Module, train: Iterable[Batch]) -> list[float]:
    """Coefficients from weak to strong, around the one at which zeros are at rest with the later layers as they are."""
    assert config.l1_path is not None
    copied = copy.deepcopy(network)
    for name, parameter in copied.named_parameters():
        parameter.requires_grad_(name in (f"{first_layer(network)}.weight", "output.bias"))
    scale = lambda_max(objective, copied, train)
    low, high = (scale * end for end in NETWORK_RANGE)
    values: list[float] = np.geomspace(low, high, config.l1_path).tolist()
    return values


def _told(
    config: "RunConfig", prepared: "Prepared", fitted: Fitted, network: nn.Module, path: RegularizationPath
) -> Traced:
    layer = network.get_submodule(first_layer(network))
    assert isinstance(layer, nn.Linear)
    weights = path.coefficients.reshape(-1, layer.out_features, layer.in_features)
    single = layer.out_features == 1
    names, owners = zip(*preprocessing.inputs(prepared.transformer), strict=True)
    read = [len({owner for owner, hit in zip(owners, row, strict=True) if hit}) for row in (weights != 0).any(1)]
    unit = fitted.unit
    assert path.validation is not None
    flags = ""
    if config.hidden_sizes:
        flags = " --penalty-on first-layer" + (f" --l2 {OTHER_LAYERS * unit:.4g}" if _lacks_l2(config) else "")
    return Traced(
        replace(
            path,
            lambdas=path.lambdas * unit,
            objective=path.objective * unit,
            stationarity=path.stationarity * unit,
            validation=path.validation * unit,
            coefficients=weights[:, 0] if single else weights.double().norm(dim=1),
        ),
        list(names),
        read,
        len(prepared.kinds),
        single,
        flags,
    )
