"""Ask in a child process whether W&B takes a run now: `wandb.init` has no time limit that holds, and a child can be
ended.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile

from distill.system.processes import ending_with_parent
from distill.tracking.wandb_service import SERVICE
from distill.tracking.wandb_settings import private_settings

# Start of a child, wandb and its service included; healthy servers answer in a few seconds.
PATIENCE_S = 12.0


def why_offline(
    project: str, name: str, run_id: str, patience_s: float | None = None, *, entity: str | None = None
) -> str | None:
    """Return why a run cannot be opened on the server, or None where it can.

    Args:
        project, name, run_id: of the run, which is opened and closed.
        patience_s: seconds to wait; `PATIENCE_S` by default.
        entity: user or team of the run; None is the account's default.
    """
    patience_s = PATIENCE_S if patience_s is None else patience_s
    with tempfile.TemporaryDirectory() as folder:
        child = subprocess.Popen(
            ending_with_parent([sys.executable, "-m", __name__, project, name, run_id, entity or ""]),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            cwd=folder, env=_environment(),
            start_new_session=True,
        )  # fmt: skip
        try:
            answer, _ = child.communicate(timeout=patience_s)
        except subprocess.TimeoutExpired:
            return f"no answer in {patience_s:.0f} s"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)  # its service too
            child.wait()
    return None if child.returncode == 0 else (answer.strip().splitlines() or ["wandb failed"])[-1]


def _environment() -> dict[str, str]:
    """Return the environment of the child: without the helper process of this one, which may be lost by now."""
    kept = {name: value for name, value in os.environ.items() if name != SERVICE}
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def _open_and_close(project: str, name: str, run_id: str, entity: str) -> None:
    import wandb

    settings = private_settings()
    run = wandb.init(
        project=project, entity=entity or None, name=name, id=run_id, dir=".", resume="allow", mode="online",
        settings=settings,
    )  # fmt: skip
    run.finish()


if __name__ == "__main__":
    try:
        _open_and_close(*sys.argv[1:])
    except Exception as error:  # noqa: BLE001  whatever it is, the training goes on
        print((str(error).strip().splitlines() or [repr(error)])[0])
        sys.exit(1)
