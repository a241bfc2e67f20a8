"""Two rings: a rare class inside a common one. Focal loss + L1 + L2; writes a picture of the decision regions.

Run: python two_rings.py [--out two_rings.png]. Needs matplotlib and scikit-learn (the ``workbench`` extra).
"""

import argparse

import matplotlib.pyplot as plt
import torch
from sklearn.metrics import f1_score, roc_auc_score
from torch import Tensor, nn

from torchobjectives import L1, L2, FocalLoss, Objective


def rings() -> tuple[Tensor, Tensor]:
    """1000 positives at radius ~ Normal(5, 1), 6000 negatives at radius ~ Normal(8, 1), any angle."""
    radius = torch.cat([5 + torch.randn(1000), 8 + torch.randn(6000)])
    angle = 2 * torch.pi * torch.rand(7000)
    x = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)
    return x, (torch.arange(7000) < 1000).float().unsqueeze(1)


def main(out: str) -> None:
    torch.manual_seed(0)
    x, y_true = rings()
    train = torch.rand(7000) < 0.8
    model = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 1))
    objective = Objective(FocalLoss(gamma=2.0, alpha=0.75), penalties=[L1(1e-5), L2(1e-4)])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(300):
        optimizer.zero_grad()
        objective(model(x[train]), y_true[train], model=model).backward()
        optimizer.step()

    print(objective)
    print(", ".join(f"{name} {term:.4f}" for name, term in objective.terms.items()))
    loss = objective.losses["loss"]
    with torch.no_grad():
        truth, probability = y_true[~train], loss.predict(model(x[~train]))
        print(f"roc_auc {roc_auc_score(truth, probability):.3f}, f1 {f1_score(truth, probability > 0.5):.3f}")
        axis = torch.linspace(-12, 12, 200)
        grid = torch.cartesian_prod(axis, axis)
        surface = loss.predict(model(grid)).reshape(200, 200).T

    plt.switch_backend("Agg")  # no window
    figure, axes = plt.subplots(figsize=(6, 6))
    axes.contourf(axis, axis, surface, levels=[0, 0.5, 1], colors=["#dce6f2", "#f8dcc8"])
    for positive, colour in ((False, "#3b6ea5"), (True, "#c8551b")):
        axes.scatter(*x[y_true[:, 0].bool() == positive].T, s=2, color=colour)
    axes.set(title="Two rings: where the probability of the rare class is above ½", aspect="equal")
    figure.savefig(out, dpi=120)
    print(f"picture: {out}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Fit the two rings and draw the decision regions.")
    parser.add_argument("--out", default="two_rings.png", help="where the picture goes")
    main(parser.parse_args().out)
