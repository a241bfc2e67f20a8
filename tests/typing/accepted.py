"""What mypy --strict must accept; checked by tests/test_typing.py, not run."""

from typing import Any, assert_type

import torch
from torch import Tensor, nn

import torchobjectives
from torchobjectives import (
    L1,
    L2,
    BarronLoss,
    CrossEntropyLoss,
    ElasticNet,
    FocalLoss,
    GHMCLoss,
    GroupLasso,
    HuberLoss,
    Loss,
    Objective,
    Spec,
    as_loss,
    for_huggingface,
    for_skorch,
    from_config,
    get,
    global_mean,
    guard_loading,
    huber_loss,
    lambda_max,
    param_groups,
    parameter_table,
    register,
    regularization_path,
    select,
    select_features,
    sparsity,
    stationarity,
    totals,
)
from torchobjectives.optimality import Stationarity

y_pred, y_true = torch.zeros(3), torch.zeros(3)

assert_type(huber_loss(y_pred, y_true, delta=2.0, weight=y_true, mask=None, reduction="sum"), Tensor)
assert_type(HuberLoss(delta=2.0, reduction="none"), HuberLoss)
assert_type(HuberLoss(delta=2)(y_pred, y_true, mask=y_true > 0), Tensor)
assert_type(FocalLoss(gamma=1.0, alpha=None).gamma, float)
assert_type(HuberLoss().predict(y_pred, calibrated=False), Tensor)
assert_type(HuberLoss().num_outputs(3), int)
assert_type(global_mean(huber_loss).divide(nn.Linear(1, 1).parameters()), Tensor)
assert_type(global_mean(HuberLoss())(y_pred, y_true, mask=y_true > 0), Tensor)
assert_type(for_huggingface(CrossEntropyLoss(), class_axis=1)({"logits": y_pred}, y_true), Tensor)
assert_type(for_skorch(FocalLoss())["criterion__gamma"], Any)
BarronLoss(alpha=nn.Parameter(torch.tensor(1.0)), scale=2.0)
CrossEntropyLoss(class_weight=[1.0, 2.0])
CrossEntropyLoss(class_weight=torch.ones(2), ignore_index=-1)
GHMCLoss(bins=10, momentum=0.5)


class PowerLoss(Loss):
    spec = Spec(task="regression", y_pred="real", y_true="real")
    power: float = 2.0

    @staticmethod
    def function(y_pred: Tensor, y_true: Tensor, *, power: float) -> Tensor:
        return (y_pred - y_true).abs() ** power


assert_type(PowerLoss(power=3.0, reduction="sum")(y_pred, y_true), Tensor)
assert_type(as_loss(PowerLoss.function, power=3.0), Loss)
assert_type(get("huber_loss", delta=2.0), Loss)
assert_type(from_config(HuberLoss().to_config()), Loss)
register("power", PowerLoss)
assert_type(totals(HuberLoss(), y_pred, y_true), tuple[Tensor, Tensor])

model = nn.Linear(3, 1)
objective = Objective({"main": FocalLoss(), "aux": nn.MSELoss()}, [L1(1e-4), L2(1e-3)], {"aux": 0.1})
assert_type(objective(y_pred, y_true, model=model), Tensor)
assert_type(objective.bind(model)(y_pred, y_true), Tensor)
assert_type(ElasticNet(1e-3, 0.5, on=select.matching("*.weight")).value(model), Tensor)
assert_type(GroupLasso(1e-3).value(model), Tensor)
torch.optim.SGD(param_groups(model, lr=0.1, weight_decay=1e-4, rules=[("*.bias", {"lr": 0.5})]))
chosen = select.weights() - "*.head.*" | select.role("bias", "scale") & select.of_type(nn.Linear, nn.Conv2d)
assert_type(chosen, select.Selector)
assert_type(chosen(model), list[tuple[str, nn.Parameter]])
assert_type(select.mark(model, select.biases(), regularized=True), nn.Linear)
assert_type([row.shape for row in parameter_table(model)], list[tuple[int, ...] | None])
optimizer = torch.optim.AdamW(param_groups(model, lr=0.1, layer_decay=0.75, rules=[(chosen, {"lr": 0.5})]))
guard_loading(optimizer).remove()
assert_type(torchobjectives.functional.mse_loss(y_pred, y_true), Tensor)
data = [(y_pred, y_true)]
assert_type(stationarity(objective, model, data), Stationarity)
assert_type(lambda_max(objective.bind(model), model, data, term="l1"), float)
assert_type(regularization_path(objective, model, data, num=5).lambdas, Tensor)
assert_type(sparsity(model).zeros, int)
assert_type(select_features(y_pred, y_true, HuberLoss()).support_, Tensor)
