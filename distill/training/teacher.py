"""The teacher as a student hears it: one frozen network or several, looking once or also at the mirrored crop."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import torch
from jaxtyping import Float
from torch import Tensor, nn

from distill.data.dataset import FaceSample
from distill.errors import ConfigError
from distill.landmarks import load_scheme
from distill.models import Prediction
from distill.models.checkpoint import load_model
from distill.spec import ModelSpec
from distill.training.tasks import blank_prediction

Images = Float[Tensor, "b 3 h w"]
# What has an order that mirroring permutes and averaging keeps; edges have none, and nobody distils them.
_PER_LANDMARK = ("landmarks", "heatmaps", "point_maps", "sigmas")


class Teacher(Protocol):
    """Whatever answers for a batch: the networks themselves, or what was kept of their answers."""

    @property
    def frozen(self) -> "FrozenTeacher": ...

    def blank(self, size: int) -> Prediction:
        """Return an answer for one black crop of `size` pixels: which parts there are, and of which shapes."""

    def prepare(self, device: torch.device) -> None:
        """Do what must be done before the first answer."""

    def answer(self, images: Images, batch: FaceSample) -> Prediction:
        """Return what the teacher says about a batch, on the device of the images."""


class FrozenTeacher:
    """Networks that only answer: evaluation mode, no gradients, no noise.

    It is no `nn.Module`, so that it is neither registered in the student, nor optimised, synchronised or saved; a
    copy of the student (for weight averaging) shares it.

    Args:
        nets: the networks; the answers of several are averaged, those parts that all of them give in one shape.
        specs: of each; they may see crops of unlike sizes.
        flip: average with the answers for the mirrored crops, mirrored back (as HRNet is tested, arXiv 1908.07919).
    """

    def __init__(self, nets: Sequence[nn.Module], specs: Sequence[ModelSpec], flip: bool = False):
        self.nets, self.spec, self.flip = [net.eval().requires_grad_(False) for net in nets], specs[0], flip
        self.sizes = [spec.crop.size for spec in specs]
        self.order = list(load_scheme(self.spec.scheme).flip)

    @classmethod
    def load(cls, paths: Sequence[Path], flip: bool = False) -> "FrozenTeacher":
        """Read the checkpoints of one teacher or several.

        Raises:
            CheckpointError: missing or unreadable; distilling from an untrained teacher is never the fall-back.
            ConfigError: they look at other points or another part of the photo than one another; sizes may differ.
        """
        loaded = [load_model(path) for path in paths]
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
        """Refuse a teacher that looks at other points or another part of the photo than the student; sizes may differ.

        Raises:
            ConfigError: names what differs.
        """
        if (unlike := _unlike(self.spec, student)) is not None:
            raise ConfigError(f"teacher and student differ in {unlike}: give both the same data options")

    def blank(self, size: int) -> Prediction:
        return self._average([blank_prediction(net, size) for net, size in zip(self.nets, self.sizes, strict=True)])

    def prepare(self, device: torch.device) -> None:
        """Move the networks to where they will answer."""
        for net in self.nets:
            net.to(device)

    def answer(self, images: Images, batch: FaceSample) -> Prediction:
        return self(images)

    def __call__(self, images: Images) -> Prediction:
        """Return what the teacher says, on the images' device."""
        self.prepare(images.device)
        with torch.inference_mode():
            seen = {size: _resized(images, size) for size in self.sizes}
            said = [net(seen[size]) for net, size in zip(self.nets, self.sizes, strict=True)]
            if self.flip:
                for net, size in zip(self.nets, self.sizes, strict=True):
                    said.append(mirror(net(seen[size].flip(-1)), self.order))
            answer = self._average(said)
        # Ordinary tensors: those of inference mode cannot take part in a loss.
        return Prediction(**{name: answer.part(name).clone() for name in answer.parts})

    def _average(self, said: Sequence[Prediction]) -> Prediction:
        if len(said) == 1:
            return said[0]
        parts = [name for name in _PER_LANDMARK if all(one.has([name]) for one in said)]
        alike = [name for name in parts if len({one.part(name).shape for one in said}) == 1]
        return Prediction(**{name: torch.stack([one.part(name) for one in said]).mean(0) for name in alike})


def _unlike(mine: ModelSpec, other: ModelSpec) -> str | None:
    """In what two networks that should answer for the same crop differ, if they do; sizes may."""
    crop = replace(mine.crop, size=other.crop.size)
    for what, one, two in (("scheme", mine.scheme, other.scheme), ("crop", crop, other.crop)):
        if one != two:
            return f"{what} ({one} and {two})"
    return None


def _resized(images: Images, size: int) -> Images:
    if images.shape[-1] == size:
        return images
    return nn.functional.interpolate(images, (size, size), mode="bilinear", antialias=True)


def mirror(prediction: Prediction, order: Sequence[int]) -> Prediction:
    """Return what a prediction for a mirrored crop says about the crop itself.

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
    seen: list[Tensor] = []
    handle = neck.register_forward_hook(lambda module, arguments, output: seen.append(output))
    try:
        yield seen
    finally:
        handle.remove()
