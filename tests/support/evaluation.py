"""A made data set whose photos say which face they show, and a model that reads it off and returns the landmarks."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from distill.data.readers import read_faces
from distill.data.records import FaceRecord
from distill.evaluate.evaluate import evaluate
from distill.evaluate.result import Evaluation
from distill.geometry import CropSpec, apply_affine, crop_affine, normalise
from distill.inference.backend import Backend
from distill.landmarks import load_scheme
from distill.spec import ModelSpec

N_FACES = 9
WIDTH, HEIGHT = 90, 70
# Face i is a photo of this grey.
STEP = 20


class Oracle(Backend):
    """Answers with the truth moved by `shift` pixels of the photo: the grey of the crop identifies the face."""

    def __init__(self, records: list[FaceRecord], scheme: str, boxes: str = "gt", shift: tuple[float, float] = (0, 0)):
        k = load_scheme(scheme).n_points
        self.spec = ModelSpec(arch="oracle", scheme=scheme, n_points=k, crop=CropSpec(size=48, scale=1.3, shift_y=-0.1))
        self.runtime, self.sha256 = "none", "0" * 64
        self.records, self.boxes, self.shift, self.batches = records, boxes, np.array(shift), list[int]()

    def _predict(self, crop: NDArray[np.uint8]) -> NDArray[np.float32]:
        record = self.records[round(float(np.median(crop)) / STEP)].in_scheme(self.spec.scheme)
        affine = crop_affine(record.boxes[self.boxes], self.spec.crop)
        size = self.spec.crop.size
        return normalise(apply_affine(affine, record.landmarks + self.shift), size, size)

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.batches.append(len(crops))
        return np.stack([self._predict(crop) for crop in crops])


def write_photos(folder: Path) -> Path:
    """Write nine faces in two subsets, points in ibug68; only the first eight have a detector's box."""
    rng, faces = np.random.default_rng(5), []
    for i in range(N_FACES):
        Image.fromarray(np.full((HEIGHT, WIDTH, 3), STEP * i, np.uint8)).save(folder / f"{i}.png")
        points = rng.uniform(0.2, 0.8, (68, 2)) * (WIDTH, HEIGHT)
        # An outer eye distance of exactly 40 pixels makes every expected NME a round number.
        points[36], points[45] = (20, 30), (60, 30)
        low, high = points.min(0).tolist(), points.max(0).tolist()
        boxes = {"gt": [*low, *high]} | ({"det": [low[0] - 3, low[1] + 2, high[0] + 4, high[1]]} if i < 8 else {})
        subset = "common" if i < 6 else "hard"
        face = {"name": f"{subset}/{i}", "image": f"{i}.png", "points": {"ibug68": points.tolist()}}
        faces.append({**face, "boxes": boxes, "subset": subset})
    (folder / "faces.json").write_text(json.dumps({"format": "distill-faces/1", "faces": faces}))
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The nine faces of `write_photos`."""
    return write_photos(tmp_path)


MakeOracle = Callable[..., Oracle]
Measure = Callable[..., Evaluation]


@pytest.fixture
def oracle(root: Path) -> MakeOracle:
    def make(scheme: str = "inner51", boxes: str = "gt", shift: tuple[float, float] = (0, 0)) -> Oracle:
        return Oracle(read_faces("manifest", root), scheme, boxes, shift)

    return make


@pytest.fixture
def measure(root: Path, oracle: MakeOracle) -> Measure:
    """Evaluate an oracle that is `shift` pixels off."""

    def run(shift: tuple[float, float] = (0, 0), **options: object) -> Evaluation:
        arguments = {"format": "manifest", "root": root, "progress": False, **options}
        return evaluate(oracle(shift=shift), **arguments)  # type: ignore[arg-type]

    return run
