"""Two agents of torchrun, as on two machines, over the loopback interface, train as two processes of one machine."""

import socket
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

import pytest

from distill.files import sha256
from tests.support.plain_runs import PlainRuns
from tests.support.torchrun_agents import run_agent

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
NODES = 2


@pytest.fixture
def runs(server: ForkServerContext, tmp_path: Path, make_config: Any, monkeypatch: pytest.MonkeyPatch) -> PlainRuns:
    monkeypatch.chdir(tmp_path)
    return PlainRuns(server, tmp_path, make_config)


def _start(runs: PlainRuns, argv: list[str]) -> list[ForkServerProcess]:
    """Start an agent for each of two nodes, with one process each."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    argv = [*argv, "--trainer.devices", "1", "--trainer.num_nodes", f"{NODES}"]
    agents = [
        runs.server.Process(target=run_agent, args=(NODES, node, port, argv, runs.folder / f"node{node}.log"))
        for node in range(NODES)
    ]
    for agent in agents:
        agent.start()
    return agents


def _end(agents: list[ForkServerProcess]) -> list[int | None]:
    """Wait for the agents and return their exit status."""
    try:
        for agent in agents:
            agent.join(120)
        return [agent.exitcode for agent in agents]
    finally:
        for agent in agents:
            agent.kill()


def _logs(runs: PlainRuns) -> str:
    return "\n".join((runs.folder / f"node{node}.log").read_text() for node in range(NODES))


def test_two_nodes_train_what_two_processes_of_one_train(runs: PlainRuns) -> None:
    data = {"cache": False}
    runs.finish("one_node", runs.write("one_node", 2, data))
    assert _end(_start(runs, runs.write("two_nodes", 2, data))) == [0, 0], _logs(runs)[-3000:]
    assert runs.numbers("two_nodes") == runs.numbers("one_node")
    for kind in ("last", "best"):
        files = [runs.folder / "runs" / name / f"{kind}.ckpt" for name in ("one_node", "two_nodes")]
        assert sha256(files[0]) == sha256(files[1]), kind
