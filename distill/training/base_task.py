"""Base class of the training tasks: network, optimiser, gradient clipping, and the run's entries in a checkpoint."""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from distill.errors import ConfigError
from distill.training.config import OptimConfig
from distill.training.int8_simulation import Int8Simulation, freeze_statistics
from distill.training.nonfinite import buffers_of, describe_step, diverged, require_rare, restore_buffers
from distill.training.optimizers import make_optimizer, make_schedule

# Options in which a resumed run may differ, on request: the weights do not depend on it.
_VALIDATED = "val_hash"


class BaseTask(pl.LightningModule):
    """A network in training.

    Args:
        net: network; its `head`, if it has one, has a learning rate of its own.
        optim: optimiser.
        total_steps: length of the schedule.
        spec: dataclass that describes the network; stored in every checkpoint.

    Attributes:
        grad_norm: of the last step, before clipping.
        origin: what the run is made of; stored in every checkpoint, and a resumed run must have the same.
        accept_data: whether other validation faces than before are accepted when a run is resumed.
        skip_nonfinite: whether a step whose gradient is not finite is skipped instead of ending the training.
        skipped: steps that were skipped.
        batch: of this step, where its faces are named in errors.
        photos: names of the training faces by index, for error texts.
        weights: record of the pretrained weights that the run started from.
        int8: rounds what the network computes, in quantization-aware training.
    """

    def __init__(self, net: nn.Module, optim: OptimConfig, total_steps: int, spec: Any):
        super().__init__()
        # Convolutions of narrow nets run about twice as fast on channels-last memory, on CPUs and GPUs alike.
        self.net = net.to(memory_format=torch.channels_last)
        self.optim, self.total_steps, self.spec = optim, total_steps, spec
        self.grad_norm: Tensor | float = 0.0
        self.origin: dict[str, Any] = {}
        self.accept_data = self.skip_nonfinite = False
        self.skipped = self._in_a_row = 0
        self._before_step: dict[str, Tensor] = {}
        self._first_bad = torch.zeros(0, dtype=torch.long)
        self.batch: Any = None
        self.name_of: Callable[[int], str] = str
        self.weights: dict[str, Any] | None = getattr(net, "loaded_weights", None)
        self.int8: Int8Simulation | None = None

    def simulate_int8(self, inputs: Tensor, decoded: Callable[[Any], Tensor] | None = None) -> None:
        """Train with rounded weights and activations from here on; arguments are those of `Int8Simulation`."""
        self.int8 = Int8Simulation(self.net, inputs, decoded)
        freeze_statistics(self.net.modules())

    def rounding(self) -> AbstractContextManager[Any]:
        """Return the context in which the network computes."""
        return nullcontext() if self.int8 is None else self.int8.rounding()

    def train(self, mode: bool = True) -> "BaseTask":
        """In quantization-aware training the statistics of batch norms stay as they are."""
        super().train(mode)
        if self.int8 is not None:
            freeze_statistics(self.net.modules())
        return self

    def configure_gradient_clipping(self, optimizer: Any, *args: Any, **kwargs: Any) -> None:
        """Clip, and keep the norm so that it is computed once."""
        norm = torch.nn.utils.clip_grad_norm_(self.trained(), self.optim.clip)
        if self.trainer.precision == "16-mixed":
            # The gradient scaler skips steps whose gradients overflow, so that they do no harm.
            norm = torch.where(norm.isfinite(), norm, 0)
        elif self.skip_nonfinite:
            norm = self._skip_nonfinite(norm)
        elif norm.device.type != "cpu":
            self._remember(norm)  # without waiting for the device
        elif not bool(norm.isfinite()):
            raise diverged(float(norm), self.describe_nonfinite(float(norm)))
        self.grad_norm = norm

    def _remember(self, norm: Tensor) -> None:
        """Keep step and faces of the first gradient that is not finite, on the device."""
        faces = torch.as_tensor(self.batch["index"] if self.batch else [], device=norm.device)
        now = torch.cat([torch.full_like(faces[:1], self.global_step + 1), faces])
        if self._first_bad.shape != now.shape:
            self._first_bad = torch.full_like(now, -1)
        new = ~norm.isfinite() & (self._first_bad[0] < 0)
        self._first_bad = torch.where(new, now, self._first_bad)

    def require_finite(self, terms: Mapping[str, Tensor]) -> None:
        """Refuse to go on from a step whose gradient was not finite, and with it all weights after it.

        It waits for the device, so it belongs where somebody reads numbers anyway.

        Raises:
            TrainingError: naming the step, the photos of its batch and the terms of the loss now.
        """
        norm = float(self.grad_norm)
        if math.isfinite(norm):
            return
        step, *faces = self._first_bad.tolist() if len(self._first_bad) else [self.global_step]
        raise diverged(norm, describe_step(step, norm, terms, self.names_of(faces), []))

    def names_of(self, faces: Sequence[int]) -> list[str]:
        """Return the names of training faces by their index."""
        return [self.name_of(face) for face in faces]

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        if self.skip_nonfinite:
            self._before_step = buffers_of(self.net)

    def _skip_nonfinite(self, norm: Tensor) -> Tensor:
        """Leave out the step of a gradient that is not finite: weights, moments and running statistics stay.

        Raises:
            TrainingError: too many in a row.
        """
        if bool(norm.isfinite()):
            self._in_a_row = 0
            return norm
        self.skipped, self._in_a_row = self.skipped + 1, self._in_a_row + 1
        line = self.describe_nonfinite(float(norm))
        require_rare(self._in_a_row, line)
        if self.trainer.is_global_zero:
            print(f"skipped {line}")
        for parameter in self.trained():
            parameter.grad = None  # optimisers leave out what has no gradient
        restore_buffers(self.net, self._before_step)
        return torch.zeros_like(norm)

    def describe_nonfinite(self, norm: float) -> str:
        """Return a line about a step whose gradient is not finite."""
        return f"step {self.global_step + 1}: gradient of norm {norm:g}"

    def trained(self) -> list[nn.Parameter]:
        """Return the parameters that gradients are clipped over."""
        return list(self.net.parameters())

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return what is optimised, and how."""
        return parameter_groups(self.net, self.optim)

    def configure_optimizers(self) -> Any:
        optimizer = make_optimizer(self.parameter_groups(), self.optim, fused=self.trainer.precision != "16-mixed")
        schedule = make_schedule(optimizer, self.optim, self.total_steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["spec"] = asdict(self.spec)
        checkpoint["origin"] = self.origin
        checkpoint["weights"] = self.weights
        if self.skip_nonfinite:
            checkpoint["skipped"] = self.skipped

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse to resume what was trained on other data, by other teachers or in another precision.

        Raises:
            ConfigError: naming what differs.
        """
        self.weights = checkpoint.get("weights")
        self.skipped = checkpoint.get("skipped", 0)
        for name, before in checkpoint.get("origin", {}).items():
            if (now := self.origin.get(name)) == before:
                continue
            if name == _VALIDATED and self.accept_data:
                print("The validation faces differ from those before: curve and best NME are of both (--accept_data)")
                continue
            corrected = "--accept_data if validation faces were corrected, " if name == _VALIDATED else ""
            raise ConfigError(
                f"this run was started with {name} {before}, now it is {now}; resume with the same files and "
                f"options, {corrected}or start another run with --name"
            )


def parameter_groups(net: nn.Module, optim: OptimConfig) -> list[dict[str, Any]]:
    """Split parameters into body and head, and each into matrices (decayed) and vectors (not decayed).

    What has more than one entry along one axis only is a vector, such as the scales (h, 1, 1) of SwinV2's attention.
    """
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in net.named_parameters():
        if parameter.requires_grad:
            groups.setdefault((name.startswith("head."), sum(side > 1 for side in parameter.shape) > 1), []).append(
                parameter
            )
    given = {"head_lr": None, "head_weight_decay": OptimConfig().head_weight_decay}
    for option in [name for name, default in given.items() if getattr(optim, name) != default]:
        if not any(head for head, _ in groups):
            raise ConfigError(f"--optim.{option} has no effect: the network has no part called head; leave it out")
    return [
        {
            "params": parameters,
            "lr": optim.head_lr_or_lr if head else optim.lr,
            "weight_decay": (optim.head_weight_decay if head else optim.weight_decay) if matrix else 0.0,
        }
        for (head, matrix), parameters in sorted(groups.items(), key=lambda item: item[0])
    ]
