"""A loss for skorch's scikit-learn estimators; the library itself is not needed here."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from torchobjectives._link import LOGIT, Link
from torchobjectives._loss import FunctionLoss, Loss, as_loss, name_of
from torchobjectives._spec import CUSTOM


def for_skorch(loss: Loss, *, link: Link | None = None) -> dict[str, Any]:
    """The arguments with which a skorch net trains by a loss and predicts through its link.

    ``NeuralNetClassifier(Module, **for_skorch(loss))``, likewise ``NeuralNetBinaryClassifier`` (for losses of
    binary targets, one logit per sample) and ``NeuralNetRegressor``. Without ``predict_nonlinearity`` skorch
    returns raw logits from ``predict_proba`` for every criterion that is not torch's own.

    Every hyper-parameter is a parameter of the estimator: ``criterion__gamma`` can be searched. Each net makes
    its own loss, with a state and learnable parameters of its own, which skorch trains with the module's.

    Args:
        loss: a loss, or what ``as_loss`` made.
        link: how a raw prediction becomes a prediction, for a loss that does not say so itself:
            ``links.SOFTMAX``, ``links.LOGIT``, or ``links.IDENTITY`` for regression.

    Returns:
        ``criterion``, ``criterion__…`` for each hyper-parameter, and ``predict_nonlinearity``.

    Raises:
        TypeError: not a loss, or a class instead of its instance.
        ValueError: the loss knows no link and none is given, owns the output layer, or does not reduce.

    >>> from torchobjectives import SoftmaxFocalLoss, for_skorch
    >>> for name, value in for_skorch(SoftmaxFocalLoss(gamma=1.5)).items():
    ...     print(name, getattr(value, "__name__", value) if name != "predict_nonlinearity" else "...")
    criterion SoftmaxFocalLoss
    criterion__gamma 1.5
    criterion__class_weight None
    criterion__ignore_index -100
    criterion__reduction mean
    predict_nonlinearity ...
    """
    _check(loss, link)
    binary = link is LOGIT or (link is None and type(loss).spec.task == "binary")
    inverse = loss.predict if link is None else link.inverse
    return {
        "criterion": _criterion(loss),
        **{f"criterion__{name}": value for name, value in loss.values().items()},
        "predict_nonlinearity": functools.partial(_predict, inverse=inverse, binary=binary),
    }


def _check(loss: object, link: Link | None) -> None:
    if isinstance(loss, type):
        raise TypeError(f"for_skorch takes an instance: pass {loss.__name__}(), not the class {loss.__name__}.")
    if not isinstance(loss, Loss):
        name = name_of(loss) if callable(loss) else repr(loss)
        raise TypeError(
            f"for_skorch takes a Loss, got {name}: pass the class form, such as FocalLoss(gamma=2.0), or wrap a "
            "function with as_loss. A criterion of skorch sees no model, so an Objective cannot be one: attach "
            "its penalties to net.optimizer_ when training begins, in a callback."
        )
    if link is not None and not isinstance(link, Link):
        raise TypeError(f"link is {link!r}, wanted one of torchobjectives.links, such as links.SOFTMAX.")
    if link is None and type(loss).spec is CUSTOM:
        raise ValueError(
            f"{loss.name} does not say how a raw prediction becomes a prediction, and skorch would return it raw: give "
            "for_skorch(loss, link=links.SOFTMAX), links.LOGIT, or links.IDENTITY for regression."
        )
    if type(loss).spec.y_pred == "features":
        raise ValueError(
            f"{loss.name} owns the output layer, and skorch's net would predict without it: make it a submodule of "
            "the module, or take a loss of logits."
        )
    if loss.reduction == "none":
        raise ValueError('skorch wants one number per batch: give the loss reduction="mean".')


def _criterion(loss: Loss) -> Callable[..., Loss]:
    """What makes the loss again from its hyper-parameters: its class, where that is enough."""
    make = functools.partial(as_loss, loss.function) if isinstance(loss, FunctionLoss) else type(loss)
    if any(isinstance(value, nn.Parameter) for value in loss.values().values()):
        return functools.partial(_with_own_parameters, make)
    return make


def _with_own_parameters(make: Callable[..., Loss], **hyper_parameters: Any) -> Loss:
    # A loss does not copy what it learns; without a copy a second fit would start where the first one ended.
    own = {n: copy.deepcopy(v) if isinstance(v, nn.Parameter) else v for n, v in hyper_parameters.items()}
    return make(**own)


def _predict(y_pred: Tensor, *, inverse: Callable[[Tensor], Tensor], binary: bool) -> Tensor:
    """The prediction; of two classes both probabilities, as scikit-learn wants them."""
    prediction = inverse(y_pred)
    if binary and (prediction.ndim == 1 or prediction.shape[1:] == (1,)):
        prediction = prediction.reshape(-1)
        return torch.stack((1 - prediction, prediction), dim=1)
    return prediction
