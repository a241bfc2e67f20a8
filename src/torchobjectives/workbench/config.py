"""The configuration of a run: the flags of the command line, checked once, stored as TOML."""

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any, Literal, Self

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from torchobjectives.workbench.errors import InputError

Task = Literal["binary", "multiclass", "regression"]
Dataset = Literal["breast_cancer", "digits", "wine", "diabetes", "two_rings"]

# A linear model has one convex layer and bears larger steps; sgd lacks Adam's scaling of each weight.
LEARNING_RATES = {"mlp": 1e-3, "linear": 1e-2}
SGD_FACTOR = 10


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
    loss: str | None = None
    """Loss with its hyper-parameters, such as "focal_loss gamma=2 alpha=0.75". By default the task's proper
    one: binary_cross_entropy_loss, cross_entropy_loss, mse_loss."""
    l1: float = Field(default=0.0, ge=0)
    """Coefficient of the L1 penalty on weights."""
    l2: float = Field(default=0.0, ge=0)
    """Coefficient of the L2 penalty on weights."""
    task: Literal["auto", Task] = "auto"
    """What the target is. auto: text, true/false and whole numbers with at most 20 distinct values are
    classes (2: binary, more: multiclass), other numbers regression."""
    model: Literal["mlp", "linear"] = "mlp"
    """Model to fit."""
    hidden: str = "64,32"
    """Widths of the hidden layers of the mlp."""
    epochs: int = Field(default=30, ge=1)
    """Passes over the training rows."""
    batch_size: int = Field(default=64, ge=1)
    """Rows per step."""
    lr: float | None = Field(default=None, gt=0)
    """Learning rate. By default 0.001 for the mlp and 0.01 for the linear model; with sgd ten times that."""
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    """Optimizer; sgd has momentum 0.9."""
    weight_decay: float = Field(default=0.0, ge=0)
    """The optimizer's weight decay on weights (not on biases)."""
    valid: float = Field(default=0.2, gt=0, lt=1)
    """Share of the rows held out for validation."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Seed of the split, the start and the batches."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Device to train on."""
    out: Path | None = None
    """Folder of the run. By default runs/NAME, with the name of the file or dataset."""
    overwrite: bool = False
    """Replace an earlier run in the same folder."""

    @field_validator("hidden")
    @classmethod
    def _widths(cls, hidden: str) -> str:
        if not re.fullmatch(r"\s*[1-9]\d*\s*(,\s*[1-9]\d*\s*)*", hidden):
            raise ValueError("wanted positive whole numbers with commas, such as 64,32")
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


class RunConfig(FitOptions):
    """All that decides a run: its options and the file it reads."""

    data: Path | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.data is None) == (self.dataset is None):
            raise ValueError("give a file (CSV or Parquet), or --dataset, not both")
        if self.data is not None and self.target is None:
            raise ValueError("--target is missing: name the column to predict")
        return self

    @property
    def name(self) -> str:
        """Name of the data, by which a run without ``--out`` is called."""
        return self.dataset or (self.data.resolve().stem if self.data else "") or "run"

    @property
    def source(self) -> str:
        """What the data is called in messages."""
        return self.dataset or str(self.data)

    @property
    def folder(self) -> Path:
        """Where the finished run lies."""
        return self.out or Path("runs") / self.name

    @property
    def command(self) -> str:
        """The command line that makes this run."""
        words = ["torchobjectives", "fit", *([str(self.data)] if self.data else [])]
        for name, info in FitOptions.model_fields.items():
            value = getattr(self, name)
            if value != info.default:
                flag = "--" + name.replace("_", "-")
                words += [flag] if value is True else [flag, str(value)]
        return shlex.join(words)

    def to_toml(self) -> str:
        """Return the configuration as TOML; what was not set is left out."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))

    @classmethod
    def from_toml(cls, text: str) -> "RunConfig":
        """Read a configuration back; unknown keys are refused."""
        try:
            return checked(cls, tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"the configuration is not TOML: {error}") from error


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
    flag = "--" + name.replace("_", "-")
    given = problem.get("input")
    if problem["type"] == "extra_forbidden":
        return f"there is no option {name!r}. {near(name, RunConfig.model_fields)}"
    if problem["type"] == "literal_error":
        choices = re.findall(r"'([^']*)'", str(problem["ctx"]["expected"]))
        return f"{flag} {given}: there is no such choice. {near(str(given), choices)}"
    text = re.sub(r"^Input should be (a valid number )?", "wanted a number ", text, count=1)
    text = text.replace("wanted a number a ", "wanted a ").replace("a valid ", "a ")
    text = text.replace("a integer", "a whole number")
    return f"{flag} {given}: {text.split(', unable')[0]}"
