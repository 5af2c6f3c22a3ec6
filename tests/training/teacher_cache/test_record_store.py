"""A record is whole or absent: torn at any byte, at another's position, or never written."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from distill.errors import ConfigError
from distill.training.teacher_cache.record_store import RecordStore


def _store(folder: Path, limit: int = 10**6) -> RecordStore:
    return RecordStore(folder / "store", count=10, size=16, limit=limit)


def _content(round_number: int, index: int) -> bytes:
    return bytes((round_number * 31 + index * 7 + position) % 256 for position in range(16))


def test_what_is_written_is_read_and_nothing_else(tmp_path: Path) -> None:
    store = _store(tmp_path)
    assert store.read(0, 3) is None
    for key in ((0, 3), (0, 9), (2, 0)):
        store.write(*key, _content(*key))
    for round_number in range(4):
        for index in range(10):
            written = (round_number, index) in ((0, 3), (0, 9), (2, 0))
            assert _store(tmp_path).read(round_number, index) == (_content(round_number, index) if written else None)


@pytest.mark.parametrize("zeros", [b"", b"\0"])
def test_a_torn_record_is_absent_and_can_be_written_again(tmp_path: Path, zeros: bytes) -> None:
    store = _store(tmp_path)
    store.write(0, 0, _content(0, 0))
    store.write(0, 1, bytes(16))
    path = tmp_path / "store/00000.bin"
    whole = path.read_bytes()
    for cut in range(20, 40):
        path.write_bytes(whole[:cut] + zeros * (40 - cut))
        torn = whole[:cut] + zeros * (40 - cut) != whole
        assert store.read(0, 0) == _content(0, 0)
        assert (store.read(0, 1) is None) == torn
    store.write(0, 1, _content(0, 1))
    assert store.read(0, 1) == _content(0, 1)


def test_a_record_at_anothers_place_does_not_count(tmp_path: Path) -> None:
    store = _store(tmp_path)
    store.write(0, 0, _content(0, 0))
    path = tmp_path / "store/00000.bin"
    path.write_bytes(path.read_bytes() * 2)
    assert store.read(0, 1) is None
    path.rename(tmp_path / "store/00001.bin")
    assert store.read(1, 0) is None


def test_the_limit_holds_whatever_the_order(tmp_path: Path) -> None:
    store = _store(tmp_path, limit=20 * 12 + 19)
    for round_number in (1, 0):
        for index in reversed(range(10)):
            store.write(round_number, index, _content(round_number, index))
    kept = [
        (round_number, index)
        for round_number in range(2)
        for index in range(10)
        if store.read(round_number, index) is not None
    ]
    assert kept == [(0, index) for index in range(10)] + [(1, 0), (1, 1)]
    assert sum(path.stat().st_size for path in (tmp_path / "store").iterdir()) <= 20 * 12


def test_a_disk_that_refuses_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file where the folder should be")
    with pytest.raises(ConfigError, match=r"--kd\.cache\.folder .*free space, then --resume") as caught:
        _store(tmp_path).write(0, 0, _content(0, 0))
    assert "\n" not in str(caught.value)


_WRITER = """
import sys
from pathlib import Path
from distill.training.teacher_cache.record_store import RecordStore
store = RecordStore(Path(sys.argv[1]), 64, 100_000, 10**9)
print("ready", flush=True)
round_number = 0
while True:
    for index in range(64):
        store.write(0, index, bytes([(round_number + index) % 251]) * 100_000)
    round_number += 1
"""


def test_a_writer_killed_at_any_moment_leaves_whole_records(tmp_path: Path) -> None:
    """Records are overwritten with others until the kill; whatever reads as present is one of them, unmixed."""
    store, present = RecordStore(tmp_path / "s", 64, 100_000, 10**9), 0
    process = subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path / "s")], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    while not (tmp_path / "s/00000.bin").exists():
        pass
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    for index in range(64):
        content = store.read(0, index)
        if content is not None:
            present += 1
            assert len(set(content)) == 1
    assert present < 64 or (tmp_path / "s/00000.bin").stat().st_size == 64 * 100_004
