"""Folders of generated faces: what is left when the writing is interrupted."""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from distill.data.synthetic import write_faces


def _killed_while_writing(path: Path, content: bytes) -> None:
    path.with_name(f".{path.stem}.tmp-abcdefgh{path.suffix}").write_bytes(content)
    os.kill(os.getpid(), signal.SIGTERM)  # what ends the workers when the command is stopped


def test_what_a_worker_was_writing_when_it_was_stopped_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(task: object, indices: object, workers: int) -> Iterator[int]:
        (tmp_path / "faces" / "images").mkdir()
        path = tmp_path / "faces" / "images" / "000000.jpg"
        worker = multiprocessing.get_context("spawn").Process(target=_killed_while_writing, args=(path, b"half"))
        worker.start()
        worker.join()
        assert list(tmp_path.rglob(".*.jpg"))
        raise KeyboardInterrupt
        yield 0

    monkeypatch.setattr("distill.data.synthetic.write._finish", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_faces(tmp_path / "faces", 5, seed=0, size=64)
    assert not list(tmp_path.rglob(".*.jpg"))
