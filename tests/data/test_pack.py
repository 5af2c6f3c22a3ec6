"""A packed file gives back the faces that went in, and refuses what is not one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from distill.cli.data import run
from distill.data.pack import PackedFaces, decoded, read_pack, write_pack
from distill.data.prepare import StoreSpec, crop_of
from distill.data.readers import read_faces
from distill.data.records import FaceRecord
from distill.data.synthetic import write_faces
from distill.errors import AnnotationError, ConfigError
from distill.geometry import CropSpec, apply_affine
from distill.images import read_image, warp
from tests.support.damage import flip_byte
from tests.support.errors import assert_one_line

SPEC = StoreSpec(128, 1.9, 95)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("generated")
    write_faces(root, 10, seed=5, size=160)
    return root


@pytest.fixture(scope="module")
def faces(root: Path) -> list[FaceRecord]:
    return read_faces("manifest", root, scheme="ibug68")


@pytest.fixture(scope="module")
def packed(faces: list[FaceRecord], tmp_path_factory: pytest.TempPathFactory) -> PackedFaces:
    path = tmp_path_factory.mktemp("pack") / "faces.safetensors"
    roles = ["val", "unlabelled", *["train"] * 8]
    write_pack(path, list(zip(roles, faces, strict=True)), CropSpec(64, 1.25, 0.1), SPEC)
    return read_pack(path)


def test_points_boxes_and_pixels_are_those_of_the_photo(packed: PackedFaces, faces: list[FaceRecord]) -> None:
    for index, record in enumerate(faces):
        affine, size = crop_of(record, SPEC)
        np.testing.assert_allclose(packed.landmarks[index], apply_affine(affine, record.landmarks), atol=1e-3)
        box = record.boxes["gt"]
        corners = apply_affine(affine, np.array([[box.x0, box.y0], [box.x1, box.y1]]))
        np.testing.assert_allclose(packed.boxes[index], corners.reshape(4), atol=1e-3)
        pixels, factor = decoded(packed.images[index], size)
        assert factor == 1
        difference = np.abs(pixels.astype(int) - warp(read_image(record.image), affine, size))
        assert difference.mean() < 4, "WebP of quality 95; swapped colours or another crop differ by far more"


def test_roles_crop_and_origin_are_kept(packed: PackedFaces) -> None:
    assert [packed.indices(role).tolist() for role in ("val", "unlabelled")] == [[0], [1]]
    assert packed.crop == CropSpec(64, 1.25, 0.1)
    assert packed.scheme == "ibug68"
    assert packed.origin["trained_on"]


def test_a_resized_crop_tells_its_factor(packed: PackedFaces) -> None:
    pixels, factor = decoded(packed.images[0], 256)
    assert pixels.shape == (256, 256, 3)
    assert factor == 256 / decoded(packed.images[0], 128)[0].shape[0] * decoded(packed.images[0], 128)[1]


def test_a_changed_pack_is_refused(tmp_path: Path, faces: list[FaceRecord]) -> None:
    """One byte of a picture or of the points: the file opens and its tensors are there."""
    path = tmp_path / "faces.safetensors"
    write_pack(path, [("train", face) for face in faces[:2]], CropSpec(), SPEC)
    flip_byte(path)
    with pytest.raises(ConfigError, match="SHA-256 of its content differs") as caught:
        read_pack(path)
    assert_one_line(caught)


def test_what_cannot_be_packed_or_read_is_refused(tmp_path: Path, faces: list[FaceRecord]) -> None:
    path = tmp_path / "faces.safetensors"
    with pytest.raises(AnnotationError, match="no faces to pack"):
        write_pack(path, [], CropSpec(), SPEC)
    other = replace(faces[0], scheme="inner51", landmarks=faces[0].landmarks[:51], known=faces[0].known[:51])
    with pytest.raises(ConfigError, match="schemes ibug68, inner51"):
        write_pack(path, [("train", faces[1]), ("train", other)], CropSpec(), SPEC)
    with pytest.raises(ConfigError, match="no such file"):
        read_pack(path)
    path.write_bytes(b"\x08" + bytes(40))
    with pytest.raises(ConfigError, match="not a file of `distill data pack`"):
        read_pack(path)


def test_the_command_packs_what_a_training_would_read(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "faces.safetensors"
    sets = f"[{{format: manifest, root: {root}, subset: val, scheme: ibug68, labels: none}}]"
    argv = ["pack", str(out), "--data.format", "manifest", "--data.root", str(root), "--data.subset", "train"]
    options = ["--data.val_subset", "test", "--data.scheme", "inner51", "--data.sets", sets, "--size", "96"]
    assert run([*argv, *options]) == 0
    packed = read_pack(out)
    assert [len(packed.indices(role)) for role in ("train", "val", "unlabelled")] == [8, 1, 1]
    assert packed.landmarks.shape == (10, 51, 2)
    assert not packed.known[packed.indices("unlabelled")].any()


def test_a_part_of_a_set_is_drawn_by_the_seed(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def pack(name: str, faces: int, *options: str) -> int:
        sets = f"[{{format: manifest, root: {root}, subset: train, scheme: ibug68, labels: none, faces: {faces}}}]"
        argv = ["pack", str(tmp_path / name), "--data.format", "manifest", "--data.root", str(root)]
        own = ["--data.subset", "val", "--data.val_subset", "test", "--data.scheme", "ibug68", "--data.sets", sets]
        return run([*argv, *own, "--size", "96", *options])

    assert [pack("first", 3), pack("again", 3), pack("other", 3, "--seed", "1")] == [0, 0, 0]
    # Not the bytes: safetensors writes its metadata in any order.
    first, again, other = (read_pack(tmp_path / name) for name in ("first", "again", "other"))
    assert len(first.indices("unlabelled")) == 3
    assert np.array_equal(first.boxes, again.boxes)
    assert not np.array_equal(first.boxes, other.boxes)
    with pytest.raises(ConfigError, match=r"--data\.sets: faces 9 of .*, which has 8; leave it out"):
        pack("all", 9)
