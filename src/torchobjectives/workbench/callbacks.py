"""What watches training: history, checkpoints, the best epoch, patience, Ctrl-C."""

import signal
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import lightning
import polars as pl
from lightning.pytorch.callbacks import Callback, Checkpoint, EarlyStopping
from lightning.pytorch.loggers import CSVLogger
from rich.console import Console
from torch import Tensor


class History(Callback):
    """Keeps every term of every epoch; prints plain lines where no progress bar can be shown."""

    def __init__(self, console: Console, epochs: int, *, columns: Sequence[str], lines: bool) -> None:
        self.rows: list[dict[str, float]] = []
        self._columns = columns
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

    def state_dict(self) -> dict[str, Any]:
        """The rows so far, for the checkpoint."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where a checkpoint ends."""
        self.rows = list(state_dict["rows"])

    def table(self) -> pl.DataFrame:
        """Return one row per epoch; without any, the columns are there."""
        if not self.rows:
            return pl.DataFrame(schema={"epoch": pl.Int64, **dict.fromkeys(self._columns, pl.Float64)})
        return pl.DataFrame(self.rows)


class LogAgain(Callback):
    """Gives Lightning's CSV logger the epochs before: it begins its file anew when a run is continued."""

    def __init__(self, history: History, steps: int) -> None:
        self._history, self._steps = history, steps

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Write what was logged; the history has come back with the checkpoint by now."""
        for logger in trainer.loggers:
            if isinstance(logger, CSVLogger):
                for row in self._history.rows:
                    self._log(logger, row)

    def _log(self, logger: CSVLogger, row: dict[str, float]) -> None:
        epoch = int(row["epoch"])
        # As Lightning does: validation first, both with the epoch's last step.
        for stage in ("valid_", "train_"):
            values = {name: value for name, value in row.items() if name.startswith(stage)}
            logger.log_metrics({**values, "epoch": epoch - 1}, step=epoch * self._steps - 1)
            logger.save()


class KeepBest(Callback):
    """Keeps the weights of the epoch that did best on the validation rows."""

    def __init__(self, monitor: str, *, higher: bool) -> None:
        self._monitor, self._sign = monitor, -1.0 if higher else 1.0
        self.value = float("inf")
        self.epoch: int | None = None
        self.weights: dict[str, Tensor] = {}

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Keep a copy if this epoch is better than all before."""
        value = self._sign * float(trainer.callback_metrics[self._monitor])
        if value < self.value:
            self.value, self.epoch = value, trainer.current_epoch + 1
            self.weights = {name: tensor.clone() for name, tensor in pl_module.state_dict().items()}

    def state_dict(self) -> dict[str, Any]:
        """The best so far, for the checkpoint."""
        return {"value": self.value, "epoch": self.epoch, "weights": self.weights}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where a checkpoint ends."""
        self.value, self.epoch, self.weights = state_dict["value"], state_dict["epoch"], state_dict["weights"]


class Patience(EarlyStopping):
    """Lightning's early stopping; a run that is resumed after it had stopped stays stopped."""

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Stop at once where a checkpoint says so."""
        if self.wait_count >= self.patience:
            trainer.should_stop = True


class EveryEpoch(Checkpoint):
    """Writes a checkpoint when an epoch ends, which is where the next one starts; never a half-written one."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Write, then put it in the place of the last one."""
        fresh = self._path.with_name(self._path.name + ".new")
        trainer.save_checkpoint(fresh)
        if trainer.is_global_zero:
            fresh.replace(self._path)


class StoppedError(Exception):
    """Training was asked to stop, and has: between two batches, in all processes after the same one."""


class Interrupts(Callback):
    """Ctrl-C ends training after the batch at hand, so that weights are never half a step."""

    def __init__(self, console: Console) -> None:
        self.count = 0
        self._console = console
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            # What ends a process politely, from a batch system or a shell, is no reason to lose a run either.
            self._before = {
                number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)
            }
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: object) -> None:
        self.count += 1
        if self.count >= 3:
            raise KeyboardInterrupt
        said = "interrupted: the model and report so far are being written" if self.count == 1 else "still writing"
        self._console.print(f"{said}; press Ctrl-C {3 - self.count} more time(s) to stop at once", soft_wrap=True)

    def _stop_if_asked(self, trainer: lightning.Trainer) -> None:
        # The processes of a run may hear of it at different batches; one that went on alone would wait for ever.
        if trainer.strategy.reduce_boolean_decision(self.count > 0, all=False):
            raise StoppedError

    def on_train_batch_end(self, trainer: lightning.Trainer, *args: Any, **kwargs: Any) -> None:
        """Stop here, if asked to."""
        self._stop_if_asked(trainer)

    def on_validation_batch_end(self, trainer: lightning.Trainer, *args: Any, **kwargs: Any) -> None:
        """Stop here, if asked to."""
        self._stop_if_asked(trainer)
