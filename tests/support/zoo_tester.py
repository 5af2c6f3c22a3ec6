"""Tests of every network of the zoo. A subclass names the network; `test_zoo.py` requires one of each.

`NetworkTester` is for networks that are not converted, `ZooTester` for the others.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

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
from distill.models.cards import Counts, load_cards
from distill.models.checkpoint import load_model, save_model
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
    """Give a net of plain maps fitted statistics and a last layer of large weights: random weights make flat maps."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        net.train()(torch.rand(4, 3, size, size))
        for name, weight in net.named_parameters():
            if name.startswith("head.") and weight.ndim > 1:
                weight.mul_(gain)
    return net.eval()


class NetworkTester:
    """Forward pass, gradients, checkpoint and costs of a network.

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
        size = self.size or zoo_entry(self.arch).size
        return ModelSpec(self.arch, self.scheme, load_scheme(self.scheme).n_points, CropSpec(size), dict(self.options))

    @pytest.fixture(scope="class")
    def net(self, spec: ModelSpec) -> nn.Module:
        torch.manual_seed(0)
        return shaken(create_model(spec.arch, spec.scheme, **spec.options)).eval()

    @pytest.fixture
    def images(self, spec: ModelSpec) -> Tensor:
        return torch.rand(2, 3, spec.crop.size, spec.crop.size, generator=torch.Generator().manual_seed(0))

    def test_forward_at_its_size(self, net: nn.Module, spec: ModelSpec, images: Tensor) -> None:
        with torch.no_grad():
            prediction = net(images)
        assert isinstance(prediction, Prediction)
        assert prediction.landmarks.shape == (2, spec.n_points, 2)
        assert torch.isfinite(prediction.landmarks).all()
        if prediction.heatmaps is not None:
            assert prediction.heatmaps.shape[:2] == (2, spec.n_points)
            assert float(prediction.heatmaps.min()) >= 0

    def test_its_own_loss_reaches_every_weight(self, spec: ModelSpec, images: Tensor) -> None:
        torch.manual_seed(0)
        net = create_model(spec.arch, spec.scheme, **spec.options)
        kind, truth = zoo_entry(self.arch).loss, torch.rand(2, spec.n_points, 2) * 0.6 + 0.2
        prediction = net(images)
        require_loss_fits(kind, prediction)
        valid = torch.ones(2, spec.n_points, dtype=torch.bool)
        make_loss(kind, load_scheme(spec.scheme))(prediction, truth, valid)["loss"].backward()
        for name, parameter in net.named_parameters():
            assert parameter.grad is not None, f"{name} takes no part"
            assert torch.isfinite(parameter.grad).all(), name

    def test_saved_and_loaded_it_predicts_the_same(
        self, net: nn.Module, spec: ModelSpec, images: Tensor, tmp_path: Path
    ) -> None:
        save_model(tmp_path / "net.safetensors", net, spec)
        again, its_spec = load_model(tmp_path / "net.safetensors")
        assert its_spec == spec
        with torch.no_grad():
            assert torch.equal(again(images).landmarks, net(images).landmarks)

    def counts(self) -> list[Counts]:
        return [row for row in load_cards()[self.arch].counts if row.arch == self.arch]

    def test_it_costs_what_its_card_says(self) -> None:
        for row in self.counts():
            cost = complexity(create_model(row.arch, row.scheme, **row.options), row.size)
            assert (cost.parameters, cost.macs) == (row.parameters, row.macs), row.options


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
