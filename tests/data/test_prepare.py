"""A store holds the faces it was made of: same points in the same places, whole files only, never another set's."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from distill.data.augment import AugmentConfig, sample_affine
from distill.data.prepare import LABEL, StoreSpec, crop_of, prepare_store
from distill.data.readers import read_faces
from distill.data.records import FaceRecord, make_record
from distill.data.synthetic import write_faces
from distill.errors import AnnotationError, ConfigError, ImageError
from distill.geometry import Box, CropSpec, apply_affine, crop_affine
from distill.images import read_image, warp
from distill.landmarks.schemes import clear_own_schemes, load_scheme
from tests.support.lock_owner import locked_by_another

_ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("generated")
    write_faces(root, 6, seed=5, size=200)
    return root


@pytest.fixture
def records(generated: Path) -> list[FaceRecord]:
    return read_faces("manifest", generated, scheme="ibug68")


def test_the_store_says_the_same_of_every_face(records: list[FaceRecord], tmp_path: Path) -> None:
    known, visible = np.arange(68) != 3, np.arange(68) != 5
    about = {"known": known, "visible": visible & known, "labels": "weak", "attributes": {"yaw": 12.5}}
    records = [replace(records[0], **about), *records[1:]]  # type: ignore[arg-type]
    prepare_store(tmp_path / "store", records, StoreSpec(size=160))
    for stored, record in zip(read_faces("manifest", tmp_path / "store"), records, strict=True):
        for name in ("name", "group", "subset", "scheme", "labels", "attributes"):
            assert getattr(stored, name) == getattr(record, name), name
        assert np.array_equal(stored.known, record.known)
        assert np.array_equal(stored.visible, record.visible)
        assert set(stored.boxes) == set(record.boxes)
        affine, size = crop_of(record, StoreSpec(size=160))
        assert read_image(stored.image).shape == (size, size, 3)
        moved = apply_affine(affine, record.landmarks.astype(np.float64))[record.known]
        assert np.array_equal(stored.landmarks[stored.known], moved)


def test_points_stay_on_the_pixels_they_were_on(tmp_path: Path) -> None:
    """A bright blob at each point is still there in the store, to a fraction of a pixel, after a crop from it."""
    size, points = 400, np.array([[120.3, 130.7], [280.6, 131.2], [200.4, 200.9], [150.2, 270.5], [251.8, 268.1]])
    y, x = np.mgrid[:size, :size]
    photo = sum(255 * np.exp(-((x - px) ** 2 + (y - py) ** 2) / 18) for px, py in points)
    cv2.imwrite(str(tmp_path / "a.png"), np.clip(photo, 0, 255).astype(np.uint8))
    record = make_record(name="a", image=tmp_path / "a.png", landmarks=points, scheme="five", source=tmp_path)
    prepare_store(tmp_path / "store", [record], StoreSpec(size=256, quality=100))
    (stored,) = read_faces("manifest", tmp_path / "store")
    affine = crop_affine(stored.boxes["gt"], CropSpec(192, 1.4))
    crop = warp(read_image(stored.image), affine, 192)[..., 0].astype(float)
    for px, py in apply_affine(affine, stored.landmarks):
        left, top = round(float(px)) - 8, round(float(py)) - 8
        window = crop[top : top + 17, left : left + 17]
        gy, gx = np.mgrid[top : top + 17, left : left + 17]
        centre = (gx * window).sum() / window.sum(), (gy * window).sum() / window.sum()
        assert np.hypot(centre[0] - px, centre[1] - py) < 0.1


def test_faces_are_never_enlarged_and_every_box_is_inside(records: list[FaceRecord]) -> None:
    spec = StoreSpec(size=1000)
    record = replace(records[0], boxes={**records[0].boxes, "dataset": Box(10, 20, 60, 90)})
    affine, size = crop_of(record, spec)
    assert np.linalg.det(affine[:, :2]) == pytest.approx(1, abs=0.02)
    for box in record.boxes.values():
        corners = apply_affine(affine, np.array([[box.x0, box.y0], [box.x1, box.y1]]))
        assert (corners > 0).all()
        assert (corners < size).all()


def test_the_default_margin_holds_all_that_training_can_see(records: list[FaceRecord]) -> None:
    crop, config, rng = CropSpec(128, 1.3), AugmentConfig(), np.random.default_rng(0)
    spec = StoreSpec(size=2000)
    for record in records:
        inside, size = crop_of(record, spec)
        for _ in range(300):
            affine, _ = sample_affine(record.boxes["gt"], crop, config, rng)
            corners = np.array([[-0.5, -0.5], [-0.5, 127.5], [127.5, -0.5], [127.5, 127.5]])
            photo = (corners - affine[:, 2]) @ np.linalg.inv(affine[:, :2]).T
            placed = apply_affine(inside, photo)
            assert placed.min() > -1.5
            assert placed.max() < size + 0.5


def test_running_again_changes_nothing_and_mends_half_files(records: list[FaceRecord], tmp_path: Path) -> None:
    root = tmp_path / "store"
    manifest = prepare_store(root, records)
    pictures = sorted(root.glob("images/*.jpg"))
    times = {path: path.stat().st_mtime_ns for path in pictures}
    whole, text = pictures[1].read_bytes(), manifest.read_bytes()
    pictures[1].write_bytes(whole[:500])
    manifest.unlink()
    assert prepare_store(root, records).read_bytes() == text
    assert pictures[1].read_bytes() == whole
    assert all(path.stat().st_mtime_ns == times[path] for path in pictures if path != pictures[1])


def test_other_faces_or_options_are_refused(records: list[FaceRecord], tmp_path: Path) -> None:
    root = tmp_path / "store"
    prepare_store(root, records)
    with pytest.raises(ConfigError, match=r"other faces or options \(size\)"):
        prepare_store(root, records, StoreSpec(size=128))
    with pytest.raises(ConfigError, match=r"\(data_hash\)"):
        prepare_store(root, [*records[1:], replace(records[0], landmarks=records[0].landmarks + 1)])
    (root / LABEL).unlink()
    with pytest.raises(ConfigError, match="holds other files"):
        prepare_store(root, records)
    with pytest.raises(AnnotationError, match="no faces"):
        prepare_store(tmp_path / "new", [])
    with pytest.raises(ConfigError, match="margin 0"):
        StoreSpec(margin=0)


def test_a_photo_that_cannot_be_read_stops_it_by_name(records: list[FaceRecord], tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(records[0].image.read_bytes()[:2000])
    with pytest.raises(ImageError, match=r"broken\.jpg"):
        prepare_store(tmp_path / "store", [replace(records[0], image=broken)])
    assert not (tmp_path / "store" / "faces.json").exists(), "a store with a manifest is a finished one"


def test_a_scheme_of_ones_own_goes_along(tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text(
        "name: two\ntitle: two points\nn_points: 2\nflip: [[0, 1]]\ngroups: {eyes: 0-1}\nedges: []\n"
    )
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((80, 80, 3), np.uint8))
    scheme = str(tmp_path / "two.yaml")
    at = np.array([[20.0, 20.0], [50.0, 60.0]])
    record = make_record(name="a", image=tmp_path / "a.png", landmarks=at, scheme=scheme, source=tmp_path)
    prepare_store(tmp_path / "store", [record])
    (stored,) = read_faces("manifest", tmp_path / "store")
    assert stored.scheme == "two"
    assert load_scheme(stored.scheme).n_points == 2
    # Another process, in which the definition has not been read before.
    clear_own_schemes()
    (tmp_path / "two.yaml").unlink()
    (again,) = read_faces("manifest", tmp_path / "store")
    assert load_scheme(again.scheme).n_points == 2


def test_kill_minus_nine_leaves_a_store_that_continues(generated: Path, tmp_path: Path) -> None:
    root = tmp_path / "store"
    code = (
        "import sys, time; from pathlib import Path; import distill.data.prepare as p\n"
        "from distill.data.readers import read_faces\n"
        "write = p.write_bytes\n"
        "def slow(path, content): write(path, content); print(path, flush=True); time.sleep(0.5)\n"
        "p.write_bytes = slow\n"
        f"faces = read_faces('manifest', Path({str(generated)!r}), scheme='ibug68')\n"
        f"p.prepare_store(Path({str(root)!r}), faces, workers=1)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=_ROOT, stdout=subprocess.PIPE, env=dict(os.environ))
    assert process.stdout is not None
    for _ in range(2):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    time.sleep(0.1)
    first = sorted(root.glob("images/*.jpg"))
    assert 2 <= len(first) < 6
    assert not (root / "faces.json").exists()
    times = {path: path.stat().st_mtime_ns for path in first}
    records = read_faces("manifest", generated, scheme="ibug68")
    prepare_store(root, records)
    assert len(json.loads((root / "faces.json").read_text())["faces"]) == 6
    assert all(path.stat().st_mtime_ns == times[path] for path in first)
    fresh = prepare_store(tmp_path / "fresh", records)
    assert fresh.read_bytes() == (root / "faces.json").read_bytes()
    for path in sorted(root.glob("images/*.jpg")):
        assert path.read_bytes() == (tmp_path / "fresh" / "images" / path.name).read_bytes()


def test_a_second_owner_of_a_store_is_refused_and_leftovers_go(records: list[FaceRecord], tmp_path: Path) -> None:
    """Another process holds the lock of the folder; after it, a killed one has left half a picture."""
    root = tmp_path / "store"
    with (
        locked_by_another(root, "is preparing") as pid,
        pytest.raises(ConfigError, match=f"process {pid} is preparing this folder"),
    ):
        prepare_store(root, records, StoreSpec(size=160))
    prepare_store(root, records, StoreSpec(size=160))
    (root / "images" / ".face.tmp-abcdefgh.jpg").write_bytes(b"half")
    prepare_store(root, records, StoreSpec(size=160))
    assert not list(root.rglob(".*"))
