"""What every training task shares: the network, its optimiser, clipping, and what a checkpoint stores about the run."""

from dataclasses import asdict
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from distill.errors import ConfigError
from distill.training.config import OptimConfig
from distill.training.optimizers import make_optimizer, make_schedule


class BaseTask(pl.LightningModule):
    """A network in training.

    Args:
        net: network; its `head`, if it has one, has a learning rate of its own.
        optim: optimiser.
        total_steps: length of the schedule.
        spec: dataclass that says what the network is; stored in every checkpoint.

    Attributes:
        grad_norm: of the last step, before clipping.
        origin: what the run is made of; stored in every checkpoint, and a resumed run must have the same.
        weights: record of the pretrained weights that the run started from.
    """

    def __init__(self, net: nn.Module, optim: OptimConfig, total_steps: int, spec: Any):
        super().__init__()
        # Convolutions of narrow nets run about twice as fast on channels-last memory, on CPUs and GPUs alike.
        self.net = net.to(memory_format=torch.channels_last)
        self.optim, self.total_steps, self.spec = optim, total_steps, spec
        self.grad_norm: Tensor | float = 0.0
        self.origin: dict[str, Any] = {}
        self.weights: dict[str, Any] | None = getattr(net, "loaded_weights", None)

    def configure_gradient_clipping(self, optimizer: Any, *args: Any, **kwargs: Any) -> None:
        """Clip, and keep the norm so that it is computed once."""
        norm = torch.nn.utils.clip_grad_norm_(self.trained(), self.optim.clip)
        if self.trainer.precision == "16-mixed":
            # The gradient scaler skips steps whose gradients overflow, so that they do no harm.
            norm = torch.where(norm.isfinite(), norm, 0)
        self.grad_norm = norm

    def trained(self) -> list[nn.Parameter]:
        """Return the parameters that gradients are clipped over."""
        return list(self.net.parameters())

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return what is optimised, and how."""
        return parameter_groups(self.net, self.optim)

    def configure_optimizers(self) -> Any:
        optimizer = make_optimizer(self.parameter_groups(), self.optim)
        schedule = make_schedule(optimizer, self.optim, self.total_steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["spec"] = asdict(self.spec)
        checkpoint["origin"] = self.origin
        checkpoint["weights"] = self.weights

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse to resume what was trained on other data, by other teachers or in another precision.

        Raises:
            ConfigError: naming what differs.
        """
        self.weights = checkpoint.get("weights")
        for name, before in checkpoint.get("origin", {}).items():
            if (now := self.origin.get(name)) != before:
                raise ConfigError(
                    f"this run was started with {name} {before}, now it is {now}; resume with the same files and "
                    "options, or start another run with --name"
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
    if optim.head_lr is not None and not any(head for head, _ in groups):
        raise ConfigError("--optim.head_lr has no effect: the network has no part called head; give --optim.lr alone")
    return [
        {
            "params": parameters,
            "lr": optim.head_lr_or_lr if head else optim.lr,
            "weight_decay": (optim.head_weight_decay if head else optim.weight_decay) if matrix else 0.0,
        }
        for (head, matrix), parameters in sorted(groups.items(), key=lambda item: item[0])
    ]
