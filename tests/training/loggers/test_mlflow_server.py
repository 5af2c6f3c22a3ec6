"""A live MLflow server on the loopback interface has the rows of a training, also when it is lost and found again."""

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from distill.training.fit import train_teacher
from distill.training.loggers.metrics_csv import Row, read_rows

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("mlflow", "uvicorn", "flask")),
    reason="the server of MLflow is not installed: pip install mlflow",
)
SECONDS = 120


def ask(url: str, **body: Any) -> Any:
    """Return the answer of MLflow's REST interface."""
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    words = ["server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    store = ["--backend-store-uri", f"sqlite:///{tmp_path}/server.db", "--artifacts-destination", f"{tmp_path}/files"]
    environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    log = (tmp_path / "server.log").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", *words, *store],
        stdout=log, stderr=log, start_new_session=True, env=environment, cwd=tmp_path,
    )  # fmt: skip
    try:
        end = time.monotonic() + SECONDS
        while True:
            try:
                with urllib.request.urlopen(f"{url}/health", timeout=1):
                    break
            except OSError:
                assert process.poll() is None, (tmp_path / "server.log").read_text()[-2000:]
                assert time.monotonic() < end, "the server does not answer"
                time.sleep(0.2)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
        yield url
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        log.close()


def history(url: str, run_id: str) -> list[Row]:
    """Return every number that the server has of a run."""
    run = ask(f"{url}/api/2.0/mlflow/runs/get?run_id={run_id}")["run"]
    rows = []
    for metric in run["data"]["metrics"]:
        found = ask(f"{url}/api/2.0/mlflow/metrics/get-history?run_id={run_id}&metric_key={metric['key']}")
        rows += [(int(row.get("step", 0)), row["key"], float(row["value"])) for row in found["metrics"]]
    return sorted(rows)


@pytest.mark.slow
def test_a_server_has_the_rows_of_a_training(make_config: Any, server: str) -> None:
    config = make_config("run", log={"to": ["mlflow"], "wandb": "offline", "every": 1}, trainer={"epochs": 2})
    folder = train_teacher(config)
    uri, run_id = (folder / "mlflow_run.txt").read_text().split()
    assert uri == server
    assert history(server, run_id) == sorted(read_rows(folder / "metrics.csv"))
    run = ask(f"{server}/api/2.0/mlflow/runs/get?run_id={run_id}")["run"]
    assert run["info"]["status"] == "FINISHED"
