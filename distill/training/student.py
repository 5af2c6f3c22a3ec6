"""The student's task: the supervised one plus distillation from a frozen teacher."""

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill.config import KDConfig
from distill.data.dataset import FaceSample
from distill.errors import ConfigError
from distill.losses.distillation import distillation, require_kind_fits
from distill.losses.supervised import inside_crop
from distill.models import Prediction
from distill.models.checkpoint import load_model
from distill.models.heads import AAMHead
from distill.spec import ModelSpec
from distill.training.teacher import LandmarkTask, as_floats, blank_prediction


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

    def __call__(self, images: Float[Tensor, "b 3 h w"]) -> Prediction:
        """Return what the teacher says, on the student's device."""
        self.net.to(images.device)
        with torch.inference_mode():
            said = self.net(images)
        # Ordinary tensors: those of inference mode cannot take part in a loss.
        return Prediction(**{name: said.part(name).clone() for name in said.parts})


class StudentTask(LandmarkTask):
    """Trains the student; further arguments are those of `LandmarkTask`.

    Args:
        teacher: answers for the same crops.
        kd: kind, weight and schedule of the distillation.
    """

    def __init__(self, *args: Any, teacher: FrozenTeacher, kd: KDConfig, **kwargs: Any):
        super().__init__(*args, **kwargs)
        teacher.require_same_input(self.spec)
        size = self.spec.crop.size
        require_kind_fits(kd.kind, blank_prediction(self.net, size), blank_prediction(teacher.net, size))
        self.teacher, self.kd = teacher, kd
        if kd.inherit_heads:
            inherit_heads(self.net, teacher.net)

    def kd_weight(self) -> float:
        """Weight of the distillation at this step."""
        fade = 1 - self.global_step / self.total_steps if self.kd.decay == "linear" else 1.0
        return self.kd.weight * fade

    def losses(self, batch: FaceSample) -> dict[str, Tensor]:
        images = as_floats(batch["image"])
        prediction, losses = self.supervised(images, batch)
        # Where nobody marked a point, the teacher is all there is; one marked outside the crop it cannot see.
        valid = inside_crop(batch["landmarks"]) | ~batch["known"]
        kd = distillation(self.kd.kind, prediction, self.teacher(images), self.kd.temperature, valid)
        kd = self.kd_weight() * kd
        return {**losses, "kd": kd, "loss": losses["loss"] + kd}


def inherit_heads(student: nn.Module, teacher: nn.Module) -> None:
    """Start the student's three 1x1 heads from the teacher's, as the authors do.

    Raises:
        ConfigError: the necks differ in width, or a network has no such heads.
    """
    mine, theirs = (getattr(net, "head", None) for net in (student, teacher))
    if not (isinstance(mine, AAMHead) and isinstance(theirs, AAMHead)):
        raise ConfigError("--kd.inherit_heads needs heatmap networks on both sides; leave it out for this student")
    widths = [head.state_dict()["heatmap.weight"].shape[1] for head in (mine, theirs)]
    if widths[0] != widths[1]:
        seen = f"necks of student and teacher are {widths[0]} and {widths[1]} wide"
        raise ConfigError(f"--kd.inherit_heads: {seen}; make them equal")
    mine.load_state_dict(theirs.state_dict())
