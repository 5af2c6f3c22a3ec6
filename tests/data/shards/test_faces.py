"""Faces of shards: arrays and records say the same, the order mixes a window of shards, and damage is found."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.data.records import FaceRecord
from distill.data.shards.faces import ShardFaces, full_name, open_shards
from distill.data.shards.index import ShardIndex
from distill.data.shards.rows import row_type
from distill.data.shards.storage import ShardStorage
from distill.data.splits import data_hash
from distill.data.trained_photos import count_photos, photo_fingerprints
from distill.errors import AnnotationError, ConfigError
from distill.images import read_image
from tests.data.shards.conftest import FACES
from tests.support.damage import flip_byte
from tests.support.errors import assert_one_line

Pack = Callable[..., Path]


def test_columns_and_photos_are_those_of_the_records(pack: Pack, drawn: list[FaceRecord]) -> None:
    faces = open_shards(pack()).select(np.array([0, 2, 3, 9, 21]))
    assert faces.has_box(["dataset"]).tolist() == [False, True, True, True, True]
    assert faces.has_box(["dataset", "gt"]).all()
    assert faces.has_points().all()
    assert [face.name for face in faces[1:3]] == [f"shard-000000.tar/000000-00000{face}" for face in (2, 3)]
    assert count_photos(faces) == 4
    originals = [drawn[index] for index in (0, 2, 3, 9, 21)]
    assert photo_fingerprints(faces) == photo_fingerprints(originals), "a model is not measured on them unnoticed"


def test_points_are_converted_when_they_are_read(pack: Pack) -> None:
    faces = open_shards(pack())
    inner = faces.in_scheme("inner51")
    expected = [face.in_scheme("inner51") for face in faces]
    for actual, record in zip(inner, expected, strict=True):
        np.testing.assert_array_equal(actual.landmarks, record.landmarks)
        np.testing.assert_array_equal(actual.known, record.known)
        assert actual.scheme == "inner51"
    with pytest.raises(ConfigError):
        faces.in_scheme("wflw98")


def test_the_hash_is_of_the_faces_and_not_of_the_shards(pack: Pack, moved: list[FaceRecord]) -> None:
    faces = open_shards(pack())
    assert data_hash(faces) == data_hash(open_shards(pack("larger", per_shard=7)))
    assert data_hash(faces.select(np.arange(5))) != data_hash(faces)
    assert data_hash(open_shards(pack("moved", faces=moved))) != data_hash(faces)


def _many(shards: int, per_shard: int, window: int) -> ShardFaces:
    rows = [np.zeros(per_shard, row_type(1)) for _ in range(shards)]
    index = ShardIndex(ShardStorage(Path(), 1), {}, rows, np.arange(shards) * per_shard)
    return ShardFaces(index, np.arange(shards * per_shard), "face1", window)


@given(
    shards=st.integers(1, 9), per_shard=st.integers(1, 9), window=st.integers(1, 12), seed=st.integers(0, 9),
    epoch=st.integers(0, 3),
)  # fmt: skip
def test_an_epoch_is_every_face_once_and_depends_on_seed_and_epoch_alone(
    shards: int, per_shard: int, window: int, seed: int, epoch: int
) -> None:
    order = _many(shards, per_shard, window).order(seed, epoch)
    assert sorted(order) == list(range(shards * per_shard))
    np.testing.assert_array_equal(order, _many(shards, per_shard, window).order(seed, epoch))


def test_the_order_mixes_as_many_shards_as_the_window_has() -> None:
    shards, per_shard, window = 40, 200, 4
    faces = _many(shards, per_shard, window)
    order = faces.order(0, 0)
    of_shard = order // per_shard
    stretches = [len(set(of_shard[start : start + per_shard])) for start in range(0, len(order), per_shard)]
    assert window <= min(stretches)
    assert max(stretches) <= window + 2
    assert not np.array_equal(order, faces.order(0, 1))
    assert not np.array_equal(order, faces.order(1, 0))


def test_damaged_photos_are_named(pack: Pack) -> None:
    root = pack()
    faces = open_shards(root)
    shard = root / "shard-000001.tar"
    flip_byte(shard, (int(faces.shards.rows[1][2]["offset"]) + 40) / shard.stat().st_size)
    faces.read_photo(faces[5])
    with pytest.raises(AnnotationError, match=r"shard-000001\.tar/000001-000002\.jpg \('face/6'\): damaged") as error:
        faces.read_photo(faces[6])
    assert_one_line(error)
    shard.unlink()
    with pytest.raises(AnnotationError, match=r"face 000001-000001: .*shard-000001\.tar: missing"):
        faces.read_photo(faces[5])


def test_messages_lead_back_to_the_face_that_was_packed(pack: Pack, drawn: list[FaceRecord]) -> None:
    root = pack()
    faces = open_shards(root)
    for index in (0, 5, FACES - 1):
        assert faces.packed_name(faces[index]) == drawn[index].name
    assert full_name(faces, 5) == "shard-000001.tar/000001-000001 ('face/5')"
    assert full_name(drawn, 5) == "face/5"
    shard = root / "shard-000001.tar"
    shard.write_bytes(bytes(shard.stat().st_size))
    assert full_name(faces, 5) == "shard-000001.tar/000001-000001", "without an entry the place is left"


def test_extracted_faces_are_records_of_files(pack: Pack, tmp_path: Path) -> None:
    faces = open_shards(pack())
    extracted = faces.extract([3, FACES - 1], tmp_path)
    for record, index in zip(extracted, (3, FACES - 1), strict=True):
        np.testing.assert_array_equal(read_image(record.image), faces.read_photo(faces[index]))
        assert record.boxes == faces[index].boxes
