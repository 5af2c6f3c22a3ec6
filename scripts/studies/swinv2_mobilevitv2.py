"""SwinV2 to MobileViT-v2 again (arXiv 2404.06029): `python -m scripts.studies.swinv2_mobilevitv2 DATA`.

One student, MobileViT-v2-0.5 of configs/student.yaml, under one SwinV2 of configs/teacher.yaml that learnt from the
same labels: with the loss of the authors' code beside its baseline, with the formula of their paper, with the loss of
this project, and without distillation; the same faces, seeds and numbers of steps. The authors start from ImageNet's
weights; here all arms continue from one student that was trained without a teacher. It, the teacher and the faces are
those of student_recipe.py. DATA holds the folder 300W: a tenth of its training faces (by photo group) is for
development, its test faces are read at the end. A run that is complete is not trained again, one that was stopped is
continued; `--arms authors` only trains some arms. Writes results/studies/swinv2_mobilevitv2.json and its table in the
documentation.
"""

import argparse
import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from distill.bench.complexity import complexity
from distill.data.splits import data_hash
from distill.evaluate.result import Evaluation
from distill.files import sha256
from distill.models.zoo import create_model, takes_image_size
from distill.provenance import write_result
from scripts.studies import student_recipe
from scripts.studies.common.arms import GENTLE, compared, steps_of, train, train_arms, with_interval
from scripts.studies.common.marked_blocks import update_block
from scripts.studies.common.split_300w import TEST
from scripts.studies.few_labels import labelled_store
from scripts.studies.student_recipe import scored

RUNS = Path("runs/swinv2_mobilevitv2")
OUT = "results/studies/swinv2_mobilevitv2.json"
START_EPOCHS, EPOCHS = 36, 6
REFERENCE, TEACHER = "none", "teacher"
# The authors start the student's heads from the teacher's and add noise to the deepest feature.
_START = [
    *["--kd.inherit_heads", "true"],
    *["--model.options", json.dumps({"neck": "pyramid", "width": 64, "feature_noise": 0.1})],
]
# The teacher's maps are those of the student's own crop; arms with the same seed have the same crops.
_MAPS = ["--kd.flip", "false", "--kd.cache.form", "maps"]
# What distinguishes the arms that have the teacher. A weight of 0 leaves its heads. The formula adds the norms of all
# landmarks, which `l2` averages. `ours` is configs/student.yaml.
ARMS: Mapping[str, list[str]] = {
    "authors_baseline": [*_START, "--kd.weight", "0"],
    "authors": [*_START, *_MAPS, "--kd.kind", "mse", "--kd.weight", "100"],
    "l2": [*_MAPS, "--kd.kind", "l2", "--kd.weight", "68"],
    "ours": [],
}
TITLES = {
    TEACHER: "teacher, SwinV2",
    "none": "`none`: no teacher",
    "authors_baseline": "`authors_baseline`: the teacher's heads and noise alone",
    "authors": "`authors`: the same, and 100 × the mean squared difference of the maps",
    "l2": "`l2`: norms of the differences, the paper's formula",
    "ours": "`ours`: `configs/student.yaml`, landmarks",
}
# Networks of the authors' repository and of the paper: architecture, options, side of the crop.
_SMALL_SWIN = {"embed_dim": 48, "depths": [2, 2, 4, 2], "num_heads": [2, 4, 8, 16]}
_HEATMAP = {"neck": "pyramid", "width": 64}
NETWORKS: Mapping[str, tuple[str, dict[str, Any], int]] = {
    "teacher": ("swin_v2", {**_HEATMAP, "backbone_args": _SMALL_SWIN}, 128),
    "student": ("mobilevit_v2_050", _HEATMAP, 128),
    "paper_teacher": (
        "swin_v2",
        {"backbone": "swinv2_base_window12to16_192to256", "neck": "deconv", "width": 256},
        256,
    ),
    "paper_student": ("mobilevit_v2_050", {"neck": "nearest", "width": 256}, 256),
    "hourglass": ("hourglass", {}, 256),
    "efficientformerv2_s0": ("timm:efficientformerv2_s0", {"neck": "nearest", "width": 256}, 256),
}
BASELINES = {"authors_baseline": "none", "authors": "authors_baseline", "l2": "none", "ours": "none"}


def start(store: Path) -> Path:
    """Train the student that all arms continue, without a teacher; return its checkpoint."""
    options = student_recipe.arguments(store, {}, START_EPOCHS)[student_recipe.REFERENCE]
    return train("none_0", student_recipe.RUNS, [*options, "--seed", "0"])


def arguments(store: Path, teacher: Path, student: Path, epochs: int) -> dict[str, list[str]]:
    """Return the options of all arms."""
    recipe = student_recipe.arguments(store, {"own": teacher}, epochs)
    further = [*GENTLE, "--model.init", str(student)]
    taught = {arm: [*recipe["own"], *further, *words] for arm, words in ARMS.items()}
    return {REFERENCE: [*recipe[student_recipe.REFERENCE], *further], **taught}


def tests(data: Path, store: Path) -> dict[str, dict[str, Any]]:
    """Return the options of `evaluate` for both sets of faces."""
    return {
        "development": {"format": "manifest", "root": store, "subset": "val"},
        "test": {"format": "300w", "root": data / "300W", "subset": TEST},
    }


def measured(found: Mapping[str, Sequence[Evaluation]], teacher: Evaluation) -> dict[str, Any]:
    """Return what all arms and the teacher score on some faces, and how each arm differs from its baseline."""
    pairs = {arm: compared({name: found[name] for name in (BASELINES[arm], arm)}, BASELINES[arm]) for arm in BASELINES}
    return {
        **compared(found, REFERENCE),
        "difference_to_baseline": {arm: pair[f"difference_to_{BASELINES[arm]}"][arm] for arm, pair in pairs.items()},
        "scores": {arm: mean_scores(entries) for arm, entries in {**found, TEACHER: [teacher]}.items()},
    }


def mean_scores(evaluations: Sequence[Evaluation]) -> dict[str, float]:
    """Return the contest's score and both NME of the papers in percent, the means over seeds."""
    values = {
        "within_5px_percent": [evaluation.accuracy_5px() for evaluation in evaluations],
        "nme_percent": [float(evaluation.nme().mean()) for evaluation in evaluations],
        "pupil_nme_percent": [float(evaluation.nme("pupil").mean()) for evaluation in evaluations],
    }
    return {name: 100 * statistics.mean(entries) for name, entries in values.items()}


def costs() -> dict[str, dict[str, int]]:
    """Return weights and multiplications of the networks that the authors compare, with their 51 points."""
    found = {}
    for name, (arch, options, size) in NETWORKS.items():
        sized = {"image_size": size} if takes_image_size(arch) else {}
        counted = complexity(create_model(arch, "inner51", **options, **sized), size)
        found[name] = {"size": size, "parameters": counted.parameters, "macs": counted.macs}
    return found


def table(study: Mapping[str, Any]) -> str:
    """Return what teacher and arms score on both sets of faces as a Markdown table."""
    lines = [
        "| faces | arm | within 5 px, % | NME % by seed | mean | against, points (95 %) |",
        "|---|---|---:|---|---:|---|",
    ]
    for test in ("development", "test"):
        part = study[test]
        for arm, title in TITLES.items():
            scores = part["scores"][arm]
            # Development faces are stored small: 5 px of them are not 5 px of their photos.
            within = f"{scores['within_5px_percent']:.2f}" if test == "test" else "–"
            seeds = ", ".join(f"{value:.2f}" for value in part["arms"][arm]["nme_percent"]) if arm != TEACHER else "–"
            cells = [f"{part['protocol']['n_faces']} {test}", title, within, seeds, f"{scores['nme_percent']:.2f}"]
            lines.append(f"| {' | '.join([*cells, against(part, arm)])} |")
    return "\n".join(lines)


def against(part: Mapping[str, Any], arm: str) -> str:
    """Return how an arm differs from its baseline, and which that is."""
    if arm not in BASELINES:
        return "–"
    return f"{with_interval(part['difference_to_baseline'][arm])} (`{BASELINES[arm]}`)"


def train_some(arms: Mapping[str, list[str]], names: Sequence[str], seeds: int) -> None:
    """Train the arms of these names with every seed, as `train_arms` does, and compare nothing."""
    for seed in range(seeds):
        for arm in names:
            train(f"{arm}_{seed}", RUNS, [*arms[arm], "--seed", str(seed)])


def main() -> None:
    """Train every arm with every seed, measure, write."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--arms", nargs="+", choices=[REFERENCE, *ARMS], help="train these and measure nothing")
    options = parser.parse_args()
    folder = student_recipe.RUNS / "faces"
    store, faces = labelled_store(
        options.data / "300W", folder, student_recipe.HELD_OUT, validated=None, scheme=student_recipe.SCHEME
    )
    teacher, student = student_recipe.own_teacher(store), start(store)
    arms = arguments(store, teacher, student, EPOCHS)
    if options.arms:
        train_some(arms, options.arms, options.seeds)
        return
    runs = train_arms(arms, options.seeds, RUNS)
    study: dict[str, Any] = {
        "labelled_faces": len(faces),
        "teacher": {**json.loads((teacher.parent / "summary.json").read_text()), "sha256": sha256(teacher)},
        "start": {**json.loads((student.parent / "summary.json").read_text()), "sha256": sha256(student)},
        "epochs": EPOCHS,
        "steps": [steps_of(path) for path in runs[REFERENCE]],
        "arms": arms,
        "networks": costs(),
    }
    for test, words in tests(options.data, store).items():
        found = {arm: [scored(path, test, words) for path in paths] for arm, paths in runs.items()}
        study[test] = measured(found, scored(teacher, test, words))
    write_result(OUT, study, data_hash=data_hash(faces))
    update_block(OUT, table(study))
    print(table(study))


if __name__ == "__main__":
    main()
