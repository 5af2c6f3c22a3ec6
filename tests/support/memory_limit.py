"""Call a function of the package in a process of its own that may take little more memory than it has."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

# A fork would do with memory that its parent has freed but not given back.
_CODE = """
import resource, sys
from importlib import import_module
from pathlib import Path
from distill.errors import DistillError

module, _, name = sys.argv[1].partition(":")
function = getattr(import_module(module), name)
size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
most = size + (int(sys.argv[2]) << 20)
resource.setrlimit(resource.RLIMIT_AS, (most, most))
for path in sys.argv[3:]:
    try:
        function(Path(path))
    except DistillError as error:
        print(f"refused: {error}")
    else:
        print("ran")
"""


def run_with_memory(function: str, paths: Sequence[Path], megabytes: int) -> list[str]:
    """Call MODULE:FUNCTION with each path while the address space may grow by so many megabytes; return a line each."""
    command = [sys.executable, "-c", _CODE, function, str(megabytes), *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip().splitlines()
