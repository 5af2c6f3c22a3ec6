"""Models with and without their annotation shift: `python -m scripts.studies.annotation_shift DATA NAME=FILE ...`.

Each model is measured on the tenth of 300-W's training faces (by photo group) that is held out for choices, on hard
faces of WFLW, and, where it is released, on the test faces of 300-W. DATA holds the folders 300W and WFLW. Writes
results/studies/annotation_shift.json and its table in the documentation.
"""

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from distill.data.splits import data_hash
from distill.files import sha256
from distill.inference.torch_backend import TorchBackend
from distill.models.annotation_shift import set_annotation_shift
from distill.models.checkpoint import load_model
from distill.provenance import write_result
from scripts.studies.common.evaluation_faces import hard_faces, nme_percent
from scripts.studies.common.marked_blocks import update_block
from scripts.studies.student_recipe import held_out_faces

OUT = "results/studies/annotation_shift.json"
TITLES = {"validation": "validation faces of 300-W", "hard": "hard faces of WFLW", "common": "300-W common"}


def measured(path: Path, tests: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the NME in percent of a model on each set of faces, without and with its shift."""
    net, spec = load_model(path)
    found: dict[str, Any] = {"sha256": sha256(path), "annotation_shift": spec.annotation_shift}
    for shift in sorted({0.0, spec.annotation_shift}):
        set_annotation_shift(net, shift)
        backend = TorchBackend(net, replace(spec, annotation_shift=shift))
        found["with" if shift else "without"] = {test: nme_percent(backend, faces) for test, faces in tests.items()}
    return found


def table(study: Mapping[str, Any]) -> str:
    """Return all models as a Markdown table: NME without and with the shift."""
    lines = [f"| model | shift, % of a crop | {' | '.join(TITLES.values())} |", f"|---|---:{'|---:' * len(TITLES)}|"]
    for name, model in study["models"].items():
        cells = []
        for test in TITLES:
            values = [model[part][test] for part in ("without", "with") if test in model.get(part, {})]
            cells.append(" → ".join(f"{value:.2f}" for value in values) or "–")
        shift = f"{100 * model['annotation_shift']:.2f}" if model["annotation_shift"] else "–"
        lines.append(f"| {name} | {shift} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("models", nargs="+", help="NAME=FILE; those in checkpoints/ are measured on test faces, too")
    options = parser.parse_args()
    validation, faces = held_out_faces(options.data)
    tests = {"validation": validation, "hard": hard_faces(options.data)}
    common = {"common": {"preset": "300w", "root": options.data / "300W"}}
    models = {}
    for entry in options.models:
        name, _, file = entry.partition("=")
        models[name] = measured(Path(file), tests | (common if Path(file).parent.name == "checkpoints" else {}))
    study = {"models": models}
    write_result(OUT, study, data_hash=data_hash(faces))
    update_block(OUT, table(study))
    print(table(study))


if __name__ == "__main__":
    main()
