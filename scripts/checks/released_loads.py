"""Load of every released model file in every TFLite runtime it claims: results/checks/released_loads.json.

Usage: python -m scripts.checks.released_loads [--runtime 2.11.0]

A file claims the oldest release that its operators need. It is loaded and run in every runtime of this machine that is
at least `--runtime`, 2.11.0 among them where Python 3.9 is installed (distill.environments).
"""

import argparse
from pathlib import Path
from typing import Any

from distill.export.check import check
from distill.files import sha256
from distill.provenance import write_result

RESULT = Path("results/checks/released_loads.json")
FOLDERS = (Path("checkpoints"), Path("distill/detection/models"))


def loads_of(path: Path, runtime: str) -> dict[str, Any]:
    """Return what one file claims and where it was loaded."""
    found = check(path, runtime)
    return {
        "file": path.as_posix(),
        "sha256": sha256(path),
        "min_runtime": found.ops.min_runtime,
        "loads": found.loads,
        "verdict": str(found),
    }


def main() -> None:
    """Load every file and write the result."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--runtime", default="2.11.0")
    options = parser.parse_args()
    files = [path for folder in FOLDERS for path in sorted(folder.glob("*.tflite"))]
    models = [loads_of(path, options.runtime) for path in files]
    write_result(RESULT, {"runtime": options.runtime, "models": models})
    failed = [model["file"] for model in models if not model["verdict"].startswith("runs on")]
    raise SystemExit(f"not shown to run on {options.runtime}: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
