"""500 damaged and 50 hostile weight files: `python -m scripts.fuzz.mutated_weights`.

A file passes when it is refused in one line, or loads with exactly the weights of the sound file (damage to padding),
below 1 GB of memory and without running anything. Writes results/checks/mutated_weights.json.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from rich.progress import track
from torch import nn

from distill.geometry import CropSpec
from distill.models import create_model, list_models
from distill.models.checkpoint import load_model, save_model
from distill.provenance import write_result
from distill.spec import ModelSpec
from scripts.fuzz.forked import Outcome, run_forked
from tests.support.hostile_archives import write_archives
from tests.support.hostile_weights import MAKERS
from tests.support.mutants import mutant

OUT = "results/checks/mutated_weights.json"
HANG_S = 20.0
MOST_MB = 1000
SPEC = ModelSpec("mobilevit_v2_050", "five", 5, CropSpec(64, 1.2, -0.1), {"width": 16, "neck": "pyramid"})


def load(path: Path, sound: nn.Module) -> str:
    """Load weights; return `same` or `other` weights than those of the sound network."""
    net, spec = load_model(path)
    expected = sound.state_dict()
    equal = all(torch.equal(value, expected[name]) for name, value in net.state_dict().items())
    return "same" if equal and spec == SPEC else "other"


def damaged(net: nn.Module, count: int, folder: Path) -> list[Outcome]:
    """Try damaged copies, half of them `.ckpt` and half `.safetensors`."""
    files = [folder / "sound.ckpt", folder / "sound.safetensors"]
    torch.save({"spec": SPEC.to_dict(), "state_dict": {f"net.{n}": v for n, v in net.state_dict().items()}}, files[0])
    save_model(files[1], net, SPEC)
    found = []
    for number in track(range(count), description="damaged weights"):
        source = files[number % 2]
        path = folder / f"damaged{source.suffix}"
        path.write_bytes(mutant(source.read_bytes(), number // 2)[1])
        found.append(run_forked(lambda: load(path, net), HANG_S))  # noqa: B023  called at once
    return found


def hostile(net: nn.Module) -> tuple[dict[str, Outcome], int]:
    """Try every hostile file; return the outcomes by name and how many ran something or wrote outside."""
    state = {name: value.contiguous() for name, value in net.state_dict().items()}
    found, escaped = {}, 0
    for kind, make in MAKERS.items():
        with tempfile.TemporaryDirectory() as root:
            folder = Path(root, "inside", "folder")
            folder.mkdir(parents=True)
            path = make(folder, SPEC.to_dict(), state)
            found[kind] = run_forked(lambda: load(path, net), HANG_S)  # noqa: B023
            escaped += bool(list(Path(root).rglob("executed")))
    return found, escaped


def archives(net: nn.Module) -> tuple[list[Outcome], int]:
    """Try archives with names that lead outside; return the outcomes and how many files appeared anywhere."""
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root, "inside", "folder")
        folder.mkdir(parents=True)
        paths = write_archives(folder)
        before = sorted(Path(root).rglob("*"))
        found = [run_forked(lambda: load(path, net), HANG_S) for path in paths]  # noqa: B023
        return found, len(sorted(Path(root).rglob("*"))) - len(before)


def counts(outcomes: list[Outcome]) -> dict[str, Any]:
    """Return kinds of outcomes, the slowest and the largest."""
    names = [f"loads the {outcome.text} weights" if outcome.kind == "ran" else outcome.kind for outcome in outcomes]
    kinds = Counter(names)
    return {
        "files": len(outcomes),
        "outcomes": dict(sorted(kinds.items())),
        "slowest_s": round(max(outcome.seconds for outcome in outcomes), 2),
        "peak_mb": round(max(outcome.peak_mb for outcome in outcomes)),
    }


def main() -> int:
    """Try all files."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--out", type=Path, default=Path(OUT))
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    list_models()  # imports every network before the first fork
    net = create_model(SPEC.arch, SPEC.scheme, **SPEC.options).eval()
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        broken = damaged(net, options.count, Path(folder))
    made, executed = hostile(net)
    packed, written = archives(net)
    found = {"damaged": counts(broken), "hostile": counts(list(made.values())), "archives": counts(packed)}
    allowed = {"refused", "loads the same weights"}
    fine = all(set(part["outcomes"]) <= allowed and part["peak_mb"] < MOST_MB for part in found.values())
    result = {
        "executed": executed, "written_outside": written, "passed": fine and not executed and not written,
        "seconds": round(time.monotonic() - start), "found": found,
        "hostile_kinds": {kind: outcome.kind for kind, outcome in made.items()},
    }  # fmt: skip
    write_result(options.out, result)
    print(result)
    return 0 if result["passed"] else 1


def table(result: dict[str, Any]) -> str:
    """Return the counts of a result as a Markdown table."""
    lines = ["Weight files, limit 20 s and 1,000 MB:", ""]
    lines += ["| files | count | refused | load the same weights | anything else | slowest | peak memory |"]
    lines += ["|---|---|---|---|---|---|---|"]
    for name, part in result["found"].items():
        known = [part["outcomes"].get(kind, 0) for kind in ("refused", "loads the same weights")]
        row = " | ".join(map(str, [part["files"], *known, part["files"] - sum(known)]))
        lines.append(f"| {name} | {row} | {part['slowest_s']} s | {part['peak_mb']} MB |")
    harm = f"Run by a file: {result['executed']}; written outside: {result['written_outside']}."
    return "\n".join([*lines, "", harm])


if __name__ == "__main__":
    sys.exit(main())
