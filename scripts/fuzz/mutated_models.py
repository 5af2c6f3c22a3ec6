"""2,000 damaged TFLite files through check, predict and bench: `python -m scripts.fuzz.mutated_models`.

Each file is opened twice by each command: beside the sidecar of the sound file, whose hash must refuse it, and beside
one whose hash was made for it, as somebody who wants harm would do. Writes results/checks/mutated_models.json.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from distill.bench.models import checked_path, load_call, open_model
from distill.files import sha256, write_json
from distill.inference.load import open_backend
from distill.opcheck.check import check_model
from distill.provenance import write_result
from distill.spec import sidecar_path
from distill.tflite.interpreter import interpreter_class
from scripts.fuzz.forked import Outcome, outcome_of, run_forked
from tests.support.mutants import mutant

OUT = "results/checks/mutated_models.json"
HANG_S = 20.0


def check(path: Path) -> object:
    """Do what `distill check` does in its own process."""
    return check_model(path, "2.11.0").passed


def predict(path: Path) -> object:
    """Open a model as `distill predict` does and run it once more."""
    backend = open_backend(path)
    size = backend.spec.crop.size
    return backend(np.zeros((1, size, size, 3), np.float32)).shape


def bench(path: Path) -> object:
    """Do what `distill bench` does in its child process, and afterwards in its own."""
    call = load_call(checked_path(path), 1)
    call()
    return open_model(path, path.name).name


COMMANDS: dict[str, Callable[[Path], object]] = {"check": check, "predict": predict, "bench": bench}


def try_here(path: Path) -> dict[str, Outcome]:
    """Return what became of a file that is refused before it is opened, so that no process of its own is needed."""
    found = {}
    for name, command in COMMANDS.items():
        start = time.monotonic()
        kind, text = outcome_of(partial(command, path))
        found[name] = Outcome(kind, text, time.monotonic() - start, 0.0)
    return found


def try_file(path: Path) -> dict[str, Outcome]:
    """Return what became of a file in each command, each in a process of its own."""
    return {name: run_forked(partial(command, path), HANG_S) for name, command in COMMANDS.items()}


def report(results: dict[str, dict[str, list[Outcome]]]) -> dict[str, Any]:
    """Return the counts, the slowest call and the largest memory by sidecar and command."""
    return {
        sidecar: {
            name: {
                "outcomes": dict(sorted(Counter(outcome.kind for outcome in outcomes).items())),
                "refused_by_hash": sum("SHA-256 differs" in outcome.text for outcome in outcomes),
                "slowest_s": round(max(outcome.seconds for outcome in outcomes), 2),
                "peak_mb": round(max(outcome.peak_mb for outcome in outcomes)),
            }
            for name, outcomes in commands.items()
        }
        for sidecar, commands in results.items()
    }


def passed(found: dict[str, Any]) -> bool:
    """Whether every file was refused or ran, and every one beside the sound file's sidecar was refused."""
    counts = [part["outcomes"] for commands in found.values() for part in commands.values()]
    sound = all(set(part["outcomes"]) == {"refused"} for part in found["sound sidecar"].values())
    return sound and not any({"crash", "hang", "raised"} & set(count) for count in counts)


def main() -> int:
    """Try all files."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("model", type=Path, nargs="?", default=Path("checkpoints/efld_51_128_int8.tflite"))
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--out", type=Path, default=Path(OUT))
    options = parser.parse_args()
    interpreter_class()
    blob, description, start = options.model.read_bytes(), sidecar_path(options.model).read_text(), time.monotonic()
    results: dict[str, dict[str, list[Outcome]]] = {
        sidecar: {name: [] for name in COMMANDS} for sidecar in ("sound sidecar", "forged sidecar")
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.tflite")
        path.write_bytes(blob)
        sound = try_file(_described(path, description, forged=False))
        if any(outcome.kind != "ran" for outcome in sound.values()):
            raise SystemExit(f"the sound file does not run: {sound}")
        for number in track(range(options.count), description="damaged models"):
            _, content = mutant(blob, number)
            if content == blob:
                content += b"\0"
            path.write_bytes(content)
            for sidecar, commands in results.items():
                _described(path, description, forged=sidecar == "forged sidecar")
                attempt = try_here if sidecar == "sound sidecar" else try_file
                for name, outcome in attempt(path).items():
                    commands[name].append(outcome)
    found = report(results)
    about = {"model": {"file": options.model.name, "sha256": sha256(options.model)}, "files": options.count}
    result = {**about, "seconds": round(time.monotonic() - start), "passed": passed(found), "found": found}
    write_result(options.out, result)
    print(result)
    return 0 if result["passed"] else 1


def _described(path: Path, description: str, forged: bool) -> Path:
    """Write the sidecar of the sound file beside a model, with the hash of the model itself where it is forged."""
    content = json.loads(description)
    write_json(sidecar_path(path), {**content, "sha256": sha256(path)} if forged else content)
    return path


def table(result: dict[str, Any]) -> str:
    """Return the counts of a result as a Markdown table."""
    lines = [f"{result['files']} damaged TFLite files, limit {HANG_S:.0f} s:", ""]
    lines += ["| sidecar | command | refused | ran | raised, crashed or hung | slowest |", "|---|---|---|---|---|---|"]
    for sidecar, commands in result["found"].items():
        for name, part in commands.items():
            count = part["outcomes"]
            bad = sum(count.get(kind, 0) for kind in ("raised", "crash", "hang"))
            row = f"{count.get('refused', 0)} | {count.get('ran', 0)} | {bad} | {part['slowest_s']} s"
            lines.append(f"| {sidecar} | `{name}` | {row} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
