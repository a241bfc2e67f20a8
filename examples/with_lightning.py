"""A loss of torchobjectives in a LightningModule: it drops in where a loss of torch stands."""

import lightning
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from torchobjectives import FocalLoss


class Classifier(lightning.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.model, self.loss = nn.Linear(2, 1), FocalLoss(gamma=1.0)

    def training_step(self, batch: list[Tensor]) -> Tensor:
        return self.loss(self.model(batch[0]), batch[1])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.1)


lightning.seed_everything(0, verbose=False)
x = torch.randn(256, 2)
y_true = (x.sum(1, keepdim=True) > 1).float()
module, data = Classifier(), DataLoader(TensorDataset(x, y_true), batch_size=64)
print(f"loss {module.loss(module.model(x), y_true):.4f}")
quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
lightning.Trainer(max_epochs=10, accelerator="cpu", **quiet).fit(module, data)
print(f"loss {module.loss(module.model(x), y_true):.4f}")
