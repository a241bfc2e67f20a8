"""skorch's estimators with a loss: probabilities, hyper-parameters in a grid, pickling and cloning."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetBinaryClassifier, NeuralNetClassifier, NeuralNetRegressor
from skorch.callbacks import Callback, GradientNormClipping
from torch import Tensor, nn

from torchobjectives import (
    L1,
    L2,
    AdaptiveLogSoftmaxLoss,
    BarronLoss,
    BinaryCrossEntropyLoss,
    CrossEntropyLoss,
    FocalLoss,
    GHMCLoss,
    HuberLoss,
    Loss,
    NLLLoss,
    Objective,
    RMSELoss,
    SoftmaxFocalLoss,
    as_loss,
    focal_loss,
    for_skorch,
    links,
)


class Net(nn.Module):
    def __init__(self, outputs: int = 3, flat: bool = False, log_softmax: bool = False) -> None:
        super().__init__()
        layers = [nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, outputs)]
        self.layers = nn.Sequential(*layers, *([nn.LogSoftmax(1)] if log_softmax else []))
        self.flat = flat

    def forward(self, x: Tensor) -> Tensor:
        y_pred: Tensor = self.layers(x)
        return y_pred.squeeze(1) if self.flat else y_pred


def cubed(y_pred: Tensor, y_true: Tensor, scale: float = 1.0) -> Tensor:
    return (scale * (y_pred - y_true)).abs() ** 3


def own_cross_entropy(y_pred: Tensor, y_true: Tensor, tilt: Tensor | None = None) -> Tensor:
    return nn.functional.cross_entropy(y_pred, y_true, tilt, reduction="none")


COMMON: dict[str, Any] = {
    "verbose": 0,
    "train_split": None,
    "max_epochs": 15,
    "lr": 0.05,
    "optimizer": torch.optim.Adam,
}


def table(classes: int) -> tuple[Any, Any]:
    x, y = make_classification(160, 6, n_informative=5, n_redundant=0, n_classes=classes, random_state=0)
    return x.astype(np.float32), y.astype(np.int64)


MULTICLASS = [
    CrossEntropyLoss(class_weight=torch.tensor([1.0, 2.0, 1.0])),
    CrossEntropyLoss(label_smoothing=0.1, reduction="sum"),
    SoftmaxFocalLoss(gamma=0.5, class_weight=[1.0, 2.0, 1.0]),
]


@pytest.mark.parametrize("loss", MULTICLASS, ids=repr)
def test_classes(loss: Loss) -> None:
    x, y = table(3)
    net = NeuralNetClassifier(Net, **for_skorch(loss), **COMMON).fit(x, y)
    probabilities = net.predict_proba(x)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-6)
    assert probabilities.min() >= 0
    assert net.score(x, y) > 0.6
    assert type(net.criterion_) is type(loss)
    assert repr(net.criterion_) == repr(loss)
    with torch.no_grad():
        logits = net.module_(torch.from_numpy(x))
    np.testing.assert_allclose(probabilities, logits.softmax(1), rtol=1e-5)
    # This is what is wrong without the link: skorch knows torch's own criteria only.
    raw = NeuralNetClassifier(Net, criterion=type(loss), **COMMON).fit(x, y).predict_proba(x)
    assert np.abs(raw.sum(1) - 1).max() > 0.1


def test_log_probabilities() -> None:
    x, y = table(3)
    net = NeuralNetClassifier(Net, module__log_softmax=True, **for_skorch(NLLLoss()), **COMMON).fit(x, y)
    np.testing.assert_allclose(net.predict_proba(x).sum(1), 1, rtol=1e-6)
    assert net.score(x, y) > 0.6


@pytest.mark.parametrize("flat", [True, False])
@pytest.mark.parametrize("loss", [BinaryCrossEntropyLoss(pos_weight=2.0), FocalLoss(), GHMCLoss(bins=5)], ids=repr)
def test_two_classes(loss: Loss, flat: bool) -> None:
    x, y = table(2)
    net = NeuralNetBinaryClassifier(Net, module__outputs=1, module__flat=flat, **for_skorch(loss), **COMMON).fit(x, y)
    probabilities = net.predict_proba(x)
    assert probabilities.shape == (160, 2)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-6)
    assert net.score(x, y) > 0.7
    assert (net.predict(x) == (probabilities[:, 1] > 0.5)).all()


def test_probabilities_of_two_classes() -> None:
    """A module that ends in a sigmoid: the probabilities come back as they are, in two columns."""
    given = for_skorch(FocalLoss(from_logits=False))["predict_nonlinearity"](torch.tensor([0.25, 1.0]))
    assert given.tolist() == [[0.75, 0.25], [0.0, 1.0]]
    assert for_skorch(FocalLoss())["predict_nonlinearity"](torch.zeros(2, 3)).tolist() == [[0.5] * 3] * 2


@pytest.mark.parametrize(
    "given", [for_skorch(HuberLoss(delta=0.5)), for_skorch(RMSELoss()), for_skorch(as_loss(cubed), link=links.IDENTITY)]
)
def test_regression(given: dict[str, Any]) -> None:
    x, _ = table(2)
    y = x[:, :1] * 2 + 1
    net = NeuralNetRegressor(Net, module__outputs=1, **given, **COMMON | {"max_epochs": 60}).fit(x, y)
    assert net.score(x, y) > 0.9
    flat = NeuralNetRegressor(Net, module__outputs=1, **given, **COMMON)
    with pytest.raises(ValueError, match=r"squeeze\(1\)|broadcast"):
        flat.fit(x, y[:, 0])


def test_a_loss_that_learns_is_trained_and_starts_anew() -> None:
    x, _ = table(2)
    y = x[:, :1] * 2
    alpha = nn.Parameter(torch.tensor(1.0))
    net = NeuralNetRegressor(Net, module__outputs=1, **for_skorch(BarronLoss(alpha=alpha)), **COMMON).fit(x, y)
    assert net.criterion_.alpha.item() != 1
    assert alpha.item() == 1
    assert clone(net).initialize().criterion_.alpha.item() == 1
    learned = net.criterion_.alpha
    assert net.fit(x, y).criterion_.alpha is not learned


def test_state_is_each_nets_own() -> None:
    x, y = table(2)
    loss = GHMCLoss(bins=5)
    net = NeuralNetBinaryClassifier(Net, module__outputs=1, **for_skorch(loss), **COMMON).fit(x, y)
    assert not loss.bin_counts.any()
    assert net.criterion_.bin_counts.any()
    counted = net.criterion_.bin_counts.clone()
    net.predict_proba(x)
    assert torch.equal(net.criterion_.bin_counts, counted)


def test_a_loss_of_ones_own() -> None:
    x, y = table(3)
    loss = as_loss(own_cross_entropy, tilt=torch.tensor([1.0, 2.0, 1.0]))
    with pytest.raises(ValueError, match=r"own_cross_entropy does not say .* link=links\.SOFTMAX"):
        for_skorch(loss)
    net = NeuralNetClassifier(Net, **for_skorch(loss, link=links.SOFTMAX), **COMMON).fit(x, y)
    np.testing.assert_allclose(net.predict_proba(x).sum(1), 1, rtol=1e-6)
    assert net.criterion_.tilt.tolist() == [1.0, 2.0, 1.0]
    again = pickle.loads(pickle.dumps(net))
    np.testing.assert_array_equal(again.predict_proba(x), net.predict_proba(x))
    binary = for_skorch(as_loss(cubed), link=links.LOGIT)["predict_nonlinearity"](torch.zeros(2))
    assert binary.tolist() == [[0.5, 0.5]] * 2


@pytest.mark.parametrize("loss", [*MULTICLASS, SoftmaxFocalLoss(gamma=1.0)], ids=repr)
def test_pickled_and_cloned(loss: Loss) -> None:
    x, y = table(3)
    net = NeuralNetClassifier(Net, **for_skorch(loss), **COMMON).fit(x, y)
    again = pickle.loads(pickle.dumps(net))
    np.testing.assert_array_equal(again.predict_proba(x), net.predict_proba(x))
    cloned = clone(net)
    with pytest.raises(NotFittedError):
        cloned.predict_proba(x)
    np.testing.assert_allclose(cloned.fit(x, y).predict_proba(x).sum(1), 1, rtol=1e-6)
    assert repr(cloned.criterion_) == repr(loss)


def test_grid_search_in_a_pipeline() -> None:
    x, y = table(3)
    net = NeuralNetClassifier(Net, **for_skorch(SoftmaxFocalLoss()), **COMMON | {"max_epochs": 5})
    grid = {
        "neuralnetclassifier__criterion__gamma": [0.0, 2.0],
        "neuralnetclassifier__criterion__class_weight": [None, [1.0, 1.0, 4.0]],
    }
    search = GridSearchCV(
        make_pipeline(StandardScaler(), net), grid, cv=2, scoring="neg_log_loss", n_jobs=1, error_score="raise"
    ).fit(x, y)
    assert len(search.cv_results_["params"]) == 4
    scores = search.cv_results_["mean_test_score"]
    assert len(set(scores)) == 4, "every setting must reach the loss"
    assert search.best_estimator_[-1].criterion_.gamma == search.best_params_["neuralnetclassifier__criterion__gamma"]
    np.testing.assert_allclose(search.predict_proba(x).sum(1), 1, rtol=1e-6)
    wrong = clone(net).set_params(criterion__gamma=-1.0)
    with pytest.raises(ValueError, match="gamma is -1"):
        wrong.fit(x, y)
    with pytest.raises(TypeError, match="Did you mean 'gamma'"):
        clone(net).set_params(criterion__gama=1.0).fit(x, y)


class Penalties(Callback):  # type: ignore[misc]
    """As the page on integrations has it."""

    def __init__(self, penalties: list[Any]) -> None:
        self.penalties = penalties

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        self.plan_ = Objective(net.criterion_, self.penalties).attach(net.optimizer_, net.module_)

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        self.plan_.detach()


def test_penalties_are_attached_in_each_training() -> None:
    x, _ = table(2)
    y = x[:, :1] * 2
    penalties = [L1(0.3), L2(0.01)]
    options = COMMON | {"batch_size": -1, "max_epochs": 40}
    callbacks = [("penalties", Penalties(penalties))]
    net = NeuralNetRegressor(Net, module__outputs=1, callbacks=callbacks, **for_skorch(RMSELoss()), **options)
    clipped = clone(net).set_params(callbacks=[*callbacks, GradientNormClipping(1e9)])

    def by_hand(epochs: int) -> dict[str, Tensor]:
        torch.manual_seed(0)
        model, objective = Net(1), Objective(RMSELoss(), penalties)
        optimizer = torch.optim.Adam(model.parameters(), lr=options["lr"])
        objective.attach(optimizer, model)
        for _ in range(epochs):
            optimizer.zero_grad()
            objective(model(torch.from_numpy(x)), torch.from_numpy(y)).backward()
            optimizer.step()
        return model.state_dict()

    def trained(net: Any, more: bool = False) -> dict[str, Tensor]:
        torch.manual_seed(0)
        state: dict[str, Tensor] = (net.partial_fit if more else net.fit)(x, y).module_.state_dict()
        return state

    wanted = by_hand(40)
    assert (wanted["layers.0.weight"] == 0).any()
    torch.testing.assert_close(trained(net), wanted)
    torch.testing.assert_close(trained(net), wanted)  # fit again: another module, another optimizer
    torch.testing.assert_close(trained(clone(net)), wanted)
    torch.testing.assert_close(trained(clipped), wanted)
    longer = by_hand(80)
    again = pickle.loads(pickle.dumps(net))
    torch.testing.assert_close(trained(net, more=True), longer)  # the same optimizer
    torch.testing.assert_close(trained(again, more=True), longer)


@pytest.mark.parametrize(
    ("loss", "error", "words"),
    [
        (FocalLoss, TypeError, r"pass FocalLoss\(\)"),
        (focal_loss, TypeError, "got focal_loss: pass the class form"),
        (Objective(FocalLoss(), [L1(0.1)]), TypeError, r"sees no model.*attach its penalties to net\.optimizer_"),
        (nn.BCEWithLogitsLoss(), TypeError, "got BCEWithLogitsLoss"),
        (FocalLoss(reduction="none"), ValueError, 'reduction="mean"'),
        (AdaptiveLogSoftmaxLoss(in_features=4, num_classes=9, cutoffs=[3]), ValueError, "owns the output layer"),
    ],
)
def test_what_skorch_cannot_use_is_refused(loss: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        for_skorch(loss)


def test_a_link_that_is_none_is_refused() -> None:
    with pytest.raises(TypeError, match=r"links\.SOFTMAX"):
        for_skorch(FocalLoss(), link="softmax")  # type: ignore[arg-type]
