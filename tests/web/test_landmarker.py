"""The page's landmarks of a face are those of Python, and a face that is not placed is drawn as such."""

from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from distill.detection.detection import Detection
from distill.geometry import Box, CropSpec, crop_affine
from distill.images import warp
from distill.inference.landmarker import Landmarker
from tests.support.node import image, outputs, pixels, run_script

PLACE = """
  const { Landmarker } = await import("./landmarker.js");
  let crop = null;
  const net = async (given) => { crop = given; return values.outputs; };
  const face = await new Landmarker(net, { crop: values.crop }, 0.55).place(values.photo, values.box);
  return { face, crop };
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


@pytest.mark.parametrize("placed", [True, False, None])
def test_a_face_that_is_not_placed_is_grey_dashed_and_without_curves(placed: bool | None) -> None:
    face = {"box": [5, 5, 55, 65], "score": 0.9, "landmarks": [[10, 10], [20, 20]], "placed": placed}
    calls = run_script(DRAW, faces=[face])
    uncertain = placed is False
    assert (["strokeStyle", "#808080"] in calls) is uncertain
    assert (["lineTo", 10, 10] in calls) is not uncertain
    assert (["setLineDash", []] not in calls) is uncertain
    assert any("not placed" in str(call) for call in calls) is uncertain
