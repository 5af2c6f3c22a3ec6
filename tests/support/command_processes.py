"""`distill` in processes forked from one that has the libraries imported; they start in milliseconds."""

import multiprocessing
import os
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

from tests.support.environments import environment_variables
from tests.support.training_process import train

SECRETS = {"WANDB_API_KEY": "0123456789abcdef0123456789abcdef01234567", "MY_DATABASE_PASSWORD": "correct-horse-battery"}
USER = "johanna-recognisable"


def run_command(argv: list[str], log: Path | None = None) -> None:
    """Run a command line as `distill` would in a process of its own, with its output in `log`."""
    if log is not None:
        with log.open("ab") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
    train(argv)


@pytest.fixture(scope="session")
def server() -> ForkServerContext:
    """Context whose processes have the environment of a user with secrets, and the current folder of the test."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["distill.training.fit", "distill.cli.student", "albumentations", "wandb", "tests.support.preloaded"]
    )
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            **SECRETS,
            **environment_variables(),
            "OMP_NUM_THREADS": "1",
            "HOME": f"/home/{USER}",
        }.items():
            patch.setenv(name, value)
        patch.delenv("WANDB_SERVICE", raising=False)  # of a run in this process, whose service ends with that run
        # The environment is that of the moment the server starts, which is with the first process.
        first = context.Process(target=os.getpid)
        first.start()
        first.join()
    return context
