"""The supervised task: a network, its loss and its metric. The teacher is trained by it, the student builds on it."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pytorch_lightning as pl
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from distill.data.dataset import FaceSample
from distill.errors import ConfigError
from distill.losses.cross_format import CrossFormatLoss
from distill.metrics import LandmarkMetrics
from distill.models import Prediction
from distill.models.regression import every_head
from distill.spec import ModelSpec
from distill.training.config import OptimConfig
from distill.training.optimizers import make_optimizer, make_schedule


class LandmarkTask(pl.LightningModule):
    """Trains a network on annotated faces.

    Args:
        net: images (b, 3, h, w) in [0, 1] -> `Prediction`; its `head`, if it has one, has a learning rate of its own.
        loss: supervised loss, one of `distill.losses.supervised.LOSSES`; for batches of several data sets, a
            `CrossFormatLoss`.
        metric: NME and friends of the validation faces.
        optim: optimiser.
        total_steps: length of the schedule.
        spec: what the network is; stored in every checkpoint.

    Attributes:
        grad_norm: of the last step, before clipping.
        face_errors: NME of every face of the last validation.
        first_faces: images, predicted and true landmarks of its first batch, to draw.
        terms: of the loss of this step, with their graph, until the backward pass.
        origin: what the run is made of; stored in every checkpoint, and a resumed run must have the same.
        accumulate: parts that a training batch is computed in.
        weights: record of the pretrained weights that the run started from.
    """

    def __init__(
        self,
        net: nn.Module,
        loss: nn.Module,
        metric: LandmarkMetrics,
        optim: OptimConfig,
        total_steps: int,
        spec: ModelSpec,
    ):
        super().__init__()
        # Convolutions of narrow nets run about twice as fast on channels-last memory, on CPUs and GPUs alike.
        self.net = net.to(memory_format=torch.channels_last)
        self.loss, self.metric = loss, metric
        self.optim, self.total_steps, self.spec = optim, total_steps, spec
        self.grad_norm: Tensor | float = 0.0
        self.face_errors: Tensor | None = None
        self.first_faces: tuple[Tensor, Tensor, Tensor] | None = None
        self.terms: dict[str, Tensor] = {}
        self.origin: dict[str, Any] = {}
        self.accumulate = 1
        self.weights: dict[str, Any] | None = getattr(net, "loaded_weights", None)

    def forward(self, images: Tensor) -> Prediction:
        return self.net(images)

    def losses(self, batch: FaceSample) -> dict[str, Tensor]:
        """Return the weighted terms of the loss by name, and their sum as `loss`."""
        return self.supervised(as_floats(batch["image"]), batch)[1]

    def supervised(self, images: Float[Tensor, "b 3 h w"], batch: FaceSample) -> tuple[Prediction, dict[str, Tensor]]:
        """Return what the main head says and what the annotations make of it, as `losses`."""
        if isinstance(self.loss, CrossFormatLoss):
            predictions = every_head(self.net, self.spec.scheme, images)
            return predictions[self.spec.scheme], self.loss(predictions, batch["targets"], batch["weight"])
        prediction = self(images)
        return prediction, self.loss(prediction, batch["landmarks"], batch["known"])

    def training_step(self, batch: FaceSample, batch_idx: int) -> dict[str, Tensor]:
        if self.accumulate > 1:
            return self._accumulated_step(batch)
        self.terms = losses = self.losses(batch)
        return {name: value if name == "loss" else value.detach() for name, value in losses.items()}

    def _accumulated_step(self, batch: FaceSample) -> dict[str, Tensor]:
        """Compute the gradient of a batch in parts; Lightning does the backward pass of the last one."""
        self.trainer.optimizers[0].zero_grad()
        sums: dict[str, Tensor] = {}
        *parts, last = split_batch(batch, self.accumulate)
        for part in parts:
            losses = {name: value / self.accumulate for name, value in self.losses(part).items()}
            self.trainer.strategy.backward(losses["loss"], None)
            sums = {name: sums.get(name, 0) + value.detach() for name, value in losses.items()}
        losses = {name: value / self.accumulate for name, value in self.losses(last).items()}
        # The loss keeps its own graph and gets the value of the whole batch.
        total = losses["loss"] + sums["loss"]
        return {name: total if name == "loss" else sums[name] + value.detach() for name, value in losses.items()}

    def optimizer_zero_grad(self, epoch: int, batch_idx: int, optimizer: Any) -> None:
        """Set gradients to zero; of a batch in parts they are set to zero before its first part."""
        if self.accumulate == 1:
            optimizer.zero_grad()

    def validation_step(self, batch: FaceSample, batch_idx: int) -> None:
        images = as_floats(batch["image"])
        predicted = self(images).landmarks.float()
        # Crops are similarities of the photo, so an error over a distance of the face is the same in both.
        self.metric.update(
            predicted, batch["landmarks"], batch["box_size"], torch.as_tensor(batch["index"]), batch["known"]
        )
        if batch_idx == 0:
            self.first_faces = images, predicted, batch["landmarks"]

    def on_validation_epoch_end(self) -> None:
        self.log_dict({f"val/{name}": value for name, value in self.metric.compute().items()}, logger=False)
        self.face_errors = self.metric.per_face()
        self.metric.reset()

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
        """Refuse to resume what was trained on other faces, by other teachers or in another precision.

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


def as_floats(images: UInt8[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
    """Crops travel as bytes and become floats in [0, 1] on the device, in the memory format convolutions like."""
    return images.to(memory_format=torch.channels_last).float() / 255


def split_batch(batch: Any, parts: int) -> list[Any]:
    """Split every tensor and list of a batch into equal parts along the faces; mappings keep their keys."""
    if isinstance(batch, Mapping):
        split = {name: split_batch(value, parts) for name, value in batch.items()}
        return [{name: values[index] for name, values in split.items()} for index in range(parts)]
    size = len(batch) // parts
    return [batch[index * size : (index + 1) * size] for index in range(parts)]


def blank_prediction(net: nn.Module, size: int) -> Prediction:
    """Return what a network says of one black crop of `size` pixels: which parts, and of which shapes.

    Raises:
        ConfigError: the network is made for other crops; says what it answers.
    """
    was_training, device = net.training, next(net.parameters()).device
    try:
        with torch.no_grad():
            return net.eval()(torch.zeros(1, 3, size, size, device=device))
    except (RuntimeError, AssertionError, ConfigError) as error:
        reason = str(error).partition("\n")[0][:150]
        raise ConfigError(
            f"--data.crop.size {size} does not fit the network ({reason}): where --model.options has an image_size, "
            "make both equal"
        ) from error
    finally:
        net.train(was_training)


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
