"""Export of a detector: one file for every input size, equal to PyTorch; weights as safetensors."""

from math import prod
from pathlib import Path

import numpy as np
import pytest
import torch

from distill.detection.retinaface.net import RetinaFace, RetinaFaceConfig
from distill.detection.retinaface.net_file import NetFile
from distill.errors import CheckpointError, ConfigError
from distill.export.detector import DetectorExport, TorchMaps, box_parity, export_detector
from distill.models.checkpoint import load_model
from distill.models.detector_checkpoint import DetectorSpec, is_detector, load_detector, save_detector
from distill.tflite.serialization import read_model
from tests.support.environments import require_lane

CONFIG = RetinaFaceConfig(width=0.25, pyramid=8)


@pytest.fixture(scope="module")
def net() -> RetinaFace:
    torch.manual_seed(0)
    return RetinaFace(CONFIG).eval()


@pytest.fixture(scope="module")
def made(net: RetinaFace, tmp_path_factory: pytest.TempPathFactory) -> DetectorExport:
    """The detector in floats, with 8-bit weights and in integers."""
    require_lane("modern")
    photos = [np.random.default_rng(0).integers(0, 255, (160, 160, 3)).astype(np.uint8)]
    return export_detector(net, tmp_path_factory.mktemp("exported"), "net", ("fp32", "dynamic", "int8"), photos)


@pytest.mark.slow
def test_one_file_runs_at_every_size(net: RetinaFace, made: DetectorExport) -> None:
    """Catches a constant size in the graph, such as that of the pyramid's upsampling."""
    assert made.ops["fp32"].passed
    rng = np.random.default_rng(0)
    for path in (made.files["onnx"], made.files["fp32"]):
        exported = NetFile(path)
        for height, width in ((160, 160), (96, 224), (64, 64)):
            image = rng.integers(0, 255, (height, width, 3)).astype(np.uint8)
            found = {output.shape: output for output in exported(image)}
            for expected in TorchMaps(net)(image):
                np.testing.assert_allclose(found[expected.shape], expected, atol=1e-4)
    photos = [rng.integers(0, 255, (90, 120, 3)).astype(np.uint8)]
    parity = box_parity(net, made.files["fp32"], CONFIG.anchors, photos, 160, 0.0)
    assert parity["max_px"] < 1e-2
    best = box_parity(net, made.files["fp32"], CONFIG.anchors, photos, 160, 1.0)
    assert best["priors"] == len(photos), "where no score is high enough, the best prior of each photo is compared"


@pytest.mark.slow
def test_dynamic_has_8_bit_weights_and_float_activations_at_every_size(net: RetinaFace, made: DetectorExport) -> None:
    graph = read_model(made.files["dynamic"]).main
    layers = [node for node in graph.operators if node.op in ("CONV_2D", "DEPTHWISE_CONV_2D")]
    large = [node for node in layers if prod(node.inputs[1].shape) > 1024]  # TensorFlow leaves small weights in floats
    assert large
    assert {node.inputs[1].dtype for node in large} == {"INT8"}
    assert {node.outputs[0].dtype for node in layers} == {"FLOAT32"}
    rng = np.random.default_rng(0)
    for side in (160, 96):
        image = rng.integers(0, 255, (side, 64, 3)).astype(np.uint8)
        found = {output.shape: output for output in NetFile(made.files["dynamic"])(image)}
        for expected in TorchMaps(net)(image):
            np.testing.assert_allclose(found[expected.shape], expected, atol=0.05)


@pytest.mark.slow
def test_int8_has_its_first_and_last_layers_in_floats(made: DetectorExport) -> None:
    """In integers the first PAD takes longer than the convolution behind it, and outputs have 256 values."""
    graph = read_model(made.files["int8"]).main
    layers = [node for node in graph.operators if node.op == "CONV_2D"]
    ends = [node for node in layers if node.outputs[0] in graph.outputs]
    assert len(ends) == len(graph.outputs) == 9
    floats = {node for node in layers if node.outputs[0].dtype == "FLOAT32"}
    assert floats == {*layers[:2], *ends}  # the subtraction of the mean is a layer
    assert all(node.op != "SUB" for node in graph.operators)
    assert all(node.op != "PAD" or node.outputs[0].dtype == "INT8" for node in graph.operators[4:])


def test_options_are_checked(net: RetinaFace, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown mode 'int4'"):
        export_detector(net, tmp_path, "net", ("int4",))
    with pytest.raises(ConfigError, match="modes='fp16': give a list"):
        export_detector(net, tmp_path, "net", "fp16")
    with pytest.raises(ConfigError, match="int8 needs photos"):
        export_detector(net, tmp_path, "net", ("int8",))


def test_other_files_are_no_detectors(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"a \.tflite or \.onnx file"):
        NetFile(tmp_path / "net.pt")
    with pytest.raises(CheckpointError, match="no such detector file"):
        NetFile(tmp_path / "net.onnx")


def test_weights_round_trip(net: RetinaFace, tmp_path: Path) -> None:
    path, spec = tmp_path / "net.safetensors", DetectorSpec(0.25, 8, CONFIG.anchors)
    save_detector(path, net, spec)
    loaded, read = load_detector(path)
    assert read == spec
    assert is_detector(path)
    assert not loaded.training
    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in net.state_dict().items())
    with pytest.raises(CheckpointError, match="weights of a face detector"):
        load_model(path)
