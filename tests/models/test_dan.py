"""DAN: exact counts, the geometry between its stages, and training one stage at a time."""

import re
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from distill.errors import ConfigError
from distill.export.config import QuantizeConfig
from distill.geometry import CropSpec
from distill.models import create_model
from distill.models.checkpoint import save_model
from distill.models.dan import Dan, Shape, Similarity, fit_similarity, landmark_picture, mean_shape, warp
from distill.spec import ModelSpec
from distill.training.pretrained import start_from
from tests.support.zoo_tester import NetworkTester, ZooTester, shaken

# Dense layers of 112 px are 44 MB a stage, which take most of the time of a conversion.
SMALL = {"image_size": 32}


class TestDan1(NetworkTester):  # the first stage of the one below, which is converted
    arch = "dan_1"
    options: ClassVar = SMALL
    size = 32


class TestDan2(ZooTester):
    arch = "dan_2"
    options: ClassVar = SMALL
    size = 32

    @pytest.fixture(scope="class")
    def net(self, spec: ModelSpec) -> nn.Module:
        """Random stages that move landmarks by a few pixels, as trained ones do.

        Those of `shaken` throw them a thousand pixels about; what is left of the similarity then turns a difference of
        1e-6 in the crop, the rounding of any runtime, into a thousand pixels of the output.
        """
        torch.manual_seed(0)
        net = shaken(create_model(spec.arch, spec.scheme, **spec.options)).eval()
        with torch.no_grad():
            for stage in net.stages:
                stage.points.weight.mul_(0.1)
        return net


def _with_statistics(net: nn.Module) -> int:
    """Count as the thesis does: the statistics of a batch norm are parameters too."""
    statistics = sum(
        value.numel() for name, value in net.named_buffers() if name.endswith(("running_mean", "running_var"))
    )
    return statistics + sum(parameter.numel() for parameter in net.parameters())


@pytest.mark.parametrize(("arch", "count"), [("dan_1", 11_150_664), ("dan_2", 23_108_444)])
def test_counts_are_those_of_the_thesis(arch: str, count: int) -> None:
    assert _with_statistics(create_model(arch, "ibug68")) == count


def _turned(points: np.ndarray, degrees: float, zoom: float, shift: tuple[float, float]) -> np.ndarray:
    angle = np.deg2rad(degrees)
    matrix = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return points @ matrix.T + shift


def _shape(points: np.ndarray) -> Shape:
    return Shape(*(torch.tensor(points[..., axis], dtype=torch.float32).reshape(1, -1) for axis in range(2)))


def test_a_turned_face_is_straightened_and_turned_back() -> None:
    mean = mean_shape("inner51").numpy().T
    turned = _turned(mean, 25, 1.3, (0.1, -0.2))
    forth = fit_similarity(_shape(turned), _shape(mean))
    straight = forth(_shape(turned))
    np.testing.assert_allclose(torch.stack(straight, -1)[0].numpy(), mean, atol=1e-5)
    np.testing.assert_allclose(torch.stack(forth.inverse()(straight), -1)[0].numpy(), turned, atol=1e-5)


def test_points_that_fall_together_give_no_infinity() -> None:
    """An untrained stage may predict so; a NaN would spoil the weights for good."""
    point = torch.full((1, 51), 0.5, requires_grad=True)
    back = fit_similarity(Shape(point, point), _shape(mean_shape("inner51").numpy().T))
    assert torch.isfinite(torch.cat(back)).all()


def _grid_sampled(images: Tensor, degrees: float, zoom: float, shift: tuple[float, float]) -> Tensor:
    """PyTorch's own sampler at the same positions."""
    size = images.shape[-1]
    cells = (np.stack(np.meshgrid(np.arange(size), np.arange(size)), -1) + 0.5) / size
    positions = torch.tensor(_turned(cells, degrees, zoom, shift) * 2 - 1, dtype=torch.float32)
    grid = positions[None].expand(len(images), -1, -1, -1)
    return nn.functional.grid_sample(images, grid, padding_mode="border", align_corners=False)


@pytest.mark.parametrize(
    ("degrees", "zoom", "shift"), [(0, 1.0, (0.0, 0.0)), (30, 0.7, (0.3, -0.1)), (-10, 1.4, (0.0, 0.2))]
)
def test_warp_is_a_bilinear_sampler(degrees: float, zoom: float, shift: tuple[float, float]) -> None:
    images = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    square = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    back = fit_similarity(_shape(square), _shape(_turned(square, degrees, zoom, shift)))
    back = Similarity(*(value.expand(2, 1) for value in back))
    torch.testing.assert_close(warp(images, back), _grid_sampled(images, degrees, zoom, shift), atol=1e-4, rtol=0)


def test_picture_of_landmarks_is_that_of_the_paper() -> None:
    """1 / (1 + distance) to the nearest point within its patch of 17 x 17 px, drawn cell by cell."""
    size, points = 48, np.array([[10.3, 20.7], [13.0, 21.0], [30.5, 33.9], [47.0, 1.0]])
    expected = np.zeros((size, size))
    for x, y in np.clip(points, 8, size - 9):
        for row in range(int(y) - 8, int(y) + 9):
            for column in range(int(x) - 8, int(x) + 9):
                value = 1 / (1 + np.hypot(column - x, row - y))
                expected[row, column] = max(expected[row, column], value)
    drawn = landmark_picture(_shape((points + 0.5) / size), size)
    np.testing.assert_allclose(drawn[0, 0].numpy(), expected, atol=2e-3)


def test_faces_of_a_batch_do_not_mix() -> None:
    torch.manual_seed(0)
    net = create_model("dan_2", "five", image_size=32).eval()
    images = torch.rand(3, 3, 32, 32)
    with torch.no_grad():
        together, alone = net(images).landmarks, torch.cat([net(image[None]).landmarks for image in images])
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=0)


def test_the_second_stage_is_trained_on_a_finished_first(tmp_path: Path) -> None:
    """Stage-wise training: the first stage comes from its file and stays bit by bit, statistics of norms included."""
    torch.manual_seed(0)
    first = create_model("dan_1", "five", image_size=32).eval()
    spec = ModelSpec("dan_1", "five", 5, CropSpec(32), {"image_size": 32})
    save_model(tmp_path / "first.safetensors", first, spec)
    net = create_model("dan_2", "five", image_size=32, frozen=1)
    assert isinstance(net, Dan)
    start_from(net, tmp_path / "first.safetensors")
    net.train()
    optimiser = torch.optim.SGD([weight for weight in net.parameters() if weight.requires_grad], lr=0.1)
    net(torch.rand(4, 3, 32, 32)).landmarks.square().sum().backward()
    optimiser.step()
    kept = net.state_dict()
    for name, value in first.state_dict().items():
        assert torch.equal(kept[name], value), name
    assert all(weight.grad is not None for module in (net.stages[1], net.connections) for weight in module.parameters())


def test_mistakes_are_one_line() -> None:
    with pytest.raises(ConfigError, match="image_size 100 of dan_1 is no multiple of 16 from 32: take 96"):
        create_model("dan_1", "five", image_size=100)
    with pytest.raises(ConfigError, match="frozen 1 of dan_1: 1 stages, of which the last must learn"):
        create_model("dan_1", "five", frozen=1)
    with pytest.raises(ConfigError, match=r"96 x 96 px: the network is made for 112 px"):
        create_model("dan_1", "five").eval()(torch.rand(1, 3, 96, 96))
    with pytest.raises(ConfigError, match="the generated head has no points of scheme cofw29"):
        create_model("dan_1", "cofw29")


def test_coordinates_between_stages_stay_in_floats() -> None:
    """The quantizer of the modern lane fails at their bounds, and in 8 bits they have steps of half a pixel."""
    net = create_model("dan_2", "inner51")
    names = [name for name, _ in net.named_modules()]
    patterns = QuantizeConfig().for_network(net).modules("int8")
    kept = [name for name in names for pattern in patterns if re.fullmatch(pattern, name)]
    assert kept == ["connections.0"]
