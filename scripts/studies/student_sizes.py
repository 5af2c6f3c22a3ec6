"""Error and time of the 68-point models by size of the input: `python -m scripts.studies.student_sizes DATA`.

DATA holds the folders 300W and WFLW. The fp16 file of every released network of 68 points that was trained on photos:
its NME on the tenth of 300-W's training faces that is held out for choices, on hard faces of WFLW (51 points) and on
300-W common (68 points and the 51 inner ones), and its time on one thread of LiteRT over that of MediaPipe's FaceMesh
network, all in turns. No other row that is faster has an NME as low on the hard faces as a row marked `*`. Writes
results/studies/student_sizes.json and its table in the documentation.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distill.bench.latency import compare, tflite_call
from distill.bench.machine import LoadMeter, busy_warning, describe_machine
from distill.bench.peers import peer_path
from distill.data.splits import data_hash
from distill.files import sha256
from distill.provenance import write_result
from distill.spec import read_sidecar
from distill.tflite.complexity import tflite_complexity
from distill.tflite.serialization import read_model
from scripts.studies.common.evaluation_faces import hard_faces, nme_percent
from scripts.studies.common.marked_blocks import update_block
from scripts.studies.common.split_300w import TEST
from scripts.studies.student_recipe import held_out_faces

OUT = "results/studies/student_sizes.json"
MODELS = ("efld_68_128", "student_68_128", "student_68_192", "student_68_256")
PEER = "FaceMesh"
TITLES = {
    "validation": "validation faces",
    "hard": "hard faces",
    "common": "300-W common, 68 points",
    "inner": "51 points",
}


def file_of(name: str) -> Path:
    """Return the released fp16 file of a model."""
    return Path("checkpoints") / f"{name}_fp16.tflite"


def described(path: Path) -> dict[str, Any]:
    """Return size of the input, MACs, bytes and hash of a file."""
    cost = tflite_complexity(read_model(path))
    size = read_sidecar(path).crop.size
    return {"size": size, "macs": cost.macs, "bytes": path.stat().st_size, "sha256": sha256(path)}


def table(study: Mapping[str, Any]) -> str:
    """Return a row for each model as a Markdown table."""
    models = study["models"]
    lines = [
        f"| model | input | M MACs | kB | x {PEER} | NME %: {' | '.join(TITLES.values())} |",
        f"|---|---:|---:|---:|---:|{'---:|' * len(TITLES)}",
    ]
    for name, model in models.items():
        beaten = any(
            other["ratio"] < model["ratio"] and other["nme_percent"]["hard"] <= model["nme_percent"]["hard"]
            for other in models.values()
        )
        cells = [f"{model['nme_percent'][test]:.2f}" for test in TITLES]
        costs = f"{model['macs'] / 1e6:.0f} | {model['bytes'] / 1e3:.0f} | {model['ratio']:.2f}"
        lines.append(f"| `{name}`{'' if beaten else ' *'} | {model['size']} px | {costs} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--rounds", type=int, default=200)
    options = parser.parse_args()
    load = LoadMeter()
    calls = {PEER: tflite_call(peer_path("facemesh"))} | {name: tflite_call(file_of(name)) for name in MODELS}
    times = compare(calls, options.rounds, progress=True)
    disturbance = load.read()
    if warning := busy_warning(disturbance):
        print(warning)
    validation, held_out = held_out_faces(options.data)
    common = {"format": "300w", "root": options.data / "300W", "subset": TEST}
    tests = {
        "validation": validation,
        "hard": hard_faces(options.data),
        "common": common,
        "inner": {**common, "scheme": "inner51"},
    }
    models = {
        name: described(file_of(name))
        | times[name].to_dict()
        | {"nme_percent": {test: nme_percent(file_of(name), faces) for test, faces in tests.items()}}
        for name in MODELS
    }
    study = {
        "machine": describe_machine(),
        "load": disturbance,
        "rounds": options.rounds,
        PEER: times[PEER].to_dict(),
        "models": models,
    }
    write_result(OUT, study, data_hash=data_hash(held_out))
    update_block(OUT, table(study))
    print(table(study))


if __name__ == "__main__":
    main()
