"""A loss of torchobjectives in ignite's engine and in its metric."""

import torch
from ignite.engine import Engine, Events, create_supervised_evaluator, create_supervised_trainer
from ignite.metrics import Loss
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from torchobjectives import FocalLoss

torch.manual_seed(0)
x = torch.randn(256, 2)
y_true = (x.sum(1, keepdim=True) > 1).float()
data = DataLoader(TensorDataset(x, y_true), batch_size=64)

model, loss = nn.Linear(2, 1), FocalLoss(gamma=1.0)
trainer = create_supervised_trainer(model, torch.optim.Adam(model.parameters(), lr=0.1), loss)
evaluator = create_supervised_evaluator(model, metrics={"loss": Loss(loss)})


@trainer.on(Events.EPOCH_COMPLETED(every=5))
def report(engine: Engine) -> None:
    evaluator.run(data)
    print(f"epoch {engine.state.epoch}: loss {evaluator.state.metrics['loss']:.4f}")


trainer.run(data, max_epochs=10)
