"""Two agents of torchrun, as on two machines, over the loopback interface, train as two processes of one machine."""

import socket
import subprocess
import sys
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest

from distill.files import sha256
from tests.support.plain_runs import PlainRuns

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def runs(server: ForkServerContext, tmp_path: Path, make_config: Any, monkeypatch: pytest.MonkeyPatch) -> PlainRuns:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return PlainRuns(server, tmp_path, make_config)


def _start(runs: PlainRuns, argv: list[str]) -> list[subprocess.Popen[bytes]]:
    """Start an agent for each of two nodes, with one process each."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    agents = []
    for node in range(2):
        agent = [
            sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--node_rank", f"{node}",
            "--nproc_per_node", "1", "--master_addr", "127.0.0.1", "--master_port", f"{port}",
        ]  # fmt: skip
        nodes = ["--trainer.devices", "1", "--trainer.num_nodes", "2"]
        with (runs.folder / f"node{node}.log").open("ab") as log:
            command = [*agent, "-m", "distill", *argv, *nodes]
            agents.append(subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT))
    return agents


def _end(agents: list[subprocess.Popen[bytes]]) -> list[int]:
    """Wait for the agents and return their exit status."""
    try:
        return [agent.wait(120) for agent in agents]
    finally:
        for agent in agents:
            agent.kill()


def _logs(runs: PlainRuns) -> str:
    return "\n".join((runs.folder / f"node{node}.log").read_text() for node in range(2))


def test_two_nodes_train_what_two_processes_of_one_train(runs: PlainRuns) -> None:
    data = {"cache": False}
    runs.finish("one_node", runs.write("one_node", 2, data))
    assert _end(_start(runs, runs.write("two_nodes", 2, data))) == [0, 0], _logs(runs)[-3000:]
    assert runs.numbers("two_nodes") == runs.numbers("one_node")
    for kind in ("last", "best"):
        files = [runs.folder / "runs" / name / f"{kind}.ckpt" for name in ("one_node", "two_nodes")]
        assert sha256(files[0]) == sha256(files[1]), kind
