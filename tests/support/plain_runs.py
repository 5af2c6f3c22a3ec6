"""Trainings of a small network in one process, or in two that are started as torchrun starts them."""

import os
import socket
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

import torch
import yaml
from pytorch_lightning.utilities import rank_zero_only

from distill.models.config import ModelConfig
from distill.training.config import OptimConfig
from distill.training.loggers.csv import plain_config
from distill.training.loggers.metrics_csv import read_rows
from tests.support.command_processes import run_command

WORLD = 2
# A batch norm has the statistics of its process's part of the batch; a network without one trains alike in any number.
PLUGIN = """
from torch import nn

from distill.landmarks import load_scheme
from distill.models.regression import DenseHead, RegressionNet
from distill.models.zoo import register


@register("plain", size=64, loss="l1")
def plain(name, scheme, *, image_size=64):
    body = nn.Sequential(nn.Conv2d(3, 8, 5, 4), nn.GELU(), nn.AdaptiveAvgPool2d(4), nn.Flatten())
    return RegressionNet(body, [DenseHead(128, load_scheme(scheme).n_points, layers=0)], [scheme], image_size)
"""


def train_as(rank: int, port: int, argv: list[str], log: Path) -> None:
    """Run a command as one of the processes of torchrun."""
    os.environ |= {
        "RANK": f"{rank}", "LOCAL_RANK": f"{rank}", "WORLD_SIZE": f"{WORLD}", "LOCAL_WORLD_SIZE": f"{WORLD}",
        "GROUP_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": f"{port}", "TORCHELASTIC_RUN_ID": "test",
    }  # fmt: skip
    rank_zero_only.rank = rank  # Lightning reads it when it is imported, here long before
    run_command(argv, log)


class PlainRuns:
    """Trainings of one configuration in a folder."""

    def __init__(self, server: ForkServerContext, folder: Path, make_config: Any) -> None:
        self.server, self.folder, self.make_config = server, folder, make_config
        (folder / "plain.py").write_text(PLUGIN)

    def write(self, name: str, processes: int, data: dict[str, Any]) -> list[str]:
        config = self.make_config(
            name,
            plugin=Path("plain.py"),
            model=ModelConfig("plain"),
            data={"batch_size": 8 // processes, **data},
            # AdamW would make steps of full size out of rounding errors, where a gradient is 0.
            optim=OptimConfig(name="sgd", lr=0.1, head_lr=0.1, warmup=0.1),
            trainer={"epochs": 6, "validate_every": 2, "devices": processes, "precision": "32"},
        )
        (self.folder / f"{name}.yaml").write_text(yaml.safe_dump(plain_config(config) | {"runs": "runs"}))
        return ["teacher", "--config", f"{name}.yaml", "--plugin", "plain.py"]

    def start_one(self, name: str, argv: list[str]) -> ForkServerProcess:
        process = self.server.Process(target=run_command, args=(argv, self.folder / f"{name}.log"))
        process.start()
        return process

    def start(self, name: str, argv: list[str]) -> list[ForkServerProcess]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        log = self.folder / f"{name}.log"
        started = [self.server.Process(target=train_as, args=(rank, port, argv, log)) for rank in range(WORLD)]
        for process in started:
            process.start()
        return started

    def finish(self, name: str, argv: list[str]) -> None:
        started = self.start(name, argv)
        for process in started:
            process.join(100)
        statuses = [process.exitcode for process in started]
        for process in started:
            process.kill()  # one that waits for the other
        assert statuses == [0] * WORLD, (self.folder / f"{name}.log").read_text()[-3000:]

    def numbers(self, name: str) -> dict[str, float]:
        rows = read_rows(self.folder / "runs" / name / "metrics.csv")
        return {f"{metric}@{step}": value for step, metric, value in rows}

    def last_step(self, name: str) -> int:
        path = self.folder / "runs" / name / "metrics.csv"
        return max((step for step, _, _ in read_rows(path)), default=0) if path.is_file() else 0

    def weights(self, name: str) -> dict[str, torch.Tensor]:
        state: dict[str, torch.Tensor] = torch.load(self.folder / "runs" / name / "last.ckpt", weights_only=True)[
            "state_dict"
        ]
        return state
