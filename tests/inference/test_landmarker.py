"""A model on a photo: points land where the crop says they do, and unfit files are refused."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from distill.data.synthetic.render import render_face
from distill.detection.detector import Detection, FaceDetector
from distill.errors import CheckpointError, ConfigError, ImageError
from distill.export.pipeline import ExportResult
from distill.geometry import Box, CropSpec
from distill.images import read_image
from distill.inference.landmarker import Landmarker
from distill.inference.load import open_backend
from distill.inference.onnx_session import open_session
from distill.spec import ModelSpec, read_sidecar, write_sidecar
from tests.support.tiny_models import GAIN, POINTS, base_points, write_batched_tflite, write_tiny_tflite

BOX = Box(40.0, 30.0, 100.0, 110.0)
# The points of the tiny model are no face: their eyes lie anywhere.
ONE_CROP = 180.0


def find_box(photo: np.ndarray) -> list[Detection]:
    return [Detection(BOX, 0.9)]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_tflite(tmp_path_factory.mktemp("model") / "tiny.tflite")


def test_points_land_in_the_photo(model: Path) -> None:
    """Catches half-pixel shifts, a wrong crop scale, BGR or 0..255 input, and a missing inverse."""
    photo = np.full((160, 200, 3), 51, np.uint8)
    (face,) = Landmarker(model, find_box, max_roll=ONE_CROP)(photo)
    side = 80 * 1.25
    expected = (base_points() + GAIN * 0.2) * side + np.array([70.0, 70.0]) - side / 2
    assert face.box == BOX
    assert face.score == 0.9
    assert face.landmarks.dtype == np.float32
    np.testing.assert_allclose(face.landmarks, expected, atol=2e-3)


def test_boxes_of_our_detector_are_cut_out_as_training_measured(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network trained on small boxes must not see a whole face; boxes of other detectors are as in training."""
    path = tmp_path / "tiny.tflite"
    path.write_bytes(model.read_bytes())
    spec = read_sidecar(model)
    write_sidecar(path, replace(spec, detected=CropSpec(spec.crop.size, 2 * spec.crop.scale, 0.25)))
    photo = np.full((160, 200, 3), 51, np.uint8)
    (other,), (plain,) = (Landmarker(file, find_box, max_roll=ONE_CROP)(photo) for file in (path, model))
    np.testing.assert_array_equal(other.landmarks, plain.landmarks)
    monkeypatch.setattr(FaceDetector, "__call__", lambda self, photo: find_box(photo))
    (ours,) = Landmarker(path, max_roll=ONE_CROP)(photo)
    side = 80 * 2.5
    expected = (base_points() + GAIN * 0.2) * side + np.array([70.0, 70.0 + 0.25 * 80]) - side / 2
    np.testing.assert_allclose(ours.landmarks, expected, atol=4e-3)


def test_a_file_of_one_output_gives_no_confidence(model: Path) -> None:
    """Files that were exported without a confidence go on working, and nothing is claimed about their points."""
    (face,) = Landmarker(model, find_box)(np.full((160, 200, 3), 51, np.uint8))
    assert (face.point_confidence, face.confidence, face.placed) == (None, None, None)


def test_faces_are_marked_by_their_confidence(exported: ExportResult) -> None:
    """Every format predicts the same for a crop as the network itself; a random network has low confidence."""
    photo = np.random.default_rng(0).integers(0, 255, (160, 200, 3)).astype(np.uint8)
    (onnx,), (tflite,) = (Landmarker(exported.files[kind], find_box)(photo) for kind in ("onnx", "fp32"))
    assert onnx.point_confidence.shape == (51,)
    np.testing.assert_allclose(onnx.point_confidence, tflite.point_confidence, atol=1e-3)
    assert onnx.confidence == pytest.approx(onnx.point_confidence.mean())
    limits = {tflite.confidence - 0.01: True, tflite.confidence + 0.01: False}
    for limit, placed in limits.items():
        (face,) = Landmarker(exported.files["fp32"], find_box, min_confidence=limit)(photo)
        assert face.placed is placed
    with pytest.raises(ConfigError, match="min_confidence 2 is no confidence"):
        Landmarker(exported.files["fp32"], find_box, min_confidence=2)


def test_file_and_array_agree(model: Path, tmp_path: Path) -> None:
    photo = np.random.default_rng(0).integers(0, 255, (160, 200, 3)).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "a photo.png"), photo[:, :, ::-1])
    landmarker = Landmarker(model, find_box)
    np.testing.assert_array_equal(landmarker(photo)[0].landmarks, landmarker(tmp_path / "a photo.png")[0].landmarks)


def test_the_order_of_channels_is_refused_where_it_is_known(model: Path, tmp_path: Path) -> None:
    """The channels of a small file were swapped, and those of a Pillow image were not."""
    image = Image.fromarray(np.zeros((8, 8, 3), np.uint8))
    image.save(tmp_path / "photo.png")
    landmarker = Landmarker(model, find_box)
    for photo in (tmp_path / "photo.png", str(tmp_path / "photo.png"), image):
        with pytest.raises(ConfigError, match="bgr=True is for arrays"):
            landmarker(photo, bgr=True)
        with pytest.raises(ConfigError, match="bgr=True is for arrays"):
            next(landmarker.track([photo], bgr=True))


def test_a_detector_is_given_by_its_name(model: Path) -> None:
    assert Landmarker(model, "retinaface_int8")(np.zeros((8, 8, 3), np.uint8)) == []
    with pytest.raises(ConfigError, match="unknown detector 'retinafase': did you mean 'retinaface'"):
        Landmarker(model, "retinafase")


def test_no_face_gives_an_empty_list(model: Path) -> None:
    assert Landmarker(model, lambda photo: [])(np.zeros((8, 8, 3), np.uint8)) == []


def test_missing_photo(model: Path, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"nothing\.jpg"):
        Landmarker(model, find_box)(tmp_path / "nothing.jpg")


def test_box_without_area(model: Path) -> None:
    with pytest.raises(ConfigError, match="no area"):
        Landmarker(model, find_box).landmarks(np.zeros((8, 8, 3), np.uint8), Box(3, 3, 3, 9))


def test_onnx_agrees_with_tflite(model: Path, tmp_path: Path) -> None:
    """The same landmarks from both formats, so that `predict` does not depend on the file one has."""
    onnx = pytest.importorskip("onnx")
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "gain"], ["shift"]),
        helper.make_node("Add", ["shift", "base"], ["points"]),
    ]
    constants = [
        numpy_helper.from_array(np.array(GAIN, np.float32), "gain"),
        numpy_helper.from_array(base_points()[None], "base"),
    ]
    entry = helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, (1, 64, 64, 3))
    leave = helper.make_tensor_value_info("points", onnx.TensorProto.FLOAT, (1, POINTS, 2))
    graph = helper.make_graph(nodes, "tiny", [entry], [leave], constants)
    path = tmp_path / "tiny.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    write_sidecar(path, open_backend(model).spec)
    photo = np.random.default_rng(0).integers(0, 255, (160, 200, 3)).astype(np.uint8)
    ours, expected_points = (Landmarker(file, find_box)(photo)[0].landmarks for file in (model, path))
    np.testing.assert_allclose(ours, expected_points, atol=1e-3)


def test_unfit_files_are_refused(model: Path, tmp_path: Path) -> None:
    spec = open_backend(model).spec
    page = tmp_path / "page.tflite"
    page.write_text("<html>not found</html>")
    write_sidecar(page, spec)
    with pytest.raises(CheckpointError, match="a web page, not a model"):
        open_backend(page)
    torn = tmp_path / "torn.tflite"
    torn.write_bytes(model.read_bytes()[:200])
    write_sidecar(torn, spec)
    torn.write_bytes(model.read_bytes()[:300])
    with pytest.raises(CheckpointError, match="SHA-256"):
        open_backend(torn)
    with pytest.raises(CheckpointError, match="points"):
        open_backend(write_tiny_tflite(tmp_path / "other.tflite", n_points=68))
    with pytest.raises(CheckpointError, match=r"give one of.*tflite"):
        open_backend(tmp_path / "weights.pth")
    with pytest.raises(CheckpointError, match="no such"):
        open_session(tmp_path / "none.onnx")
    broken = tmp_path / "broken.onnx"
    broken.write_text("<html>")
    with pytest.raises(CheckpointError, match="not an ONNX model"):
        open_session(broken)


def test_sidecar_with_another_crop(model: Path, tmp_path: Path) -> None:
    path = write_tiny_tflite(tmp_path / "tiny.tflite")
    raw = json.loads(path.with_suffix(".json").read_text())
    raw["spec"]["crop"]["size"] = 128
    write_sidecar(path, ModelSpec.from_dict(raw["spec"]))
    with pytest.raises(CheckpointError, match="sidecar says 128 px"):
        open_backend(path)


def test_needs_neither_torch_nor_tensorflow() -> None:
    """The light user installs neither, and the package must start fast."""
    heavy = "{'torch', 'tensorflow', 'mediapipe', 'onnxruntime', 'timm'}"
    modules = "distill.inference.landmarker, distill.submission.contest_rules"
    code = f"import sys, {modules}; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_track_yields_faces_with_ids(model: Path) -> None:
    """The detector runs once for the whole clip, and the crop stays where it is as long as nothing moves."""
    photos_detected = []

    def detect(photo: np.ndarray) -> list[Detection]:
        photos_detected.append(photo)
        return find_box(photo)

    photo = np.full((160, 200, 3), 51, np.uint8)
    landmarker = Landmarker(model, detect, max_roll=ONE_CROP)
    (alone,) = landmarker(photo)
    found = list(landmarker.track([photo] * 4))
    assert len(photos_detected) == 2
    for (face,) in found:
        assert face.id == 1
        np.testing.assert_allclose(face.landmarks, alone.landmarks, atol=1e-3)


@pytest.mark.parametrize("rate", [0, -25, np.inf, np.nan])
def test_a_rate_that_is_none_is_refused_before_the_first_frame(model: Path, rate: float) -> None:
    with pytest.raises(ConfigError, match="frames per second"):
        Landmarker(model, find_box).track([], rate=rate)


def test_faces_of_a_photo_are_placed_in_batches_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boxes = [Box(20 * index, 10, 20 * index + 50, 70) for index in range(5)]
    photo = np.random.default_rng(0).integers(0, 256, (160, 200, 3), dtype=np.uint8)
    found = []
    for batch in (1, 2):
        landmarker = Landmarker(
            write_batched_tflite(tmp_path / f"{batch}.tflite", batch),
            lambda _: [Detection(box, 0.9) for box in boxes],
            max_roll=ONE_CROP,
        )
        called, run = [], landmarker._model.with_confidence
        monkeypatch.setattr(
            landmarker._model, "with_confidence", lambda crops, c=called, r=run: (c.append(len(crops)), r(crops))[1]
        )
        found.append(landmarker(photo))
        assert called == ([1] * 5 if batch == 1 else [2, 2, 1])
    for single, batched in zip(*found, strict=True):
        assert single.box == batched.box
        np.testing.assert_allclose(single.landmarks, batched.landmarks, atol=1e-3)


def test_large_jpegs_are_decoded_as_needed_with_the_same_landmarks(tmp_path: Path) -> None:
    """Four faces of a photo of 12 megapixels lie where they lie in all its pixels, within 1 % of their size."""
    photo = np.full((3000, 4000, 3), 90, np.uint8)
    for index, (side, x, y) in enumerate(((1800, 100, 200), (700, 2200, 300), (300, 3200, 500), (1000, 2500, 1500))):
        face = cv2.resize(render_face(3, index, 256).image, (side, side), interpolation=cv2.INTER_CUBIC)
        photo[y : y + side, x : x + side] = face
    Image.fromarray(photo).save(tmp_path / "large.jpg", quality=95)
    landmarker = Landmarker()
    scaled, whole = landmarker(tmp_path / "large.jpg"), landmarker(read_image(tmp_path / "large.jpg"))
    assert len(scaled) == len(whole) >= 3
    for face in whole:
        nearest = min(scaled, key=lambda other: abs(other.box.x0 - face.box.x0) + abs(other.box.y0 - face.box.y0))
        off = np.linalg.norm(nearest.landmarks - face.landmarks, axis=1).mean()
        assert off < 0.01 * face.box.height
