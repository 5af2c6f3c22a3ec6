"""Two processes, started as torchrun starts them, train what one process trains, and resume to the bit."""

import os
import signal
import time
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest
import torch

from distill.data.config import ShardConfig
from distill.data.prepare import StoreSpec
from distill.data.readers import read_faces
from distill.data.shards.write import write_shards
from distill.files import sha256
from tests.support.plain_runs import WORLD, PlainRuns

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def runs(server: ForkServerContext, tmp_path: Path, make_config: Any, monkeypatch: pytest.MonkeyPatch) -> PlainRuns:
    monkeypatch.chdir(tmp_path)
    return PlainRuns(server, tmp_path, make_config)


@pytest.fixture(params=["manifest", "shards"])
def data(request: pytest.FixtureRequest, faces: Path, tmp_path: Path) -> dict[str, Any]:
    """Options of the faces, as they are and packed into shards."""
    if request.param == "manifest":
        return {}
    records = read_faces("manifest", faces)
    about = {"source": "manifest", "preset": None}
    write_shards(tmp_path / "shards", records, "inner51", 4, StoreSpec(64, 1.9), about)
    return {"format": "shards", "root": tmp_path / "shards", "shards": ShardConfig(window=2)}


def test_two_processes_equal_one_and_resume_to_the_bit(runs: PlainRuns, data: dict[str, Any]) -> None:
    single = runs.start_one("one", runs.write("one", 1, data))
    single.join()
    assert single.exitcode == 0, (runs.folder / "one.log").read_text()[-3000:]
    runs.finish("two", runs.write("two", WORLD, data))
    alone, together = runs.numbers("one"), runs.numbers("two")
    assert alone.keys() == together.keys()
    measured = [key for key in alone if key.startswith(("val/", "train/grad_norm", "train/lr"))]
    assert {key: together[key] for key in measured} == pytest.approx({key: alone[key] for key in measured}, abs=1e-6)
    weights = runs.weights("two")
    for name, value in runs.weights("one").items():
        torch.testing.assert_close(weights[name], value, rtol=0, atol=1e-6)

    argv = runs.write("killed", WORLD, data)
    for step in (5, 10):
        processes = runs.start("killed", argv)
        while runs.last_step("killed") < step:
            assert processes[0].is_alive(), (runs.folder / "killed.log").read_text()[-3000:]
            time.sleep(0.005)
        for process in processes:
            os.kill(process.pid or 0, signal.SIGKILL)
            process.join()
        argv = [*argv[:5], "--resume"]
    fewer = runs.start_one("alone", [*argv, "--trainer.devices", "1"])
    fewer.join()
    assert fewer.exitcode == 2
    assert "--trainer.devices" in (runs.folder / "alone.log").read_text()
    runs.finish("killed", argv)
    assert runs.numbers("killed") == together
    for kind in ("last", "best"):
        files = [runs.folder / "runs" / name / f"{kind}.ckpt" for name in ("two", "killed")]
        assert sha256(files[0]) == sha256(files[1]), kind
