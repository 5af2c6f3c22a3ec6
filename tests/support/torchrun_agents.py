"""Agents of torchrun, as on several machines, in processes that have everything imported."""

import os
from pathlib import Path

from lightning_fabric.utilities.rank_zero import _get_rank
from pytorch_lightning.utilities import rank_zero_only
from torch.distributed.launcher.api import elastic_launch
from torch.distributed.run import config_from_args, parse_args

from tests.support.training_process import train


def run_agent(nodes: int, node: int, port: int, argv: list[str], log: Path) -> None:
    """Run `torchrun -m distill ARGV` on one of several nodes; its worker is forked, not started."""
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    words = [
        "--nnodes", f"{nodes}", "--node_rank", f"{node}", "--nproc_per_node", "1",
        "--master_addr", "127.0.0.1", "--master_port", f"{port}", "-m", "distill",
    ]  # fmt: skip
    config, _, _ = config_from_args(parse_args(words))
    config.start_method = "fork"
    elastic_launch(config, _work)(argv)


def _work(argv: list[str]) -> None:
    """Train in the environment that the agent has made for this worker."""
    rank_zero_only.rank = _get_rank()  # as Lightning does when it is imported, here long before
    try:
        train(argv)
    except SystemExit as end:  # the agent waits for a return value
        if end.code:
            raise RuntimeError(f"exit status {end.code}") from end
