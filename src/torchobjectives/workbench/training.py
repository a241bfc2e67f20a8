"""Training on Lightning's Trainer: the objective's terms are logged, shown and kept; every epoch can be resumed."""

import logging
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import polars as pl
import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback, RichProgressBar
from lightning.pytorch.callbacks.progress.rich_progress import RichProgressBarTheme
from numpy.typing import NDArray
from rich.console import Console
from torch import Tensor, nn

from torchobjectives import Loss, global_mean, param_groups
from torchobjectives._validate import near
from torchobjectives.workbench import logs, metrics, own
from torchobjectives.workbench.batches import Batch, Batches, Data, load, seeds, slices
from torchobjectives.workbench.callbacks import (
    EveryEpoch,
    History,
    Interrupts,
    KeepBest,
    LogAgain,
    Patience,
    StoppedError,
)
from torchobjectives.workbench.carrying import Carrier, Polished, notes
from torchobjectives.workbench.config import RunConfig
from torchobjectives.workbench.contents import CHECKPOINT
from torchobjectives.workbench.data import Problem
from torchobjectives.workbench.errors import InputError
from torchobjectives.workbench.objectives import Fitted
from torchobjectives.workbench.quiet import is_live

GRADIENT_NORM = 1.0


@dataclass(frozen=True)
class Outcome:
    """What training left beside the fitted network: one row per epoch, and whether it came to its end."""

    history: pl.DataFrame
    status: str
    best_epoch: int | None = None
    # What a loss of the user's own raised, where that ended training.
    failure: str | None = None
    # How the penalties were applied, where the optimizer applied them.
    plan: str | None = None
    polished: Polished | None = None
    # How far the weights are from a minimum over the training rows, where training came to its end.
    stationarity: float | None = None


class LossFailedError(StoppedError):
    """A loss of the user's own raised what it did not raise before training."""


class FitModule(lightning.LightningModule):
    """A network and the objective it is fitted with."""

    def __init__(self, fitted: Fitted, config: RunConfig, problem: Problem) -> None:
        super().__init__()
        self.network = fitted.network
        self.objective = fitted.objective
        self.fitted = fitted
        self.config = config
        self.problem = problem
        watched = config.watched or ""
        self.metric = metrics.metrics_of(problem).get(watched)
        self._said: list[Batch] = []
        self.carrier: Carrier | None = None
        self._optimizer: torch.optim.Optimizer | None = None

    @property
    def columns(self) -> list[str]:
        """What is logged of an epoch; an objective that was evaluated knows its terms."""
        terms = ["objective", *self.objective.terms]
        names = [f"{stage}_{name}" for stage in ("train", "valid") for name in terms]
        return names if self.metric is None else [*names, f"valid_{self.config.watched}"]

    def _step(self, batch: Batch, stage: str) -> Tensor:
        x, y_true = batch
        raw = self.network(x)
        with self._own_code():
            total: Tensor = (self.carrier or self.fitted).evaluate(raw, y_true)
        for name, value in self._terms(total).items():
            # A line has room for every term once; of validation it shows the sum.
            shown = stage == "train" or name == "objective"
            self.log(
                f"{stage}_{name}",
                value,
                on_step=False,
                on_epoch=True,
                prog_bar=shown,
                # Times the processes, because Lightning takes the mean of their counts as a whole number.
                batch_size=len(y_true) * self.trainer.world_size,
                sync_dist=stage == "train" and self.trainer.world_size > 1,
            )
        if stage == "valid" and self.metric is not None:
            self._said.append((raw.detach(), y_true))
        return total

    def _terms(self, total: Tensor) -> dict[str, Tensor]:
        """The objective and its terms, also those that the optimizer adds."""
        if self.carrier is None:
            return {"objective": total.detach(), **self.objective.terms}
        terms = self.carrier.terms()
        first, *rest = terms.values()
        return {"objective": sum(rest, first), **terms}

    @contextmanager
    def _own_code(self, when: str | None = None) -> Iterator[None]:
        """Let a loss of the user's own that fails end training as a wish to stop does: what was learnt is kept."""
        try:
            yield
        except (Exception, SystemExit) as error:
            files = [term.own for term in self.fitted.terms if term.own is not None]
            if not files:
                raise
            what = " + ".join(term.text for term in self.fitted.terms)
            when = when or f"in epoch {self.current_epoch + 1}"
            said = f'--loss "{what}" failed {when}: {own.reason(error, *files)}'
            raise LossFailedError(said) from error

    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """Differentiate, which an own loss may fail at, too."""
        with self._own_code():
            super().backward(loss, *args, **kwargs)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Begin an epoch's random numbers (dropout) by (seed, epoch) alone, so that any epoch can be begun anew."""
        if batch_idx == 0:
            _, numbers = seeds(self.config.seed, self.current_epoch)
            torch.manual_seed(numbers + self.global_rank)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return what the optimizer differentiates, on a batch of training rows, in its unit."""
        return self._step(batch, "train") / self.fitted.unit

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Log the objective on held-out rows."""
        self._step(batch, "valid")

    def on_validation_epoch_end(self) -> None:
        """Log the metric that decides which epoch is best."""
        if self.metric is None:
            return
        raw, y_true = (torch.cat(column) for column in zip(*self._said, strict=True))
        self._said.clear()
        predicted = judged(self.problem, self.fitted.predict(raw))
        finite = np.isfinite(predicted).all()
        value = float(self.metric(y_true.cpu().numpy(), predicted)) if finite else float("nan")
        self.log(f"valid_{self.config.watched}", value, batch_size=len(y_true))

    def prepare(self) -> None:
        """Make the optimizer over all parameters, those of a learnable loss included, and attach the penalties."""
        groups = param_groups(self, lr=self.config.learning_rate, weight_decay=self.config.weight_decay)
        match self.config.optimizer:
            case "adamw":
                self._optimizer = torch.optim.AdamW(groups)
            case "adam":
                self._optimizer = torch.optim.Adam(groups)
            case "sgd":
                self._optimizer = torch.optim.SGD(groups, momentum=0.9)
        if attaches(self.fitted, self.config):
            method = self.config.penalty_method
            self.carrier = Carrier(self.fitted, self._optimizer, method, notes(self.config))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the optimizer."""
        assert self._optimizer is not None
        return self._optimizer

    def configure_gradient_clipping(self, optimizer: Any, *_: Any, **__: Any) -> None:
        """Clip the gradients, leaving those of the losses as long as the penalties can hold them at rest."""
        held = 0.0 if self.carrier is None else self.carrier.slope()
        self.clip_gradients(optimizer, GRADIENT_NORM + held, "norm")

    def polish(self, train: Data, stop: Callable[[], bool]) -> Polished | None:
        """Take the full-gradient steps that the configuration asks for, on the machine's own device."""
        if self.carrier is None or not self.config.polishing:
            return None
        with self._own_code("in polishing"):
            return self.carrier.polish(lambda: self._all_rows(train, stop), self.config.polishing)

    def stationarity(self, train: Data, stop: Callable[[], bool]) -> float | None:
        """How far the weights are from a minimum, where the penalties are attached."""
        if self.carrier is None:
            return None
        with self._own_code("after training"):
            return self.carrier.stationarity(lambda: self._all_rows(train, stop))

    def _all_rows(self, train: Data, stop: Callable[[], bool]) -> Iterator[Batch]:
        for x, y_true in train.chunks():
            if stop():
                raise StoppedError
            yield x.to(self.device), y_true.to(self.device)


def attaches(fitted: Fitted, config: RunConfig) -> bool:
    """Whether the optimizer applies the penalties; else they are part of what is differentiated."""
    return bool(fitted.objective.penalties) and config.penalty_method != "loss"


def beyond(fitted: Fitted, config: RunConfig) -> str:
    """What is said of the norm at which gradients are clipped."""
    return " beyond what the penalties hold" if attaches(fitted, config) else ""


def judged(problem: Problem, predicted: Tensor) -> NDArray[np.float64]:
    """Predictions as the metrics take them: the values of a regression (N,), or each class's probability (N, K)."""
    said: NDArray[np.float64] = predicted.detach().double().cpu().numpy()
    if problem.task == "binary":
        return np.stack([1 - said, said], axis=1)
    if problem.task == "multiclass":
        # float32 probabilities sum to 1 within 1e-7; in float64 they shall do so exactly enough for the metrics.
        said = said / said.sum(axis=1, keepdims=True)
    return said


class SharedMean(nn.Module):
    """A loss whose mean runs over the rows of all processes: equal rows count equally, however they are dealt out."""

    def __init__(self, loss: Loss) -> None:
        super().__init__()
        self.loss = loss
        self._mean = global_mean(loss)

    def forward(self, y_pred: Tensor, y_true: Tensor, weight: Tensor | None = None) -> Tensor:
        """This process's share, to be averaged."""
        return self._mean(y_pred, y_true, weight=weight)

    def __repr__(self) -> str:
        return repr(self.loss)


def share_means(fitted: Fitted) -> None:
    """Let every loss that is a quotient of sums over rows sum up over processes; others stay means of means."""
    losses = fitted.objective.losses
    for name, loss in list(losses.items()):
        if isinstance(loss, Loss) and type(loss).spec.unit != "batch" and loss.reduction == "mean":
            losses[name] = SharedMean(loss)


def monitored(config: RunConfig, problem: Problem, fitted: Fitted) -> tuple[str, bool] | None:
    """What decides which epoch is best, as it is logged, and whether more of it is better."""
    watched = config.watched
    if watched is None:
        return None
    terms = ["objective", *fitted.objective.losses, *fitted.objective.penalties]
    names = metrics.metrics_of(problem)
    if watched not in terms and watched not in names:
        said = watched or '""'
        raise InputError(f"--monitor {said}: there is no such term or metric. {near(watched, [*terms, *names])}")
    return f"valid_{watched}", watched in names and watched not in metrics.LOWER_IS_BETTER


def train(
    fitted: Fitted,
    train: Data,
    valid: Data,
    config: RunConfig,
    problem: Problem,
    folder: Path,
    console: Console,
    interrupts: Interrupts,
) -> Outcome:
    """Fit the network in place, from the last checkpoint in the folder if there is one."""
    module = FitModule(fitted, config, problem)
    on_terminal = is_live(console)
    history = History(console, config.epochs, columns=module.columns, lines=not on_terminal)
    best: KeepBest | None = None
    last = folder.absolute() / CHECKPOINT
    again = LogAgain(history, len(Batches(len(train), config)))
    callbacks: list[Callback] = [interrupts, history, EveryEpoch(last), again]
    if found := monitored(config, problem, fitted):
        name, higher = found
        best = KeepBest(name, higher=higher)
        callbacks.append(best)
        if config.patience is not None:
            callbacks.append(Patience(name, patience=config.patience, mode="max" if higher else "min"))
    if on_terminal:
        callbacks.append(RichProgressBar(theme=RichProgressBarTheme(metrics_format=".4g")))
    with _contained():
        trainer = _trainer(config, callbacks, folder, progress_bar=on_terminal)
        if trainer.world_size > 1:
            share_means(fitted)
        sampler = Batches(len(train), config, rank=trainer.global_rank, processes=trainer.world_size)
        module.prepare()
        if module.carrier is not None:
            console.print(str(module.carrier), soft_wrap=True, highlight=False, markup=False)
        with _until_stopped() as end:
            trainer.fit(
                module,
                load(train, sampler),
                load(valid),
                ckpt_path=str(last) if last.exists() else None,
                weights_only=True,
            )
    if best is not None and best.weights:
        module.load_state_dict(best.weights)
    module.cpu().eval()
    module.network.float()
    polished = distance = None
    if end.status == "done" and trainer.is_global_zero:
        if module.carrier is not None and config.polishing:
            console.print(f"polish:    {config.polishing} steps on all training rows", soft_wrap=True, highlight=False)
        module.to(trainer.strategy.root_device)
        with _until_stopped() as end:
            polished = module.polish(train, lambda: interrupts.count > 0)
            distance = module.stationarity(train, lambda: interrupts.count > 0)
        module.cpu()
    plan = None if module.carrier is None else str(module.carrier)
    epoch = best.epoch if best is not None else None
    return Outcome(history.table(), end.status, epoch, end.failure, plan, polished, distance)


@dataclass
class _End:
    """How training came to its end."""

    status: str = "done"
    failure: str | None = None


@contextmanager
def _until_stopped() -> Iterator[_End]:
    """Train until the end, or until asked to stop."""
    end = _End()
    try:
        yield end
    except StoppedError as stopped:
        end.status = "interrupted"
        end.failure = str(stopped) if isinstance(stopped, LossFailedError) else None
    except SystemExit:
        # What Lightning makes of a Ctrl-C that may not wait.
        raise KeyboardInterrupt from None


def _trainer(config: RunConfig, callbacks: list[Callback], folder: Path, *, progress_bar: bool) -> lightning.Trainer:
    elastic = TorchElasticEnvironment.detect()
    devices = int(os.environ.get("LOCAL_WORLD_SIZE", "1")) if elastic and config.devices == 1 else config.devices
    several = devices > 1 or (elastic and int(os.environ.get("WORLD_SIZE", "1")) > 1)
    with _refused_in_words(config):
        return lightning.Trainer(
            accelerator=accelerator(config.device),
            devices=devices,
            num_nodes=int(os.environ.get("GROUP_WORLD_SIZE", "1")) if elastic else 1,
            strategy="ddp" if several else "auto",
            # A batch system's variables are no wish to train on all of its nodes.
            plugins=None if elastic else [LightningEnvironment()],
            precision=config.precision,
            max_epochs=config.epochs,
            callbacks=callbacks,
            default_root_dir=folder,
            deterministic=True,
            enable_model_summary=False,
            enable_progress_bar=progress_bar,
            logger=logs.logger(config, folder),
            log_every_n_steps=1,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
        )


@contextmanager
def _refused_in_words(config: RunConfig) -> Iterator[None]:
    """Say in one line which devices or precision Lightning cannot have."""
    try:
        yield
    except MisconfigurationException as error:
        flags = f"--device {config.device} --devices {config.devices} --precision {config.precision}"
        raise InputError(f"{flags}: {' '.join(str(error).split())}") from error


def rank() -> int:
    """The number of this process among those that train together."""
    return int(os.environ.get("RANK" if TorchElasticEnvironment.detect() else "LOCAL_RANK", "0"))


def accelerator(device: str) -> str:
    """Return Lightning's name of a device; refuse one that is not there."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there[device]:
        found = ", ".join(name for name, available in there.items() if available)
        raise InputError(f"--device {device}: PyTorch sees no such device here, only {found}")
    return device


@contextmanager
def _contained() -> Iterator[None]:
    """Keep what Lightning does to the process inside, and its advice (on choices made here) out of the output."""
    deterministic = torch.are_deterministic_algorithms_enabled()
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\.")
            # The losses are part of what is wrapped for several processes: what they learn is averaged, too.
            warnings.filterwarnings("ignore", message="The loss learns")
            yield
    finally:
        torch.use_deterministic_algorithms(deterministic)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@torch.inference_mode()
def predict_raw(network: torch.nn.Module, x: Tensor) -> Tensor:
    """Return the network's raw output, in chunks."""
    return torch.cat([network(x[part]) for part in slices(len(x))])


@torch.no_grad()
def raw_and_truth(network: torch.nn.Module, data: Data) -> Batch:
    """Return the network's raw output and the truth for all rows, in chunks."""
    raw, truth = zip(*((network(x), y) for x, y in data.chunks()), strict=True)
    return torch.cat(raw), torch.cat(truth)


@torch.inference_mode()
def predict(fitted: Fitted, x: Tensor, *, whole: bool = False) -> Tensor:
    """Return the predictions as the loss reads them, in float64 on the CPU; ``whole``: all numbers of a row."""
    fitted.objective.eval()
    raw = predict_raw(fitted.network, x)
    return (fitted.read(raw) if whole else fitted.predict(raw)).double().cpu()
