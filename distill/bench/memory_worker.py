"""Load and run one model and print the memory it took: `python -m distill.bench.memory_worker MODEL LIMIT`.

A program of its own, because peak memory belongs to a process and because a broken model may crash it. Prints one
line of JSON, or one error line and exits 3. With a third word `openvino` it only tries the model in OpenVINO.
"""

import json
import re
import resource
import sys
from pathlib import Path

from distill.errors import DistillError

_CALLS = 3


def status_bytes(field: str) -> int:
    """Return a size from /proc/self/status in bytes."""
    found = re.search(rf"^{field}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    if found is None:
        raise OSError(f"/proc/self/status has no {field}")
    return 1024 * int(found[1])


def measure(path: Path) -> dict[str, int | None]:
    """Run a model on one thread; return the bytes its loading and running added to this process at the most."""
    from distill.bench.models import load_call, open_model, warm_imports

    warm_imports(path)
    try:
        # Reset the peak of the imports, so that the peak read below is the model's.
        Path("/proc/self/clear_refs").write_text("5")
        before = status_bytes("VmRSS")
    except OSError:  # not Linux, or a sandbox that forbids it
        before = None
    call = load_call(path, threads=1)
    for _ in range(_CALLS):
        call()
    used = None if before is None else max(0, status_bytes("VmHWM") - before)
    open_model(path, path.name)  # what the parent does next with the file is tried here first
    return {"rss_bytes": used}


def tried(path: Path) -> dict[str, int | None]:
    """Run a model in OpenVINO."""
    from distill.bench.openvino_engine import load_openvino

    load_openvino(path)
    return {}


if __name__ == "__main__":
    memory = int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        print(json.dumps(tried(Path(sys.argv[1])) if sys.argv[3:] == ["openvino"] else measure(Path(sys.argv[1]))))
    except (DistillError, MemoryError) as error:
        print(str(error) or "out of memory", file=sys.stderr)
        sys.exit(3)
