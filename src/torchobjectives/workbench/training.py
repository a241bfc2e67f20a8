"""Training on Lightning's Trainer: the objective's terms are logged, shown and kept."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import polars as pl
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, RichProgressBar
from lightning.pytorch.callbacks.progress.rich_progress import RichProgressBarTheme
from rich.console import Console
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, Dataset, RandomSampler, SequentialSampler, TensorDataset

from torchobjectives import param_groups
from torchobjectives.workbench.config import RunConfig
from torchobjectives.workbench.errors import InputError
from torchobjectives.workbench.objectives import Fitted

Batch = tuple[Tensor, Tensor]
VALIDATION_BATCH = 65536
GRADIENT_NORM = 1.0


@dataclass(frozen=True)
class Data:
    """Rows as tensors: what goes in, and the truth."""

    x: Tensor
    y: Tensor


class FitModule(lightning.LightningModule):
    """A network and the objective it is fitted with."""

    def __init__(self, fitted: Fitted, config: RunConfig) -> None:
        super().__init__()
        self.network = fitted.network
        self.objective = fitted.objective
        self.config = config

    def _step(self, batch: Batch, stage: str) -> Tensor:
        x, y_true = batch
        total: Tensor = self.objective(self.network(x), y_true, model=self.network)
        terms = {"objective": total.detach(), **self.objective.terms}
        for name, value in terms.items():
            # A line has room for every term once; of validation it shows the sum.
            shown = stage == "train" or name == "objective"
            self.log(f"{stage}_{name}", value, on_step=False, on_epoch=True, prog_bar=shown, batch_size=len(y_true))
        return total

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the objective on a batch of training rows."""
        return self._step(batch, "train")

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Log the objective on held-out rows."""
        self._step(batch, "valid")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the optimizer over all parameters, those of a learnable loss included."""
        groups = param_groups(self, lr=self.config.learning_rate, weight_decay=self.config.weight_decay)
        match self.config.optimizer:
            case "adamw":
                return torch.optim.AdamW(groups)
            case "adam":
                return torch.optim.Adam(groups)
            case "sgd":
                return torch.optim.SGD(groups, momentum=0.9)


class History(Callback):
    """Keeps every term of every epoch; prints plain lines where no progress bar can be shown."""

    def __init__(self, console: Console, epochs: int, *, lines: bool) -> None:
        self.rows: list[dict[str, float]] = []
        self._console = console
        self._epochs = epochs
        self._lines = lines

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Take the epoch's means; validation has run by now."""
        # Lightning gives validation first, since it ends first.
        names = sorted(trainer.callback_metrics, key=lambda name: name.startswith("valid_"))
        logged = {name: float(trainer.callback_metrics[name]) for name in names}
        self.rows.append({"epoch": len(self.rows) + 1, **logged})
        done = len(self.rows)
        if self._lines and (done % max(1, self._epochs // 10) == 0 or done in (1, self._epochs)):
            terms = "  ".join(f"{name} {value:.4g}" for name, value in logged.items())
            self._console.print(f"epoch {done}/{self._epochs}  {terms}", soft_wrap=True, highlight=False)

    def table(self) -> pl.DataFrame:
        """Return one row per epoch."""
        return pl.DataFrame(self.rows)


def train(fitted: Fitted, train: Data, valid: Data, config: RunConfig, folder: Path, console: Console) -> pl.DataFrame:
    """Fit the network in place; return the history, one row per epoch."""
    module = FitModule(fitted, config)
    history = History(console, config.epochs, lines=not console.is_terminal)
    callbacks: list[Callback] = [
        history,
        ModelCheckpoint(folder / "checkpoints", filename="last", enable_version_counter=False),
    ]
    if console.is_terminal:
        callbacks.append(RichProgressBar(theme=RichProgressBarTheme(metrics_format=".4g")))
    with _contained():
        trainer = lightning.Trainer(
            accelerator=accelerator(config.device),
            devices=1,
            max_epochs=config.epochs,
            callbacks=callbacks,
            default_root_dir=folder,
            deterministic=True,
            # Regression losses in the target's own units have gradients of any size.
            gradient_clip_val=GRADIENT_NORM,
            enable_model_summary=False,
            enable_progress_bar=console.is_terminal,
            logger=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
        )
        try:
            trainer.fit(module, _batches(train, config), _batches(valid))
        except SystemExit:
            # Lightning turns Ctrl-C into an exit of its own.
            raise KeyboardInterrupt from None
    module.cpu().eval()
    return history.table()


def accelerator(device: str) -> str:
    """Return Lightning's name of a device; refuse one that is not there."""
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there[device]:
        found = ", ".join(name for name, available in there.items() if available)
        raise InputError(f"--device {device}: PyTorch sees no such device here, only {found}")
    return device


def _batches(data: Data, config: RunConfig | None = None) -> DataLoader[Any]:
    """Return batches, shuffled for training; a batch is one indexing, not one per row."""
    rows: Dataset[tuple[Tensor, ...]] = TensorDataset(data.x, data.y)
    if config is None:
        sampler = BatchSampler(SequentialSampler(data.x), VALIDATION_BATCH, drop_last=False)
    else:
        generator = torch.Generator().manual_seed(config.seed)
        sampler = BatchSampler(RandomSampler(data.x, generator=generator), config.batch_size, drop_last=False)
    return DataLoader(rows, sampler=sampler, batch_size=None)


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
            yield
    finally:
        torch.use_deterministic_algorithms(deterministic)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@torch.inference_mode()
def predict(fitted: Fitted, x: Tensor) -> Tensor:
    """Return the predictions as the loss reads them, in float64 on the CPU."""
    raw = [fitted.network(chunk) for chunk in x.tensor_split(max(1, -(-len(x) // VALIDATION_BATCH)))]
    predicted = fitted.loss.predict(torch.cat(raw))
    return predicted.double().cpu()
