"""The page's detector has the boxes, scores and points of Python for the same outputs of the network."""

import base64
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distill.data.synthetic.render import render_face
from distill.detection.boxes import group
from distill.detection.detector import bundled_detector
from distill.detection.retinaface.box_calibration import calibrated
from distill.detection.retinaface.decode_maps import Candidates, decode_maps
from distill.detection.retinaface.detector import RetinaFaceDetector
from distill.detection.retinaface.priors import AnchorConfig
from distill.tflite.interpreter import TFLiteNet
from distill.tflite.serialization import read_model
from tests.support.node import call, image, outputs, pixels, run_script

CLOSE = {"rtol": 1e-9, "atol": 1e-9}


def random_maps(height: int, width: int) -> list[np.ndarray]:
    """Outputs of the network for an input of this size, in an order no decoder may rely on."""
    rng = np.random.default_rng(3)
    shapes = [(height // s, width // s, c) for c in (30, 3, 12) for s in (32, 8, 16)]
    return [rng.normal(0, 1.5, (1, *shape)).astype(np.float32) for shape in shapes]


def test_maps_are_decoded_as_in_python() -> None:
    maps, anchors = random_maps(64, 96), AnchorConfig()
    found = call("decode.js", "decodeMaps", outputs(maps), asdict(anchors), 0.9)
    expected = decode_maps(maps, anchors, 96, 64, 0.9)
    assert len(found) == len(expected.scores) > 10
    assert np.allclose([face["box"] for face in found], expected.boxes, **CLOSE)
    assert np.allclose([face["score"] for face in found], expected.scores, **CLOSE)
    assert np.allclose([face["points"] for face in found], expected.points, **CLOSE)


def test_suppression_keeps_the_faces_of_python() -> None:
    rng = np.random.default_rng(1)
    low, sides = rng.uniform(0, 60, (80, 2)), rng.uniform(5, 50, (80, 2))
    boxes, scores = np.concatenate([low, low + sides], axis=1), rng.uniform(0, 1, 80)
    faces = [{"box": box.tolist(), "score": score} for box, score in zip(boxes, scores, strict=True)]
    for inside in (0.6, 1.0):
        kept = call("boxes.js", "suppress", faces, 0.4, inside)
        assert [face["score"] for face in kept] == [scores[same[0]] for same in group(boxes, scores, 0.4, inside)]


def test_boxes_are_calibrated_as_in_python() -> None:
    spec = RetinaFaceDetector(bundled_detector()).spec
    boxes = np.array([[10.0, 20, 60, 90]])
    points = np.array([[[22.0, 45], [45, 44], [33, 60], [24, 72], [44, 73]]])
    found = call("boxes.js", "calibrated", {"box": boxes[0].tolist(), "points": points[0].tolist()}, spec.to_box)
    assert spec.table is not None
    assert np.allclose(found, calibrated(boxes, points, spec.table)[0], **CLOSE)


@pytest.mark.parametrize("size", [(640, 480), (100, 80), (60, 70), (900, 300), (300, 901), (1920, 1081), (4000, 3000)])
def test_a_photo_is_shown_to_the_network_in_the_views_of_python(size: tuple[int, int]) -> None:
    detector = RetinaFaceDetector(bundled_detector())
    expected = [[list(window), side] for window, side in detector.views(*size)]
    assert call("detector.js", "viewsOf", *size, detector.size) == expected


@pytest.mark.parametrize(("sides", "least"), [([], 0), ([20, 159], None), ([20, 161], 544), ([300], 544)])
def test_a_photo_is_searched_again_as_in_python(sides: list[int], least: int | None) -> None:
    detector = RetinaFaceDetector(bundled_detector())
    view = detector.views(640, 480)[0]
    # In pixels of the photo, twice those of the input.
    boxes = [[10.0, 10.0, 10.0 + 2 * side, 30.0] for side in sides]
    count = len(boxes)
    found = Candidates(np.array(boxes).reshape(-1, 4), np.ones(count), np.zeros((count, 5, 2)))
    assert detector.second_search(view, found) == least
    faces = [{"box": box} for box in boxes]
    assert call("detector.js", "secondSearch", [list(view[0]), view[1]], faces) == least


def test_the_input_of_a_model_file_is_resized_in_memory(tmp_path: Path) -> None:
    """LiteRT.js has no call for it; the interpreter accepts the changed file and returns what a resized one does."""
    content = np.frombuffer(bundled_detector().read_bytes(), np.uint8)
    script = """
      const { withInputSize } = await import("./tflite.js");
      return Buffer.from(withInputSize(Uint8Array.from(values.bytes), 64, 96)).toString("base64");
    """
    path = tmp_path / "resized.tflite"
    path.write_bytes(base64.b64decode(run_script(script, bytes=content)))
    main = read_model(path.read_bytes()).main
    assert [tensor.shape for tensor in main.inputs] == [(1, 64, 96, 3)]
    assert {tensor.shape[1:3] for tensor in main.outputs} == {(8, 12), (4, 6), (2, 3)}
    changed, resized = TFLiteNet(path), TFLiteNet(bundled_detector())
    resized.resize(64, 96)
    pixels = np.random.default_rng(0).uniform(0, 1, (1, 64, 96, 3)).astype(np.float32)
    assert all(map(np.array_equal, changed(pixels), resized(pixels)))


@pytest.mark.parametrize(("copies", "side"), [(1, 160), (3, 160), (1, 380)], ids=["whole", "tiles", "reduced"])
def test_the_faces_of_a_photo_are_those_of_python(copies: int, side: int) -> None:
    """A face that fills the photo is searched a second time, in a view that is made of the first one."""
    photo = np.concatenate([render_face(5, index, side, 0.3).image for index in range(copies)], axis=1)
    detector, replies, inputs = RetinaFaceDetector(bundled_detector()), list[Any](), list[np.ndarray]()
    net = detector._net

    def recorded(shown: np.ndarray) -> Any:
        inputs.append(shown)
        replies.append(net(shown))
        return replies[-1]

    detector._net = recorded  # type: ignore[assignment]
    expected = detector(photo)
    script = """
      const { Detector } = await import("./detector.js");
      const { replies, spec, photo } = values;
      const inputs = [];
      const net = async (input) => replies[inputs.push(input) - 1];
      return { faces: await new Detector(net, spec).detect(photo), inputs };
    """
    maps = [outputs(each) for each in replies]
    result = run_script(script, replies=maps, spec=asdict(detector.spec), photo=image(photo))
    found = result["faces"]
    for shown, expected_input in zip(result["inputs"], inputs, strict=True):
        assert np.abs(pixels(shown).astype(int) - expected_input).max() <= 1
    assert len(found) == len(expected) == copies
    # Python stores the affine of the refinement's points as float32.
    assert np.allclose([face["box"] for face in found], [face.box for face in expected], atol=1e-4)
    assert np.allclose([face["points"] for face in found], [face.points for face in expected], atol=1e-3)
    assert np.allclose([face["score"] for face in found], [face.score for face in expected], **CLOSE)
