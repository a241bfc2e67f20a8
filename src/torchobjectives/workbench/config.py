"""The configuration of a run: the flags of the command line, checked once, stored as TOML."""

import os
import re
import shlex
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from torchobjectives.workbench.errors import InputError

Task = Literal["binary", "multiclass", "regression"]
Dataset = Literal["breast_cancer", "digits", "wine", "diabetes", "two_rings"]
PenaltyMethod = Literal["auto", "proximal", "dual_averaging", "gradient", "loss"]
Precision = Literal["32-true", "16-mixed", "bf16-mixed", "64-true"]

# A linear model has one convex layer and bears larger steps; sgd lacks Adam's scaling of each weight.
LEARNING_RATES = {"mlp": 1e-3, "linear": 1e-2}
SGD_FACTOR = 10
LARGEST = 2**31 - 1
POLISH = 50
PENALTIES = ("l1", "l2", "elastic_net", "group_lasso")
# Without any penalty these have nothing to speak of.
ABOUT_PENALTIES = ("penalty_on", "penalty_method", "polish")
# How a run is asked for, not what it is: these never come from a stored configuration.
ASKED = {"config", "resume", "overwrite"}
OTHER_WORDS = {
    "learning_rate": "lr",
    "batch": "batch_size",
    "bs": "batch_size",
    "output": "out",
    "wd": "weight_decay",
    "test": "valid",
}


class FitOptions(BaseModel):
    """The options of ``fit``; each docstring is the flag's help."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True, validate_default=True
    )

    target: str | None = None
    """Column to predict: its name, or its position (0 the first, -1 the last)."""
    header: Literal["auto", "yes", "no"] = "auto"
    """Whether a text file has a header row. auto: yes, unless its first row looks like the others."""
    dataset: Dataset | None = None
    """Bundled data instead of a file."""
    loss: list[str] = []
    """Loss with its hyper-parameters, such as "focal_loss gamma=2 alpha=0.75", or one of your own, such as
    "path/to/file.py:MyLoss gamma=2": that file is run. Given several times, the terms are added up;
    "0.5 * focal_loss" is half of one. By default the task's proper one: binary_cross_entropy_loss,
    cross_entropy_loss, mse_loss."""
    l1: float = Field(default=0.0, ge=0)
    """Coefficient of the L1 penalty on weights, λ·Σ|w|: weights become exactly 0."""
    l2: float = Field(default=0.0, ge=0)
    """Coefficient of the L2 penalty on weights, ½·λ·Σw²."""
    elastic_net: float = Field(default=0.0, ge=0)
    """Coefficient of the elastic net on weights, λ·(r·Σ|w| + (1−r)/2·Σw²), where r is --l1-ratio."""
    l1_ratio: float = Field(default=0.5, ge=0, le=1)
    """Share of L1 in the elastic net: 1 is L1 alone, 0 is L2."""
    group_lasso: float = Field(default=0.0, ge=0)
    """Coefficient of the group lasso, λ·Σ√|g|·‖w_g‖: all weights of an input become 0 together. With --l1 it is the
    sparse group lasso."""
    penalty_on: Literal["weights", "first-layer"] = "weights"
    """What --l1, --elastic-net and --group-lasso speak of: the weights of all layers, or of the first alone, which
    reads the columns. --l2 speaks of all."""
    penalty_method: PenaltyMethod = "auto"
    """How penalties reach the weights. auto: proximal, and for L2 its exact slope. proximal: a step after each of the
    optimizer's, which gives exact zeros. dual_averaging: the same on the sum of all steps. gradient: the slope is
    added to the gradients. loss: through the loss. The last two give no exact zeros."""
    polish: int | None = Field(default=None, ge=0, le=LARGEST)
    """Steps on all training rows at once when training is over, after which the zeros are those of the minimum. By
    default 50 where weights shall become 0 by proximal steps, without --dropout, --patience, --monitor and a
    --weight-decay that is no L2."""
    l1_path: int | None = Field(default=None, ge=2, le=1000)
    """Also solve for so many coefficients of --l1, with the other penalties as they are, and draw what becomes of the
    weights on each column. It begins at the trained model, which it leaves alone. Of the mlp it is about the first
    layer, as are --elastic-net and --group-lasso then, with an L2 on all weights if --l2 gives none."""
    class_weight: Literal["none", "balanced"] = "none"
    """balanced: rows weigh the more, the rarer their class is in the training rows (rows / (classes · count))."""
    pos_weight: Literal["none", "balanced"] = "none"
    """balanced: give the loss pos_weight = negatives / positives of the training rows."""
    task: Literal["auto", Task] = "auto"
    """What the target is. auto: text, true/false and whole numbers with at most 20 distinct values are
    classes (2: binary, more: multiclass), other numbers regression."""
    model: Literal["mlp", "linear"] = "mlp"
    """Model to fit."""
    hidden: str = "64,32"
    """Widths of the hidden layers of the mlp."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of each hidden layer of the mlp that is switched off at random while training."""
    epochs: int = Field(default=30, ge=1, le=LARGEST)
    """Passes over the training rows."""
    patience: int | None = Field(default=None, ge=1, le=LARGEST)
    """Stop after so many epochs without a better --monitor, and keep the best epoch's weights."""
    monitor: str | None = None
    """What is best: objective, a term of it, or a metric such as roc_auc, on the validation rows. By default the
    objective, where --patience is given; without --patience all epochs run, and the best one's weights are kept."""
    batch_size: int = Field(default=64, ge=1, le=LARGEST)
    """Rows per step (of all processes together)."""
    lr: float | None = Field(default=None, gt=0)
    """Learning rate. By default 0.001 for the mlp and 0.01 for the linear model; with sgd ten times that."""
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    """Optimizer; sgd has momentum 0.9."""
    weight_decay: float = Field(default=0.0, ge=0)
    """The optimizer's own weight decay on weights (not on biases): ½·λ·Σw² with adam and sgd, which --l2 is, too; with
    adamw no L2."""
    valid: float = Field(default=0.2, gt=0, lt=1)
    """Share of the rows held out for validation."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Seed of the split, the start and the batches."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Device to train on."""
    devices: int = Field(default=1, ge=1, le=4096)
    """How many devices (on the CPU: processes) train together."""
    precision: Precision = "32-true"
    """Lightning's precision."""
    log: Literal["csv", "tensorboard", "mlflow", "wandb"] | None = None
    """Also log every epoch with Lightning's logger of that name, into the folder of the run."""
    out: Path | None = None
    """Folder of the run. By default runs/NAME, with the name of the file or dataset."""
    overwrite: bool = False
    """Replace an earlier run in the same folder."""
    resume: bool = False
    """Continue the interrupted run in the same folder, with its own options; --epochs may grow."""
    config: Path | None = None
    """Take the options from the config.toml of a run; flags override it."""

    @field_validator("loss", mode="before")
    @classmethod
    def _one_is_a_list(cls, loss: Any) -> Any:
        return [loss] if isinstance(loss, str) else [] if loss is None else loss

    @field_validator("hidden")
    @classmethod
    def _widths(cls, hidden: str) -> str:
        if not re.fullmatch(r"\s*[1-9]\d{0,5}\s*(,\s*[1-9]\d{0,5}\s*)*", hidden):
            raise ValueError("wanted whole numbers from 1 to 999999 with commas, such as 64,32")
        return hidden

    @property
    def hidden_sizes(self) -> list[int]:
        """Widths of the hidden layers; none for the linear model."""
        return [int(width) for width in self.hidden.split(",")] if self.model == "mlp" else []

    @property
    def learning_rate(self) -> float:
        """The learning rate asked for, else the default of the model and the optimizer."""
        if self.lr is not None:
            return self.lr
        return LEARNING_RATES[self.model] * (SGD_FACTOR if self.optimizer == "sgd" else 1)

    @property
    def makes_zeros(self) -> bool:
        """Whether a penalty is there under which weights become exactly 0."""
        return bool(self.l1 or self.group_lasso or self.elastic_net * self.l1_ratio)

    @property
    def decoupled(self) -> bool:
        """Whether the optimizer's own weight decay minimises nothing; else it is ½·λ·Σw²."""
        return bool(self.weight_decay) and self.optimizer == "adamw"

    @property
    def stepwise(self) -> bool:
        """Whether penalties with zeros take proximal steps, each from the last one's noise."""
        return self.penalty_method in ("auto", "proximal")

    @property
    def polishing(self) -> int:
        """Steps on all training rows at the end: those asked for, else the default of the penalties."""
        if self.polish is not None:
            return self.polish
        # Whoever keeps the best epoch's weights wants those; and a decay that is in no objective would be undone.
        kept = self.dropout or self.watched is not None or self.decoupled
        return POLISH if self.makes_zeros and self.stepwise and not kept else 0

    @property
    def watched(self) -> str | None:
        """What decides which epoch is best; None where the last one's weights are kept."""
        return self.monitor if self.monitor is not None else "objective" if self.patience else None


class RunConfig(FitOptions):
    """All that decides a run: its options and the file it reads."""

    data: Path | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.data is None and self.dataset is None:
            raise ValueError("no data: give a CSV or Parquet file, or --dataset")
        if self.data is not None and self.dataset is not None:
            raise ValueError("give a file (CSV or Parquet), or --dataset, not both")
        for what, path in (("the file", self.data), ("--out", self.out)):
            if "\0" in str(path):
                raise ValueError(f"{what} {str(path)!r}: a NUL character can be in no name; correct it")
        if self.data is not None and self.target is None:
            raise ValueError("--target is missing: name the column to predict")
        return self

    @model_validator(mode="after")
    def _penalties_fit(self) -> Self:
        if self.polish and self.dropout:
            raise ValueError(
                "--polish takes the same objective at each step, which --dropout changes: drop one of them"
            )
        if self.polish and self.penalty_method in ("gradient", "loss"):
            raise ValueError(f"--polish needs proximal steps, which --penalty-method {self.penalty_method} has none of")
        # A coefficient of 0 that is asked for, as in a series of runs, is a penalty all the same.
        asked = [name for name in PENALTIES if getattr(self, name) or name in self.model_fields_set]
        for name in ABOUT_PENALTIES:
            if name == "penalty_on" and self.l1_path:
                continue
            if not asked and getattr(self, name) != FitOptions.model_fields[name].get_default():
                raise ValueError(f"--{name.replace('_', '-')} is about penalties, and there is none: add --l1, for one")
        if self.penalty_on != "weights" and not self.l1_path and asked == ["l2"]:
            raise ValueError(
                "--penalty-on is not about --l2, which speaks of all weights: drop it, or add --l1, for one"
            )
        if self.l1_ratio != FitOptions.model_fields["l1_ratio"].get_default() and "elastic_net" not in asked:
            raise ValueError("--l1-ratio is about --elastic-net, which is not given: add it")
        return self

    @property
    def name(self) -> str:
        """Name of the data, by which a run without ``--out`` is called."""
        file = Path(self.data.resolve().name.removesuffix(".gz")).stem if self.data else ""
        return self.dataset or file or "run"

    @property
    def source(self) -> str:
        """What the data is called in messages."""
        return self.dataset or str(self.data)

    @property
    def folder(self) -> Path:
        """Where the finished run lies; of an unfinished one, too, the name that it will have."""
        out = self.out or Path("runs") / self.name
        if self.resume and out.name.endswith(PARTIAL):
            return out.with_name(out.name.removesuffix(PARTIAL))
        return out

    @property
    def command(self) -> str:
        """The command line that makes this run."""
        data = [] if self.data is None else [f"./{self.data}" if str(self.data).startswith("-") else str(self.data)]
        words = ["torchobjectives", "fit", *data]
        for name, info in FitOptions.model_fields.items():
            value = getattr(self, name)
            if name not in ASKED and value != info.get_default():
                flag = "--" + name.replace("_", "-")
                for one in value if isinstance(value, list) else [value]:
                    words += [f"{flag}={one}"] if str(one).startswith("-") else [flag, str(one)]
        return shlex.join(words)

    def to_toml(self) -> str:
        """Return the configuration as TOML; what was not set, and how the run was asked for, is left out."""
        stored = self.model_dump(mode="json", exclude_none=True, exclude=ASKED)
        losses = stored.pop("loss")
        return tomli_w.dumps(stored | ({"loss": losses if len(losses) > 1 else losses[0]} if losses else {}))

    @classmethod
    def from_toml(cls, text: str) -> "RunConfig":
        """Read a configuration back; unknown keys are refused."""
        return checked(cls, read_toml(text))


PARTIAL = ".partial"


def read_toml(text: str) -> dict[str, Any]:
    """Return the options that a stored configuration holds."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"the configuration is not TOML: {error}") from error


def requested(data: Path | None, options: FitOptions) -> RunConfig:
    """Return the configuration that a command line asks for: its flags over those of ``--config``."""
    given: dict[str, Any] = {**options.model_dump(exclude_unset=True), **({"data": data} if data else {})}
    if options.config is None:
        return checked(RunConfig, given)
    return checked(RunConfig, over(read_config(options.config), given))


def over(stored: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return stored options with the given ones over them; a new source replaces the old one, and its target."""
    kept = {key: value for key, value in stored.items() if key not in ASKED}
    for source, other in (("data", "dataset"), ("dataset", "data")):
        if given.get(source) is not None and not _same(stored.get(source), given[source]):
            kept.pop(other, None)
            kept.pop("target", None)
    return {**kept, **given}


def _same(one: object, other: object) -> bool:
    """Whether two names of a source mean the same one, as ``a.csv`` and ``./a.csv`` do."""
    return one is not None and Path(os.path.abspath(str(one))) == Path(os.path.abspath(str(other)))


def read_config(path: Path) -> dict[str, Any]:
    """Return the options in a configuration file, checked one by one."""
    path = path / "config.toml" if path.is_dir() else path
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise InputError(f"--config {path}: cannot be read ({reason})") from error
    try:
        stored = read_toml(text)
        RunConfig.from_toml(text)
    except InputError as error:
        raise InputError(f"--config {path}: {error}") from error
    return stored


def checked(kind: type[RunConfig], values: dict[str, Any]) -> RunConfig:
    """Build a configuration, with problems said in the terms of the command line."""
    try:
        return kind(**values)
    except ValidationError as error:
        raise InputError(explain(error)) from error


def explain(error: ValidationError) -> str:
    """Say in one line what pydantic found.

    >>> try:
    ...     FitOptions(batch_size=0)
    ... except ValidationError as error:
    ...     print(explain(error))
    --batch-size 0: wanted a number greater than or equal to 1
    """
    return "; ".join(_explain_one(dict(problem)) for problem in error.errors(include_url=False))


def _explain_one(problem: dict[str, Any]) -> str:
    from torchobjectives._validate import near  # here, not above: it imports torch, and --help must not

    text = str(problem["msg"]).removeprefix("Value error, ")
    if not problem["loc"]:
        return text
    name = str(problem["loc"][0])
    flag = name if name == "data" else "--" + name.replace("_", "-")
    given = problem.get("input")
    if problem["type"] == "extra_forbidden":
        return f"there is no option {name!r}. {near(name, RunConfig.model_fields)}"
    if problem["type"] == "literal_error":
        choices = re.findall(r"'([^']*)'", str(problem["ctx"]["expected"]))
        return f"{flag} {given}: there is no such choice. {near(str(given), choices)}"
    text = "wanted a path" if problem["type"] == "path_type" else text
    text = re.sub(r"^Input should be (a valid number )?", "wanted a number ", text, count=1)
    text = text.replace("wanted a number a ", "wanted a ").replace("a valid ", "a ")
    text = text.replace("a integer", "a whole number")
    return f"{flag} {given}: {text.split(', unable')[0]}"
