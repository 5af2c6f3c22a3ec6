"""Steps with a loss or gradient that is not finite: which photos and terms they come from, and skipping them."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from distill.data.dataset import FaceSample
from distill.errors import TrainingError

# More in a row are no single bad batch: the weights or the options are wrong.
MOST_IN_A_ROW = 20
_NAMED = 8


def not_finite(terms: Mapping[str, Tensor]) -> list[str]:
    """Return the names of the loss terms with NaN or infinity."""
    return [name for name, value in terms.items() if name != "loss" and not bool(value.detach().isfinite().all())]


def describe_step(
    step: int, norm: float, terms: Mapping[str, Tensor], photos: Sequence[str], faulty: Sequence[str]
) -> str:
    """Return a line about a step that is not finite.

    Args:
        step: number of the step, from 1.
        norm: of the gradient, before clipping.
        terms: of the loss.
        photos: of the batch.
        faulty: those of them whose own loss is not finite; empty where that is not known.
    """
    broken = ", ".join(f"{name} {float(terms[name].detach()):g}" for name in not_finite(terms))
    what = f"loss term {broken}" if broken else f"gradient of norm {norm:g} of finite loss terms"
    chosen = faulty or photos
    named = ", ".join(chosen[:_NAMED]) + (f" and {len(chosen) - _NAMED} more" if len(chosen) > _NAMED else "")
    return f"step {step}: {what}, of {'photo' if faulty else 'the batch of'} {named}"


def faulty_faces(task: Any, batch: FaceSample) -> list[int]:
    """Return the places in a batch of the faces whose own loss is not finite, with the weights as they are."""
    before = buffers_of(task.net)
    count = len(batch["landmarks"])
    faulty = []
    with torch.no_grad():
        for index in range(count):
            loss = task.losses(face_of(batch, index))["loss"]
            if not bool(loss.isfinite()):
                faulty.append(index)
    restore_buffers(task.net, before)
    return faulty


def face_of(batch: Any, index: int) -> Any:
    """Return one face of a batch twice, so that norms over a batch have more than one value."""
    if isinstance(batch, Mapping):
        return {name: face_of(value, index) for name, value in batch.items()}
    return torch.stack([batch[index]] * 2) if isinstance(batch, Tensor) else [batch[index]] * 2


def buffers_of(net: nn.Module) -> dict[str, Tensor]:
    """Return copies of the buffers of a network, such as running statistics."""
    return {name: value.detach().clone() for name, value in net.named_buffers()}


def restore_buffers(net: nn.Module, before: Mapping[str, Tensor]) -> None:
    """Set the buffers of a network back."""
    for name, value in net.named_buffers():
        value.copy_(before[name])


def diverged(norm: float, line: str) -> TrainingError:
    """Return the error that ends a training; `line` is that of `describe_step`."""
    return TrainingError(
        f"training diverged: the norm of the gradient is {norm} at {line}; what was saved is from before. Start again "
        "with a lower --optim.lr or --trainer.precision 32, or leave such steps out with --trainer.nonfinite skip"
    )


def require_rare(in_a_row: int, line: str) -> None:
    """Stop a training that skips every step.

    Raises:
        TrainingError: more than `MOST_IN_A_ROW` steps in a row were skipped.
    """
    if in_a_row > MOST_IN_A_ROW:
        raise TrainingError(
            f"training diverged: {in_a_row} steps in a row were skipped, the last one {line}; start again with a lower "
            "--optim.lr"
        )
