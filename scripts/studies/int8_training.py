"""Int8 files after training with int8 simulated: `python -m scripts.studies.int8_training DATA NAME=FILE ...`.

DATA holds the folder 300W. Every checkpoint (of 68 points) is exported to int8, calibrated on 100 training faces, and
measured on the tenth of the training faces that is held out: NME of the float network and of the file, and the mean
distance of their points on 64 of these faces, in pixels of the crop. Each NAME stands for a training, whose recipe and
steps are read from its folder; a fine-tuning in floats of as many steps is the baseline of one with int8 simulated.
Writes results/studies/int8_training.json and its table in the documentation.
"""

import argparse
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from distill.data.crops import face_crops
from distill.data.splits import data_hash
from distill.export.calibration import calibrate_on
from distill.export.config import CalibrationConfig
from distill.export.to_onnx import export_onnx
from distill.export.to_tflite import export_tflite
from distill.export.verify.tolerances import GateConfig
from distill.files import sha256
from distill.inference.load import open_backend
from distill.inference.torch_backend import TorchBackend
from distill.models.checkpoint import load_model
from distill.provenance import write_result
from scripts.studies.common.evaluation_faces import nme_percent
from scripts.studies.common.marked_blocks import update_block
from scripts.studies.common.split_300w import TRAIN
from scripts.studies.student_recipe import held_out_faces

OUT = "results/studies/int8_training.json"
CALIBRATION = 100
COMPARED = 64


def measured(checkpoint: Path, data: Path, faces: Mapping[str, Any]) -> dict[str, Any]:
    """Return the errors of a network and of its int8 file, and how far their points are from each other."""
    net, spec = load_model(checkpoint)
    calibration = calibrate_on(
        spec, CalibrationConfig(format="300w", root=data / "300W", subset=TRAIN, faces=CALIBRATION)
    )
    crops, _ = face_crops(spec, COMPARED, **faces)
    with tempfile.TemporaryDirectory(prefix="int8-") as name:
        onnx = export_onnx(net, spec, Path(name) / "net.onnx")
        file = export_tflite(onnx, spec, name, ("int8",), "net", calibration.crops)["int8"]
        backends = {"float": TorchBackend(net, spec), "int8": open_backend(file)}
        points = [backend(crops) for backend in backends.values()]
        nme = {kind: nme_percent(backend, faces) for kind, backend in backends.items()}
    distances = spec.crop.size * np.linalg.norm(points[0] - points[1], axis=-1)
    steps = json.loads((checkpoint.parent / "summary.json").read_text())["steps"]
    return {
        "arch": spec.arch,
        "sha256": sha256(checkpoint),
        "steps": steps,
        "nme_percent": nme,
        "mean_px": float(distances.mean()),
        "gate_px": GateConfig().by_stage()["int8"].mean_px,
    }


def table(study: Mapping[str, Any]) -> str:
    """Return the study as a Markdown table."""
    lines = [
        "| training | steps | NME %, floats | NME %, int8 | rise, % | mean px from the floats (gate) |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, row in study["trainings"].items():
        before, after = row["nme_percent"]["float"], row["nme_percent"]["int8"]
        gate = f"{row['mean_px']:.2f} ({row['gate_px']}, {'met' if row['mean_px'] <= row['gate_px'] else 'missed'})"
        rise = f"{100 * (after / before - 1):+.1f}"
        lines.append(f"| {name} | {row['steps']} | {before:.2f} | {after:.2f} | {rise} | {gate} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("trainings", nargs="+", metavar="NAME=FILE", help="best.ckpt of a training")
    options = parser.parse_args()
    faces, held_out = held_out_faces(options.data)
    named = (given.partition("=") for given in options.trainings)
    study = {"trainings": {name: measured(Path(file), options.data, faces) for name, _, file in named}}
    write_result(OUT, study, data_hash=data_hash(held_out))
    update_block(OUT, table(study))
    print(table(study))


if __name__ == "__main__":
    main()
