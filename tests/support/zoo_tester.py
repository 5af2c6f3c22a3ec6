"""Tests of every network. A subclass names the network; `test_zoo.py` requires one of each in the zoo.

`NetworkTester` is for networks of the zoo that are not converted, `ZooTester` for the others. `BaseTester` holds what
they share with the face detector, whose subclass is in `tests/detection/retinaface/test_net.py`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from distill.bench.complexity import complexity
from distill.export import pipeline
from distill.export.pipeline import ExportResult
from distill.geometry import CropSpec
from distill.landmarks import load_scheme
from distill.losses.supervised import make_loss, require_loss_fits
from distill.models import Prediction, create_model
from distill.models.cards import load_cards
from distill.models.checkpoint import load_model, save_model
from distill.models.map_head import MapHead
from distill.models.zoo import zoo_entry
from distill.spec import ModelSpec
from distill.tflite.runtimes import list_runtimes
from tests.support.environments import present_lane
from tests.support.exported import export


def shaken(net: nn.Module) -> nn.Module:
    """Make the weights such that every scale, shift and statistic shows in the predictions."""
    torch.manual_seed(1)
    for name, value in net.state_dict().items():
        if name.endswith("running_mean"):
            value.uniform_(-0.2, 0.2)
        elif name.endswith("running_var") or ("norm" in name and name.endswith("weight")):
            value.uniform_(0.5, 1.5)
        elif value.is_floating_point() and value.ndim > 1 and float(value.abs().max()) < 0.01:
            value.normal_(std=0.05)  # last layers that start near zero
    return net


def with_peaks(net: nn.Module, size: int, gain: float = 4) -> nn.Module:
    """Give a net of plain maps fitted statistics and a last layer of large weights: random weights make flat maps.

    Where the maps are sigmoids, each one's logits get a deviation of 1 and a maximum of 0: the point of a map that is
    0 almost everywhere follows from how a runtime rounds.
    """
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    crops = torch.rand(4, 3, size, size)
    with torch.no_grad():
        net.train()(crops)
        net.eval()
        if isinstance(net.head, MapHead):
            _normalise_logits(net, net.head.logits, crops)
            return net
        for name, weight in net.named_parameters():
            if name.startswith("head.") and weight.ndim > 1:
                weight.mul_(gain)
    return net


def _normalise_logits(net: nn.Module, last: nn.Module, crops: Tensor) -> None:
    outputs: list[Tensor] = []
    with last.register_forward_hook(lambda _module, _inputs, logits: outputs.append(logits)):
        net(crops)
    logits = outputs[0].transpose(0, 1).flatten(1)
    scale = 1 / logits.std(1)
    for weight in last.parameters():
        if len(weight) == len(scale):  # of the layers that end in maps
            weight.mul_(scale.reshape(-1, *[1] * (weight.ndim - 1)))
            if weight.ndim == 1:
                weight.sub_(logits.amax(1) * scale)


class StatedCost(NamedTuple):
    """A network, the side of its square input, and how many parameters and MACs it is to have."""

    net: nn.Module
    size: int
    parameters: int
    macs: int


class BaseTester(ABC):
    """Forward pass, gradients, checkpoint and costs of any network; a subclass says which, and how it is trained."""

    @abstractmethod
    def build(self) -> nn.Module:
        """Return the network that is tested, with random weights."""

    @abstractmethod
    def input_side(self) -> int:
        """Return the side of its square input in pixels."""

    @abstractmethod
    def outputs(self, predicted: Any) -> list[Tensor]:
        """Check the shapes of what it predicts for two images and return the tensors that are compared."""

    @abstractmethod
    def loss(self, predicted: Any) -> Tensor:
        """Return the loss it is trained with for its prediction of two images."""

    @abstractmethod
    def saved_and_loaded(self, net: nn.Module, path: Path) -> nn.Module:
        """Write the network to a file and return the one that is read from it."""

    @abstractmethod
    def costs(self) -> Iterator[StatedCost]:
        """Yield variants with their exact cost."""

    @pytest.fixture(scope="class")
    def net(self) -> nn.Module:
        torch.manual_seed(0)
        return shaken(self.build()).eval()

    @pytest.fixture
    def images(self) -> Tensor:
        side = self.input_side()
        return torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0))

    def test_forward_at_its_size(self, net: nn.Module, images: Tensor) -> None:
        with torch.no_grad():
            outputs = self.outputs(net(images))
        assert all(torch.isfinite(values).all() for values in outputs)

    def test_its_own_loss_reaches_every_weight(self, images: Tensor) -> None:
        torch.manual_seed(0)
        net = self.build()
        self.loss(net(images)).backward()
        for name, parameter in net.named_parameters():
            assert parameter.grad is not None, f"{name} takes no part"
            assert torch.isfinite(parameter.grad).all(), name

    def test_saved_and_loaded_it_predicts_the_same(self, net: nn.Module, images: Tensor, tmp_path: Path) -> None:
        again = self.saved_and_loaded(net, tmp_path / "net.safetensors")
        with torch.no_grad():
            pairs = zip(self.outputs(again(images)), self.outputs(net(images)), strict=True)
            assert all(torch.equal(loaded, saved) for loaded, saved in pairs)

    def test_it_costs_what_is_stated(self) -> None:
        for stated in self.costs():
            cost = complexity(stated.net, stated.size)
            assert (cost.parameters, cost.macs) == (stated.parameters, stated.macs)


class NetworkTester(BaseTester):
    """Checks of a landmark network; its costs are those of its card.

    Attributes:
        arch: name in the zoo.
        options: keyword arguments of a smaller variant for what takes long; counts are those of the card.
        size: side of the crop; by default what the network is registered with.
    """

    arch: ClassVar[str]
    options: ClassVar[Mapping[str, Any]] = {}
    size: ClassVar[int | None] = None
    scheme: ClassVar[str] = "inner51"

    @pytest.fixture(scope="class")
    def spec(self) -> ModelSpec:
        return self.model_spec()

    def model_spec(self) -> ModelSpec:
        n_points, crop = load_scheme(self.scheme).n_points, CropSpec(self.input_side())
        return ModelSpec(self.arch, self.scheme, n_points, crop, dict(self.options))

    def input_side(self) -> int:
        return self.size or zoo_entry(self.arch).size

    def build(self) -> nn.Module:
        return create_model(self.arch, self.scheme, **self.options)

    def outputs(self, predicted: Any) -> list[Tensor]:
        assert isinstance(predicted, Prediction)
        n_points = load_scheme(self.scheme).n_points
        assert predicted.landmarks.shape == (2, n_points, 2)
        if predicted.heatmaps is not None:
            assert predicted.heatmaps.shape[:2] == (2, n_points)
            assert float(predicted.heatmaps.min()) >= 0
        return [predicted.landmarks]

    def loss(self, predicted: Prediction) -> Tensor:
        kind, scheme = zoo_entry(self.arch).loss, load_scheme(self.scheme)
        require_loss_fits(kind, predicted)
        truth = torch.rand(2, scheme.n_points, 2) * 0.6 + 0.2
        valid = torch.ones(2, scheme.n_points, dtype=torch.bool)
        return make_loss(kind, scheme)(predicted, truth, valid)["loss"]

    def saved_and_loaded(self, net: nn.Module, path: Path) -> nn.Module:
        save_model(path, net, self.model_spec())
        again, its_spec = load_model(path)
        assert its_spec == self.model_spec()
        return again

    def costs(self) -> Iterator[StatedCost]:
        for row in load_cards()[self.arch].counts:
            if row.arch == self.arch:
                net = create_model(row.arch, row.scheme, **row.options)
                yield StatedCost(net, row.size, row.parameters, row.macs)


class ZooTester(NetworkTester):
    """Subclass it as `class TestNet(ZooTester): arch = "net"`; the fp32 file is converted once a class."""

    @pytest.fixture(scope="class")
    def crops(self, spec: ModelSpec) -> np.ndarray:
        noise = np.random.default_rng(0).random((3, spec.crop.size, spec.crop.size, 3), np.float32)
        # Of unlike brightness: networks that average over the crop predict the same for any noise.
        return noise * np.array([1.0, 0.6, 0.3], np.float32)[:, None, None, None]

    @pytest.fixture(scope="class")
    def conversion(
        self, net: nn.Module, spec: ModelSpec, crops: np.ndarray, tmp_path_factory: pytest.TempPathFactory
    ) -> ExportResult:
        with pytest.MonkeyPatch.context() as patch:
            # TensorFlow's own interpreter takes seconds to start; the others read the same files.
            quick = [runtime for runtime in list_runtimes() if runtime.name != "tensorflow"]
            patch.setattr(pipeline, "list_runtimes", lambda: quick)
            return export(net, spec, tmp_path_factory.mktemp(self.arch), crops, modes=("fp32",), lane=present_lane())

    @pytest.mark.slow
    def test_onnx_and_tflite_predict_the_same(
        self, conversion: ExportResult, net: nn.Module, spec: ModelSpec, crops: np.ndarray
    ) -> None:
        with torch.no_grad():
            points = net(torch.from_numpy(crops).permute(0, 3, 1, 2)).landmarks * spec.crop.size
        assert float((points[0] - points[1]).abs().max()) > 0.5, (
            "the net predicts the same for every crop; parity proves nothing"
        )
        assert conversion.parity.max_px("onnx") <= 0.01
        assert conversion.parity.max_px("fp32") <= 0.05

    @pytest.mark.slow
    def test_runtime_2_11_has_its_operators(self, conversion: ExportResult) -> None:
        assert conversion.ops["fp32"].passed
