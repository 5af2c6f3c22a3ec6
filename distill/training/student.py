"""The student's task: the supervised one plus distillation from a frozen teacher."""

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill.config import KDConfig
from distill.data.dataset import FaceSample
from distill.errors import ConfigError
from distill.losses.distillation import map_distillation
from distill.losses.supervised import inside_crop
from distill.models.checkpoint import load_model
from distill.spec import ModelSpec
from distill.training.teacher import LandmarkTask, as_floats


class FrozenTeacher:
    """A network that only answers: evaluation mode, no gradients, no noise.

    It is no `nn.Module`, so that it is neither registered in the student, nor optimised, synchronised or saved; a
    copy of the student (for weight averaging) shares it.
    """

    def __init__(self, net: nn.Module, spec: ModelSpec):
        self.net, self.spec = net.eval().requires_grad_(False), spec

    @classmethod
    def load(cls, path: Path) -> "FrozenTeacher":
        """Read a teacher's checkpoint.

        Raises:
            CheckpointError: missing or unreadable; distilling from an untrained teacher is never the fall-back.
        """
        return cls(*load_model(path))

    def __deepcopy__(self, memo: dict[int, Any]) -> "FrozenTeacher":
        return self

    def require_same_input(self, student: ModelSpec) -> None:
        """Refuse a teacher that looks at other points or other crops than the student.

        Raises:
            ConfigError: names what differs.
        """
        for what in ("scheme", "crop"):
            mine, theirs = getattr(self.spec, what), getattr(student, what)
            if mine != theirs:
                values = f"{mine} and {theirs}"
                raise ConfigError(f"teacher and student differ in {what} ({values}): give both the same data options")

    def heatmaps(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b k h4 w4"]:
        """Return the teacher's fused maps, in the student's precision and on its device."""
        self.net.to(images.device)
        with torch.inference_mode():
            maps = self.net(images).heatmaps
        return maps.clone()  # an ordinary tensor: those of inference mode cannot take part in a loss


class StudentTask(LandmarkTask):
    """Trains the student; further arguments are those of `LandmarkTask`.

    Args:
        teacher: answers for the same crops.
        kd: kind, weight and schedule of the distillation.
    """

    def __init__(self, *args: Any, teacher: FrozenTeacher, kd: KDConfig, **kwargs: Any):
        super().__init__(*args, **kwargs)
        teacher.require_same_input(self.spec)
        self.teacher, self.kd = teacher, kd
        if kd.inherit_heads:
            inherit_heads(self.net, teacher.net)

    def kd_weight(self) -> float:
        """Weight of the distillation at this step."""
        fade = 1 - self.global_step / self.total_steps if self.kd.decay == "linear" else 1.0
        return self.kd.weight * fade

    def losses(self, batch: FaceSample) -> dict[str, Tensor]:
        images, valid = as_floats(batch["image"]), inside_crop(batch["landmarks"])
        prediction = self(images)
        losses = self.loss(prediction, batch["landmarks"], valid)
        target = self.teacher.heatmaps(images)
        kd = self.kd_weight() * map_distillation(self.kd.kind, prediction.heatmaps, target, self.kd.temperature, valid)
        return {**losses, "kd": kd, "loss": losses["loss"] + kd}


def inherit_heads(student: nn.Module, teacher: nn.Module) -> None:
    """Start the student's three 1x1 heads from the teacher's, as the authors do.

    Raises:
        ConfigError: the necks differ in width.
    """
    mine, theirs = student.get_submodule("head"), teacher.get_submodule("head")
    widths = [head.state_dict()["heatmap.weight"].shape[1] for head in (mine, theirs)]
    if widths[0] != widths[1]:
        seen = f"necks of student and teacher are {widths[0]} and {widths[1]} wide"
        raise ConfigError(f"--kd.inherit_heads: {seen}; make them equal")
    mine.load_state_dict(theirs.state_dict())
