"""Costs that the papers state and no training changes: `python -m scripts.studies.paper_costs`.

Exports networks with random weights, which are as large and as fast as trained ones: to ONNX, timed in ONNX Runtime on
one thread (SwinV2 teacher and student, here and at the size of their paper; table 2b of Lite-HRNet Plus), and to int8
TFLite files, which are weighed (table 2 of EFLD). Writes results/bench/paper_costs.json and the pages of these papers.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from distill.bench.result import Settings
from distill.bench.run import bench
from distill.export.config import QuantizeConfig
from distill.export.to_onnx import export_onnx
from distill.export.to_tflite import export_tflite
from distill.geometry import CropSpec
from distill.landmarks import load_scheme
from distill.models.zoo import takes_image_size
from distill.provenance import command_line, write_result
from distill.report.bench_json import to_json
from distill.spec import ModelSpec
from scripts.bench.untrained import untrained
from scripts.studies.papers.page import update
from scripts.studies.swinv2_mobilevitv2 import NETWORKS

OUT = "results/bench/paper_costs.json"
CACHE = Path("runs/paper_costs")
Network = tuple[str, str, dict[str, Any], int]
# Architecture, scheme, options, side of the crop.
TIMED: Mapping[str, Network] = {
    **{
        name: (arch, "inner51", options, size)
        for name, (arch, options, size) in NETWORKS.items()
        if name in ("teacher", "student", "paper_teacher", "paper_student")
    },
    "lite_hrnet_plus_30m": ("lite_hrnet_plus_30m", "ibug68", {}, 96),
    "lite_hrnet_plus_10m": ("lite_hrnet_plus_10m", "ibug68", {}, 96),
}
WEIGHED: Mapping[str, Network] = {
    "efld": ("efld", "inner51", {}, 128),
    "efld_conv": ("efld", "inner51", {"light": False}, 128),
    "efld_pfld": ("efld", "inner51", {"head": "pfld"}, 128),
}
# Noise that the ranges of integers are taken from: the size of a file does not depend on them.
N_CALIBRATION = 4


def exported(name: str, network: Network, folder: Path, int8: bool) -> Path:
    """Return the ONNX or int8 TFLite file of a network with random weights; made unless it is there."""
    path = folder / (f"{name}_int8.tflite" if int8 else f"{name}.onnx")
    if not path.is_file():
        arch, scheme, options, size = network
        options = {**options, "image_size": size} if takes_image_size(arch) else options
        folder.mkdir(parents=True, exist_ok=True)
        net = untrained(arch, scheme, options, size)
        spec = ModelSpec(arch, scheme, load_scheme(scheme).n_points, CropSpec(size=size), options)
        onnx = export_onnx(net, spec, folder / f"{name}.onnx")
        if int8:
            crops = np.random.default_rng(0).random((N_CALIBRATION, size, size, 3), np.float32)
            export_tflite(onnx, spec, folder, ["int8"], name, crops, QuantizeConfig().for_network(net))
    return path


def measured(folder: Path, rounds: int) -> dict[str, Any]:
    """Export what is missing, time and weigh it; return the result."""
    files = {name: exported(name, network, folder, int8=False) for name, network in TIMED.items()}
    found = bench(list(files.values()), [], Settings((1,), rounds), stages=False, progress=True)
    content = to_json(found, command_line())
    times = {entry["name"]: entry["median_ms"] for entry in content["times"] if entry["part"] == "model"}
    timed = {
        name: {
            "size": TIMED[name][3],
            "bytes": path.stat().st_size,
            "ms": times[path.name],
            "per_second": 1000 / times[path.name],
        }
        for name, path in files.items()
    }
    weighed = {name: exported(name, network, folder, int8=True).stat().st_size for name, network in WEIGHED.items()}
    return {"onnx": timed, "int8_bytes": weighed, "bench": content}


def main() -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(description=str(__doc__), formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, default=CACHE, help=f"folder of the exported files [{CACHE}]")
    parser.add_argument("--rounds", type=int, default=20, help="timed calls of each network [20]")
    options = parser.parse_args()
    study = measured(options.cache, options.rounds)
    write_result(OUT, study)
    update("swinv2_mobilevitv2", "efld", "lite_hrnet_plus")
    print(json.dumps({name: study[name] for name in ("onnx", "int8_bytes")}, indent=1))


if __name__ == "__main__":
    main()
