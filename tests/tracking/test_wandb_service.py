"""A lost helper process of W&B costs one run, not those after it; one that does not start is not waited for twice."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from distill.tracking.attach import AttachConfig, record_job
from distill.tracking.lineage import read_jobs
from distill.tracking.wandb_service import drop_lost_service, open_run
from distill.tracking.wandb_settings import private_settings
from tests.support.wandb_files import read_wandb
from tests.support.wandb_helper import kill_wandb_helper

ROOT = Path(__file__).resolve().parents[2]
LOSE = """
import sys
from pathlib import Path
from distill.tracking.wandb_service import drop_lost_service, open_run
from distill.tracking.wandb_settings import private_settings
from tests.support.wandb_helper import kill_wandb_helper
run = open_run(Path(sys.argv[1]), project="p", id="lost", mode="offline", settings=private_settings())
kill_wandb_helper()
try:
    run.log({"loss": 1.0}, step=1)
except ConnectionError as error:
    print(drop_lost_service(error))
"""


def opened(folder: Path, run_id: str) -> Any:
    folder.mkdir(exist_ok=True)
    return open_run(folder, project="p", id=run_id, mode="offline", settings=private_settings(15.0))


@pytest.mark.parametrize("finished", [True, False])
def test_a_run_is_opened_after_the_helper_process_was_lost(tmp_path: Path, finished: bool) -> None:
    first = opened(tmp_path / "first", "first")
    if finished:
        first.finish()
    kill_wandb_helper()
    with opened(tmp_path / "second", "second") as run:
        run.log({"loss": 2.0}, step=1)
    (file,) = (tmp_path / "second").glob("wandb/offline-run-*/*.wandb")
    assert read_wandb(file, wait_s=30).numbers == {(1, "loss"): 2.0}


def test_a_job_is_recorded_after_the_helper_process_was_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.yaml").write_text("log: {wandb: offline}\n")
    for _ in range(2):
        record_job(AttachConfig(), tmp_path, "check", [], (), {"runs": True})
        kill_wandb_helper()
    assert capsys.readouterr().err == ""
    assert len(read_jobs(tmp_path)) == len(list(tmp_path.glob("wandb/offline-run-*/*.wandb"))) == 2


def test_a_program_whose_helper_process_was_lost_ends_without_a_traceback(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "WANDB_SERVICE"}
    done = subprocess.run(
        [sys.executable, "-c", LOSE, str(tmp_path)], capture_output=True, text=True, check=True,
        env=environment | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_a_helper_process_that_does_not_start_is_tried_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def fail(**options: Any) -> None:
        tries.append(options)
        raise ConnectionError("no connection to the service")

    monkeypatch.delenv("WANDB_SERVICE", raising=False)  # as before the first run of a process
    monkeypatch.setattr("wandb.init", fail)
    with pytest.raises(ConnectionError):
        open_run(tmp_path, project="p")
    assert len(tries) == 1


def test_other_errors_leave_the_helper_process_and_its_runs(tmp_path: Path) -> None:
    with opened(tmp_path / "first", "first") as run:
        assert not drop_lost_service(ValueError("no such option"))
        run.log({"loss": 1.0}, step=1)
