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
from pathlib import Path
from typing import Any

from scripts.studies.common.arms import steps_of, train_arms
from scripts.studies.few_labels import REFERENCE, labelled_store, photo_count, schedule, write_study

RUNS = Path("runs/all_labels")
OUT = "results/studies/all_labels.json"

HELD_OUT, BATCH, EPOCHS = 0.1, 64, 320
TEACHERS = ["checkpoints/student_128_refined.safetensors", "checkpoints/student_128_turned.safetensors"]


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
    store, labelled = labelled_store(options.data / "300W", RUNS / "faces", HELD_OUT, BATCH, validated=None)
    arms = arguments(store, len(labelled), options.unlabelled)
    runs = train_arms(arms, options.seeds, RUNS)
    study: dict[str, Any] = {
        "labelled_faces": len(labelled),
        "steps": [steps_of(path) for path in runs[REFERENCE]],
        "arms": arms,
    }
    write_study(OUT, study, runs, options.data / "300W", labelled)


if __name__ == "__main__":
    main()
