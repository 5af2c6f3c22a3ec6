"""Loss of the helper process that W&B starts for the runs of a process."""

import os
import signal
from pathlib import Path


def kill_wandb_helper() -> None:
    """Kill the helper process of this process, as the system does where memory is short, and wait for its end."""
    pids = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    helpers = [int(pid) for pid in pids if b"wandb-core" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert helpers, "W&B has no helper process"
    for pid in helpers:
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # wandb asks for the status itself
