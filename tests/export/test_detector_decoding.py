"""Decoding in the graph of a detector: the boxes of numpy, in every format, and read as any other detector."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from distill.data.synthetic.render import render_face
from distill.detection.retinaface.decode_maps import Candidates, candidates_of, decode_maps
from distill.detection.retinaface.detector import MapDetector, RetinaFaceDetector
from distill.detection.retinaface.net import RetinaFace, RetinaFaceConfig
from distill.detection.retinaface.net_file import NetFile
from distill.detection.retinaface.sidecar import DetectorFileSpec, write_detector_sidecar
from distill.errors import ConfigError
from distill.export.detector import (
    RawMaps,
    TorchMaps,
    box_parity,
    calibration_inputs,
    export_decoded_onnx,
    export_detector,
)
from distill.export.detector_decoding import OUTPUTS, DecodedDetector
from distill.models.detector_checkpoint import load_detector
from distill.tflite.serialization import read_model
from tests.support.environments import require_lane

SIDE = 192
CONFIG = RetinaFaceConfig(width=0.25, pyramid=8)
WEIGHTS = Path(__file__).parents[2] / "checkpoints" / "retinaface_035.safetensors"


@pytest.fixture(scope="module")
def net() -> RetinaFace:
    torch.manual_seed(0)
    return RetinaFace(CONFIG).eval()


def image(height: int = SIDE, width: int = SIDE) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (height, width, 3)).astype(np.uint8)


def near(found: Candidates, expected: Candidates, px: float) -> None:
    np.testing.assert_allclose(found.boxes, expected.boxes, atol=px)
    np.testing.assert_allclose(found.points, expected.points, atol=px)


def test_boxes_scores_and_points_are_those_of_numpy(net: RetinaFace) -> None:
    expected = decode_maps(TorchMaps(net)(image()), CONFIG.anchors, SIDE, SIDE, 0.0)
    with torch.no_grad():
        found = DecodedDetector(RawMaps(net), CONFIG.anchors, SIDE)(torch.from_numpy(image()[None] / np.float32(255)))
    for name, values, given in zip(OUTPUTS, expected, (found[0], found[1], found[2]), strict=True):
        np.testing.assert_allclose(given.numpy(), values, atol=1e-3, err_msg=name)


def test_offsets_that_would_overflow_give_finite_boxes(net: RetinaFace) -> None:
    wild = RawMaps(net)
    for head in wild.net.heads:
        torch.nn.init.constant_(head.box.bias, 1e4)  # type: ignore[union-attr, arg-type]
    boxes = DecodedDetector(wild, CONFIG.anchors, SIDE)(torch.zeros(1, SIDE, SIDE, 3))[0]
    assert bool(boxes.isfinite().all())


def test_constants_are_exact_in_half_precision(net: RetinaFace) -> None:
    """Of centres such as 1043.5 fp16 would keep 1044."""
    decoded = DecodedDetector(RawMaps(net), CONFIG.anchors, 2048)
    for values in (decoded.centres, decoded.sizes):
        assert torch.equal(values.half().float(), values)


@pytest.fixture(scope="module")
def trained() -> tuple[RetinaFace, DetectorFileSpec]:
    net, spec = load_detector(WEIGHTS)
    return net, DetectorFileSpec(spec.anchors, SIDE)


@pytest.fixture(scope="module")
def file(trained: tuple[RetinaFace, DetectorFileSpec], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The released weights with their decoding, as an ONNX file."""
    path = export_decoded_onnx(trained[0], tmp_path_factory.mktemp("onnx") / "boxes.onnx", SIDE)
    write_detector_sidecar(path, replace(trained[1], decoded=True))
    return path


def test_equal_inputs_give_equal_boxes(trained: tuple[RetinaFace, DetectorFileSpec], file: Path) -> None:
    net, spec = trained
    maps, outputs = TorchMaps(net)(image()), NetFile(file, side=SIDE)(image())
    expected, found = (candidates_of(given, spec.anchors, SIDE, SIDE, 0.0) for given in (maps, outputs))
    near(found, expected, 0.01)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5)


def test_a_file_with_decoding_finds_the_same_faces(trained: tuple[RetinaFace, DetectorFileSpec], file: Path) -> None:
    """The small view and the refinement are smaller than its input, which is filled up."""
    photo = render_face(0, 3, 320, 0.3).image
    by_maps = MapDetector(TorchMaps(trained[0]), trained[1], min_score=0.3)
    by_boxes = RetinaFaceDetector(file, min_score=0.3)
    assert len(by_maps.find(photo).scores) == 1
    near(by_boxes.find(photo), by_maps.find(photo), 1.0)
    near(by_boxes.precise(photo), by_maps.precise(photo), 4.0)


def test_another_size_is_refused(file: Path) -> None:
    with pytest.raises(ConfigError, match=f"has a fixed input of {SIDE} px: leave --detector_size out"):
        RetinaFaceDetector(file, 640)
    assert RetinaFaceDetector(file, SIDE).size == SIDE


def test_int8_is_calibrated_on_filled_inputs() -> None:
    """A graph with constant priors cannot be resized."""
    inputs = list(calibration_inputs([image(100, 200)], SIDE))
    assert [values.shape for values in inputs] == [(1, SIDE, SIDE, 3)] * 2
    assert float(inputs[0][0, SIDE - 1, SIDE - 1, 0]) == pytest.approx(114 / 255)
    assert next(calibration_inputs([image(100, 200)])).shape == (1, 96, 160, 3)


@pytest.mark.slow
def test_every_mode_is_converted_with_its_decoding_in_floats(net: RetinaFace, tmp_path: Path) -> None:
    require_lane("modern")
    made = export_detector(net, tmp_path, "net", ("fp32", "int8"), [image()], decoded=SIDE)
    for mode, limit in (("onnx", 0.01), ("fp32", 0.01), ("int8", 1.0)):
        parity = box_parity(net, made.files[mode], CONFIG.anchors, [image()], SIDE, 0.0, decoded=True)
        assert parity["mean_px"] < limit, mode
    graph = read_model(made.files["int8"]).main
    assert {node.outputs[0].dtype for node in graph.operators if node.op in ("EXP", "LOGISTIC")} == {"FLOAT32"}
    layers = [node for node in graph.operators if node.op == "CONV_2D"]
    assert sum(node.outputs[0].dtype == "FLOAT32" for node in layers) == 2 + 9
