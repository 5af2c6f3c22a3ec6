"""`distill sync [RUNS]`: upload what was recorded offline to Weights & Biases."""

from pathlib import Path

from distill.cli.console import counted
from distill.options.parser import options_of, parse

_DESCRIPTION = "Upload W&B runs recorded offline, the oldest first; run it in the folder that they were recorded from."


def sync(runs: Path = Path("runs"), dry_run: bool = False) -> int:
    """Upload offline runs.

    Args:
        runs: a run, or the folder of all runs.
        dry_run: list the runs and upload nothing.
    """
    from distill.tracking.sync import offline_runs, require_key, upload

    waiting = offline_runs(runs)
    if dry_run or not waiting:
        print("\n".join([*map(str, waiting), f"{counted(len(waiting), 'run')} to upload"]))
        return 0
    require_key()
    for number, folder in enumerate(upload(waiting), 1):
        print(f"{number}/{len(waiting)}  {folder}", flush=True)
    return 0


def run(argv: list[str]) -> int:
    return sync(**parse(options_of("sync", _DESCRIPTION, sync, "runs"), argv, "runs"))
