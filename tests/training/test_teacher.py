"""Frozen teachers: networks, their average, and the average with the mirrored crop."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from distill.errors import ConfigError
from distill.geometry import CropSpec
from distill.landmarks import load_scheme
from distill.models import Prediction, create_model
from distill.models.checkpoint import save_model
from distill.spec import ModelSpec
from distill.training.teacher import FrozenTeacher, features_of, mirror

SCHEME = load_scheme("five")
SPEC = ModelSpec("fake", "five", 5, CropSpec(16))


class Equivariant(nn.Module):
    """Predicts for a mirrored crop the mirror image of its prediction for the crop: each map is a side's colour."""

    def __init__(self, scale: float = 1.0):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(scale))

    def forward(self, images: Tensor) -> Prediction:
        x = (torch.arange(images.shape[-1]) + 0.5) / images.shape[-1] - 0.5
        sides = [x, -x, torch.zeros_like(x), x, -x]
        assert tuple(SCHEME.flip) == (1, 0, 2, 4, 3)
        maps = torch.stack([(images.mean(1) + side).relu() for side in sides], 1) * self.scale
        mass = maps.sum((-2, -1))
        points = torch.stack([(maps * (x + 0.5)).sum((-2, -1)), (maps * (x + 0.5)[:, None]).sum((-2, -1))], -1)
        return Prediction(points / mass[..., None], maps)


class Constant(nn.Module):
    """The same maps for every crop, mirrored or not."""

    def __init__(self, maps: Tensor):
        super().__init__()
        self.maps = nn.Parameter(maps)

    def forward(self, images: Tensor) -> Prediction:
        return Prediction(torch.full((1, 5, 2), 0.25), self.maps[None])


IMAGES = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def test_the_flip_average_of_an_equivariant_teacher_is_itself() -> None:
    once, twice = (FrozenTeacher([Equivariant()], [SPEC], flip)(IMAGES) for flip in (False, True))
    for part in ("landmarks", "heatmaps"):
        assert torch.allclose(once.part(part), twice.part(part), atol=1e-6)
    assert once.part("heatmaps").std() > 0.1


def test_the_flip_average_of_another_teacher_is_the_mean_with_its_mirror_image() -> None:
    maps = torch.rand(5, 4, 6, generator=torch.Generator().manual_seed(1))
    outputs = FrozenTeacher([Constant(maps)], [SPEC], flip=True)(IMAGES[:1])
    for point, partner in enumerate(SCHEME.flip):
        expected = (maps[point] + maps[partner].flip(-1)) / 2
        assert torch.allclose(outputs.part("heatmaps")[0, point], expected)
    assert torch.allclose(outputs.landmarks, torch.tensor([0.5, 0.25]).expand(1, 5, 2))


def test_mirroring_twice_changes_nothing() -> None:
    outputs = Prediction(torch.rand(2, 5, 2), torch.rand(2, 5, 4, 4), sigmas=torch.rand(2, 5, 2))
    again = mirror(mirror(outputs, SCHEME.flip), SCHEME.flip)
    assert torch.allclose(again.landmarks, outputs.landmarks)
    assert torch.equal(again.part("heatmaps"), outputs.part("heatmaps"))
    assert torch.equal(again.part("sigmas"), outputs.part("sigmas"))


def test_several_teachers_say_the_mean() -> None:
    outputs = FrozenTeacher([Equivariant(1.0), Equivariant(3.0)], [SPEC, SPEC])(IMAGES)
    assert torch.allclose(outputs.part("heatmaps"), Equivariant(2.0)(IMAGES).part("heatmaps"))
    unlike = FrozenTeacher([Equivariant(), Constant(torch.rand(5, 4, 4))], [SPEC, SPEC])(IMAGES[:1])
    assert unlike.parts == ("landmarks",)


def test_each_teacher_sees_crops_of_its_own_size() -> None:
    sizes: list[int] = []

    class Looking(Equivariant):
        def forward(self, images: Tensor) -> Prediction:
            sizes.append(images.shape[-1])
            return super().forward(images)

    specs = [replace(SPEC, crop=CropSpec(size)) for size in (16, 32, 8)]
    outputs = FrozenTeacher([Looking() for _ in specs], specs, flip=True)(IMAGES)
    assert sizes == [16, 32, 8] * 2
    assert outputs.parts == ("landmarks",)
    alone = FrozenTeacher([Equivariant()], [SPEC])(IMAGES)
    assert torch.allclose(outputs.landmarks, alone.landmarks, atol=0.02)


def test_outputs_carry_no_gradient_and_can_take_part_in_a_loss() -> None:
    net = Equivariant()
    outputs = FrozenTeacher([net], [SPEC])(IMAGES)
    student = torch.rand_like(outputs.part("heatmaps")).requires_grad_()
    (student * outputs.part("heatmaps")).sum().backward()
    assert not outputs.part("heatmaps").requires_grad
    assert not outputs.part("heatmaps").is_inference()
    assert net.scale.grad is None


def test_teachers_of_unlike_crops_are_refused(tmp_path: Any) -> None:
    net = create_model("efld", "five", image_size=64)
    paths = []
    for scale in (1.0, 1.2):
        path = tmp_path / f"{scale}.safetensors"
        save_model(path, net, ModelSpec("efld", "five", 5, CropSpec(64, scale), {"image_size": 64}))
        paths.append(path)
    with pytest.raises(ConfigError, match=r"1\.2\.safetensors differs from the first in crop"):
        FrozenTeacher.load(paths)


def test_a_teacher_of_more_points_teaches_a_student_of_some(tmp_path: Any) -> None:
    options = {"image_size": 64}
    paths = []
    for number, scheme in enumerate(("ibug68", "inner51")):
        net = create_model("efld", scheme, **options).eval()
        torch.nn.init.normal_(net.head[0].points.weight)  # type: ignore[union-attr, index]
        paths.append(tmp_path / f"{number}.safetensors")
        spec = ModelSpec("efld", scheme, load_scheme(scheme).n_points, CropSpec(64), options)
        save_model(paths[-1], net, spec)
    images = torch.rand(2, 3, 64, 64)
    whole, part = (FrozenTeacher.load(paths[:1], scheme=scheme) for scheme in ("ibug68", "inner51"))
    assert (whole.spec.scheme, part.spec.scheme) == ("ibug68", "inner51")
    torch.testing.assert_close(part(images).landmarks, whole(images).landmarks[:, 17:], rtol=0, atol=1e-5)
    both = FrozenTeacher.load(paths, scheme="inner51")  # an ensemble of unlike ones
    assert both(images).landmarks.shape == (2, 51, 2)
    other = FrozenTeacher.load(paths[1:], scheme="ibug68")
    with pytest.raises(ConfigError, match=r"scheme \(inner51 and ibug68\)"):
        other.require_same_input(ModelSpec("efld", "ibug68", 68, CropSpec(64)))


def test_features_are_those_of_the_neck_and_the_hook_goes() -> None:
    net = create_model("mobilevit_v2_050", "five", width=16).eval()
    with features_of(net) as visited, torch.no_grad():
        net(torch.rand(1, 3, 64, 64))
    assert [tuple(features.shape) for features in visited] == [(1, 16, 16, 16)]
    with torch.no_grad():
        net(torch.rand(1, 3, 64, 64))
    assert len(visited) == 1
    with pytest.raises(ConfigError, match="needs a neck"), features_of(nn.Linear(1, 1)):
        pass
