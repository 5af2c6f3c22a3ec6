"""Call a function of the package in a process of its own that may take little more memory than it has."""

import subprocess
import sys
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
most = size + (int(sys.argv[3]) << 20)
resource.setrlimit(resource.RLIMIT_AS, (most, most))
try:
    function(Path(sys.argv[2]))
except DistillError as error:
    print(f"refused: {error}")
"""


def run_with_memory(function: str, path: Path, megabytes: int) -> str:
    """Call MODULE:FUNCTION with a path while the address space may grow by so many megabytes; return its output."""
    command = [sys.executable, "-c", _CODE, function, str(path), str(megabytes)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()
