"""What is seen of what a loss owns, and of what is kept of it: parameters, devices, graphs."""

from __future__ import annotations

import gc
import math
import weakref
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from torchobjectives.check._look import LOOKS, Look, Signal, listed
from torchobjectives.check._report import Finding, counted, number

STEPS_UNMOVED = 100


class Parameters(Signal):
    """What the loss learns itself is in no optimizer, or does not move."""

    def __init__(self, module: nn.Module, optimizers: tuple[Any, ...]) -> None:
        self.module, self.optimizers = module, optimizers
        self.steps = 0
        self.before: dict[str, Tensor] = {}
        self.started = 0
        self.handle = _counted_steps(self)

    def look(self, look: Look) -> Iterator[Finding]:
        """At the first step the groups, later whether anything moved."""
        if look.count == 0:
            learnt = {name: p for name, p in self.module.named_parameters() if p.requires_grad}
            held = {id(p) for one in self.optimizers for group in one.param_groups for p in group["params"]}
            outside = {name: p for name, p in learnt.items() if id(p) not in held}
            if self.optimizers and outside:
                self.done = True
                self.close()
                yield self._outside(look.step, outside)
                return
            self.before = {name: p.detach().clone() for name, p in learnt.items() if p.numel() <= 2**20}
            self.started = self.steps
        elif self.steps - self.started >= STEPS_UNMOVED:
            self.done = True
            unmoved = {
                name: float(p.grad.abs().max())
                for name, p in self.module.named_parameters()
                if name in self.before and p.grad is not None and torch.equal(p.detach(), self.before[name])
            }
            unmoved = {name: slope for name, slope in unmoved.items() if slope > 0 and math.isfinite(slope)}
            self.close()
            if unmoved:
                yield self._unmoved(look.step, unmoved)

    def _outside(self, step: int, outside: dict[str, nn.Parameter]) -> Finding:
        kinds = ", ".join(dict.fromkeys(type(one).__name__ for one in self.optimizers))
        count = sum(p.numel() for p in outside.values())
        one = len(outside) == 1
        return Finding(
            "hidden-parameters",
            "warning",
            f"Step {step}: {counted(len(outside), 'parameter')} of the loss ({listed(outside)}), with "
            f"{counted(count, 'number')}, {'is' if one else 'are'} in no group of {kinds}: "
            f"{'it is' if one else 'they are'} never learnt.",
            "optimizer.add_param_group({'params': loss.parameters()}), or requires_grad_(False) if they are to stay.",
            {"step": step, "parameters": list(outside), "numbers": count},
        )

    def _unmoved(self, step: int, unmoved: dict[str, float]) -> Finding:
        slope = max(unmoved.values())
        return Finding(
            "hidden-parameters",
            "warning",
            f"Step {step}: after {self.steps - self.started} steps of an optimizer {listed(unmoved)} of the loss "
            f"{'is' if len(unmoved) == 1 else 'are'} what {'it was' if len(unmoved) == 1 else 'they were'}, although "
            f"the gradient goes up to {number(slope)}.",
            "Give them to the optimizer: [*model.parameters(), *loss.parameters()]",
            {"step": step, "parameters": list(unmoved), "gradient": slope},
        )

    def close(self) -> None:
        """Count no more steps."""
        self.handle.remove()
        self.before = {}


def _counted_steps(signal: Parameters) -> Any:
    """Count the steps of all optimizers; what is no longer there counts none."""
    itself = weakref.ref(signal)

    def stepped(optimizer: Any, args: Any, kwargs: Any) -> None:
        counting = itself()
        if counting is not None:
            counting.steps += 1

    handle = register_optimizer_step_post_hook(stepped)
    weakref.finalize(signal, handle.remove)
    return handle


class Devices(Signal):
    """A tensor of the loss lies on another device than the predictions."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    def look(self, look: Look) -> Iterator[Finding]:
        """Only the first look counts."""
        self.done = True
        y_pred = look.whole.y_pred
        if not isinstance(y_pred, Tensor):
            return
        own = [*self.module.named_parameters(), *self.module.named_buffers()]
        # A number on the CPU goes along with a call.
        apart = {name: tensor for name, tensor in own if tensor.ndim and tensor.device != y_pred.device}
        if apart:
            name, tensor = next(iter(apart.items()))
            yield Finding(
                "not-buffer",
                "note",
                f"Step {look.step}: {counted(len(apart), 'tensor')} of the loss ({listed(apart)}) lies on another "
                f"device than y_pred: `{name}` on {tensor.device}, y_pred on {y_pred.device}. It is copied, and waited "
                "for, at every step.",
                f"loss.to('{y_pred.device}')",
                {"step": look.step, "tensors": list(apart)},
            )


class _Mark:
    """Hangs on a node of a graph, and lives as long as that."""

    def __init__(self, step: int, what: str, past: _Pass) -> None:
        self.step, self.what, self.past = step, what, past


class _Pass:
    """The backward pass of a step."""

    at: int | None = None
    """At which step it was; None where it was not, or may be repeated."""


def _is_kept_on_purpose() -> bool:
    """Whether the pass that runs has retain_graph or create_graph: another will follow, as at the end of a window."""
    asked = getattr(torch._C._autograd, "_get_current_graph_task_keep_graph", lambda: False)
    return torch.is_grad_enabled() or bool(asked())


class Graphs(Signal):
    """Graphs of steps whose backward pass is over are kept: memory grows."""

    seldom = True

    def __init__(self) -> None:
        self.marks: list[weakref.ref[_Mark]] = []

    def look(self, look: Look) -> Iterator[Finding]:
        """Hang a mark on this graph, and see which of the earlier ones are still there."""
        if len(self._kept()) >= LOOKS:
            gc.collect()  # a cycle is nobody's
            kept = self._kept()
            if len(kept) >= LOOKS:
                self.done = True
                yield self._said(look.step, kept)
                return
        past = _Pass()
        for what, tensor in (("loss", look.loss), ("y_pred", look.whole.y_pred)):
            if isinstance(tensor, Tensor) and tensor.grad_fn is not None:
                mark = _Mark(look.step, what, past)
                metadata: Any = tensor.grad_fn.metadata  # a dict of the node, which lives as long as it
                metadata[f"torchobjectives.{id(self)}"] = mark
                self.marks.append(weakref.ref(mark))
        self.marks = self.marks[-16:]
        steps_now = look.steps_now

        def passed(gradient: Tensor) -> None:
            past.at = None if _is_kept_on_purpose() else steps_now()

        look.loss.register_hook(passed)  # type: ignore[no-untyped-call]

    def _kept(self) -> dict[int, _Mark]:
        """The marks that are left of different backward passes: a loop over time has many losses and one pass."""
        alive = [mark for itself in self.marks if (mark := itself()) is not None]
        return {mark.past.at: mark for mark in reversed(alive) if mark.past.at is not None}

    def _said(self, step: int, kept: dict[int, _Mark]) -> Finding:
        marks = sorted(kept.values(), key=lambda mark: mark.step)
        loss = any(mark.what == "loss" for mark in marks)
        memory = f" ({torch.cuda.memory_allocated() / 2**20:.0f} MiB now)" if torch.cuda.is_available() else ""
        return Finding(
            "keeps-graph",
            "warning",
            f"Step {step}: the graphs of steps {', '.join(str(mark.step) for mark in marks)} are still alive, although "
            f"their backward passes are over: memory grows with every step{memory}. Something keeps "
            f"{'`loss`' if loss else '`y_pred`'} tensors.",
            "Keep numbers when logging: loss.item(), or loss.detach()" if loss else "Keep y_pred.detach()",
            {"step": step, "alive": [mark.step for mark in marks]},
        )
