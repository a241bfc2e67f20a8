"""The classic PyTorch chapter on losses, step by step: the textbook's code beside ours, and both numbers.

Each line reads: what | textbook | ours | the difference, or why the numbers differ. A pair without a reason is equal to
1e-6; a pair with one is not. The chapter's last example, two rings with focal loss, L1 and L2, is two_rings.py.
"""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import torchobjectives as t

TOLERANCE = 1e-6


def pair(what: str, textbook: Tensor | float, ours: Tensor | float, reason: str = "") -> None:
    """Print one number of each, of tensors where they differ most; check that the pair is what it is said to be."""
    textbook, ours = (torch.as_tensor(number, dtype=torch.float64).flatten() for number in (textbook, ours))
    distance = (textbook - ours).abs()
    difference = distance.max().item()
    assert (difference <= TOLERANCE) != bool(reason), f"{what}: {textbook} and {ours} differ by {difference}"
    shown = int(distance.argmax()) if reason else 0
    print(f"{what:40} | {textbook[shown]:10.6f} | {ours[shown]:10.6f} | {reason or f'{difference:.1e}'}")


def step(number: int, title: str) -> None:
    print(f"\n{number}. {title}")


torch.manual_seed(0)

step(1, "Built-in losses, as class and as function")
y_pred, y_true = torch.randn(8, 3, dtype=torch.float64), torch.randn(8, 3, dtype=torch.float64)
labels = torch.randint(2, (8, 3)).double()
classes = torch.randint(3, (8,))
p, log_p, same = y_pred.sigmoid(), y_pred.log_softmax(dim=1), torch.ones(8)

pair("nn.MSELoss", nn.MSELoss()(y_pred, y_true), t.MSELoss()(y_pred, y_true))
pair("F.mse_loss", F.mse_loss(y_pred, y_true), t.mse_loss(y_pred, y_true))
pair("nn.L1Loss", nn.L1Loss()(y_pred, y_true), t.L1Loss()(y_pred, y_true))
pair("F.l1_loss", F.l1_loss(y_pred, y_true), t.l1_loss(y_pred, y_true))
pair("nn.SmoothL1Loss", nn.SmoothL1Loss(beta=0.5)(y_pred, y_true), t.SmoothL1Loss(beta=0.5)(y_pred, y_true))
pair("F.smooth_l1_loss", F.smooth_l1_loss(y_pred, y_true), t.smooth_l1_loss(y_pred, y_true))
pair("nn.BCELoss", nn.BCELoss()(p, labels), t.BinaryCrossEntropyLoss(from_logits=False)(p, labels))
pair("F.binary_cross_entropy", F.binary_cross_entropy(p, labels), t.binary_cross_entropy_loss(y_pred, labels))
pair("nn.BCEWithLogitsLoss", nn.BCEWithLogitsLoss()(y_pred, labels), t.BinaryCrossEntropyLoss()(y_pred, labels))
pair(
    "F.binary_cross_entropy_with_logits",
    F.binary_cross_entropy_with_logits(y_pred, labels),
    t.binary_cross_entropy_loss(y_pred, labels),
)
pair("nn.CrossEntropyLoss", nn.CrossEntropyLoss()(y_pred, classes), t.CrossEntropyLoss()(y_pred, classes))
pair("F.cross_entropy", F.cross_entropy(y_pred, classes), t.cross_entropy_loss(y_pred, classes))
pair("nn.NLLLoss", nn.NLLLoss()(log_p, classes), t.NLLLoss()(log_p, classes))
pair("F.nll_loss", F.nll_loss(log_p, classes), t.nll_loss(log_p, classes))
pair(
    "nn.CosineEmbeddingLoss",
    nn.CosineEmbeddingLoss()(y_pred, y_true, same),
    t.CosineSimilarityLoss()(y_pred, y_true),
)
pair(
    "F.cosine_embedding_loss",
    F.cosine_embedding_loss(y_pred, y_true, same),
    t.cosine_similarity_loss(y_pred, y_true),
)
textbook = nn.AdaptiveLogSoftmaxWithLoss(16, 20, cutoffs=[5, 10]).double()
ours = t.AdaptiveLogSoftmaxLoss(in_features=16, num_classes=20, cutoffs=[5, 10]).double()
ours.adaptive.load_state_dict(textbook.state_dict())  # both begin with random weights
features, words = torch.randn(8, 16, dtype=torch.float64), torch.randint(20, (8,))
pair("nn.AdaptiveLogSoftmaxWithLoss", textbook(features, words).loss, ours(features, words))

sure, wrong = torch.tensor([20.0]), torch.tensor([0.0])  # float32: the sigmoid of 20 rounds to 1
pair(
    "F.binary_cross_entropy, sigmoid(20)",
    F.binary_cross_entropy(sure.sigmoid(), wrong),
    t.binary_cross_entropy_loss(sure, wrong),
    "the probability has rounded to 1, and torch holds log 0 at -100; the logit still knows 20",
)
nothing = torch.zeros(0, 3, dtype=torch.float64)
pair(
    "F.mse_loss of nothing",
    F.mse_loss(nothing, nothing),
    t.mse_loss(nothing, nothing),
    "the mean of nothing is 0/0 in torch; here an empty batch costs 0",
)

step(2, "A focal loss of one's own, on probabilities")


class TextbookFocalLoss(nn.Module):
    def __init__(self, gamma: float = 2.0, alpha: float = 0.75) -> None:
        super().__init__()
        self.gamma = gamma
        self.alpha = alpha

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        bce = F.binary_cross_entropy(y_pred, y_true, reduction="none")
        p_t = y_true * y_pred + (1 - y_true) * (1 - y_pred)
        alpha_factor = y_true * self.alpha + (1 - y_true) * (1 - self.alpha)
        modulating_factor = (1 - p_t) ** self.gamma
        return (alpha_factor * modulating_factor * bce).mean()


y_true = torch.tensor([[1.0], [0.0]], dtype=torch.float64)
hard = torch.tensor([[0.5], [0.5]], dtype=torch.float64)
easy = torch.tensor([[0.9], [0.1]], dtype=torch.float64)
textbook, ours = TextbookFocalLoss(), t.FocalLoss(gamma=2.0, alpha=0.75, from_logits=False)
for name, y_pred in (("hard", hard), ("easy", easy)):
    bce = F.binary_cross_entropy(y_pred, y_true)
    our_bce = t.binary_cross_entropy_loss(y_pred, y_true, from_logits=False)
    pair(f"BCE, {name}", bce, our_bce)
    pair(f"focal, {name}", textbook(y_pred, y_true), ours(y_pred, y_true))
    pair(f"focal / BCE, {name}", textbook(y_pred, y_true) / bce, ours(y_pred, y_true) / our_bce)
pair(
    "focal, soft label 0.8",
    textbook(hard + 0.2, torch.full_like(hard, 0.8)),
    ours(hard + 0.2, torch.full_like(hard, 0.8)),
    "p_t mixes p and 1 - p before the power; ours takes the share 0.8 of the loss at 1 and 0.2 of that at 0",
)
slopes = []
for loss in (TextbookFocalLoss(gamma=0.5), t.FocalLoss(gamma=0.5, alpha=0.75, from_logits=False)):
    perfect = y_true.clone().requires_grad_()
    loss(perfect, y_true).backward()
    slopes.append(perfect.grad)
pair("focal, slope at p = y, gamma = 0.5", *slopes, "the power is infinitely steep at 0, times log 1 = 0; ours says 0")

step(3, "L1 and L2 penalties without biases")
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1)).double()


# Two slips circulate with this code. The first: torch.functional is another module than torch.nn.functional.
def wrong_import() -> Tensor:
    import torch.functional as F

    return F.binary_cross_entropy(easy, torch.ones_like(easy))


try:
    wrong_import()
except AttributeError as error:
    print(f"first slip  | {type(error).__name__}: {error}")


# The second: a sum that is never begun.
def unbound_l1(model: nn.Module, lambda_l1: float) -> Tensor:
    for name, parameter in model.named_parameters():
        if "bias" not in name:
            l1_loss += lambda_l1 * parameter.abs().sum()  # noqa: F821
    return l1_loss


try:
    unbound_l1(model, 1e-3)
except UnboundLocalError as error:
    print(f"second slip | {type(error).__name__}: {error}")


# Mended:
def textbook_l1(model: nn.Module, lambda_l1: float) -> Tensor:
    l1_loss = torch.zeros(())
    for name, parameter in model.named_parameters():
        if "bias" not in name:
            l1_loss = l1_loss + lambda_l1 * parameter.abs().sum()
    return l1_loss


def textbook_l2(model: nn.Module, lambda_l2: float) -> Tensor:
    l2_loss = torch.zeros(())
    for name, parameter in model.named_parameters():
        if "bias" not in name:
            l2_loss = l2_loss + lambda_l2 * parameter.pow(2).sum()
    return l2_loss


def textbook_norms(model: nn.Module, lambda_l2: float) -> Tensor:
    return sum(lambda_l2 * parameter.norm() for name, parameter in model.named_parameters() if "bias" not in name)


decay = 0.01
pair("L1(decay)", textbook_l1(model, decay), t.L1(decay).value(model))
pair("L2(decay)", textbook_l2(model, decay), t.L2(decay).value(model), "the factor 2: theirs is λΣw², ours ½λΣw²")
pair("L2(2 * decay)", textbook_l2(model, decay), t.L2(2 * decay).value(model))
pair(
    "L2(decay), norms not squared",
    textbook_norms(model, decay),
    t.L2(decay).value(model),
    "a norm is not its square: λ‖W‖ pulls a small matrix as hard as a large one",
)
normed = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 1)).double()
pair(
    "L1(decay), with BatchNorm1d",
    textbook_l1(normed, decay),
    t.L1(decay).value(normed),
    "the scales of a norm are called weight, and the loop takes them; ours leaves them out",
)
pair('L1(decay, on="*.weight")', textbook_l1(normed, decay), t.L1(decay, on="*.weight").value(normed))

x, y_true = torch.randn(16, 4, dtype=torch.float64), torch.randn(16, 1, dtype=torch.float64)
objective = t.Objective(t.MSELoss(), penalties=[t.L1(decay), t.L2(2 * decay)])
pair(
    str(objective),
    nn.MSELoss()(model(x), y_true) + textbook_l1(model, decay) + textbook_l2(model, decay),
    objective(model(x), y_true, model=model),
)

step(4, "weight_decay is L2 with SGD and Adam, and not with AdamW")


def trained(make_optimizer, penalties=(), shrink=0.0) -> Tensor:
    """All parameters after three steps from the same start; ``shrink`` is taken off them before each step."""
    copied = copy.deepcopy(model)
    objective = t.Objective(nn.MSELoss(), penalties=penalties)
    optimizer = make_optimizer(copied)
    for _ in range(3):
        optimizer.zero_grad()
        objective(copied(x), y_true, model=copied).backward()
        with torch.no_grad():
            for parameter in copied.parameters():
                parameter.mul_(1 - shrink)
        optimizer.step()
    return nn.utils.parameters_to_vector(copied.parameters()).detach()


def sgd(decay=0.0, momentum=0.0):
    return lambda model: torch.optim.SGD(model.parameters(), lr=0.1, momentum=momentum, weight_decay=decay)


def adam(kind, decay=0.0):
    return lambda model: kind(model.parameters(), lr=0.1, weight_decay=decay)


everywhere, adam_w = t.L2(decay, on="*"), torch.optim.AdamW
pair("SGD(weight_decay) / L2(on='*')", trained(sgd(decay)), trained(sgd(), [everywhere]))
pair("the same, momentum 0.9", trained(sgd(decay, 0.9)), trained(sgd(momentum=0.9), [everywhere]))
pair(
    "SGD(weight_decay) / L2()",
    trained(sgd(decay)),
    trained(sgd(), [t.L2(decay)]),
    "model.parameters() holds the biases, and SGD decays them too",
)
grouped = trained(lambda model: torch.optim.SGD(t.param_groups(model, lr=0.1, weight_decay=decay)))
pair("SGD(param_groups(weight_decay)) / L2()", grouped, trained(sgd(), [t.L2(decay)]))
pair(
    "Adam(weight_decay) / L2(on='*')",
    trained(adam(torch.optim.Adam, decay)),
    trained(adam(torch.optim.Adam), [everywhere]),
)
pair(
    "AdamW(weight_decay) / L2(on='*')",
    trained(adam(adam_w, decay)),
    trained(adam(torch.optim.Adam), [everywhere]),
    "AdamW shrinks the weights beside the gradient; L2 is in it, and Adam divides it by its size",
)
pair(
    "AdamW / Adam and w *= 1 - lr * decay",
    trained(adam(adam_w, decay)),
    trained(adam(torch.optim.Adam), shrink=0.1 * decay),
)

step(5, "Options per parameter")


def textbook_groups(model: nn.Module) -> torch.optim.Optimizer:
    weights = [parameter for name, parameter in model.named_parameters() if "bias" not in name]
    biases = [parameter for name, parameter in model.named_parameters() if "bias" in name]
    return torch.optim.SGD(
        [
            {"params": weights, "weight_decay": decay},
            {"params": biases, "lr": 0.2, "weight_decay": 0.0},
        ],
        lr=0.1,
        momentum=0.9,
    )


def our_groups(model: nn.Module) -> torch.optim.Optimizer:
    groups = t.param_groups(model, lr=0.1, weight_decay=decay, rules=[("*.bias", {"lr": 0.2})])
    return torch.optim.SGD(groups, momentum=0.9)


pair("list of dicts / param_groups", trained(textbook_groups), trained(our_groups))
print(t.param_groups(model, lr=0.1, weight_decay=decay, rules=[("*.bias", {"lr": 0.2})]))
