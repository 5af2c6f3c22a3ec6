"""COFW (Matlab files): round trips, conventions and error messages."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from distill.data.readers import read_faces
from distill.data.readers.cofw import photo_path
from distill.data.readers.cofw_photos import main, unpack_cofw
from distill.errors import AnnotationError
from distill.geometry import Box
from tests.support.reader_cases import (
    SIZE,
    make_cofw,
    random_points,
    write_cofw,
)


def test_cofw_round_trip(root: Path) -> None:
    pytest.importorskip("h5py")
    make_cofw(root)
    first, second = read_faces("cofw", root, ["train"])
    np.testing.assert_allclose(first.landmarks, random_points(29, 0), atol=1e-5)
    assert first.visible.all()
    assert np.flatnonzero(~second.visible).tolist() == [5, 6, 7, 8]
    assert second.known.all(), "an occluded point has a position"
    assert first.boxes["dataset"] == Box(2, 3, 72, 63)
    for index, record in enumerate((first, second)):
        shape = (3, *SIZE) if index == 0 else SIZE
        pixels = np.random.default_rng(index).integers(0, 256, shape, dtype=np.uint8).T
        unpacked = cv2.imread(str(record.image))[..., ::-1]
        np.testing.assert_array_equal(unpacked, pixels if index == 0 else np.repeat(pixels[..., None], 3, 2))


def test_cofw_says_how_to_unpack_and_resumes(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("h5py")
    make_cofw(root)
    photo_path(root, "train", 1).unlink()
    with pytest.raises(AnnotationError, match=r"python -m distill.data.readers.cofw_photos"):
        read_faces("cofw", root)
    kept = photo_path(root, "train", 0).stat().st_mtime_ns
    assert main([str(root)]) == 0
    assert photo_path(root, "train", 0).stat().st_mtime_ns == kept
    assert "2 photos" in capsys.readouterr().out
    assert len(read_faces("cofw", root)) == 2
    assert main([str(root / "nowhere")]) == 2
    assert main([]) == 2


def test_cofw_points_and_photos_must_match(root: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path = make_cofw(root)
    with h5py.File(path, "a") as file:
        del file["bboxesTr"]
        file.create_dataset("bboxesTr", data=np.ones((4, 3)))
    with pytest.raises(AnnotationError, match="2 faces, 3 boxes and 2 photos"):
        read_faces("cofw", root)
    write_cofw(path, "T", np.zeros((1, 29, 2)), np.zeros((1, 29), bool))
    with pytest.raises(AnnotationError, match="IsTr"):
        unpack_cofw(root)
