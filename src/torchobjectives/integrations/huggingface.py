"""A loss for the Trainer of transformers; the library itself is not needed here."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchobjectives import _validate
from torchobjectives._reduction import widened
from torchobjectives.integrations._facts import evaluate, one_value, option, spec_of_sum, trainable

IGNORED: Final = -100  # The one label that the Trainer does not count.


def for_huggingface(
    loss: Callable[..., Tensor], *, class_axis: int | None = None, shift_labels: bool | None = None
) -> Callable[..., Tensor]:
    r"""A loss as ``compute_loss_func`` of transformers' ``Trainer``.

    .. math:: \sum w \ell \,/\, \text{num\_items\_in\_batch}

    The Trainer counts the labels of *all* micro-batches of an optimizer step (and of all processes) and adds up
    what the function returns: only a sum divided by that count is right. A mean per micro-batch makes the step
    as many times too large as there are micro-batches, silently. Without the count the result is the plain mean.

    The result takes ``(outputs, labels, num_items_in_batch=None)``: logits are ``outputs.logits`` (an attribute, a
    key, or the first of a tuple); half-precision logits are widened; labels of −100 count neither here nor in the
    Trainer; (N, 1) logits meet (N,) labels; in evaluation a stateful loss keeps its state. ``class_weight``
    multiplies the sum and, unlike in the mean, not the count.

    Args:
        loss: a loss with one value per unit: a class instance, or a function (hyper-parameters through
            ``functools.partial``).
        class_axis: where the logits hold the classes: −1 in text models (N, T, C), 1 in segmentation
            (N, C, H, W). None: −1 for a loss over classes; no class axis for any other.
        shift_labels: whether the logits at one token predict the next, as those of causal language models do.
            None: no; a causal language model's output is then refused.

    Raises:
        TypeError: not a loss of this library, a class instead of its instance, or ``class_axis`` is no integer.
        ValueError: the loss has one value per batch, or its ``ignore_index`` is not −100.

    Warns:
        UserWarning: the loss has parameters, which the Trainer does not train.

    >>> import torch
    >>> from torchobjectives import CrossEntropyLoss, for_huggingface
    >>> compute_loss = for_huggingface(CrossEntropyLoss())
    >>> outputs, labels = {"logits": torch.zeros(2, 3, 5)}, torch.tensor([[1, 2, -100], [4, -100, -100]])
    >>> compute_loss(outputs, labels), compute_loss(outputs, labels, num_items_in_batch=6)
    (tensor(1.6094), tensor(0.8047))
    """
    spec = spec_of_sum(loss, "for_huggingface")
    if class_axis is not None:
        _validate.integer(class_axis=class_axis)
    ignore_index = option(loss, "ignore_index")
    if ignore_index not in (None, IGNORED):
        raise ValueError(
            f"ignore_index is {ignore_index}, wanted {IGNORED}: that is the only label the Trainer does not count, so "
            f"any other would divide by the wrong number. Put {IGNORED} into the labels instead."
        )
    _warn_of_untrained(loss)
    if class_axis is None and spec.y_true == "classes":
        class_axis = -1
    return functools.partial(_compute_loss, loss=loss, unit=spec.unit, class_axis=class_axis, shift_labels=shift_labels)


def _warn_of_untrained(loss: Callable[..., Tensor]) -> None:
    names = trainable(loss)
    if names:
        warnings.warn(
            f"The Trainer optimizes the parameters of its model only: {', '.join(names)} of the loss will not be "
            "trained unless the loss is part of it. Make it a submodule, model.objective = loss. (In an optimizer from "
            "Trainer.create_optimizer alone its gradients are never set to zero: the Trainer calls model.zero_grad().)",
            stacklevel=3,
        )


def _compute_loss(
    outputs: Any,
    labels: Any,
    num_items_in_batch: Tensor | float | None = None,
    *,
    loss: Callable[..., Tensor],
    unit: str,
    class_axis: int | None,
    shift_labels: bool | None,
) -> Tensor:
    """Σwℓ / num_items_in_batch, or the plain mean where that is None."""
    y_pred, y_true = widened(_logits(outputs)), _labels(labels)
    if _shifts(outputs, shift_labels):
        y_true = _next_tokens(y_true)
    y_pred, y_true = _aligned(y_pred, y_true.to(y_pred.device), class_axis)
    mask = _counted(loss, unit, y_pred, y_true, class_axis)
    with _in_step(loss, y_pred):
        if num_items_in_batch is None:
            return evaluate(loss, y_pred, y_true, mask=mask, reduction="mean")
        values = evaluate(loss, y_pred, y_true, mask=mask, reduction="none")
    if not values.ndim:
        raise one_value(loss, "for_huggingface")
    # The Trainer counts labels; of (N, C) probabilities or (N, D) vectors several make one unit.
    labels_per_unit = y_true.numel() / max(values.numel(), 1)
    return values.sum() * labels_per_unit / _count(num_items_in_batch, values)


def _logits(outputs: Any) -> Tensor:
    logits = getattr(outputs, "logits", None)
    if logits is None and isinstance(outputs, Mapping):
        logits = outputs.get("logits")
    elif logits is None:
        logits = outputs[0] if isinstance(outputs, tuple) and outputs else outputs
    if not isinstance(logits, Tensor):
        keys = f" with the keys {list(outputs)}" if isinstance(outputs, Mapping) else ""
        raise ValueError(
            f"The model returned a {type(outputs).__name__}{keys} and no tensor of logits: wanted an attribute or a "
            "key 'logits', or a tuple that begins with them."
        )
    return logits


def _labels(labels: Any) -> Tensor:
    if isinstance(labels, Mapping):
        if "labels" not in labels:
            raise ValueError(f"labels has the keys {list(labels)}, wanted a tensor or a dict with 'labels'.")
        labels = labels["labels"]
    if labels is None:
        raise ValueError("labels is None: the Trainer found no 'labels' in the batch. Rename the target to 'labels'.")
    _validate.tensor("labels", labels)
    return labels  # type: ignore[no-any-return]


def _shifts(outputs: Any, shift_labels: bool | None) -> bool:
    if shift_labels is None and "CausalLMOutput" in type(outputs).__name__:
        raise ValueError(
            f"The model returned a {type(outputs).__name__}: say shift_labels=True where the logits at one token "
            "predict the next (causal language models), shift_labels=False where labels and logits are aligned."
        )
    return bool(shift_labels)


def _next_tokens(labels: Tensor) -> Tensor:
    """The label of the next token at every token; padding the labels spares a copy of the logits."""
    if labels.is_floating_point() or not labels.ndim:
        raise TypeError(
            f"labels has dtype {_validate.dtype_name(labels.dtype)} and shape {_validate.shape(labels)}: "
            "shift_labels=True wants the integer ids of tokens (N, T)."
        )
    return F.pad(labels, (0, 1), value=IGNORED)[..., 1:]


def _aligned(y_pred: Tensor, y_true: Tensor, class_axis: int | None) -> tuple[Tensor, Tensor]:
    """Logits and labels as the loss takes them: classes at dim 1, or equal shapes."""
    if class_axis is None:
        if y_pred.shape == (*y_true.shape, 1):
            return y_pred.squeeze(-1), y_true
        return y_pred, y_true.squeeze(-1) if y_true.shape == (*y_pred.shape, 1) else y_true
    if y_pred.ndim <= 2:
        return y_pred, y_true
    if not -y_pred.ndim <= class_axis < y_pred.ndim:
        raise ValueError(f"logits have shape {_validate.shape(y_pred)}: there is no class_axis={class_axis}.")
    classes_last = y_pred.movedim(class_axis, -1).shape
    soft = y_true.shape == y_pred.shape
    if not soft and y_true.shape != classes_last[:-1]:
        raise ValueError(
            f"logits have shape {_validate.shape(y_pred)}, labels {_validate.shape(y_true)}: with the classes at "
            f"class_axis={class_axis} wanted labels {tuple(classes_last[:-1])}. Text models have them at "
            "class_axis=-1, segmentation models at class_axis=1."
        )
    if class_axis in (-1, y_pred.ndim - 1):
        # Units are independent, and a view costs nothing where a transposed copy of the logits is large.
        return y_pred.flatten(0, -2), y_true.flatten(0, -2) if soft else y_true.flatten()
    return y_pred.movedim(class_axis, 1), y_true.movedim(class_axis, 1) if soft else y_true


def _counted(
    loss: Callable[..., Tensor], unit: str, y_pred: Tensor, y_true: Tensor, class_axis: int | None
) -> Tensor | None:
    """Which labels the Trainer counts, where the loss does not see to it and a label is a unit."""
    soft = class_axis is not None and y_true.shape == y_pred.shape
    of_units = unit in ("element", "sample") or y_true.ndim <= 1 or not y_true.is_floating_point()
    if option(loss, "ignore_index") is not None or soft or unit == "vector" or not of_units:
        return None
    return y_true != IGNORED


@contextmanager
def _in_step(loss: Callable[..., Tensor], y_pred: Tensor) -> Iterator[None]:
    """The Trainer moves and switches its model only: the loss follows the logits, and evaluation keeps its state."""
    if not isinstance(loss, nn.Module):
        yield
        return
    if any(tensor.device != y_pred.device for tensor in (*loss.parameters(), *loss.buffers())):
        loss.to(y_pred.device)
    training = loss.training
    loss.train(training and torch.is_grad_enabled())
    try:
        yield
    finally:
        loss.train(training)


def _count(num_items_in_batch: object, values: Tensor) -> Tensor:
    """The count as a scalar; 1 where nothing counts, so that 0 / 0 is 0."""
    if isinstance(num_items_in_batch, bool) or not isinstance(num_items_in_batch, (int, float, Tensor)):
        raise TypeError(f"num_items_in_batch has type {type(num_items_in_batch).__name__}, wanted a number.")
    count = torch.as_tensor(num_items_in_batch, dtype=values.dtype, device=values.device)
    if not count.numel() or (_validate.readable(count) and bool((count < 0).any())):
        raise ValueError(f"num_items_in_batch is {num_items_in_batch}, wanted the number of labels that count.")
    # With several GPUs in one process the Trainer hands over the same number once per GPU.
    count = count.flatten()[0]
    return torch.where(count > 0, count, torch.ones_like(count))
