"""The page's landmarks of a face are those of Python, and a face that is not placed is drawn as such."""

from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from distill.detection.detection import Detection
from distill.geometry import Box, CropSpec, crop_affine, similarity
from distill.images import warp
from distill.inference.landmarker import Landmarker
from distill.inference.roll import MAX_ROLL, MORE_CROPS
from tests.support.node import image, outputs, pixels, run_script

PLACE = """
  const { Landmarker } = await import("./landmarker.js");
  let crop = null;
  const net = async (given) => { crop = given; return values.outputs; };
  const face = await new Landmarker(net, { crop: values.crop }, 0.55).place(values.photo, values.box);
  return { face, crop };
"""

PLACE_TILTED = """
  const { Landmarker } = await import("./landmarker.js");
  const crops = [];
  const net = async (given) => values.outputs[crops.push(given) - 1];
  const spec = { crop: values.crop, roll: values.roll };
  const face = await new Landmarker(net, spec, 0.55).place(values.photo, values.box);
  return { face, crops };
"""

DRAW = """
  const { drawFaces } = await import("./draw.js");
  const calls = [];
  const context = new Proxy({ getTransform: () => ({ a: 1 }) }, {
    get: (target, name) => target[name] ?? ((...given) => calls.push([name, ...given])),
    set: (target, name, value) => { target[name] = value; calls.push([name, value]); return true; },
  });
  drawFaces(context, values.faces, [{ points: [0, 1], closed: false }]);
  return calls;
"""


class FixedNet:
    """A backend that returns the same outputs for every crop."""

    batch = 1

    def __init__(self, points: np.ndarray, confidence: np.ndarray | None) -> None:
        self.points, self.confidence = points, confidence

    def with_confidence(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        return self.points, self.confidence


@pytest.mark.parametrize("confidence", [None, 0.4, 0.9], ids=["without confidence", "not placed", "placed"])
def test_points_are_those_of_python(confidence: float | None) -> None:
    rng = np.random.default_rng(0)
    photo, box = rng.integers(0, 256, (90, 120, 3), np.uint8), Box(20.5, 10, 75, 70.25)
    crop = CropSpec(64, 1.2, -0.05)
    points = rng.uniform(0, 1, (1, 7, 2)).astype(np.float32)
    certainty = None if confidence is None else np.full((1, 7), confidence, np.float32)
    given: list[Any] = [points] if certainty is None else [certainty, points]  # converters do not keep the order
    found = run_script(PLACE, outputs=outputs(given), crop=asdict(crop), photo=image(photo), box=list(box))

    landmarker = Landmarker()
    landmarker._eyes = None  # the page has one crop of a face
    landmarker._model = FixedNet(points, certainty)  # type: ignore[assignment]
    landmarker.spec = type(landmarker.spec)("net", "scheme", 7, crop)
    landmarker._crop = crop
    (expected,) = landmarker._faces(photo, [Detection(box, 1.0)])
    assert np.array_equal(pixels(found["crop"]), warp(photo, crop_affine(box, crop), crop.size))
    assert np.allclose(found["face"]["landmarks"], expected.landmarks, atol=1e-4)
    assert found["face"]["placed"] is expected.placed
    assert found["face"]["confidence"] == (None if confidence is None else pytest.approx(confidence))


class TurningNet:
    """A backend that returns other points for each crop, and keeps the crops."""

    batch = 1

    def __init__(self, points: list[np.ndarray]) -> None:
        self.points, self.crops = points, list[np.ndarray]()

    def with_confidence(self, images: np.ndarray) -> tuple[np.ndarray, None]:
        self.crops.append(images[0])
        return self.points[len(self.crops) - 1], None


@pytest.mark.parametrize("tight", [True, False])
@pytest.mark.parametrize("rolls", [[10], [50, 5], [-80, -30, -40]], ids=["upright", "tilted", "far tilted"])
def test_crops_of_a_tilted_face_are_those_of_python(rolls: list[float], tight: bool) -> None:
    """`rolls` are those of the landmarks in each crop, of which the last is within 15 degrees or the third."""
    rng = np.random.default_rng(0)
    photo, box, crop = rng.integers(0, 256, (90, 120, 3), np.uint8), Box(30.5, 20, 75, 70.25), CropSpec(64, 1.2, -0.05)
    shape = np.array([[-0.25, -0.1], [0.25, -0.1], [-0.3, -0.2], [0.1, 0.3], [0.25, 0.2]])
    points = [(shape @ similarity(1, 0, 0, 1, roll)[:, :2].T + 0.5).astype(np.float32)[None] for roll in rolls]
    roll = {"eyes": [[0], [1]], "max_roll": MAX_ROLL, "more_crops": MORE_CROPS, "tight": tight}
    given = [outputs([each]) for each in points]
    found = run_script(PLACE_TILTED, outputs=given, crop=asdict(crop), roll=roll, photo=image(photo), box=list(box))

    landmarker, net = Landmarker(), TurningNet(points)
    landmarker._model = net  # type: ignore[assignment]
    landmarker.spec = type(landmarker.spec)("net", "scheme", 5, crop)
    landmarker._crop, landmarker._eyes, landmarker._tight = crop, ((0,), (1,)), tight
    (expected,) = landmarker._faces(photo, [Detection(box, 1.0)])
    assert len(found["crops"]) == len(net.crops) == len(rolls)
    for ours, expected_crop in zip(found["crops"], net.crops, strict=True):
        assert np.abs(pixels(ours).astype(float) - expected_crop).max() <= 2
    assert found["face"]["cropRoll"] == pytest.approx(expected.crop_roll, abs=1e-3)
    assert found["face"]["box"] == pytest.approx(expected.box, abs=1e-3)
    assert np.allclose(found["face"]["landmarks"], expected.landmarks, atol=1e-3)


@pytest.mark.parametrize("placed", [True, False, None])
def test_a_face_that_is_not_placed_is_grey_dashed_and_without_curves(placed: bool | None) -> None:
    face = {"box": [5, 5, 55, 65], "score": 0.9, "landmarks": [[10, 10], [20, 20]], "placed": placed}
    calls = run_script(DRAW, faces=[face])
    uncertain = placed is False
    assert (["strokeStyle", "#808080"] in calls) is uncertain
    assert (["lineTo", 10, 10] in calls) is not uncertain
    assert (["setLineDash", []] not in calls) is uncertain
    assert any("not placed" in str(call) for call in calls) is uncertain
