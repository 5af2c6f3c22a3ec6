"""Shards that are damaged, deleted or out of reach in a training end it with one line, in one process and in two."""

import time
from collections.abc import Callable
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distill.data.config import ShardConfig
from distill.data.prepare import StoreSpec
from distill.data.readers import read_faces
from distill.data.shards.write import write_shards
from tests.support.plain_runs import PlainRuns

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]
# A file system whose server answers no more once a file called `down` exists.
LOST_SERVER = """
from pathlib import Path
import fsspec
from fsspec.implementations.local import LocalFileSystem

class Lost(LocalFileSystem):
    protocol = "lost"

    def get_file(self, path, *args, **kwargs):
        if path.endswith("shard-000005.tar") and Path("down").exists():
            raise RuntimeError("the endpoint does not answer\\nand has more to say")
        return super().get_file(path, *args, **kwargs)

    @classmethod
    def _strip_protocol(cls, path):
        return LocalFileSystem._strip_protocol(str(path).replace("lost://", "/"))

fsspec.register_implementation("lost", Lost)
"""


@pytest.fixture
def runs(server: ForkServerContext, tmp_path: Path, make_config: Any, monkeypatch: pytest.MonkeyPatch) -> PlainRuns:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DISTILL_CACHE", str(tmp_path / "cache"))
    return PlainRuns(server, tmp_path, make_config)


@pytest.fixture
def shards(faces: Path, tmp_path: Path) -> Path:
    """18 training faces, then 5 validation faces, 4 in a shard."""
    about = {"source": "manifest", "preset": None}
    write_shards(tmp_path / "shards", read_faces("manifest", faces), "inner51", 4, StoreSpec(64, 1.9), about)
    return tmp_path / "shards"


def _options(root: Path, workers: int) -> dict[str, Any]:
    return {"format": "shards", "root": root, "shards": ShardConfig(window=2), "workers": workers}


def _zero(root: Path, shard: int, face: int) -> None:
    """Overwrite the photo of a face with zeros."""
    path = root / f"shard-{shard:06d}.tar"
    row = np.load(path.with_suffix(".npy"))[face]
    content = bytearray(path.read_bytes())
    content[row["offset"] : row["offset"] + row["length"]] = bytes(row["length"])
    path.write_bytes(content)


def _cut(root: Path, shard: int, face: int) -> None:
    """End a shard in the middle of the photo of a face."""
    path = root / f"shard-{shard:06d}.tar"
    row = np.load(path.with_suffix(".npy"))[face]
    path.write_bytes(path.read_bytes()[: int(row["offset"] + row["length"] // 2)])


def _after_a_step(runs: PlainRuns, process: ForkServerProcess) -> None:
    while runs.last_step("run") < 1:
        assert process.is_alive(), (runs.folder / "run.log").read_text()[-3000:]
        time.sleep(0.01)


def _errors(runs: PlainRuns, processes: list[ForkServerProcess]) -> list[str]:
    """Wait for processes that end with status 2; return their lines of errors."""
    for process in processes:
        process.join(100)
    statuses = [process.exitcode for process in processes]
    for process in processes:
        process.kill()
    output = (runs.folder / "run.log").read_text()
    assert statuses == [2] * len(processes), output[-3000:]
    assert "Traceback" not in output
    return [line for line in output.splitlines() if line.startswith("error: ")]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda root: _zero(root, 5, 1), "shard-000005.tar/000005-000001.jpg ('21'): damaged"),
        (lambda root: _cut(root, 5, 1), "shard-000005.tar/000005-000001.jpg: damaged"),
        (lambda root: (root / "shard-000005.tar").unlink(), "shard-000005.tar: missing"),
    ],
    ids=["zeros", "cut", "deleted"],
)
def test_damage_during_a_training_is_one_line_with_shard_and_key(
    runs: PlainRuns, shards: Path, damage: Callable[[Path], None], reason: str, workers: int
) -> None:
    argv = runs.write("run", 1, _options(shards, workers))
    process = runs.start_one("run", [*argv, "--trainer.epochs", "20000"])
    _after_a_step(runs, process)
    damage(shards)
    (line,) = _errors(runs, [process])
    assert reason in line
    assert "000005-0000" in line
    assert "copy it again" in line


def test_a_damaged_label_is_refused_before_the_first_step(runs: PlainRuns, shards: Path) -> None:
    path = shards / "shard-000002.npy"
    path.write_bytes(path.read_bytes()[:-100] + bytes(100))
    process = runs.start_one("run", runs.write("run", 1, _options(shards, 2)))
    (line,) = _errors(runs, [process])
    assert "shard-000002.npy: damaged" in line


@pytest.mark.parametrize("workers", [0, 2])
def test_a_server_of_objects_that_is_lost_is_one_line(runs: PlainRuns, shards: Path, workers: int) -> None:
    with (runs.folder / "plain.py").open("a") as plugin:
        plugin.write(LOST_SERVER)
    (runs.folder / "down").touch()
    process = runs.start_one("run", runs.write("run", 1, _options(Path(f"lost:/{shards}"), workers)))
    (line,) = _errors(runs, [process])
    assert "the endpoint does not answer" in line
    assert "shard-000005.tar: cannot be read" in line
    assert "face 000005-0000" in line


@pytest.mark.parametrize("face", [0, 1])  # of the first and of the second process
@pytest.mark.parametrize("workers", [0, 2])
def test_both_processes_end_where_one_reads_damage(runs: PlainRuns, shards: Path, workers: int, face: int) -> None:
    _zero(shards, 5, face)
    lines = _errors(runs, runs.start("run", runs.write("run", 2, _options(shards, workers))))
    assert sum(f"shard-000005.tar/000005-00000{face}.jpg" in line for line in lines) == 1
    assert [line for line in lines if "another process of this training ended" in line]
    assert len(lines) == 2
