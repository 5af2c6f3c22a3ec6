"""What every committed result says about itself: the command, the commit and the machine that made it."""

import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from distill.files import write_json

# What `distill bench` calls its files, for who reads them further down.
BENCH = "distill-bench/1"


def commit() -> str:
    """Return the commit that is checked out, marked where files differ from it, or `unknown` outside a checkout."""
    folder = Path(__file__).parent
    try:
        ask = ["git", "-C", str(folder), "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"]
        return subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def made_by() -> dict[str, Any]:
    """Return `command` (folders outside the project cut to their last part), `commit` and `machine`."""
    words = [Path(word).name if Path(word).is_absolute() or word.startswith("..") else word for word in sys.argv]
    return {
        "command": " ".join(["python", *words]),
        "commit": commit(),
        "machine": f"{platform.machine()}, {os.cpu_count()} CPU cores, Python {platform.python_version()}",
    }


def write_result(path: str | Path, content: dict[str, Any]) -> None:
    """Write a result as JSON together with `made_by`."""
    write_json(path, {"made_by": made_by(), **content})
