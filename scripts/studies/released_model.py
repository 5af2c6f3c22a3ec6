"""All files of one released model on test faces and on hard ones: `python -m scripts.studies.released_model NAME DATA`.

DATA holds the folders 300W and WFLW. Every file is measured over all of its points on the 554 faces of 300-W common,
with the annotated boxes and with those of the detector, and its weights also over the 51 inner points of WFLW's faces.
`--run FOLDER` adds the recipe and the validation errors of the training, `--before FILE` how much the NME differs from
that of other weights, such as the former ones of this name, paired by face. Writes results/studies/NAME.json.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from distill.evaluate.result import Evaluation
from distill.files import sha256
from distill.provenance import write_result
from distill.training.loggers.csv import read_rows
from scripts.studies.common.arms import difference, with_interval
from scripts.studies.common.evaluation_faces import all_faces, common_faces

FOLDER = Path("checkpoints")
TITLES = {
    "gt": "of 300-W common, annotated boxes",
    "detector": "of 300-W common, boxes of the detector",
    "hard": "hard faces of WFLW, for development",
}
# Results with a table in the documentation; those of former weights keep the name of what they show.
RESULTS = ("student_68_128", "student_68_128_turned", "student_68_256", "student_68_256_turned")
# What a stored run does not need to say: where it lay and how it was shown.
_LOCAL = ("runs", "log", "resume", "plugin")
# Parts of a former result that stay unless they are made again.
_KEPT = ("training", "before")


def files_of(name: str) -> dict[str, Path]:
    """Return the files of a model: its weights under an empty name, TFLite files under their kinds."""
    tflite = sorted(FOLDER.glob(f"{name}_*.tflite"))
    return {"": FOLDER / f"{name}.safetensors", **{path.stem.removeprefix(f"{name}_"): path for path in tflite}}


def stored(result: Evaluation) -> dict[str, Any]:
    """Return an evaluation without what differs from machine to machine."""
    content = result.to_json()
    return {key: content[key] for key in ("model", "protocol", "metrics", "groups")}


def measured(name: str, data: Path, before: Path | None) -> dict[str, Any]:
    """Return the results of all files of a model by file and test, and how its weights differ from others."""
    files = files_of(name)
    own = all_faces(files.pop(""), data)
    found = {test: stored(result) for test, result in own.items()}
    for kind, path in files.items():
        found |= {f"{kind}, {boxes}": stored(result) for boxes, result in common_faces(path, data).items()}
    if before is not None:
        former = all_faces(before, data)
        differences = {test: difference([own[test]], [former[test]]) for test in own}
        results = {test: stored(result) for test, result in former.items()}
        found["before"] = {"sha256": sha256(before), "results": results, "difference": differences}
    return found


def training(run: Path) -> dict[str, Any]:
    """Return what a finished run was: recipe, faces, time and validation errors by step."""
    summary = json.loads((run / "summary.json").read_text())
    recipe = yaml.safe_load((run / "config.yaml").read_text())
    rows = read_rows(run / "metrics.csv")
    kept = (
        "commit",
        "train_faces",
        "val_faces",
        "train_hash",
        "val_hash",
        "precision",
        "seconds",
        "best_step",
        "steps",
    )
    return {
        **{name: summary[name] for name in kept},
        "recipe": {name: value for name, value in recipe.items() if name not in _LOCAL},
        "val_nme_by_step": {str(step): round(value, 5) for step, name, value in rows if name == "val/nme"},
    }


def table(study: Mapping[str, Any]) -> str:
    """Return how the weights differ from those before as a Markdown table."""
    before = study["before"]
    lines = ["| faces | points | NME % before | after | difference, points (95 %) |", "|---|---:|---:|---:|---|"]
    for test, change in before["difference"].items():
        protocol = study[test]["protocol"]
        values = (result["metrics"]["ocular"]["nme_percent"] for result in (before["results"][test], study[test]))
        cells = [f"{protocol['n_faces']} {TITLES[test]}", protocol["points"], *(f"{value:.2f}" for value in values)]
        lines.append(f"| {' | '.join(map(str, cells))} | {with_interval(change)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("name")
    parser.add_argument("data", type=Path)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--before", type=Path)
    options = parser.parse_args()
    out = Path(f"results/studies/{options.name}.json")
    content = measured(options.name, options.data, options.before)
    if options.run is not None:
        content["training"] = training(options.run)
    former = json.loads(out.read_text()) if out.is_file() else {}
    content = {**{part: former[part] for part in _KEPT if part in former}, **content}
    write_result(out, content)
    for test, result in content.items():
        if test not in _KEPT:
            print(f"{test}: {result['metrics']['ocular']['nme_percent']:.3f} %")


if __name__ == "__main__":
    main()
