"""Another process that holds the lock of a folder."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CODE = """
import sys
from pathlib import Path
from distill.system.locks import folder_lock
with folder_lock(Path(sys.argv[1]), sys.argv[2]):
    print("locked", flush=True)
    sys.stdin.read()
"""


@contextmanager
def locked_by_another(folder: Path, activity: str) -> Iterator[int]:
    """Hold the lock of a folder in another process and yield its number; the lock goes when the pipe to it closes."""
    command = [sys.executable, "-c", CODE, str(folder), activity]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"locked\n"
        yield owner.pid
        owner.communicate()
