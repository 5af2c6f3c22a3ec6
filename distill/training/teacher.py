"""Frozen teacher: one network or an ensemble, optionally averaged over the mirrored crop."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill.data.dataset import FaceSample
from distill.errors import CheckpointError, ConfigError
from distill.landmarks import load_scheme, selected_points
from distill.models import Prediction
from distill.models.annotation_shift import set_annotation_shift
from distill.models.checkpoint import keep_head, load_model
from distill.models.regression import schemes_of
from distill.spec import ModelSpec
from distill.training.tasks import blank_prediction

Images = Float[Tensor, "b 3 h w"]
# Parts with one map or point per landmark, which mirroring permutes. Edge maps are not: no distillation loss uses them.
_PER_LANDMARK = ("landmarks", "heatmaps", "point_maps", "sigmas")


class Teacher(Protocol):
    """Source of teacher outputs for a batch: the networks, or a cache of their outputs."""

    @property
    def frozen(self) -> "FrozenTeacher": ...

    def blank(self, size: int) -> Prediction:
        """Return the outputs for one black crop of `size` pixels: which parts there are, and of which shapes."""

    def prepare(self, device: torch.device) -> None:
        """Prepare for the first batch."""

    def outputs(self, images: Images, batch: FaceSample) -> Prediction:
        """Return the teacher's outputs for a batch, on the device of the images."""


class FrozenTeacher:
    """Networks in evaluation mode, no gradients, no noise.

    It is no `nn.Module`, so that it is neither registered in the student, nor optimised, synchronised or saved; a
    copy of the student (for weight averaging) shares it.

    Args:
        nets: the networks; the outputs of several are averaged, those parts that all of them predict in one shape.
        specs: of each; their crops may differ in size.
        flip: average with the outputs for the mirrored crops, mirrored back (as HRNet is tested, arXiv 1908.07919).
    """

    def __init__(self, nets: Sequence[nn.Module], specs: Sequence[ModelSpec], flip: bool = False):
        self.nets, self.spec, self.flip = [net.eval().requires_grad_(False) for net in nets], specs[0], flip
        self.sizes = [spec.crop.size for spec in specs]
        self.order = list(load_scheme(self.spec.scheme).flip)
        for net in self.nets:
            # It belongs to photos as they are, and students see half of them mirrored.
            set_annotation_shift(net, 0.0)

    @classmethod
    def load(cls, paths: Sequence[Path], flip: bool = False, scheme: str | None = None) -> "FrozenTeacher":
        """Read the checkpoints of one teacher or several.

        Args:
            scheme: of the student. A teacher that predicts these points and others is reduced to them.

        Raises:
            CheckpointError: missing or unreadable; distilling from an untrained teacher is never the fall-back.
            ConfigError: they have different schemes or crops; sizes may differ.
        """
        loaded = [_load(path, scheme) for path in paths]
        nets, specs = [net for net, _ in loaded], [spec for _, spec in loaded]
        for path, spec in zip(paths, specs, strict=True):
            if (unlike := _unlike(spec, specs[0])) is not None:
                raise ConfigError(f"teacher {path} differs from the first in {unlike}")
        return cls(nets, specs, flip)

    def __deepcopy__(self, memo: dict[int, Any]) -> "FrozenTeacher":
        return self

    @property
    def frozen(self) -> "FrozenTeacher":
        return self

    @property
    def net(self) -> nn.Module:
        """The first network: the one whose heads are inherited and whose features are distilled."""
        return self.nets[0]

    def require_same_input(self, student: ModelSpec) -> None:
        """Require the scheme and crop of the student; sizes may differ.

        Raises:
            ConfigError: names what differs.
        """
        if (unlike := _unlike(self.spec, student)) is not None:
            raise ConfigError(f"teacher and student differ in {unlike}: give both the same data options")

    def blank(self, size: int) -> Prediction:
        return self._average([blank_prediction(net, size) for net, size in zip(self.nets, self.sizes, strict=True)])

    def prepare(self, device: torch.device) -> None:
        """Move the networks to a device."""
        for net in self.nets:
            net.to(device)

    def outputs(self, images: Images, batch: FaceSample) -> Prediction:
        return self(images)

    def __call__(self, images: Images) -> Prediction:
        """Return the teacher's outputs, on the device of the images."""
        self.prepare(images.device)
        with torch.inference_mode():
            inputs = {size: _resized(images, size) for size in self.sizes}
            outputs = [net(inputs[size]) for net, size in zip(self.nets, self.sizes, strict=True)]
            if self.flip:
                for net, size in zip(self.nets, self.sizes, strict=True):
                    outputs.append(mirror(net(inputs[size].flip(-1)), self.order))
            output = self._average(outputs)
        # Ordinary tensors: those of inference mode cannot take part in a loss.
        return Prediction(**{name: output.part(name).clone() for name in output.parts})

    def _average(self, outputs: Sequence[Prediction]) -> Prediction:
        if len(outputs) == 1:
            return outputs[0]
        parts = [name for name in _PER_LANDMARK if all(output.has([name]) for output in outputs)]
        alike = [name for name in parts if len({output.part(name).shape for output in outputs}) == 1]
        return Prediction(**{name: torch.stack([output.part(name) for output in outputs]).mean(0) for name in alike})


def _load(path: Path, scheme: str | None) -> tuple[nn.Module, ModelSpec]:
    """Return a network and its spec, of the points of a scheme if they are among those it predicts."""
    net, spec = load_model(path)
    if scheme is None or scheme == spec.scheme:
        return net, spec
    if scheme not in schemes_of(net, spec.scheme) and selected_points(spec.scheme, scheme) is None:
        return net, spec
    try:
        return keep_head(net, spec, scheme)
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from error


def _unlike(student: ModelSpec, other: ModelSpec) -> str | None:
    """Return the difference between two networks for the same crop, if there is one; sizes may differ."""
    crop = replace(student.crop, size=other.crop.size)
    for what, first, second in (("scheme", student.scheme, other.scheme), ("crop", crop, other.crop)):
        if first != second:
            return f"{what} ({first} and {second})"
    return None


def _resized(images: Images, size: int) -> Images:
    if images.shape[-1] == size:
        return images
    return nn.functional.interpolate(images, (size, size), mode="bilinear", antialias=True)


def mirror(prediction: Prediction, order: Sequence[int]) -> Prediction:
    """Return the prediction for a crop, given that for its mirror image.

    Args:
        prediction: for the crop mirrored left to right.
        order: the scheme's `flip` permutation.
    """
    parts = {}
    for name in _PER_LANDMARK:
        if prediction.has([name]):
            part = prediction.part(name)[:, list(order)]
            parts[name] = part.flip(-1) if part.ndim == 4 else part
    x, y = parts["landmarks"].unbind(-1)
    return Prediction(**{**parts, "landmarks": torch.stack([1 - x, y], -1)})


@contextmanager
def features_of(net: nn.Module) -> Iterator[list[Tensor]]:
    """Collect what the neck of a network returns, call by call, while the context is open.

    Raises:
        ConfigError: the network has no neck, or one that hands several maps on.
    """
    neck = getattr(net, "neck", None)
    if not isinstance(neck, nn.Module) or isinstance(neck, nn.Identity):
        raise ConfigError("--kd.kind feature needs a neck before the heads, in student and teacher; take coordinate")
    outputs: list[Tensor] = []
    handle = neck.register_forward_hook(lambda module, arguments, output: outputs.append(output))
    try:
        yield outputs
    finally:
        handle.remove()
