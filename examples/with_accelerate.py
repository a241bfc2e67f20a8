"""accelerate: unequal micro-batches, accumulated and divided once by what counted in all of them."""

from contextlib import nullcontext

import torch
from accelerate import Accelerator
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from torchobjectives import FocalLoss, global_mean

x = torch.randn(256, 2, generator=torch.manual_seed(0))
y_true = (x.sum(1, keepdim=True) > 1).float()
y_true[torch.rand(256) > 0.7] = torch.nan  # labels that are missing

# The steps are told to no_sync below, not to the Accelerator: it would divide the sums as well.
accelerator, mean = Accelerator(cpu=True), global_mean(FocalLoss(gamma=1.0))
model, data = nn.Linear(2, 1), DataLoader(TensorDataset(x, y_true), batch_size=16)
model, optimizer, data = accelerator.prepare(model, torch.optim.Adam(model.parameters(), lr=0.1), data)
for epoch in range(20):
    for number, (inputs, labels) in enumerate(data, 1):
        last = number % 4 == 0
        with nullcontext() if last else accelerator.no_sync(model):
            accelerator.backward(mean.add(model(inputs), labels, mask=~labels.isnan()))
        if last:
            value = mean.divide(model.parameters())
            optimizer.step()
            optimizer.zero_grad()
    if epoch in (0, 19):
        print(f"epoch {epoch}: loss {value:.4f}")
