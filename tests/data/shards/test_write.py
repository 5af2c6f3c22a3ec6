"""Shards hold every face as it is, and a pack that was killed or damaged is finished as if it had not been."""

import json
import multiprocessing
import os
import signal
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from distill.data.prepare import crop_of, encode_crop, moved_to_crop
from distill.data.records import FaceRecord
from distill.data.shards import write
from distill.data.shards.faces import open_shards
from distill.errors import AnnotationError, ConfigError
from distill.files import sha256
from distill.geometry import apply_affine
from distill.images import read_image, warp
from tests.data.shards.conftest import FACES, PER_SHARD, SPEC
from tests.support.damage import flip_byte
from tests.support.errors import assert_one_line

Pack = Callable[..., Path]


def _sums(root: Path) -> dict[str, str]:
    return {path.name: sha256(path) for path in sorted(root.iterdir()) if path.name != ".lock"}


def test_every_face_is_in_the_shards_as_it_was_cut_out(pack: Pack, drawn: list[FaceRecord]) -> None:
    faces = open_shards(pack())
    assert len(faces) == FACES
    for record, face in zip(drawn, faces, strict=True):
        affine, size = crop_of(record, SPEC)
        np.testing.assert_allclose(face.landmarks, apply_affine(affine, record.landmarks), atol=1e-4)
        expected = moved_to_crop(record, SPEC, face.image)
        np.testing.assert_array_equal(face.known, record.known)
        np.testing.assert_array_equal(face.visible, record.visible)
        assert face.boxes.keys() == record.boxes.keys()
        for source, box in expected.boxes.items():
            np.testing.assert_allclose(face.boxes[source], box, atol=1e-4)
        assert (face.subset, face.labels, face.scheme) == (record.subset, record.labels, record.scheme)
        assert faces.photo_bytes(face) == encode_crop(warp(read_image(record.image), affine, size), SPEC.quality)
    groups = [face.group for face in faces]
    assert [groups.index(group) for group in groups] == [index // 2 * 2 for index in range(FACES)]


def test_a_shard_is_a_tar_of_photos_and_annotations(pack: Pack, drawn: list[FaceRecord]) -> None:
    root = pack()
    faces = open_shards(root)
    with tarfile.open(root / "shard-000001.tar") as tar:
        members = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
    keys = [f"000001-{index:06d}" for index in range(PER_SHARD)]
    assert list(members) == [f"{key}.{kind}" for key in keys for kind in ("jpg", "json")]
    assert members[f"{keys[2]}.jpg"] == faces.photo_bytes(faces[PER_SHARD + 2])
    annotation = json.loads(members[f"{keys[2]}.json"])
    assert annotation["name"] == drawn[PER_SHARD + 2].name
    np.testing.assert_allclose(annotation["points"]["ibug68"], faces[PER_SHARD + 2].landmarks, atol=6e-4)


def test_webdataset_reads_the_shards(pack: Pack) -> None:
    webdataset = pytest.importorskip("webdataset", reason="webdataset is not installed")
    root = pack()
    samples = list(webdataset.WebDataset(f"{root}/shard-{{000000..000005}}.tar", shardshuffle=False).decode("rgb8"))
    assert [sample["json"]["name"] for sample in samples] == [f"face/{index}" for index in range(FACES)]
    faces = open_shards(root)
    np.testing.assert_allclose(samples[5]["jpg"].astype(int), faces.read_photo(faces[5]), atol=3)


def _killed(root: Path, faces: list[FaceRecord], rows: int) -> None:
    """Pack in a process that is killed while it writes its row number `rows`."""

    def run() -> None:
        make_row, done = write.make_row, []

        def count(*arguments: object) -> object:
            done.append(1)
            if len(done) == rows:
                os.kill(os.getpid(), signal.SIGKILL)
            return make_row(*arguments)  # type: ignore[arg-type]

        write.make_row = count  # type: ignore[assignment]
        write.write_shards(root, faces, "ibug68", PER_SHARD, SPEC, {"source": "csv", "preset": None})

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL


def test_a_killed_pack_is_continued(pack: Pack, drawn: list[FaceRecord], tmp_path: Path) -> None:
    whole = _sums(pack("whole"))
    root = tmp_path / "killed"
    for rows in (2 * PER_SHARD + 2, PER_SHARD + 3):  # in the third shard, then in the fourth
        _killed(root, drawn, rows)
        assert not (root / "shards.json").exists()
        with pytest.raises(AnnotationError, match=r"no shards\.json"):
            open_shards(root)
    assert len(list(root.glob("shard-*.json"))) == 3, "what was finished is not written again"
    pack("killed")
    assert _sums(root) == whole


def test_several_processes_write_the_same(pack: Pack) -> None:
    assert _sums(pack("two", workers=2)) == _sums(pack("one"))


def test_damaged_shards_and_changed_faces_are_written_again(pack: Pack, moved: list[FaceRecord]) -> None:
    root = pack()
    whole = _sums(root)
    flip_byte(root / "shard-000002.tar")
    flip_byte(root / "shard-000003.npy")
    times = {path.name: path.stat().st_mtime_ns for path in root.glob("*.tar")}
    pack()
    assert _sums(root) == whole
    again = {path.name for path in root.glob("*.tar") if path.stat().st_mtime_ns != times[path.name]}
    assert again == {"shard-000002.tar", "shard-000003.tar"}
    pack(faces=moved[:6])
    assert sorted(path.name for path in root.glob("*.tar")) == ["shard-000000.tar", "shard-000001.tar"]
    assert _sums(root) == _sums(pack("fresh", faces=moved[:6]))


def test_what_cannot_be_packed_is_refused(pack: Pack, drawn: list[FaceRecord], tmp_path: Path) -> None:
    flat = replace(drawn[9], landmarks=np.full((68, 2), 30, np.float32))
    spoiled = [*drawn[:9], flat, *drawn[10:]]
    with pytest.raises(AnnotationError, match="face/9") as error:
        pack("refused", faces=spoiled)
    assert_one_line(error)
    faces = open_shards(pack("left_out", faces=spoiled, leave_out=True))
    assert len(faces) == FACES - 1
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "photo.jpg").touch()
    with pytest.raises(ConfigError, match="holds other files"):
        pack("other")
    with pytest.raises(AnnotationError, match="no faces"):
        pack("empty", faces=[])
    with pytest.raises(ConfigError, match="--shards 0"):
        pack("none", per_shard=0)
    with pytest.raises(ConfigError, match="shorten it"):
        pack("long", faces=[replace(drawn[0], subset="s" * 99)])
