"""`make student` with and without a teacher: `python -m scripts.studies.student_recipe DATA --teacher WEIGHTS`.

The recipe configs/student.yaml with 68 points, from random weights: under a teacher of 68 points, under one that
configs/teacher.yaml trains on the same labels alone, and with `--kd.kind none`; the same faces, seeds and numbers of
steps. Measured on the tenth of 300-W's training faces (by photo group) on which the students are not trained, and on
hard faces of WFLW, over the 51 points that both data sets have; the test faces are not read. WEIGHTS must not have been
trained on the former: the result was made with those of `git show f271a7a:checkpoints/student_68_256.safetensors`; what
is released now learnt from a network that was. DATA holds the folders 300W and WFLW. A run that is complete is not
trained again, one that was stopped is continued. Writes results/studies/student_recipe.json and its table in the
documentation.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from distill.data.readers import parse_subsets, read_faces
from distill.data.records import FaceRecord
from distill.data.splits import data_hash
from distill.evaluate.evaluate import evaluate
from distill.evaluate.result import Evaluation
from distill.files import sha256, write_json
from distill.provenance import write_result
from distill.system.processes import run_stoppable
from scripts.studies.common.arms import compared, steps_of, train_arms, with_interval
from scripts.studies.common.evaluation_faces import hard_faces
from scripts.studies.common.marked_blocks import update_block
from scripts.studies.few_labels import labelled_store

RUNS = Path("runs/student_recipe")
OUT = "results/studies/student_recipe.json"
REFERENCE = "none"
TITLES = {
    "none": "`KD=none`",
    "own": "`TEACHER=runs/teacher/best.ckpt`, of the same labels",
    "teacher": "`TEACHER=…`, the former `student_68_256`",
}
HELD_OUT = 0.1
# As the teacher was trained: with another crop or other points it could not teach.
SCHEME, CROP = "ibug68", ["--data.crop.scale", "1.25", "--data.crop.shift_y", "0"]


def arguments(store: Path, teachers: Mapping[str, Path], epochs: int) -> dict[str, list[str]]:
    """Return the options of all arms: the recipe's own, but for the points, the faces and a single validation."""
    common = [
        *["--config", "configs/student.yaml", *options_of_faces(store), "--trainer.epochs", str(epochs)],
        *["--trainer.validate_every", str(epochs)],
    ]
    taught = {arm: [*common, "--teacher", str(path)] for arm, path in teachers.items()}
    return {"none": [*common, "--kd.kind", "none"], **taught}


def options_of_faces(store: Path) -> list[str]:
    """Return the options that teacher and students have in common."""
    return [
        *["--data.scheme", SCHEME, *CROP, "--data.format", "manifest", "--data.root", str(store)],
        *["--data.subset", "train", "--data.val_subset", "val", "--log.wandb", "disabled", "--trainer.threads", "1"],
    ]


def own_teacher(store: Path) -> Path:
    """Train configs/teacher.yaml on the faces of the students, both stages; return its checkpoint.

    Raises:
        SystemExit: the training failed or was stopped, with its exit status.
    """
    run = RUNS / "own_teacher"
    words = ["--config", "configs/teacher.yaml", *options_of_faces(store), "--name", run.name, "--runs", str(RUNS)]
    if not (run / "summary.json").is_file():
        resume = ["--resume"] if run.is_dir() else []
        if status := run_stoppable([sys.executable, "-m", "distill", "teacher", *words, *resume]):
            raise SystemExit(status)
    return run / "best.ckpt"


def held_out_faces(data: Path) -> tuple[dict[str, Any], list[FaceRecord]]:
    """Return the tenth of 300-W's training faces that is held out for choices: options of `evaluate`, and its faces."""
    store, _ = labelled_store(data / "300W", RUNS / "faces", HELD_OUT, validated=None, scheme=SCHEME)
    return _validation(store), read_faces("manifest", store, parse_subsets("val"), SCHEME)


def _validation(store: Path) -> dict[str, Any]:
    return {"format": "manifest", "root": store, "subset": "val"}


def scored(model: Path, test: str, options: Mapping[str, Any]) -> Evaluation:
    """Evaluate a model, or read what was found before."""
    path = model.parent / f"{test}_{sha256(model)[:8]}.json"
    if not path.is_file():
        write_json(path, evaluate(model, **options).to_json())
    return Evaluation.from_json(path)


def measured(runs: Mapping[str, Sequence[Path]], data: Path, store: Path) -> dict[str, Any]:
    """Compare both arms on each set of faces that was not trained on."""
    tests: dict[str, dict[str, Any]] = {
        "validation": _validation(store),
        "hard": hard_faces(data),
    }
    return {
        test: compared({arm: [scored(path, test, options) for path in paths] for arm, paths in runs.items()}, REFERENCE)
        for test, options in tests.items()
    }


def table(study: Mapping[str, Any]) -> str:
    """Return what all arms score as a Markdown table."""
    lines = ["| `make student` | faces | NME % by seed | mean | difference, points (95 %) |", "|---|---|---|---|---|"]
    for test in ("validation", "hard"):
        protocol = study[test]["protocol"]
        for arm, title in TITLES.items():
            nmes = study[test]["arms"][arm]
            seeds = ", ".join(f"{value:.2f}" for value in nmes["nme_percent"])
            against = "–" if arm == REFERENCE else with_interval(study[test][f"difference_to_{REFERENCE}"][arm])
            faces = f"{protocol['n_faces']} {test}, {protocol['points']} points"
            lines.append(f"| {title} | {faces} | {seeds} | {nmes['mean_percent']:.2f} | {against} |")
    return "\n".join(lines)


def gain(study: Mapping[str, Any]) -> str:
    """Return what a teacher of the same labels changes on validation faces, with its interval, as two lines of text."""
    before, own = (study["validation"]["arms"][arm]["mean_percent"] for arm in (REFERENCE, "own"))
    change = with_interval(study["validation"][f"difference_to_{REFERENCE}"]["own"])
    seeds, faces = len(study["steps"]), study["validation"]["protocol"]["n_faces"]
    return (
        f"With all {study['labelled_faces']:,} labels (68 points, {seeds} seeds, {faces} faces new to both)"
        f" `make student` has {before:.2f} %\n"
        f"without a teacher, {own:.2f} % under `make teacher` with the same labels: {change} points."
    )


def main() -> None:
    """Train all arms with every seed, measure, write."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=36, help="those of the recipe")
    options = parser.parse_args()
    store, faces = labelled_store(options.data / "300W", RUNS / "faces", HELD_OUT, validated=None, scheme=SCHEME)
    teachers = {"own": own_teacher(store), "teacher": options.teacher}
    arms = arguments(store, teachers, options.epochs)
    runs = train_arms(arms, options.seeds, RUNS)
    study: dict[str, Any] = {
        "labelled_faces": len(faces),
        "teachers": {arm: {"file": path.name, "sha256": sha256(path)} for arm, path in teachers.items()},
        "own_teacher": json.loads((RUNS / "own_teacher" / "summary.json").read_text()),
        "steps": [steps_of(path) for path in runs[REFERENCE]],
        "arms": arms,
        **measured(runs, options.data, store),
    }
    write_result(OUT, study, data_hash=data_hash(faces))
    update_block(OUT, table(study))
    print(table(study))


if __name__ == "__main__":
    main()
