"""The official average precision of WIDER FACE equals a literal, independent copy of the official algorithm."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from distill.data.photos.wider_difficulty import WiderFaces, read_difficulties
from distill.detection.wider_evaluation import DIFFICULTIES, WiderPhoto, official_average_precision

EVERY = 12  # photos of the official file that are compared; all of them agree as well


def overlap(a: Sequence[float], b: Sequence[float]) -> float:
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0]) + 1
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1]) + 1
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / ((a[2] + 1) * (a[3] + 1) + (b[2] + 1) * (b[3] + 1) - shared)


def literal(photos: Sequence[WiderPhoto]) -> float:
    """Return the average precision as `eval_tools` computes it: photo by photo, detection by detection."""
    every = [float(score) for photo in photos for score in photo.scores]
    low, high, total = min(every), max(every), 0
    table = [[0, 0] for _ in range(1000)]
    for photo in photos:
        total += sum(map(bool, photo.counted))
        if len(photo.faces) == 0 or len(photo.found) == 0:
            continue
        order = sorted(range(len(photo.found)), key=lambda i: -photo.scores[i])
        scores = [(float(photo.scores[i]) - low) / (high - low) for i in order]
        state = [0 if counts else -1 for counts in photo.counted]  # of faces: 0 missed, 1 found, -1 ignored
        proposals, recalls = [], []
        for index in order:
            ious = [overlap(photo.found[index], face) for face in photo.faces]
            best = max(range(len(ious)), key=lambda i: ious[i])
            proposal = 1
            if ious[best] >= 0.5:
                if state[best] == -1:
                    proposal = -1
                else:
                    state[best] = 1
            proposals.append(proposal)
            recalls.append(state.count(1))
        for step in range(1000):
            reached = [i for i, score in enumerate(scores) if score >= 1 - (step + 1) / 1000]
            if reached:
                table[step][0] += proposals[: reached[-1] + 1].count(1)
                table[step][1] += recalls[reached[-1]]
    recall = [0.0, *(found / total for _, found in table), 1.0]
    precision = [0.0, *(found / proposed if proposed else 0.0 for proposed, found in table), 0.0]
    for i in range(len(precision) - 2, -1, -1):
        precision[i] = max(precision[i], precision[i + 1])
    return sum((recall[i + 1] - recall[i]) * precision[i + 1] for i in range(len(recall) - 1))


def detections(faces: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return shifted copies of most faces, some twice, and boxes on nothing, with scores that overlap."""
    kept = np.concatenate([faces[rng.random(len(faces)) < 0.8], faces[rng.random(len(faces)) < 0.2]])
    moved = kept + rng.normal(0, 0.12, kept.shape) * kept[:, 2:].mean(axis=1, keepdims=True)
    moved[:, 2:] = np.maximum(moved[:, 2:], 1)
    wrong = rng.uniform(5, 900, (int(rng.integers(0, 6)), 4))
    scores = np.concatenate([rng.normal(0.6, 0.2, len(moved)), rng.normal(0.4, 0.2, len(wrong))])
    return np.concatenate([moved, wrong]), scores.round(2)  # some are equal


def with_detections(faces: Sequence[WiderFaces], difficulty: str) -> list[WiderPhoto]:
    rng = np.random.default_rng(0)
    return [WiderPhoto(*detections(face.boxes, rng), face.boxes, face.counted[difficulty]) for face in faces]


def random_faces(rng: np.random.Generator, count: int) -> WiderFaces:
    boxes = np.c_[rng.uniform(0, 900, (count, 2)), rng.uniform(4, 200, (count, 2))]
    return WiderFaces(
        boxes, {name: rng.random(count) < share for name, share in zip(DIFFICULTIES, (0.2, 0.5, 1), strict=True)}
    )


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_equals_the_official_algorithm_on_random_faces(difficulty: str) -> None:
    rng = np.random.default_rng(1)
    photos = with_detections([random_faces(rng, int(count)) for count in rng.integers(0, 30, 40)], difficulty)
    assert official_average_precision(photos) == pytest.approx(literal(photos), abs=1e-6)
    assert 0.1 < literal(photos) < 0.95


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_equals_the_official_algorithm_on_the_official_faces(real_data: Path, difficulty: str) -> None:
    labels = real_data / "widerface" / "official_val_ground_truth" / "wider_face_val.mat"
    faces = list(read_difficulties(labels).values())
    assert len(faces) == 3226
    photos = with_detections(faces[::EVERY], difficulty)
    assert official_average_precision(photos) == pytest.approx(literal(photos), abs=1e-6)


def test_perfect_detections_have_a_precision_of_one() -> None:
    faces = random_faces(np.random.default_rng(2), 20)
    photo = WiderPhoto(faces.boxes, np.linspace(0.1, 1, 20), faces.boxes, np.ones(20, bool))
    assert official_average_precision([photo]) == pytest.approx(1.0)


def test_a_face_that_does_not_count_is_neither_found_nor_false() -> None:
    faces = np.array([[0, 0, 50, 50], [100, 0, 50, 50]], float)
    photo = WiderPhoto(faces, np.array([0.9, 0.8]), faces, np.array([False, True]))
    assert official_average_precision([photo]) == pytest.approx(1.0)
    assert np.isnan(official_average_precision([photo._replace(counted=np.zeros(2, bool))]))
    assert official_average_precision([photo._replace(found=np.zeros((0, 4)), scores=np.zeros(0))]) == 0
