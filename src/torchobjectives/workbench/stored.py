"""What a run stores to predict with, and whether it is that. Nothing in the files is unpickled or executed."""

import hashlib
import json
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import polars.exceptions
import torch
from sklearn.compose import ColumnTransformer
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from torch import Tensor, nn

from torchobjectives import Loss, links
from torchobjectives.workbench import preprocessing
from torchobjectives.workbench.data import Problem
from torchobjectives.workbench.errors import InputError
from torchobjectives.workbench.models import Architecture

LINKS = {link.name: link for link in (getattr(links, name) for name in links.__all__) if isinstance(link, links.Link)}
FEWEST_CLASSES = {"binary": 2, "multiclass": 2, "regression": 0}
# What was tampered with fails in as many ways as it has parts; a panic of polars' is no Exception.
ANYTHING = (Exception, polars.exceptions.PanicException)
KINDS = ("numeric", "boolean", "date", "categorical")


def digests(config: Mapping[str, Any], preprocessing_file: Path) -> dict[str, str]:
    """Return what a model remembers of what belongs to it: digests of its own description and of the preprocessing."""
    described = json.dumps(config, sort_keys=True, default=repr).encode()
    return {
        "config": hashlib.sha256(described).hexdigest(),
        "preprocessing": hashlib.sha256(preprocessing_file.read_bytes()).hexdigest(),
    }


def read_model(path: Path) -> dict[str, Any]:
    """Read weights and description of a model; refuse a file that is damaged, or holds more than numbers and names."""
    try:
        _check_archive(path)
        model = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # A damaged archive fails in as many ways as it has parts.
        reason = str(error) if isinstance(error, ValueError) else type(error).__name__
        raise InputError(
            f"{path} is refused: it is damaged, or holds more than numbers and names ({reason})"
        ) from error
    if not isinstance(model, dict):
        raise InputError(f"{path} is refused: it holds a {type(model).__name__}, not a model")
    return model


def _check_archive(path: Path) -> None:
    """Compare all parts with their checksums, which torch does not."""
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
        # What is not compressed cannot be larger than the file.
        if any(part.compress_type != zipfile.ZIP_STORED for part in parts):
            raise ValueError("parts of it are compressed, which a run does not")
        if (broken := archive.testzip()) is not None:
            raise ValueError(f"the checksum of {broken!r} differs")


def check_belongs(model: Mapping[str, Any], path: Path, preprocessing_file: Path) -> None:
    """Refuse a preprocessing that is not this model's, and a description that is not what was written."""
    if "sha256" not in model:  # of a run before there were digests
        return
    found = digests(model["config"], preprocessing_file)
    for file, what in ((preprocessing_file, "preprocessing"), (path, "config")):
        if model["sha256"][what] != found[what]:
            raise InputError(f"{file} is not what a run writes: it has been changed, or is of another run")


def problem_of(config: Mapping[str, Any]) -> tuple[Problem, pl.DataType]:
    """Return what is predicted, and the type of the target's column."""
    task, classes = config["task"], list(config["classes"])
    dtype = getattr(pl, config["target_dtype"])
    if not (isinstance(dtype, type) and issubclass(dtype, pl.DataType)):
        raise ValueError(f"{config['target_dtype']} is no type of a column")
    kind: pl.DataType = dtype()
    if not (kind.is_numeric() or kind in (pl.String, pl.Boolean)):
        raise ValueError(f"{config['target_dtype']} is no type of a target")
    if (
        (len(classes) < FEWEST_CLASSES[task])
        or (task == "regression" and classes)
        or (task == "binary" and classes[2:])
    ):
        raise ValueError(f"{len(classes)} classes do not suit the task {task}")
    if task == "regression" and kind == pl.Boolean:
        raise ValueError("a regression of true/false")
    column = pl.Series(classes, dtype=kind, strict=True) if classes else pl.Series(dtype=kind)
    if column.null_count() or not column.equals(column.unique().sort()):
        raise ValueError("the classes are not distinct and in order")
    return Problem(task, "as in the run", classes), kind


def check_transformer(transformer: ColumnTransformer, kinds: Mapping[str, str], inputs: int) -> None:
    """Refuse a transformer that no run makes of these columns.

    Raises:
        ValueError: It has other parts, other columns, or another width.
    """
    if not kinds or not set(kinds.values()) <= set(KINDS):
        raise ValueError(f"columns of the kinds {sorted(set(kinds.values()))}")
    if list(transformer.feature_names_in_) != list(kinds):
        raise ValueError("it is about other columns than the model")
    seen: list[str] = []
    for name, part, columns in transformer.transformers_:
        if (name, part) == ("remainder", "drop"):
            continue
        categorical = [kinds[column] == "categorical" for column in columns]
        if type(part) is not FrozenEstimator or not _is_step(part.estimator, categorical):
            raise ValueError(f"its part {name!r} does not suit the columns")
        seen += columns
    if sorted(seen) != sorted(kinds):
        raise ValueError("it leaves out columns of the model")
    width = len(preprocessing.inputs(transformer))
    if width != inputs:
        raise ValueError(f"it gives {width} numbers per row, and the network of model.pt takes {inputs}")


def _is_step(estimator: Any, categorical: list[bool]) -> bool:
    """Whether an estimator is the one for columns that are categories, all or none."""
    if type(estimator) is Pipeline:
        return not any(categorical) and [type(step) for _, step in estimator.steps] == [SimpleImputer, StandardScaler]
    return type(estimator) is OneHotEncoder and all(categorical)


def network_of(config: Mapping[str, Any], weights: Mapping[str, Tensor]) -> nn.Sequential:
    """Build the network, with its weights."""
    plan = Architecture(**config["architecture"])
    if len(plan.hidden) > len(weights):
        raise ValueError(f"{len(plan.hidden)} hidden layers, and {len(weights)} weights")
    for numbers in plan.rescale or ():
        if len(numbers) != 2 or not all(map(math.isfinite, numbers)):
            raise ValueError("the target's scale is not finite")
    # Without memory first: a plan may be of any size, weights are as large as their file.
    with torch.device("meta"):
        _check_weights(weights, plan.build())
    network = plan.build()
    network.load_state_dict(weights)
    for name, value in network.state_dict().items():
        if not value.isfinite().all():
            raise ValueError(f"{name} is not finite")
    return network.eval()


def load_loss(loss: Loss, weights: Mapping[str, Tensor]) -> Loss:
    """Give a loss what it learnt; numbers that stand for infinity are its own to choose."""
    _check_weights(weights, loss)
    loss.load_state_dict(weights)
    for name, value in loss.state_dict().items():
        if value.isnan().any():
            raise ValueError(f"{name} is not a number")
    return loss.eval()


def _check_weights(weights: Mapping[str, Tensor], module: nn.Module) -> None:
    """Compare names, shapes and types of weights, and that all their numbers are there."""
    wanted = module.state_dict()
    if not isinstance(weights, dict) or weights.keys() != wanted.keys():
        raise ValueError("its weights are of another model")
    for name, value in weights.items():
        if not isinstance(value, Tensor) or value.layout != torch.strided or value.is_quantized:
            raise ValueError(f"{name} is no plain array of numbers")
        if value.shape != wanted[name].shape or value.untyped_storage().nbytes() < value.numel() * value.itemsize:
            raise ValueError(f"{name} has the shape {tuple(value.shape)}, wanted {tuple(wanted[name].shape)}")
        kinds = value.is_floating_point(), value.is_complex()
        if kinds != (wanted[name].is_floating_point(), wanted[name].is_complex()):
            raise ValueError(f"{name} holds {value.dtype}, wanted {wanted[name].dtype}")


def link_of(loss: Loss | None, config: Mapping[str, Any]) -> links.Link:
    """Return how a raw prediction is read: as the loss says, or by the public link that a loss of one's own had."""
    return LINKS[config["link"]] if loss is None else type(loss).spec.link


def check_loss(loss: Loss | None, config: Mapping[str, Any]) -> None:
    """Refuse a loss, a link and a task that do not go together."""
    ends_in_logarithms = bool(config["architecture"].get("log_probabilities", False))
    if ends_in_logarithms and len(config["classes"]) < FEWEST_CLASSES["multiclass"]:
        raise ValueError("logarithms of probabilities without classes")
    link, classes = link_of(loss, config), len(config["classes"]) or None
    if loss is None and link.takes:
        raise ValueError(f"{config['link']} says too little without a loss")
    wanted = link.outputs(classes) if loss is None else loss.num_outputs(classes)
    if config["architecture"]["outputs"] != wanted:
        raise ValueError(f"{config['architecture']['outputs']} outputs, wanted {wanted} for {classes or 'no'} classes")
    if loss is None:  # one of the user's own
        return
    spec = type(loss).spec
    if spec.task not in (config["task"], "custom"):
        raise ValueError(f"{loss.name} is a {spec.task} loss, and the task is {config['task']}")
    if spec.link.name != config["link"] or (spec.y_pred == "log_probabilities") != ends_in_logarithms:
        raise ValueError(f"{loss.name} reads the network's output in another way")


def load_transformer(path: Path, kinds: Mapping[str, str], inputs: int) -> ColumnTransformer:
    """Read the preprocessing of a model with these columns, which takes so many numbers per row."""
    transformer = preprocessing.load(path)
    try:
        check_transformer(transformer, kinds, inputs)
    except ANYTHING as error:
        raise not_written(path, error) from error
    return transformer


def not_written(path: Path, error: BaseException) -> InputError:
    """Say of a file that no run wrote it so, and why, in one line."""
    reason = " ".join(str(error).split())[:200]
    kind = "" if isinstance(error, ValueError) and reason else f"{type(error).__name__}: "
    return InputError(f"{path} is not what a run writes: {kind}{reason}".rstrip(": "))
