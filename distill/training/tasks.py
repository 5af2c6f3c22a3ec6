"""Supervised training task: network, loss and metric; base class of the distillation task."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from distill.data.dataset import FaceSample
from distill.errors import ConfigError
from distill.geometry import denormalise
from distill.images.figures import ced_curves, contact_sheet
from distill.losses.cross_format import CrossFormatLoss
from distill.metrics.landmarks import LandmarkMetrics
from distill.models import Prediction
from distill.models.regression import every_head
from distill.spec import ModelSpec
from distill.training.base_task import BaseTask
from distill.training.config import OptimConfig
from distill.training.loggers.csv import is_first_process
from distill.training.nonfinite import describe_step, faulty_faces

# Sizes of crops that are tried where one does not fit: multiples of this, and so many on either side.
_STRIDE, _TRIED = 32, 2


class LandmarkTask(BaseTask):
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
        face_errors: NME of every face of the last validation.
        first_faces: images, predicted and true landmarks of its first batch, to draw.
        terms: of the loss of this step, with their graph, until the backward pass.
        accumulate: parts that a training batch is computed in.
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
        super().__init__(net, optim, total_steps, spec)
        self.loss, self.metric = loss, metric
        self.face_errors: Tensor | None = None
        self.first_faces: tuple[Tensor, Tensor, Tensor] | None = None
        self.terms: dict[str, Tensor] = {}
        self.accumulate = 1

    def forward(self, images: Tensor) -> Prediction:
        with self.rounding():
            return self.net(images)

    def losses(self, batch: FaceSample) -> dict[str, Tensor]:
        """Return the weighted terms of the loss by name, and their sum as `loss`."""
        return self.supervised(as_floats(batch["image"]), batch)[1]

    def supervised(self, images: Float[Tensor, "b 3 h w"], batch: FaceSample) -> tuple[Prediction, dict[str, Tensor]]:
        """Return the prediction of the main head, and its loss terms as in `losses`."""
        if isinstance(self.loss, CrossFormatLoss):
            with self.rounding():
                predictions = every_head(self.net, self.spec.scheme, images)
            return predictions[self.spec.scheme], self.loss(predictions, batch["targets"], batch["weight"])
        prediction = self(images)
        return prediction, self.loss(prediction, batch["landmarks"], batch["known"])

    def training_step(self, batch: FaceSample, batch_idx: int) -> dict[str, Tensor]:
        self.batch = batch
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
        self.terms = {name: sums[name] + value.detach() for name, value in losses.items()}
        # The loss keeps its own graph and gets the value of the whole batch.
        total = losses["loss"] + sums["loss"]
        return {name: total if name == "loss" else sums[name] + value.detach() for name, value in losses.items()}

    def describe_nonfinite(self, norm: float) -> str:
        """Return a line that names the step, the terms of its loss and the photos they come from."""
        if self.batch is None:
            return super().describe_nonfinite(norm)
        names = self.names_of([int(index) for index in self.batch["index"]])
        faulty = [names[index] for index in faulty_faces(self, self.batch)]
        return describe_step(self.global_step + 1, norm, self.terms, names, faulty)

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
        self.face_errors = errors = self.metric.face_errors
        if errors is not None and is_first_process() and (broken := int((~errors.isfinite()).sum())):
            found = f"the predictions for {broken} of {len(errors)} faces are not finite"
            print(f"validation at step {self.global_step}: {found}; these weights are not the best ones")
        self.metric.reset()

    def pictures(self, faces: int) -> dict[str, bytes]:
        """Return PNGs of the last validation by name: the CED curve and, where `faces` is not 0, so many faces."""
        assert self.face_errors is not None  # there was a validation
        pictures = {"val/ced": ced_curves({"validation": self.face_errors.cpu().numpy()}, self.metric.normaliser)}
        if faces and self.first_faces is not None:
            images, predicted, target = (part[:faces].cpu().numpy() for part in self.first_faces)
            size = images.shape[-1]
            pictures["val/faces"] = contact_sheet(
                list((images.transpose(0, 2, 3, 1) * 255).round().astype("uint8")),
                list(denormalise(predicted, size, size)),
                list(denormalise(target, size, size)),
            )
        return pictures


def as_floats(images: UInt8[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
    """Convert uint8 crops to floats in [0, 1], in channels-last memory format, on their device."""
    return images.to(memory_format=torch.channels_last).float() / 255


def split_batch(batch: Any, parts: int) -> list[Any]:
    """Split every tensor and list of a batch into equal parts along the faces; mappings keep their keys."""
    if isinstance(batch, Mapping):
        split = {name: split_batch(value, parts) for name, value in batch.items()}
        return [{name: values[index] for name, values in split.items()} for index in range(parts)]
    size = len(batch) // parts
    return [batch[index * size : (index + 1) * size] for index in range(parts)]


def blank_prediction(net: nn.Module, size: int) -> Prediction:
    """Return the prediction of a network for one black crop of `size` pixels: its parts and their shapes.

    Raises:
        ConfigError: the network is made for other crops; with its own message.
    """
    was_training, device = net.training, next(net.parameters()).device
    try:
        with torch.no_grad():
            return net.eval()(torch.zeros(1, 3, size, size, device=device))
    except (RuntimeError, AssertionError, ConfigError) as error:
        reason = str(error).partition("\n")[0][:150]
        fitting = " or ".join(map(str, _fitting_sizes(net, size)))
        remedy = f"take {fitting}" if fitting else "where --model.options has an image_size, make both equal"
        raise ConfigError(f"--data.crop.size {size} does not fit the network ({reason}): {remedy}") from error
    finally:
        net.train(was_training)


def _fitting_sizes(net: nn.Module, size: int) -> list[int]:
    """Return the nearest smaller and the nearest larger crop that a network takes, as far as there are any."""
    below, above = (
        range(size // _STRIDE * _STRIDE, 0, -_STRIDE),
        range((size // _STRIDE + 1) * _STRIDE, 4 * size, _STRIDE),
    )
    sides = ([near for near in side if near != size][:_TRIED] for side in (below, above))
    return [found for side in sides if (found := next((near for near in side if _runs(net, near)), None))]


@torch.no_grad()
def _runs(net: nn.Module, size: int) -> bool:
    """Say whether a network takes crops of `size` pixels."""
    try:
        net(torch.zeros(1, 3, size, size, device=next(net.parameters()).device))
    except (RuntimeError, AssertionError, ConfigError):
        return False
    return True
