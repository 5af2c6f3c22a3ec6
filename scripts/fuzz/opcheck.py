"""Hold the op check against real loads: `python -m scripts.fuzz.opcheck` writes results/checks/opcheck.json.

Small networks are converted by TensorFlow in a child process (small_nets.py), as fp32, fp16, dynamic, int8 and 16x8.
Every operator of each is then declared in its own version, in every newer one of the table, and in one beyond.
The static verdict for a runtime must equal what that runtime does with the file, or the exit status is 1.
"""

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.progress import track

from distill.errors import CheckpointError
from distill.opcheck.check import check_model
from distill.opcheck.tables import op_table
from distill.provenance import write_result
from distill.tflite.builder import redeclared
from distill.tflite.runtimes import Runtime, RuntimeServer, list_runtimes
from distill.tflite.serialization import read_model

NETS = Path(__file__).with_name("small_nets.py")


def variants(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield a file as it is and with one of its operators declared in other versions: (label, content)."""
    blob = path.read_bytes()
    yield f"{path.stem} as converted", blob
    for op, version in sorted({(node.op, node.version) for node in read_model(blob, path.name).operators}):
        known = [other for name, other in op_table() if name == op]
        for other in range(version + 1, max(known, default=version) + 2):
            yield f"{path.stem}: {op} v{version} as v{other}", redeclared(blob, op, version, other)


def release_of(runtime: Runtime) -> str:
    return f"litert-{runtime.version}" if runtime.name == "litert" else runtime.version


def supported(path: Path, runtime: Runtime) -> bool:
    """Return the static verdict: will the file run? The full tensorflow brings the operators called Flex."""
    report = check_model(path, release_of(runtime))
    flex = runtime.name == "tensorflow"
    return all(row.verdict == "ok" or (flex and row.op.startswith("CUSTOM:Flex")) for row in report.rows)


def compare(files: list[Path], runtimes: list[Runtime]) -> dict[str, Any]:
    """Check and load every variant in every runtime."""
    loads, disagreements = {str(runtime): Counter[str]() for runtime in runtimes}, []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "variant.tflite")
        servers = [(runtime, RuntimeServer(runtime, timeout_s=20)) for runtime in runtimes]
        for file in track(files, description="networks"):
            for label, content in variants(file):
                path.write_bytes(content)
                for runtime, server in servers:
                    failure, expected = server.load(path), supported(path, runtime)
                    loads[str(runtime)]["runs" if failure is None else failure.kind] += 1
                    if expected != (failure is None):
                        real = f"{failure.kind}: {failure.text}" if failure else "runs"
                        disagreements.append(
                            {"file": label, "runtime": str(runtime), "expected": expected, "real": real}
                        )
        for _, server in servers:
            server.close()
    return {"loads": {name: dict(found) for name, found in loads.items()}, "disagreements": disagreements}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--nets", type=Path, help="folder of small networks, or of any .tflite files; made when left out"
    )
    parser.add_argument("--json", type=Path, default=Path("results/checks/opcheck.json"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        if args.nets is None:
            subprocess.run([sys.executable, str(NETS), made], check=True, stderr=subprocess.DEVNULL)
        files = sorted((args.nets or Path(made)).glob("*.tflite"))
        if not files:
            raise CheckpointError(f"{args.nets}: no .tflite file")
        result = compare(files, list_runtimes())
        ops = {(node.op, node.version) for file in files for node in read_model(file).operators}
    total = sum(sum(found.values()) for found in result["loads"].values())
    write_result(
        args.json,
        {
            "networks": len({file.stem.rpartition("_")[0] for file in files}),
            "files": len(files),
            "operators": len({op for op, _ in ops}),
            "operator_versions_as_converted": len(ops),
            "loads_in_all": total,
            **result,
        },
    )
    for found in result["disagreements"]:
        print(found)
    print(f"{len(files)} files, {total} loads, {len(result['disagreements'])} disagreements")
    return 1 if result["disagreements"] else 0


if __name__ == "__main__":
    sys.exit(main())
