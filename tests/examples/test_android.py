"""The Android sample: its core on the JVM finds what Python finds, and its app compiles against stubs."""

import json
import re
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from distill.data.synthetic import render_face
from distill.detection.detection import Detection
from distill.detection.detector import FaceDetector, bundled_detector
from distill.geometry import Box, crop_affine
from distill.inference.confidence import face_confidence
from distill.inference.face import Face
from distill.inference.landmarker import Landmarker
from distill.inference.track_config import TrackConfig
from distill.inference.tracking import Tracker
from tests.support.kotlin import compile_kotlin, run_jar

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "examples/android"
CORE = SAMPLE / "core/src/main/kotlin"
APP = SAMPLE / "app/src/main/kotlin"
MODEL = ROOT / "checkpoints/student_68_128_fp16.tflite"
PIXELS = 0.1

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


class Recorder:
    """A network whose inputs and outputs are written to files."""

    def __init__(self, net: Any, folder: Path, name: str) -> None:
        self.net = net
        self.folder = folder
        self.name = name
        self.calls: list[dict[str, Any]] = []

    def __call__(self, image: np.ndarray) -> Any:
        outputs = self.net(image)
        self.add(image, outputs)
        return outputs

    def add(self, image: np.ndarray, outputs: Any) -> None:
        stem = f"{self.name}_{len(self.calls)}"
        written = []
        for index, values in enumerate(outputs):
            file = f"{stem}_{index}.f32"
            values.astype("<f4").tofile(self.folder / file)
            written.append({"file": file, "shape": values.shape})
        self.calls.append({"input": write_image(image, self.folder, stem), "outputs": written})


def write_image(pixels: np.ndarray, folder: Path, name: str) -> dict[str, Any]:
    np.ascontiguousarray(pixels).tofile(folder / f"{name}.rgb")
    return {"file": f"{name}.rgb", "size": [pixels.shape[1], pixels.shape[0]]}


def scene(width: int, height: int, sides: tuple[int, ...]) -> np.ndarray:
    """Generated faces of these sides beside each other."""
    photo = np.full((height, width, 3), 90, np.uint8)
    left = 7
    for index, side in enumerate(sides):
        photo[11 : 11 + side, left : left + side] = render_face(3, index, side, 0.0).image
        left += side + 13
    return photo


# Two faces of unlike size; small ones in a wide photo, which is searched in tiles and enlarged; one that fills it.
PHOTOS = {"camera": scene(640, 480, (300, 150)), "wide": scene(341, 130, (110, 60)), "near": scene(900, 660, (640,))}


def recorded(name: str, photo: np.ndarray, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run Python on a photo; return what Kotlin gets, and what Python found."""
    detector = FaceDetector()
    detector._find._net = net = Recorder(detector._find._net, folder, f"{name}_detector")  # type: ignore[union-attr]
    landmarker = Landmarker(MODEL)
    crops = Recorder(None, folder, f"{name}_landmarks")
    model = landmarker._model

    def with_confidence(images: np.ndarray) -> Any:
        outputs = model.with_confidence(images)
        crops.add(np.rint(images[0] * 255).astype(np.uint8), outputs)
        return outputs

    landmarker._model = SimpleNamespace(spec=model.spec, with_confidence=with_confidence, batch=1)  # type: ignore[assignment]
    detections = detector(photo)
    assert detections
    faces = landmarker._faces(photo, detections)
    vectors = {
        "photo": write_image(photo, folder, name),
        "detector": bundled_detector().with_suffix(".json").read_text(),
        "model": MODEL.with_suffix(".json").read_text(),
        "detector_calls": net.calls,
        "landmark_calls": crops.calls,
    }
    crop = landmarker.spec.detected_crop
    affines = [crop_affine(face.box, crop).ravel() for face in detections]
    return vectors, {"detections": detections, "faces": faces, "affines": affines}


def script() -> dict[str, Any]:
    """A video of 40 frames: two faces move, one is hidden for a while and comes back, a third appears."""
    shape = np.random.default_rng(5).random((68, 2)) - 0.5
    frames = []
    for index in range(40):
        first = shape * 100 + [150 + 2 * index, 140] + np.sin(index) * 0.4
        second = shape * (80 + index % 7) + [420, 200 + index]
        third = shape * 60 + [300, 380]
        hidden = 12 <= index < 18
        faces = [(first, 0.9), (second, 0.3 if hidden else 0.8), (third, 0.7)]
        shown = [first, *([] if hidden else [second]), *([third] if index > 20 else [])]
        detections = [[*points.min(0) - 1.5, *points.max(0) + 0.5, 0.9 - 0.01 * n] for n, points in enumerate(shown)]
        if index == 25:  # a face that the landmarks cannot be placed on
            faces.append((shape * 50 + [560, 60], 0.2))
            detections.append([530.0, 30.0, 590.0, 90.0, 0.8])
        frames.append(
            {
                "detections": [[float(value) for value in row] for row in detections],
                "faces": [{"landmarks": points.tolist(), "confidence": share} for points, share in faces],
            }
        )
    return {"frames": frames, "width": 640, "height": 480, "seconds": 1 / 30, "redetect": 5}


def tracked(video: dict[str, Any]) -> list[list[Face]]:
    """Run Python's tracker on a script; the landmarks depend a little on the crop, as those of a network do."""
    frame: dict[str, Any] = {}

    def detect(photo: Any) -> list[Detection]:
        return [Detection(Box(*row[:4]), row[4], np.zeros((5, 2), np.float32)) for row in frame["detections"]]

    def locate(photo: Any, detections: Sequence[Detection]) -> list[Face]:
        return [face_in(*detection[:2]) for detection in detections]

    def face_in(box: Box, score: float) -> Face:
        faces = [(np.array(face["landmarks"]), face["confidence"]) for face in frame["faces"]]
        points, share = min(faces, key=lambda face: float(np.hypot(*(face[0].mean(0) - box.centre))))
        points = points + 0.02 * (np.array(box.centre) - points.mean(0))
        return Face(box, points.astype(np.float32), score, np.full(68, share, np.float32), share >= 0.55)

    tracker = Tracker(detect, locate, TrackConfig(video["redetect"]))
    photo = np.zeros((video["height"], video["width"], 3), np.uint8)
    found = []
    for index, frame in enumerate(video["frames"]):  # noqa: B007  read by the functions above
        found.append(tracker(photo, index * video["seconds"]))
    return found


@pytest.fixture(scope="module")
def jar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The core with its program for tests and the app in one run of the compiler, half of which is its start.

    The app stands against stubs of Android, CameraX and LiteRT, which are not here: names, types and overrides are
    checked, not behaviour.
    """
    folder = tmp_path_factory.mktemp("kotlin")
    for entry in (ROOT / "tests/support/android_stubs.txt").read_text().split("\n== ")[1:]:
        name, _, content = entry.partition("\n")
        (folder / "stubs" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "stubs" / name).write_text(content)
    sources = [CORE, SAMPLE / "core/src/test/kotlin", APP, folder / "stubs"]
    compile_kotlin(sources, folder / "sample.jar")
    return folder / "sample.jar"


@pytest.fixture(scope="module")
def results(jar: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """What Kotlin and Python find."""
    folder = tmp_path_factory.mktemp("vectors")
    pairs = [recorded(name, photo, folder) for name, photo in PHOTOS.items()]
    video = script()
    vectors = {"photos": [vectors for vectors, _ in pairs], "tracking": video}
    (folder / "vectors.json").write_text(json.dumps(vectors))
    found = json.loads(run_jar(jar, "distill.core.VectorsKt", str(folder)))
    return found, {"photos": [python for _, python in pairs], "tracks": tracked(video)}


Results = tuple[dict[str, Any], dict[str, Any]]


@pytest.mark.parametrize("index", range(len(PHOTOS)), ids=list(PHOTOS))
def test_the_networks_have_the_inputs_of_python(results: Results, index: int) -> None:
    found = results[0]["photos"][index]
    assert found["input_difference"] <= 1
    assert found["crop_difference"] <= 1


@pytest.mark.parametrize("index", range(len(PHOTOS)), ids=list(PHOTOS))
def test_boxes_crops_and_points_are_those_of_python(results: Results, index: int) -> None:
    found, python = results[0]["photos"][index], results[1]["photos"][index]
    assert len(found["detections"]) == len(python["detections"])
    for (box, score, points), expected in zip(found["detections"], python["detections"], strict=True):
        np.testing.assert_allclose(box, expected.box, atol=PIXELS)
        np.testing.assert_allclose(points, expected.points, atol=PIXELS)
        assert score == pytest.approx(expected.score, abs=1e-4)
    np.testing.assert_allclose(found["affines"], python["affines"], atol=1e-2)
    for (_, _, points, confidence, placed), expected in zip(found["faces"], python["faces"], strict=True):
        np.testing.assert_allclose(points, expected.landmarks, atol=PIXELS)
        assert confidence == pytest.approx(face_confidence(expected.confidence), abs=1e-4)
        assert placed == expected.placed


def test_followed_faces_and_smoothed_points_are_those_of_python(results: Results) -> None:
    """Boxes, ids across a face that is hidden, and the One-Euro filter, frame by frame."""
    found, python = results[0]["tracks"], results[1]["tracks"]
    assert len(found) == len(python) == 40
    ids = [[face.id for face in faces] for faces in python]
    assert [[face[0] for face in faces] for faces in found] == ids
    assert len({tuple(row) for row in ids}) > 2  # something happens in the script
    for faces, expected in zip(found, python, strict=True):
        for (_, box, points, _, placed), face in zip(faces, expected, strict=True):
            np.testing.assert_allclose(box, face.box, atol=PIXELS)
            np.testing.assert_allclose(points, face.landmarks, atol=PIXELS)
            assert placed == face.placed


def test_the_app_compiles_against_declarations_of_what_it_uses(jar: Path) -> None:
    assert "distill/app/MainActivity.class" in zipfile.ZipFile(jar).namelist()


def test_the_core_stands_alone() -> None:
    """It is a library of its own in the build, without Android and the app, which sees only what is public."""
    for path in CORE.rglob("*.kt"):
        text = path.read_text()
        imported = re.findall(r"^import (\S+)", text, re.MULTILINE)
        assert all(name.startswith(("kotlin.", "java.", "distill.core.")) for name in imported), path
        assert not re.search(r"\binternal\b|distill\.app", text), path


def test_the_files_that_the_build_copies_are_in_the_repository() -> None:
    build = (SAMPLE / "app/build.gradle.kts").read_text()
    models = re.findall(r'"(\w+)"', re.findall(r"val models = listOf\((.*)\)", build)[0])
    [detector] = re.findall(r'val detector = "(\w+)"', build)
    assert f'DETECTOR = "{detector}"' in (SAMPLE / "app/src/main/kotlin/distill/app/Pipeline.kt").read_text()
    stems = [ROOT / "distill/detection/models" / detector, *(ROOT / "checkpoints" / model for model in models)]
    assert models
    for stem in stems:
        assert stem.with_suffix(".tflite").is_file()
        assert stem.with_suffix(".json").is_file()
