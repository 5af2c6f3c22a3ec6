"""Changes of photos keep the truth where it was, and every model sees the same ones."""

import cv2
import numpy as np
import pytest

from distill.evaluate.evaluate import AS_THEY_ARE, UNCHANGED, View, measure
from distill.evaluate.faces import load_faces
from distill.evaluate.robustness import TESTS, change, robustness
from distill.geometry import Box, apply_affine
from tests.support.evaluation import MakeOracle

SIZE = 193
CENTRE = np.array([[101.0, 83.0]])


def blob_view() -> View:
    y, x = np.mgrid[:SIZE, :SIZE]
    bump = 255 * np.exp(-((x - CENTRE[0, 0]) ** 2 + (y - CENTRE[0, 1]) ** 2) / (2 * 12.0**2))
    return View(np.repeat(bump.round().astype(np.uint8)[..., None], 3, 2), Box(40, 30, 150, 140))


def centroid(photo: np.ndarray) -> np.ndarray:
    weights = photo[..., 0].astype(float)
    y, x = np.mgrid[: photo.shape[0], : photo.shape[1]]
    return np.array([(weights * x).sum(), (weights * y).sum()]) / weights.sum()


@pytest.mark.parametrize("factor", [2, 3, 4, 8])
@pytest.mark.parametrize("test", ["resolution", "upscaling"])
def test_a_shrunk_photo_keeps_its_points(test: str, factor: float) -> None:
    changed = change(test, factor)(blob_view(), np.random.default_rng(0))
    expected = CENTRE if changed.from_photo is None else apply_affine(changed.from_photo, CENTRE)
    assert np.abs(centroid(changed.photo) - expected).max() < 0.1


def test_the_box_shrinks_with_the_photo() -> None:
    view = blob_view()
    changed = change("resolution", 4)(view, np.random.default_rng(0))
    assert changed.from_photo is not None
    assert changed.photo.shape[0] == round(SIZE / 4)
    assert np.array(changed.box).reshape(2, 2) == pytest.approx(
        apply_affine(changed.from_photo, np.array(view.box).reshape(2, 2)), abs=1e-4
    )


@pytest.mark.parametrize("test", ["occlusion", "shapes"])
@pytest.mark.parametrize("share", TESTS["occlusion"][1])
def test_the_share_of_the_box_is_covered_and_nothing_outside(share: float, test: str) -> None:
    view = View(np.zeros((200, 200, 3), np.uint8), Box(50, 40, 150, 160))
    for seed in range(30):
        covered = change(test, share)(view, np.random.default_rng(seed)).photo.any(-1)
        inside = covered[40:161, 50:151]
        assert covered.sum() == inside.sum()
        assert covered.sum() / (100 * 120) == pytest.approx(share, rel=0.12)
    assert not view.photo.any(), "the photo handed in was painted on"


def test_faces_are_covered_by_circles_ellipses_and_rectangles() -> None:
    view, kinds = View(np.zeros((200, 200, 3), np.uint8), Box(50, 40, 150, 160)), set()
    for seed in range(40):
        covered = change("shapes", 0.3)(view, np.random.default_rng(seed)).photo.any(-1)
        height, width = (int(covered.any(axis).sum()) for axis in (1, 0))
        full = covered.sum() == height * width
        kinds.add("rectangle" if full else "circle" if abs(height - width) <= 1 else "ellipse")
    assert kinds == {"circle", "ellipse", "rectangle"}


def test_a_face_that_the_photo_cuts_off_is_covered_too() -> None:
    view = View(np.zeros((100, 100, 3), np.uint8), Box(-30, -30, 130, 140))
    for seed in range(20):
        assert change("shapes", 0.5)(view, np.random.default_rng(seed)).photo.any()


def test_noise_has_the_requested_deviation() -> None:
    view = View(np.full((100, 100, 3), 128, np.uint8), Box(0, 0, 99, 99))
    noisy = change("noise", 0.05)(view, np.random.default_rng(1)).photo
    assert noisy.astype(float).std() == pytest.approx(0.05 * 255, rel=0.03)


def test_jitter_moves_the_box_and_not_the_photo() -> None:
    view = blob_view()
    boxes = [change("box jitter", 0.1)(view, np.random.default_rng(seed)).box for seed in range(400)]
    shifts = np.array([(b.centre[0] - view.box.centre[0]) / view.box.width for b in boxes])
    sizes = np.log([b.width / view.box.width for b in boxes])
    assert shifts.std() == pytest.approx(0.1, rel=0.15)
    assert sizes.std() == pytest.approx(0.1, rel=0.15)
    assert all(b.width / b.height == pytest.approx(view.box.width / view.box.height) for b in boxes)


def test_an_oracle_stays_right_through_every_change_of_the_photo(root, oracle: MakeOracle) -> None:
    # It finds the face by its grey and predicts for the unchanged crop; shrinking by whole pixels must not move it.
    faces = load_faces("inner51", format="manifest", root=root)
    changes = {f"{test} {level}": change(test, level) for test in ("resolution", "upscaling") for level in (2, 5)}
    found = measure(oracle(), faces, "oracle", {**AS_THEY_ARE, **changes}, progress=False)
    assert set(found) == {UNCHANGED, *changes}
    for name, evaluation in found.items():
        assert evaluation.protocol.change == name
        assert evaluation.errors.max() < 1e-3, name


def test_two_runs_are_equal_and_the_levels_are_all_there(root, oracle: MakeOracle) -> None:
    faces = load_faces("inner51", format="manifest", root=root, subset="common", limit=3)
    model = Constant(oracle())
    plain = measure(model, faces, "m", progress=False)[UNCHANGED]
    first, second = (robustness(model, faces, plain, progress=False) for _ in range(2))
    assert first == second
    assert {test: [p["level"] for p in found["points"]] for test, found in first.items()} == {
        test: [0.0, *levels] for test, (_, levels) in TESTS.items()
    }


class Constant:
    """Answers with one place: the brightest row and column, so that what it sees matters."""

    def __init__(self, like) -> None:
        self.spec, self.runtime, self.sha256 = like.spec, like.runtime, like.sha256

    def __call__(self, crops: np.ndarray) -> np.ndarray:
        small = np.stack([cv2.resize(crop, (4, 4), interpolation=cv2.INTER_AREA).mean((1, 2)) for crop in crops])
        return np.repeat(np.stack([small.mean(1), small[:, 0]], -1)[:, None] / 255, self.spec.n_points, 1)
