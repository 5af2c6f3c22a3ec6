"""Helper process of Weights & Biases: after one was lost, later runs of the same process start another one.

All W&B runs of a process share a helper process, which may be killed, for want of memory for example. wandb then fails
for every later run with "Connection lost", and once more with a traceback when the program ends.
"""

import contextlib
import os
from pathlib import Path
from typing import Any

# wandb sets it while a helper process runs that it has started, or that the parent of this process has.
SERVICE = "WANDB_SERVICE"
# What wandb raises where the helper process does not answer any more, beside `ConnectionError`.
_LOST = ("WandbServiceConnectionError", "MailboxClosedError", "HandleAbandonedError")


def open_run(folder: Path, **options: Any) -> Any:
    """Open a W&B run, with another helper process where the present one is lost.

    A helper process that does not start is not tried twice: wandb waits 30 s for it.

    Args:
        folder: W&B writes into `wandb/` there.
        options: further ones of `wandb.init`.
    """
    import wandb

    options["dir"] = folder.absolute()  # the working directory of the helper process may be another
    try:
        return wandb.init(**options)
    except Exception as error:
        if not drop_lost_service(error):
            raise
    return wandb.init(**options)


def drop_lost_service(error: Exception) -> bool:
    """Return whether an error of wandb means that a helper process was lost; if so, the next run starts another one."""
    if SERVICE not in os.environ or not (isinstance(error, ConnectionError) or type(error).__name__ in _LOST):
        return False
    import wandb

    # It drops its state first, then fails like everything else or exits with the status of the helper process.
    with contextlib.suppress(Exception, SystemExit):
        wandb.teardown()
    os.environ.pop(SERVICE, None)
    return True
