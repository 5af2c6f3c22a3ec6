"""Distillation task: the supervised loss and distillation from a frozen teacher."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor, nn

from distill.data.dataset import FaceSample
from distill.errors import ConfigError
from distill.losses.config import FEATURE, KDConfig
from distill.losses.distillation import distillation, kd_options, require_kd_cached, require_kd_fits
from distill.losses.kd.feature import FeatureLoss, Features
from distill.losses.reduction import inside_crop, masked_mean
from distill.models import Prediction
from distill.models.heads import AAMHead
from distill.training.config import OptimConfig
from distill.training.tasks import LandmarkTask, as_floats, blank_prediction
from distill.training.teacher import Teacher, features_of


class StudentTask(LandmarkTask):
    """Trains the student; further arguments are those of `LandmarkTask`.

    Args:
        teacher: its outputs for the same crops.
        kd: kinds, weights and schedule of the distillation.
    """

    def __init__(self, *args: Any, teacher: Teacher, kd: KDConfig, **kwargs: Any):
        super().__init__(*args, **kwargs)
        teacher.frozen.require_same_input(self.spec)
        self.teacher = teacher
        self.kd = kd
        self.kd_options = kd_options(kd)
        self._require_kd_fits(self.spec.crop.size)
        # Trained beside the network and stored for a resumption, but no part of `net`.
        self.feature = self._feature_loss(self.spec.crop.size) if FEATURE in kd.weights else None
        if kd.inherit_heads:
            inherit_heads(self.net, teacher.frozen.net)
        if kd.head_only:
            self._freeze_body()

    def _require_kd_fits(self, size: int) -> None:
        student = blank_prediction(self.net, size)
        teacher, cached = self.teacher.frozen.blank(size), self.teacher.blank(size)
        for name, options in self.kd_options.items():
            require_kd_fits(name, student, teacher, options)
            require_kd_cached(name, cached, self.kd.cache.form)

    def _feature_loss(self, size: int) -> FeatureLoss:
        channels = []
        for net in (self.net, self.teacher.frozen.net):
            with features_of(net) as outputs:
                blank_prediction(net, size)
            channels.append(outputs[0].shape[1])
        return FeatureLoss(*channels)

    def _freeze_body(self) -> None:
        """Take the teacher's backbone, which must be this very network's, and train it no further."""
        spec = self.teacher.frozen.spec
        if (spec.arch, spec.options) != (self.spec.arch, self.spec.options):
            raise ConfigError(f"--kd.head_only: --teacher is {spec.arch} with other options; give the student itself")
        _body(self.net).load_state_dict(_body(self.teacher.frozen.net).state_dict())
        # Lightning does not change the mode of the parts before the first epoch; `train` does it after each validation.
        _body(self.net).requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "StudentTask":
        """A frozen backbone stays in evaluation mode: no dropout, and no statistics of its norms change."""
        super().train(mode)
        if self.kd.head_only:
            _body(self.net).eval()
        return self

    def on_fit_start(self) -> None:
        self.teacher.prepare(self.device)

    def trained(self) -> list[nn.Parameter]:
        return super().trained() + ([] if self.feature is None else list(self.feature.parameters()))

    def parameter_groups(self) -> list[dict[str, Any]]:
        return super().parameter_groups() + ([] if self.feature is None else _align_group(self.feature, self.optim))

    def decay(self) -> float:
        """Share of the distillation weights at this step (DWPose, arXiv 2307.15880, eq. 6: linear)."""
        return 1 - self.global_step / self.total_steps if self.kd.decay == "linear" else 1.0

    def kd_weight(self) -> float:
        """Weight of the main kind at this step."""
        return self.kd.weight * self.decay()

    def losses(self, batch: FaceSample) -> dict[str, Tensor]:
        images = as_floats(batch["image"])
        supervised: dict[str, Tensor] = {}
        with self._watch() as features:
            if self.kd.supervised:
                prediction, supervised = self.supervised(images, batch)
            else:
                prediction = self(images)
            outputs = self.teacher.outputs(images, batch)
        # Points without annotation are distilled; points annotated outside the crop are not in the teacher's input.
        valid = inside_crop(batch["landmarks"]) | ~batch["known"]
        weights = {self.kd.kind: self.kd_weight(), **{k: w * self.decay() for k, w in self.kd.extra.items()}}
        terms = {k: w * self._distilled(k, prediction, outputs, features, valid) for k, w in weights.items()}
        kd = sum(terms.values(), start=torch.zeros((), device=self.device))
        each = {f"kd_{kind}": term for kind, term in terms.items()} if len(terms) > 1 else {}
        return {**supervised, **each, "kd": kd, "loss": supervised["loss"] + kd if supervised else kd}

    def _distilled(
        self,
        name: str,
        prediction: Prediction,
        outputs: Prediction,
        features: list[list[Tensor]],
        valid: Bool[Tensor, "b k"],
    ) -> Tensor:
        if name != FEATURE or self.feature is None:
            return distillation(name, prediction, outputs, self.kd_options[name], valid)
        # A mirrored crop's features come second. Clones: tensors of inference mode cannot take part in a loss.
        student_part, teacher_part = features[0][0], features[1][0].clone()
        return masked_mean(self.feature(student_part, teacher_part)[:, None], valid.any(1, keepdim=True))

    @contextmanager
    def _watch(self) -> Iterator[list[list[Features]]]:
        """Collect the features of student and teacher during their forward passes, if features are distilled."""
        if self.feature is None:
            yield []
            return
        with features_of(self.net) as student_part, features_of(self.teacher.frozen.net) as teacher_part:
            yield [student_part, teacher_part]


def _body(net: nn.Module) -> nn.Module:
    """Return what comes before a network's neck and heads."""
    for name in ("backbone", "body"):
        part = getattr(net, name, None)
        if isinstance(part, nn.Module):
            return part
    raise ConfigError("--kd.head_only needs a network with a backbone of its own; leave it out for this one")


def _align_group(feature: FeatureLoss, optim: OptimConfig) -> list[dict[str, Any]]:
    return [{"params": list(feature.parameters()), "lr": optim.head_lr_or_lr, "weight_decay": optim.head_weight_decay}]


def inherit_heads(student: nn.Module, teacher: nn.Module) -> None:
    """Start the student's three 1x1 heads from the teacher's, as the authors do.

    Raises:
        ConfigError: the necks differ in width, or a network has no such heads.
    """
    student_part, teacher_part = (getattr(net, "head", None) for net in (student, teacher))
    if not (isinstance(student_part, AAMHead) and isinstance(teacher_part, AAMHead)):
        raise ConfigError("--kd.inherit_heads needs heatmap networks on both sides; leave it out for this student")
    widths = [head.state_dict()["heatmap.weight"].shape[1] for head in (student_part, teacher_part)]
    if widths[0] != widths[1]:
        shapes = f"necks of student and teacher are {widths[0]} and {widths[1]} wide"
        raise ConfigError(f"--kd.inherit_heads: {shapes}; make them equal")
    student_part.load_state_dict(teacher_part.state_dict())
