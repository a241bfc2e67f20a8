"""A loss of torchobjectives in a loop of Lightning Fabric."""

import torch
from lightning.fabric import Fabric
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from torchobjectives import FocalLoss

fabric = Fabric(accelerator="cpu", devices=1)
fabric.seed_everything(0, verbose=False)
x = torch.randn(256, 2)
y_true = (x.sum(1, keepdim=True) > 1).float()

model, loss = nn.Linear(2, 1), FocalLoss(gamma=1.0)
model, optimizer = fabric.setup(model, torch.optim.Adam(model.parameters(), lr=0.1))
data = fabric.setup_dataloaders(DataLoader(TensorDataset(x, y_true), batch_size=64))

for epoch in range(10):
    for inputs, labels in data:
        optimizer.zero_grad()
        value = loss(model(inputs), labels)
        fabric.backward(value)
        optimizer.step()
    if epoch in (0, 9):
        print(f"epoch {epoch}: loss {loss(model(x), y_true):.4f}")
