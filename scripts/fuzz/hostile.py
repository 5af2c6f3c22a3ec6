"""Open 2,000 damaged files: `python -m scripts.fuzz.hostile` writes results/checks/hostile.json.

The files are damaged copies of a model that is not released, as damaged copies of a released one are refused before a
runtime sees them. Each is read by our reader, checked with a sidecar (which must refuse every one), and loaded without
one in every runtime given, in child processes. The exit status is 1 when anything took this process down, hung, or
raised what is not a CheckpointError. Writes the table in the documentation, too.
"""

import argparse
import hashlib
import resource
import sys
import tempfile
import textwrap
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.progress import track

from distill.errors import CheckpointError
from distill.files import sha256, write_json
from distill.opcheck.check import check_model
from distill.tflite.runtimes import RuntimeServer, list_runtimes
from distill.tflite.serialization import read_model, write_model
from scripts.studies.common.study import store
from tests.support.mutants import KINDS, mutant

OUT = "results/checks/hostile.json"
HANG_S = 20.0


def unreleased(blob: bytes) -> bytes:
    """Return the same network as a file of another size: its copies are not recognised as those of a released file."""
    model = read_model(blob, "model")
    model.description += " (changed)"
    return write_model(model)


def read(blob: bytes) -> str:
    """Return what our reader makes of a file."""
    try:
        read_model(blob, "mutant")
    except CheckpointError:
        return "refused"
    except Exception as error:  # noqa: BLE001  counted, and it fails the run
        return f"raised {type(error).__name__}"
    return "read"


def refused_by_hash(path: Path) -> bool:
    """Tell whether the op check refuses the file because its sidecar states another hash."""
    try:
        check_model(path, "2.11.0")
    except CheckpointError as error:
        return "SHA-256 differs" in str(error)
    return False


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, nargs="?", default=Path("checkpoints/student_128_fp16.tflite"))
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--runtimes", nargs="+", default=["litert", "tflite-runtime 2.14"], help="beginnings of names")
    parser.add_argument("--timeout", type=float, default=10.0, help="seconds a file may take in a runtime")
    parser.add_argument("--json", type=Path, default=Path(OUT))
    args = parser.parse_args()

    blob, start = unreleased(args.model.read_bytes()), time.monotonic()
    chosen = [runtime for runtime in list_runtimes() if str(runtime).startswith(tuple(args.runtimes))]
    servers = {str(runtime): RuntimeServer(runtime, args.timeout) for runtime in chosen}
    counts: dict[str, dict[str, Counter[str]]] = {
        name: {kind: Counter() for kind in KINDS} for name in ("our reader", *servers)
    }
    slowest = dict.fromkeys(counts, 0.0)
    kept_by_hash = 0
    with tempfile.TemporaryDirectory() as folder:
        bare, guarded = Path(folder, "bare.tflite"), Path(folder, "guarded.tflite")
        write_json(
            guarded.with_suffix(".json"), {"format": "distill-model/1", "sha256": hashlib.sha256(blob).hexdigest()}
        )
        for number in track(range(args.count), description="damaged files"):
            kind, content = mutant(blob, number)
            bare.write_bytes(content)
            guarded.write_bytes(content)
            kept_by_hash += content == blob or refused_by_hash(guarded)
            for name in counts:
                began = time.monotonic()
                if name == "our reader":
                    outcome = read(content)
                else:
                    failure = servers[name].load(bare)
                    outcome = failure.kind if failure else "runs"
                counts[name][kind][outcome] += 1
                slowest[name] = max(slowest[name], time.monotonic() - began)
    for server in servers.values():
        server.close()
    result: dict[str, Any] = report(args, counts, slowest, kept_by_hash, time.monotonic() - start)
    store(result, args.json, OUT, table)
    print(table(result))
    return 0 if result["passed"] else 1


def table(result: Mapping[str, Any]) -> str:
    """Return what became of the files as a Markdown table, and a sentence about this process."""
    lines = [
        "| opened by | read or ran | refused | its child crashed | its child was ended | slowest, s |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, found in result["by"].items():
        total = Counter(found["total"])
        cells = [total["read"] + total["runs"], total["refused"] + total["error"], total["crash"], total["timeout"]]
        lines.append(f"| {name} | {' | '.join(f'{count:,}' for count in cells)} | {found['slowest_s']:.1f} |")
    text = (
        f"The parent process crashed {result['parent_crashes']} times, waited more than {HANG_S:.0f} s "
        f"{result['hangs']} times, and grew to {result['peak_rss_mb']} MB. With the sidecar beside them, "
        f"{result['refused_by_hash']:,} of {result['files']:,} were refused."
    )
    return "\n".join([*lines, "", textwrap.fill(text, 100)])


def report(args: Any, counts: Any, slowest: dict[str, float], kept: int, seconds: float) -> dict[str, Any]:
    """Return what is written; the run passes when nothing unforeseen happened."""
    by: dict[str, dict[str, Any]] = {
        name: {
            "total": dict(sum(kinds.values(), Counter())),
            "by_damage": {kind: dict(found) for kind, found in kinds.items()},
            "slowest_s": round(slowest[name], 3),
        }
        for name, kinds in counts.items()
    }
    surprises = [outcome for outcome in by["our reader"]["total"] if outcome.startswith("raised")]
    return {
        "model": {"file": args.model.name, "bytes": args.model.stat().st_size, "sha256": sha256(args.model)},
        "files": args.count,
        "damages": list(KINDS),
        "parent_crashes": 0,  # a crash would have left no report
        "hangs": sum(took > HANG_S for took in slowest.values()),
        "refused_by_hash": kept,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "seconds": round(seconds, 1),
        "by": by,
        "passed": not surprises and kept == args.count and max(slowest.values()) <= HANG_S,
    }


if __name__ == "__main__":
    sys.exit(main())
