"""The Trainer of transformers with a loss: a step is the same whatever number of micro-batches it is cut into."""

from __future__ import annotations

import functools
import inspect
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import transformers
from torch import Tensor, nn
from transformers.modeling_outputs import CausalLMOutput, TokenClassifierOutput

from torchobjectives import (
    L1,
    BarronLoss,
    BinaryCrossEntropyLoss,
    CosineSimilarityLoss,
    CrossEntropyLoss,
    DiceLoss,
    FocalLoss,
    GHMCLoss,
    HuberLoss,
    MSELoss,
    Objective,
    RMSELoss,
    SoftmaxFocalLoss,
    as_loss,
    cross_entropy_loss,
    for_huggingface,
    mse_loss,
    rmse_loss,
)

ROWS, TOKENS, CLASSES, WORDS = 8, 6, 3, 16
SMALL = {
    "vocab_size": WORDS,
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 16,
}


def of_bert(kind: type[Any], labels: int) -> Any:
    torch.manual_seed(3)
    no_dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    return kind(transformers.BertConfig(**SMALL, **no_dropout, num_labels=labels)).double()


def of_llama() -> Any:
    torch.manual_seed(3)
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**SMALL, num_key_value_heads=2)).double()


MODELS = {
    "tokens": lambda: of_bert(transformers.BertForTokenClassification, CLASSES),
    "language": of_llama,
    "regression": lambda: of_bert(transformers.BertForSequenceClassification, 1),
    "labels": lambda: of_bert(transformers.BertForSequenceClassification, CLASSES),
}


def rows(kind: str) -> list[dict[str, Any]]:
    """Sentences; very unequal numbers of labels count, so that a mean of means shows."""
    generator = torch.Generator().manual_seed(7)
    found = []
    for row in range(ROWS):
        words = torch.randint(0, WORDS, (TOKENS,), generator=generator)
        if kind in ("tokens", "language"):
            labels = torch.randint(0, CLASSES, (TOKENS,), generator=generator) if kind == "tokens" else words.clone()
            labels[1 if row % 4 == 0 else TOKENS - row % 2 :] = -100
            if kind == "language":
                labels[: TOKENS - 2 if row % 4 == 1 else 1] = -100
        elif kind == "regression":
            labels = torch.randn((), generator=generator, dtype=torch.float64)
        else:
            labels = torch.randint(0, 2, (CLASSES,), generator=generator).double()
        found.append({"input_ids": words, "labels": labels})
    return found


class InOrder(transformers.Trainer):
    def _get_train_sampler(self, *args: Any, **kwargs: Any) -> Any:
        return torch.utils.data.SequentialSampler(self.train_dataset)


def train(
    kind: str, compute_loss: Any, folder: Path, micro_batches: int, submodule: nn.Module | None = None, **more: Any
) -> Any:
    """Two steps of four rows each, cut into so many micro-batches."""
    model = MODELS[kind]()
    if submodule is not None:
        model.objective = submodule
    arguments = transformers.TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=4 // micro_batches,
        gradient_accumulation_steps=micro_batches,
        num_train_epochs=1,
        max_grad_norm=0,
        use_cpu=True,
        report_to=[],
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
        dataloader_pin_memory=False,
        **more,
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    schedule = torch.optim.lr_scheduler.ConstantLR(optimizer, 1.0)
    trainer = InOrder(
        model,
        arguments,
        train_dataset=rows(kind),
        eval_dataset=rows(kind),
        compute_loss_func=compute_loss,
        optimizers=(optimizer, schedule),
    )
    trainer.train()
    return trainer


def weights(trainer: Any) -> Tensor:
    return torch.cat([p.detach().flatten() for p in trainer.model.parameters()])


def by_hand(kind: str, unreduced: Any) -> Tensor:
    """The same two steps of SGD, the sum of a step divided once by its number of labels."""
    model = MODELS[kind]().eval()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for start in (0, 4):
        batch = rows(kind)[start : start + 4]
        words, labels = (torch.stack([row[name] for row in batch]) for name in ("input_ids", "labels"))
        optimizer.zero_grad()
        values = unreduced(model(input_ids=words).logits, labels)
        counted = labels[:, 1:] if kind == "language" else labels
        (values.sum() / (counted != -100).sum()).backward()
        optimizer.step()
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def shifted_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), reduction="none")


CASES: dict[str, tuple[str, Any, Any]] = {
    "tokens": (
        "tokens",
        for_huggingface(CrossEntropyLoss()),
        lambda x, y: F.cross_entropy(x.flatten(0, 1), y.flatten(), reduction="none"),
    ),
    "own loss of tokens": (
        "tokens",
        for_huggingface(as_loss(F.cross_entropy), class_axis=-1),
        lambda x, y: F.cross_entropy(x.flatten(0, 1), y.flatten(), reduction="none"),
    ),
    "language": ("language", for_huggingface(CrossEntropyLoss(), shift_labels=True), shifted_cross_entropy),
    "regression": (
        "regression",
        for_huggingface(HuberLoss()),
        lambda x, y: F.huber_loss(x.squeeze(1), y, reduction="none"),
    ),
    "several labels": (
        "labels",
        for_huggingface(BinaryCrossEntropyLoss()),
        lambda x, y: F.binary_cross_entropy_with_logits(x, y, reduction="none"),
    ),
}


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=[] if case in ("tokens", "language") else [pytest.mark.grid]) for case in CASES],
)
def test_micro_batches_do_not_change_the_step(case: str, tmp_path: Path) -> None:
    kind, compute_loss, unreduced = CASES[case]
    whole = weights(train(kind, compute_loss, tmp_path, 1))
    torch.testing.assert_close(whole, by_hand(kind, unreduced), rtol=0, atol=1e-12)
    torch.testing.assert_close(weights(train(kind, compute_loss, tmp_path, 4)), whole, rtol=0, atol=1e-12)


def test_a_plain_mean_does(tmp_path: Path) -> None:
    """What goes wrong otherwise: the step grows with the number of micro-batches."""
    loss = CrossEntropyLoss()

    def plain_mean(outputs: Any, labels: Tensor, num_items_in_batch: Any = None) -> Tensor:
        return loss(outputs.logits.flatten(0, 1), labels.flatten())

    start = torch.cat([p.detach().flatten() for p in MODELS["tokens"]().parameters()])
    once, four = (weights(train("tokens", plain_mean, tmp_path, n, max_steps=1)) - start for n in (1, 4))
    assert four.norm() > 2 * once.norm()
    torch.testing.assert_close(
        weights(train("tokens", for_huggingface(loss), tmp_path, 1, max_steps=1)) - start, once, rtol=0, atol=1e-12
    )


def test_evaluation_keeps_the_state(tmp_path: Path) -> None:
    loss = GHMCLoss(bins=5)
    trainer = train("labels", for_huggingface(loss), tmp_path, 2)
    counted = loss.bin_counts.clone()
    assert counted.any()
    evaluated = trainer.evaluate()["eval_loss"]
    assert evaluated > 0
    assert torch.equal(loss.bin_counts, counted)
    assert loss.training


def test_bfloat16_training(tmp_path: Path) -> None:
    trainer = train("tokens", for_huggingface(SoftmaxFocalLoss()), tmp_path, 2, bf16=True)
    assert weights(trainer).isfinite().all()


LOGITS = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([[0, 1, -100, 2], [2, -100, -100, -100]])


@pytest.mark.parametrize(
    "outputs",
    [
        TokenClassifierOutput(logits=LOGITS),
        {"logits": LOGITS},
        (LOGITS, LABELS),
        LOGITS,
        TokenClassifierOutput(loss=torch.tensor(9.0), logits=LOGITS),
    ],
    ids=["output", "dict", "tuple", "tensor", "with loss"],
)
@pytest.mark.parametrize("labels", [LABELS, {"labels": LABELS}, LABELS.int()], ids=["tensor", "dict", "int32"])
def test_outputs_and_labels_of_every_kind(outputs: Any, labels: Any) -> None:
    wanted = F.cross_entropy(LOGITS.flatten(0, 1), LABELS.flatten(), reduction="sum")
    for loss in (CrossEntropyLoss(), cross_entropy_loss, functools.partial(cross_entropy_loss, label_smoothing=0.0)):
        compute_loss = for_huggingface(loss)
        torch.testing.assert_close(compute_loss(outputs, labels), wanted / 4)
        for count in (10, 10.0, torch.tensor(10), torch.tensor([[10], [10]])):
            value = compute_loss(outputs, labels, num_items_in_batch=count)
            assert value.shape == ()
            torch.testing.assert_close(value, wanted / 10)


def test_what_makes_one_unit() -> None:
    """The Trainer counts labels: of probabilities (N, C), or vectors (N, D), several make one unit."""
    soft, y = torch.full((2, 4, 3), 1 / 3), torch.randn(5, 4)
    value = for_huggingface(CrossEntropyLoss())({"logits": LOGITS}, soft, num_items_in_batch=soft.numel())
    torch.testing.assert_close(value, -LOGITS.log_softmax(-1).mean())
    value = for_huggingface(CosineSimilarityLoss())({"logits": y + 1}, y, num_items_in_batch=y.numel())
    torch.testing.assert_close(value, (1 - F.cosine_similarity(y + 1, y)).mean())
    per_row = as_loss(lambda y_pred, y_true: (y_pred - y_true).square().sum(1))
    value = for_huggingface(per_row)({"logits": y + 1}, y, num_items_in_batch=y.numel())
    torch.testing.assert_close(value, torch.tensor(4.0))


def test_ignored_labels_of_losses_without_an_ignore_index() -> None:
    logits, labels = torch.tensor([[0.5], [1.0], [9.0]], requires_grad=True), torch.tensor([1.0, 0.0, -100.0])
    for loss in (MSELoss(), FocalLoss(), as_loss(F.mse_loss), mse_loss):
        value = for_huggingface(loss)({"logits": logits}, labels, num_items_in_batch=2)
        torch.testing.assert_close(value, for_huggingface(loss)({"logits": logits[:2]}, labels[:2]))
        (gradient,) = torch.autograd.grad(value, logits)
        assert gradient[2] == 0


def test_class_axis_of_segmentation() -> None:
    logits, labels = torch.randn(2, 3, 4, 4), torch.randint(0, 3, (2, 4, 4))
    value = for_huggingface(CrossEntropyLoss(), class_axis=1)({"logits": logits}, labels, num_items_in_batch=32)
    torch.testing.assert_close(value, F.cross_entropy(logits, labels))
    with pytest.raises(ValueError, match=r"class_axis=1"):
        for_huggingface(CrossEntropyLoss())({"logits": logits}, labels)
    with pytest.raises(ValueError, match="no class_axis=4"):
        for_huggingface(CrossEntropyLoss(), class_axis=4)({"logits": logits}, labels)
    with pytest.raises(TypeError, match="class_axis has type str"):
        for_huggingface(CrossEntropyLoss(), class_axis="last")  # type: ignore[arg-type]


def test_shifting_must_be_said() -> None:
    logits, words = torch.randn(2, 4, 5), torch.randint(0, 5, (2, 4))
    output = CausalLMOutput(logits=logits)
    with pytest.raises(ValueError, match=r"CausalLMOutput: say shift_labels=True"):
        for_huggingface(CrossEntropyLoss())(output, words)
    shifted = for_huggingface(CrossEntropyLoss(), shift_labels=True)(output, words)
    torch.testing.assert_close(shifted, F.cross_entropy(logits[:, :-1].flatten(0, 1), words[:, 1:].flatten()))
    aligned = for_huggingface(CrossEntropyLoss(), shift_labels=False)(output, words)
    torch.testing.assert_close(aligned, F.cross_entropy(logits.flatten(0, 1), words.flatten()))
    with pytest.raises(TypeError, match="float32"):
        for_huggingface(CrossEntropyLoss(), shift_labels=True)(output, words.float())


def test_half_precision_and_nothing_that_counts() -> None:
    logits = torch.full((50_000, 1), 1.5, dtype=torch.float16, requires_grad=True)
    value = for_huggingface(MSELoss())({"logits": logits}, logits.detach()[:, 0] * 0, num_items_in_batch=100_000)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(1.125)
    dead = torch.full((2, 4), -100)
    nothing = LOGITS.clone().requires_grad_()
    value = for_huggingface(CrossEntropyLoss())({"logits": nothing}, dead, num_items_in_batch=torch.tensor(0))
    value.backward()
    assert value == 0
    assert not nothing.grad.any()


def test_the_trainer_may_scale_the_result_in_place() -> None:
    logits = LOGITS.clone().requires_grad_()
    value = for_huggingface(CrossEntropyLoss())({"logits": logits}, LABELS, num_items_in_batch=4)
    value *= 2
    value.backward()
    assert logits.grad.any()


def test_parameters_that_the_trainer_does_not_train() -> None:
    with pytest.warns(UserWarning, match=r"alpha of the loss will not be trained .* model\.objective = loss") as caught:
        for_huggingface(BarronLoss(alpha=nn.Parameter(torch.tensor(1.0))))
    assert caught[0].filename == __file__


@pytest.mark.filterwarnings("ignore:The Trainer optimizes the parameters of its model only")
def test_a_learnable_loss_is_trained_as_a_submodule(tmp_path: Path) -> None:
    def learned(micro_batches: int, submodule: bool) -> float:
        loss = BarronLoss(alpha=nn.Parameter(torch.tensor(1.0, dtype=torch.float64)))
        train("regression", for_huggingface(loss), tmp_path, micro_batches, loss if submodule else None)
        return loss.alpha.item()

    assert learned(1, False) == 1
    assert learned(1, True) == pytest.approx(learned(4, True), abs=1e-12) != 1


def test_it_is_one_picklable_function() -> None:
    compute_loss = for_huggingface(CrossEntropyLoss(label_smoothing=0.1), shift_labels=False)
    assert list(inspect.signature(compute_loss).parameters)[:3] == ["outputs", "labels", "num_items_in_batch"]
    again = pickle.loads(pickle.dumps(compute_loss))
    assert again({"logits": LOGITS}, LABELS) == compute_loss({"logits": LOGITS}, LABELS)


@pytest.mark.parametrize(
    ("loss", "error", "words"),
    [
        (RMSELoss(), ValueError, "for_huggingface divides a sum over units, and RMSELoss has none"),
        (DiceLoss(), ValueError, "DiceLoss has none"),
        (functools.partial(rmse_loss), ValueError, "rmse_loss has none"),
        (HuberLoss, TypeError, r"pass HuberLoss\(\)"),
        (nn.CrossEntropyLoss(), TypeError, "as_loss"),
        (Objective(HuberLoss(), [L1(0.1)]).bind(nn.Linear(1, 1)), TypeError, "once per micro-batch"),
        (CrossEntropyLoss(ignore_index=255), ValueError, "ignore_index is 255, wanted -100"),
        (functools.partial(cross_entropy_loss, ignore_index=0), ValueError, "ignore_index is 0"),
        (functools.partial(mse_loss, wieght=None), TypeError, "Did you mean 'weight'"),
    ],
)
def test_what_the_trainer_cannot_use_is_refused(loss: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        for_huggingface(loss)


@pytest.mark.parametrize(
    ("outputs", "labels", "count", "error", "words"),
    [
        ({"loss": LOGITS}, LABELS, 4, ValueError, r"keys \['loss'\]"),
        ((), LABELS, 4, ValueError, "returned a tuple and no tensor of logits"),
        (LOGITS, None, 4, ValueError, "no 'labels' in the batch"),
        (LOGITS, {"y": LABELS}, 4, ValueError, r"keys \['y'\]"),
        (LOGITS, LABELS.tolist(), 4, TypeError, "as_tensor"),
        (LOGITS, LABELS[:, :3], 4, ValueError, r"labels \(2, 3\)"),
        (LOGITS, LABELS, "4", TypeError, "num_items_in_batch has type str"),
        (LOGITS, LABELS, -1, ValueError, "num_items_in_batch is -1"),
        (LOGITS, LABELS, torch.tensor([]), ValueError, "num_items_in_batch is"),
    ],
)
def test_wrong_input_is_named(outputs: Any, labels: Any, count: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        for_huggingface(CrossEntropyLoss())(outputs, labels, num_items_in_batch=count)
