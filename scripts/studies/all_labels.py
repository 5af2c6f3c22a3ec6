"""All labels and unlabelled photos: `python -m scripts.studies.all_labels DATA UNLABELLED`.

EFLD learns with every seed from nine tenths of the training faces of 300-W (by photo group), without a teacher and
with two released ones that also predict the photos of UNLABELLED (scripts/generate/unlabelled_faces.py): as many
steps and images in both arms. Arms and schedule were fixed before the test faces were read; the teachers are releases,
which were chosen on these test faces. DATA holds the folder 300W. A run that is complete is not trained again, one that
was stopped is continued.
Writes results/studies/all_labels.json and its table in the documentation.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from distill.data.prepare import prepare_store
from distill.data.readers import parse_subsets, read_faces
from distill.data.records import FaceRecord
from distill.data.splits import data_hash, split_by_group, without_groups_of
from distill.provenance import write_result
from scripts.studies.common.arms import measured, steps_of, train_arms
from scripts.studies.common.marked_blocks import update_block
from scripts.studies.common.split_300w import TEST, TRAIN
from scripts.studies.few_labels import REFERENCE, photo_count, schedule, table

RUNS = Path("runs/all_labels")
OUT = "results/studies/all_labels.json"
BATCH, EPOCHS = 64, 320
TEACHERS = ["checkpoints/student_128_refined.safetensors", "checkpoints/student_128_turned.safetensors"]


def labelled_store(data: Path, folder: Path) -> tuple[Path, list[FaceRecord]]:
    """Write a store of whole batches of labelled faces (`train`) and of held-out ones (`val`); return it and the
    labelled faces.
    """
    test = read_faces("300w", data, parse_subsets(TEST), "inner51")
    faces = without_groups_of(read_faces("300w", data, parse_subsets(TRAIN), "inner51"), test)
    labelled, held_out = split_by_group(faces, 0.1, 0)
    labelled = labelled[: len(labelled) // BATCH * BATCH]
    subsets = [
        *(replace(face, subset="train") for face in labelled),
        *(replace(face, subset="val") for face in held_out),
    ]
    return prepare_store(folder, subsets).parent, labelled


def arguments(store: Path, labelled: int, photos: Path) -> dict[str, list[str]]:
    """Return the options of both arms; with teachers, half of each batch and of each epoch is unlabelled."""
    recipe = ["--config", "configs/zoo/efld_unlabelled.yaml", "--data.batch_size", str(BATCH)]
    # A few photos more than labels: rounding must not take the last batch of an epoch.
    share = (labelled + BATCH // 8) / photo_count(photos)
    unlabelled = {"format": "wider", "root": str(photos), "labels": "none", "share": share}
    return {
        "labels": [*recipe, *schedule(store, EPOCHS), "--kd.kind", "none", "--data.sets", "[]"],
        "unlabelled": [
            *[*recipe, *schedule(store, EPOCHS // 2), "--teacher", *TEACHERS],
            *["--data.sets", json.dumps([unlabelled])],
        ],
    }


def main() -> None:
    """Train both arms with every seed, measure, write."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("unlabelled", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    store, labelled = labelled_store(options.data / "300W", RUNS / "faces")
    arms = arguments(store, len(labelled), options.unlabelled)
    runs = train_arms(arms, options.seeds, RUNS)
    study: dict[str, Any] = {
        "labelled_faces": len(labelled),
        "steps": [steps_of(path) for path in runs[REFERENCE]],
        "arms": arms,
    }
    study |= measured(runs, options.data / "300W", REFERENCE)
    write_result(OUT, study, data_hash=data_hash(labelled))
    update_block(OUT, table(study))
    print(table(study))


if __name__ == "__main__":
    main()
