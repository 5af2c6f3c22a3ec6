"""The Android sample: its core on the JVM finds what Python finds, and its app compiles against stubs."""

import json
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from distill.data.synthetic import render_face
from distill.detection.detection import Detection
from distill.detection.detector import FaceDetector, bundled_detector
from distill.geometry import Box, crop_affine, similarity
from distill.inference.face import Face
from distill.inference.landmarker import Landmarker
from distill.inference.roll import MAX_ROLL, MORE_CROPS
from distill.inference.track_config import TrackConfig
from distill.inference.tracking import Tracker
from tests.support.kotlin import compile_kotlin, run_jar

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "examples/android"
CORE = SAMPLE / "core/src/main/kotlin"
APP = SAMPLE / "app/src/main/kotlin"
SCHEMES = SAMPLE / "app/src/main/assets/schemes.json"
MODEL = ROOT / "checkpoints/student_68_128_fp16.tflite"
MODEL_51 = ROOT / "checkpoints/efld_51_128_int8.tflite"
PIXELS = 0.1
DEGREES = 0.01

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
        for index, values in enumerate(values for values in outputs if values is not None):
            file = f"{stem}_{index}.f32"
            values.astype("<f4").tofile(self.folder / file)
            written.append({"file": file, "shape": values.shape})
        self.calls.append({"input": write_image(image, self.folder, stem), "outputs": written})


def write_image(pixels: np.ndarray, folder: Path, name: str) -> dict[str, Any]:
    np.ascontiguousarray(pixels).tofile(folder / f"{name}.rgb")
    return {"file": f"{name}.rgb", "size": [pixels.shape[1], pixels.shape[0]]}


@dataclass(frozen=True)
class Case:
    """A photo and how Python and Kotlin place its faces; without eyes, the scheme of the model has none."""

    photo: np.ndarray
    model: Path = MODEL
    max_roll: float = MAX_ROLL
    eyes: bool = True


def scene(width: int, height: int, *faces: tuple[int, float], soft: bool = False) -> np.ndarray:
    """Generated faces beside each other: (side, degrees by which it is tilted clockwise) of each.

    A soft one has no hard edges, where a crop shows that positions are rounded to 1/32 pixel.
    """
    photo = np.full((height, width, 3), 90, np.uint8)
    left = 7
    for index, (side, roll) in enumerate(faces):
        face = render_face(3, index, side, 0.0).image
        affine = similarity(side, (side - 1) / 2, (side - 1) / 2, side, roll)
        photo[11 : 11 + side, left : left + side] = cv2.warpAffine(face, affine, (side, side), borderValue=[90] * 3)
        left += side + 13
    return cv2.GaussianBlur(photo, (0, 0), 2.0) if soft else photo


TILTED = scene(640, 480, (300, 30), (280, -60), soft=True)
# Two faces of unlike size; small ones in a wide photo, which is searched in tiles and enlarged; one that fills it.
# Tilted ones: with points that bound the face and confidence, and without either, where a face of 320 px is searched
# twice; cut out again as often as there is; a scheme without eyes.
PHOTOS = {
    "camera": Case(scene(640, 480, (300, 0), (150, 0))),
    "wide": Case(scene(341, 130, (110, 0), (60, 0))),
    "near": Case(scene(900, 660, (640, 0))),
    "tilted": Case(TILTED),
    "tilted 51": Case(scene(380, 350, (320, 30), soft=True), MODEL_51),
    "always": Case(TILTED, max_roll=0),
    "no eyes": Case(TILTED, eyes=False),
}
CROPS = {"camera": 2, "wide": 2, "near": 1, "tilted": 4, "tilted 51": 2, "always": 2 * (1 + MORE_CROPS), "no eyes": 2}
# Degrees of a face in a clip; it is detected again every `REDETECT` frames.
ROLLS = (0, 0, 8, 16, 24, 30, 30, 30, 38, 46, 54, 60, 60, 60, 40, 20, 0)
SECONDS, REDETECT = 1 / 30, 5


class Recording:
    """Python's detector and landmarks, whose networks' inputs and outputs Kotlin gets."""

    def __init__(self, name: str, folder: Path, case: Case) -> None:
        self.detector = FaceDetector()
        find: Any = self.detector._find
        find._net = self.net = Recorder(find._net, folder, f"{name}_detector")
        self.landmarker = Landmarker(case.model, self.detector, max_roll=case.max_roll)
        scheme, self.schemes = self.landmarker.spec.scheme, json.loads(SCHEMES.read_text())
        self.schemes[scheme]["max_roll"] = case.max_roll
        if not case.eyes:
            self.landmarker._eyes = self.schemes[scheme] = None
        self.crops = Recorder(None, folder, f"{name}_landmarks")
        self.backend = self.landmarker._model
        self.landmarker._model = SimpleNamespace(with_confidence=self.with_confidence, batch=1)  # type: ignore[assignment]
        self.description = case.model.with_suffix(".json").read_text()

    def with_confidence(self, images: np.ndarray) -> Any:
        outputs = self.backend.with_confidence(images)
        self.crops.add(images[0], outputs)
        return outputs

    @property
    def calls(self) -> list[int]:
        return [len(self.net.calls), len(self.crops.calls)]

    def vectors(self) -> dict[str, Any]:
        return {
            "detector": bundled_detector().with_suffix(".json").read_text(),
            "model": self.description,
            "schemes": json.dumps(self.schemes),
            "detector_calls": self.net.calls,
            "landmark_calls": self.crops.calls,
        }


def recorded(name: str, case: Case, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run Python on a photo; return what Kotlin gets, and what Python found."""
    run, photo = Recording(name, folder, case), case.photo
    detections = run.detector(photo)
    assert detections
    # One by one, because Python cuts out all faces once before any again.
    faces = [face for detection in detections for face in run.landmarker._faces(photo, [detection])]
    crop = run.landmarker.spec.detected_crop
    affines = [crop_affine(face.box, crop, face.crop_roll).ravel() for face in faces]
    vectors = {"photo": write_image(photo, folder, name), **run.vectors()}
    return vectors, {"detections": detections, "faces": faces, "affines": affines, "calls": run.calls}


def recorded_clip(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run Python on a clip of a face that is tilted more and more and moves."""
    frames = [np.roll(scene(320, 240, (220, roll), soft=True), 3 * index, 1) for index, roll in enumerate(ROLLS)]
    run = Recording("clip", folder, Case(frames[0]))
    tracker = run.landmarker.tracker(TrackConfig(REDETECT))
    tracks = [tracker(frame, index * SECONDS) for index, frame in enumerate(frames)]
    written = [write_image(frame, folder, f"frame_{index}") for index, frame in enumerate(frames)]
    vectors = {"frames": written, "seconds": SECONDS, "redetect": REDETECT, **run.vectors()}
    return vectors, {"tracks": tracks, "calls": run.calls}


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
    pairs = [recorded(name, case, folder) for name, case in PHOTOS.items()]
    clip, followed = recorded_clip(folder)
    video = script()
    vectors = {"photos": [vectors for vectors, _ in pairs], "clip": clip, "tracking": video}
    (folder / "vectors.json").write_text(json.dumps(vectors))
    found = json.loads(run_jar(jar, "distill.core.VectorsKt", str(folder)))
    return found, {"photos": [python for _, python in pairs], "clip": followed, "tracks": tracked(video)}


Results = tuple[dict[str, Any], dict[str, Any]]


def assert_equal_faces(found: list[Any], expected: list[Face]) -> None:
    """Compare faces of Kotlin with those of Python; a face is placed there where the model gives no confidence."""
    for (_, box, points, confidence, placed, roll), face in zip(found, expected, strict=True):
        np.testing.assert_allclose(box, face.box, atol=PIXELS)
        np.testing.assert_allclose(points, face.landmarks, atol=PIXELS)
        assert confidence == (None if face.confidence is None else pytest.approx(face.confidence, abs=1e-4))
        assert placed == (face.placed is not False)
        assert roll == pytest.approx(face.crop_roll, abs=DEGREES)


@pytest.mark.parametrize("index", range(len(PHOTOS)), ids=list(PHOTOS))
def test_the_networks_have_the_inputs_of_python(results: Results, index: int) -> None:
    found, python = results[0]["photos"][index], results[1]["photos"][index]
    assert found["calls"] == python["calls"]
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
    assert_equal_faces(found["faces"], python["faces"])


def test_tilted_faces_are_cut_out_again_and_upright_ones_are_not(results: Results) -> None:
    python = dict(zip(PHOTOS, results[1]["photos"], strict=True))
    assert {name: each["calls"][1] for name, each in python.items()} == CROPS
    rolls = {name: sorted(face.crop_roll for face in each["faces"]) for name, each in python.items()}
    assert rolls["tilted"] == pytest.approx([-60, 30], abs=10)
    assert rolls["tilted 51"] == pytest.approx([30], abs=10)
    assert not any(rolls["camera"] + rolls["wide"] + rolls["near"] + rolls["no eyes"])


def test_a_face_that_is_tilted_more_and_more_is_followed_as_in_python(results: Results) -> None:
    """Crop by crop: each is turned by the roll of the last one, and turned further where that leaves 15 degrees."""
    found, python = results[0]["clip"], results[1]["clip"]
    assert found["calls"] == python["calls"]
    assert found["input_difference"] <= 1
    assert found["crop_difference"] <= 1
    for faces, expected in zip(found["tracks"], python["tracks"], strict=True):
        assert [face[0] for face in faces] == [face.id for face in expected]
        assert_equal_faces(faces, expected)
    rolls = [face.crop_roll for (face,) in python["tracks"]]
    assert rolls[0] == 0
    assert rolls[ROLLS.index(60) + 2] == pytest.approx(60, abs=20)
    assert python["calls"][1] < 2 * len(ROLLS)  # not cut out twice in every frame


def test_followed_faces_and_smoothed_points_are_those_of_python(results: Results) -> None:
    """Boxes, ids across a face that is hidden, and the One-Euro filter, frame by frame."""
    found, python = results[0]["tracks"], results[1]["tracks"]
    assert len(found) == len(python) == 40
    ids = [[face.id for face in faces] for faces in python]
    assert [[face[0] for face in faces] for faces in found] == ids
    assert len({tuple(row) for row in ids}) > 2  # something happens in the script
    for faces, expected in zip(found, python, strict=True):
        assert_equal_faces(faces, expected)


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
