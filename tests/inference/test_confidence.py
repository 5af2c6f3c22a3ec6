"""Low confidence means a large error, and faces below the limit are marked."""

from pathlib import Path

import numpy as np
import pytest

from distill.data.crops import plain_crop
from distill.data.synthetic import render_face
from distill.errors import ConfigError
from distill.geometry import Box, apply_affine, box_of_points, crop_affine, normalise
from distill.inference.confidence import MIN_CONFIDENCE, face_confidence, is_placed, require_share
from distill.inference.load import open_backend

FACES = 40
WEIGHTS = Path(__file__).parents[2] / "checkpoints" / "student_68_128.safetensors"


def _ranks(values: np.ndarray) -> np.ndarray:
    return values.argsort().argsort().astype(float)


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's coefficient of values without ties."""
    return float(np.corrcoef(_ranks(a.ravel()), _ranks(b.ravel()))[0, 1])


@pytest.fixture(scope="module")
def measured() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Errors (n, k) in crops and confidence (n, k) on generated faces cut out ever worse, and crops without a face."""
    backend = open_backend(WEIGHTS)
    random = np.random.default_rng(0)
    crops, truth, empty = [], [], []
    for index in range(FACES):
        face = render_face(4711, index)
        box = box_of_points(face.landmarks["ibug68"])
        x, y = random.normal(0, 0.25 * index / FACES, 2) * box.width
        moved = Box(box.x0 + x, box.y0 + y, box.x1 + x, box.y1 + y)
        crops.append(plain_crop(face.image, moved, backend.spec))
        affine = crop_affine(moved, backend.spec.crop)
        truth.append(normalise(apply_affine(affine, face.landmarks["ibug68"]), backend.spec.crop.size, 128))
        empty.append(plain_crop(face.image, Box(2, 2, 2 + box.width / 6, 2 + box.height / 6), backend.spec))
    points, confidence = backend.with_confidence(np.stack(crops))
    _, without = backend.with_confidence(np.stack(empty))
    assert confidence is not None
    assert without is not None
    return np.linalg.norm(points - np.stack(truth), axis=-1), confidence, without


def test_low_confidence_means_a_large_error(measured: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    errors, confidence, _ = measured
    assert rank_correlation(errors, -confidence) > 0.4
    assert rank_correlation(errors.mean(1), -confidence.mean(1)) > 0.6


def test_faces_are_placed_and_crops_without_a_face_are_not(measured: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    errors, confidence, without = measured
    good = errors.mean(1) < 0.05
    placed = np.array([is_placed(points, MIN_CONFIDENCE) for points in confidence])
    assert good.sum() > FACES / 2
    assert placed[good].mean() > 0.9
    assert np.mean([is_placed(points, MIN_CONFIDENCE) for points in without]) < 0.1


def test_there_is_no_verdict_without_a_confidence() -> None:
    assert is_placed(None, MIN_CONFIDENCE) is None
    assert is_placed(np.array([0.5, 0.7], np.float32), 0.6)
    assert face_confidence([0.5, 0.7]) == pytest.approx(0.6)


@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan")])
def test_a_limit_is_a_share(value: float) -> None:
    with pytest.raises(ConfigError, match=r"--min_confidence .* is no confidence; give a number from 0 to 1"):
        require_share("--min_confidence", value)
