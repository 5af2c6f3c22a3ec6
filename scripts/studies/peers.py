"""Released models beside MediaPipe FaceMesh at its best: `python -m scripts.studies.peers DATA [NAME ...]`.

DATA holds the folder 300W. Every model is scored as it is and after one constant offset per point, which removes the
difference between two annotation conventions; the offsets, and the crop of FaceMesh, are chosen on training faces.
Writes results/studies/peers.json and its table in the documentation.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distill.evaluate.evaluate import evaluate
from distill.evaluate.facemesh import tuned, with_offset
from distill.evaluate.faces import FaceSet, load_faces
from distill.inference.backend import Backend
from distill.inference.load import open_backend
from distill.pretrained.registry import resolve_model
from distill.provenance import write_result
from scripts.studies.common.arms import mean_with_interval
from scripts.studies.common.marked_blocks import update_block
from scripts.studies.common.split_300w import TEST, TRAIN

OUT = "results/studies/peers.json"
MODELS = ("student_68_256", "student_68_128")
PEER = "MediaPipe FaceMesh"
# Training faces that crop and offsets are chosen on.
FACES = 140
_SCORES = ("nme_percent", "nme_95_percent", "nme_median_percent", "fr8_percent")


def training_faces(scheme: str, root: Path) -> FaceSet:
    """Return the training faces that everything is chosen on, in a scheme."""
    return load_faces(scheme, format="300w", root=root, subset=TRAIN, limit=FACES)


def scores(backend: Backend, root: Path) -> dict[str, Any]:
    """Return the errors of a model over the 51 inner points of the test faces."""
    found = evaluate(backend, format="300w", root=root, subset=TEST, scheme="inner51").to_json()
    return {name: found["metrics"]["ocular"][name] for name in _SCORES} | {"protocol": found["protocol"]}


def measured(root: Path, names: list[str]) -> dict[str, Any]:
    """Return what each model scores as it is and with its constant offsets."""
    pairs: dict[str, tuple[Backend, Backend]] = {}
    for name in names:
        backend = open_backend(resolve_model(name))
        faces = training_faces(backend.spec.scheme, root)
        pairs[name] = backend, with_offset(backend, faces)
    pairs[PEER] = tuned(training_faces("inner51", root))
    return {
        name: {"raw": scores(raw, root), "calibrated": scores(calibrated, root)}
        for name, (raw, calibrated) in pairs.items()
    }


def table(study: Mapping[str, Any]) -> str:
    """Return all models as a Markdown table."""
    lines = ["| model | | NME % (95 %) | median % | above 8 % |", "|---|---|---|---:|---:|"]
    for name, model in study["models"].items():
        for part, found in model.items():
            title = (f"`{name}`" if name != PEER else name) if part == "raw" else ""
            cells = [title, part, mean_with_interval(found["nme_percent"], *found["nme_95_percent"])]
            cells += [f"{found['nme_median_percent']:.2f}", f"{found['fr8_percent']:.1f}"]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("names", nargs="*", default=list(MODELS))
    options = parser.parse_args()
    study = {"training_faces": FACES, "models": measured(options.data / "300W", options.names)}
    write_result(OUT, study)
    update_block(OUT, table(study))
    print(table(study))


if __name__ == "__main__":
    main()
