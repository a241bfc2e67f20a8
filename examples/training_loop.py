"""An ordinary training loop with a stated objective: noisy line, a few gross outliers, Huber loss and a small L2."""

import torch
from torch import nn

from torchobjectives import L2, HuberLoss, Objective

torch.manual_seed(0)
x = torch.linspace(-1, 1, 200).unsqueeze(1)
y_true = 3 * x + 1 + 0.1 * torch.randn_like(x)
y_true[::20] += 15  # one label in twenty is grossly wrong

model = nn.Linear(1, 1)
objective = Objective(HuberLoss(delta=0.2), penalties=[L2(1e-4)])
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

for step in range(600):
    optimizer.zero_grad()
    loss = objective(model(x), y_true, model=model)
    loss.backward()
    optimizer.step()
    if step % 200 == 199:
        print(f"step {step + 1}: " + ", ".join(f"{name} {term:.4f}" for name, term in objective.terms.items()))

print(f"slope {model.weight.item():.2f} (true: 3), intercept {model.bias.item():.2f} (true: 1)")
