"""A file is whole or absent."""

import errno
import json
import os
import stat
from pathlib import Path

import pytest

from distill import files
from distill.errors import CheckpointError, ConfigError


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    files.write_text(path, "old")

    def fail() -> None:
        with files.atomic_path(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


def test_the_temporary_file_lies_beside_the_target(tmp_path: Path) -> None:
    # A rename from another file system is a copy, which can be cut short.
    with files.atomic_path(tmp_path / "deep" / "a.ckpt") as temporary:
        assert temporary.parent == tmp_path / "deep"
        assert temporary.suffix == ".ckpt"


def test_others_may_read_what_was_written(tmp_path: Path) -> None:
    ordinary = tmp_path / "ordinary"
    ordinary.write_text("")
    files.write_text(tmp_path / "ours", "")
    assert stat.S_IMODE((tmp_path / "ours").stat().st_mode) == stat.S_IMODE(ordinary.stat().st_mode)


def test_json_refuses_nan_and_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    files.write_json(path, {"nme": 0.03})
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(path, {"nme": float("nan")})
    assert json.loads(path.read_text()) == {"nme": 0.03}


def test_text_is_utf8(tmp_path: Path) -> None:
    files.write_text(tmp_path / "a", "é")
    assert (tmp_path / "a").read_bytes() == b"\xc3\xa9"


def test_sha256_is_the_known_one(tmp_path: Path) -> None:
    files.write_bytes(tmp_path / "a", b"abc")
    assert files.sha256(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for path, why in (
        (tmp_path, "it is a folder"),
        (file / "a.json", "its folder is a file"),
        (Path("/proc/a/b.json"), "No such"),
    ):
        with pytest.raises(ConfigError, match=f"cannot be written \\({why}.*; name a file in another folder") as caught:
            files.require_writable(None, path)
        assert "\n" not in str(caught.value)
        with pytest.raises(ConfigError, match="cannot be written"):
            files.write_text(path, "text")
    files.require_writable(tmp_path / "new" / "a.json")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "new"]


def test_names_are_as_long_as_it_takes() -> None:
    paths = ["a/net.tflite", "b/net.tflite", "b/other.onnx"]
    assert files.short_names(paths) == ["a/net.tflite", "b/net.tflite", "other.onnx"]
    with pytest.raises(ConfigError, match="given twice"):
        files.short_names(["a/net.tflite", "a/net.tflite"])


def test_a_file_is_compared_with_the_list_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"content")
    files.require_listed_hash(path)  # no list
    (tmp_path / "SHA256SUMS").write_text(f"{files.sha256(path).upper()} *a.bin\n\nbroken\n{'1' * 64}  b.bin\n")
    files.require_listed_hash(path)
    path.write_bytes(b"Content")
    with pytest.raises(CheckpointError, match=r"a\.bin: SHA-256 differs from the one in SHA256SUMS"):
        files.require_listed_hash(path)


def test_what_a_kill_left_is_removed_and_what_is_being_written_stays(tmp_path: Path) -> None:
    users = [".notes", ".config.settings", "report.html", ".report.tmp-abcdefgh.html.swp"]
    for name in (".report.tmp-abcdefgh.html", ".other.tmp-abcdefgh.html", *users):
        (tmp_path / name).touch()
    with files.atomic_path(tmp_path / "report.html") as temporary:
        files.require_writable(tmp_path / "report.html")
        left = {path.name for path in tmp_path.iterdir()}
        assert left == {".other.tmp-abcdefgh.html", temporary.name, *users}
    files.remove_unfinished(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*users}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_takes_nothing_is_one_line_and_keeps_the_file(number: int, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    files.write_text(path, "old")

    def fail() -> None:
        with files.atomic_path(path) as temporary:
            temporary.write_text("half")
            raise OSError(number, os.strerror(number))

    with pytest.raises(ConfigError, match=rf"a.json: cannot be written \({os.strerror(number)}\)"):
        fail()
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


def test_a_writer_that_hides_the_full_disk_is_seen_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As torch does: `unexpected pos 2669568 vs 2669456`."""

    def fail() -> None:
        with files.atomic_path(tmp_path / "a.ckpt"):
            raise RuntimeError("unexpected pos 2669568 vs 2669456")

    with pytest.raises(RuntimeError):
        fail()
    usage = type("Usage", (), {"free": 0})
    monkeypatch.setattr(files.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(ConfigError, match=r"a.ckpt: cannot be written \(No space left on device\)"):
        fail()
