"""Shards at a URL: copied when they are needed, compared with their hash, and removed to make room."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest

from distill.data.shards.faces import ShardFaces, open_shards
from distill.data.shards.storage import url_of
from distill.errors import AnnotationError, ConfigError
from tests.support.errors import assert_one_line

Pack = Callable[..., Path]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DISTILL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def bucket(pack: Pack) -> Iterator[Any]:
    """The shards in fsspec's file system in memory, at memory://bucket/faces."""
    files = fsspec.filesystem("memory")
    files.put(f"{pack()}/", "/bucket/faces/", recursive=True)
    yield files
    files.rm("/bucket", recursive=True)


def _read_all(faces: ShardFaces) -> list[bytes]:
    return [faces.photo_bytes(face) for face in faces]


def _copies(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.rglob("*.tar"))


def test_a_url_survives_being_a_path() -> None:
    assert url_of(Path("s3://bucket/faces")) == "s3://bucket/faces"
    assert url_of(Path("/data/s3:/faces")) is None
    assert url_of(Path("faces")) is None


def test_shards_are_copied_when_they_are_read(bucket: Any, cache: Path, pack: Pack) -> None:
    faces = open_shards(Path("memory://bucket/faces"))
    assert _copies(cache) == []
    faces.photo_bytes(faces[5])
    assert _copies(cache) == ["shard-000001.tar"]
    assert _read_all(faces) == _read_all(open_shards(pack()))
    bucket.rm("/bucket/faces/shard-000001.tar")
    assert len(_read_all(faces)) == len(faces), "read from the copy"


def test_copies_that_were_not_used_for_longest_make_room(bucket: Any, cache: Path) -> None:
    size = bucket.size("/bucket/faces/shard-000000.tar")
    faces = open_shards(Path("memory://bucket/faces"), max_gb=2.5 * size / 1e9)
    for index in (0, 5, 0, 9):
        faces.photo_bytes(faces[index])
    assert _copies(cache) == ["shard-000000.tar", "shard-000002.tar"]
    assert len(_read_all(faces)) == len(faces)


def test_a_damaged_upload_is_refused_and_not_kept(bucket: Any, cache: Path) -> None:
    faces = open_shards(Path("memory://bucket/faces"))
    content = bytearray(bucket.cat("/bucket/faces/shard-000001.tar"))
    content[700] ^= 1
    bucket.pipe("/bucket/faces/shard-000001.tar", bytes(content))
    with pytest.raises(AnnotationError, match=r"shard-000001\.tar: damaged") as error:
        faces.photo_bytes(faces[5])
    assert_one_line(error)
    assert _copies(cache) == []


def test_missing_files_of_a_url_are_named(bucket: Any) -> None:
    with pytest.raises(AnnotationError, match=r"memory://elsewhere.*shards\.json") as error:
        open_shards(Path("memory://elsewhere"))
    assert_one_line(error)
    bucket.rm("/bucket/faces/shard-000003.tar")
    with pytest.raises(AnnotationError, match=r"shard-000003\.tar: missing"):
        open_shards(Path("memory://bucket/faces"))


def test_errors_of_the_packages_of_file_systems_are_one_line(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of botocore, for example, are no OSError."""
    faces = open_shards(Path("memory://bucket/faces"))

    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("could not connect to the endpoint\nand more")

    monkeypatch.setattr(type(bucket), "get_file", fail)
    with pytest.raises(AnnotationError, match=r"face 000001-000001: .*shard-000001\.tar: cannot be read") as error:
        faces.photo_bytes(faces[5])
    assert_one_line(error, "could not connect to the endpoint")
    with monkeypatch.context() as patch:
        patch.setattr(type(bucket), "ls", fail)
        with pytest.raises(AnnotationError, match="could not connect"):
            open_shards(Path("memory://bucket/faces"))


def test_a_copy_that_was_damaged_since_is_named(bucket: Any, cache: Path) -> None:
    faces = open_shards(Path("memory://bucket/faces"))
    faces.photo_bytes(faces[5])
    (copy,) = cache.rglob("shard-000001.tar")
    copy.write_bytes(bytes(copy.stat().st_size))
    with pytest.raises(AnnotationError, match=r"memory://bucket/faces/shard-000001\.tar/.*damaged") as error:
        faces.photo_bytes(faces[5])
    assert f"remove the copy {copy}" in str(error.value)


def test_unknown_file_systems_are_refused() -> None:
    with pytest.raises(ConfigError, match="cannot be opened") as error:
        open_shards(Path("nothing://bucket/faces"))
    assert_one_line(error)


@pytest.fixture
def s3(pack: Pack, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The shards on moto's S3 server on the loopback interface."""
    pytest.importorskip("s3fs", reason="s3fs is not installed (extra s3)")
    server = pytest.importorskip("moto.server", reason="moto[server] is not installed")
    from werkzeug.serving import make_server

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = make_server(
        "127.0.0.1", port, server.DomainDispatcherApplication(server.create_backend_app), threaded=True
    )
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1",
        "FSSPEC_S3_ENDPOINT_URL": f"http://127.0.0.1:{port}", "NO_PROXY": "127.0.0.1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    fsspec.config.set_conf_env(fsspec.config.conf)
    files = fsspec.filesystem("s3", skip_instance_cache=True)
    files.mkdir("bucket")
    files.put(f"{pack()}/", "bucket/faces/", recursive=True)
    yield "s3://bucket/faces"
    fsspec.config.conf.pop("s3", None)
    running.shutdown()
    thread.join()


def test_shards_on_s3_are_read_by_workers(s3: str, pack: Pack) -> None:
    """Workers are forked from a process that has read the index; connections and threads do not survive that."""
    from torch.utils.data import DataLoader

    from distill.data.dataset import FaceDataset
    from distill.geometry import CropSpec

    remote = FaceDataset(open_shards(Path(s3)), CropSpec(32, 1.6), "ibug68")
    local = FaceDataset(open_shards(pack()), CropSpec(32, 1.6), "ibug68")
    for streamed, expected in zip(DataLoader(remote, num_workers=2), DataLoader(local), strict=True):
        np.testing.assert_array_equal(streamed["image"], expected["image"])
    missing = Path(s3.replace("faces", "none"))
    with pytest.raises(AnnotationError, match=r"cannot be read"):
        open_shards(missing)
