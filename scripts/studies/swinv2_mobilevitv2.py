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
from collections.abc import Mapping
from pathlib import Path

from scripts.studies import student_recipe
from scripts.studies.common.arms import GENTLE, train
from scripts.studies.few_labels import labelled_store

RUNS = Path("runs/swinv2_mobilevitv2")
OUT = "results/studies/swinv2_mobilevitv2.json"
START_EPOCHS, EPOCHS = 36, 6
REFERENCE = "none"
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


def main() -> None:
    """Train every arm with every seed, measure, write."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--arms", nargs="+", choices=[REFERENCE, *ARMS], help="train these and measure nothing")
    options = parser.parse_args()
    folder = student_recipe.RUNS / "faces"
    store, faces = labelled_store(
        options.data / "300W", folder, student_recipe.HELD_OUT, validated=None, scheme=student_recipe.SCHEME
    )
    arms = arguments(store, student_recipe.own_teacher(store), start(store), EPOCHS)
    for seed in options.seeds:
        for arm in options.arms or arms:
            train(f"{arm}_{seed}", RUNS, [*arms[arm], "--seed", str(seed)])


if __name__ == "__main__":
    main()
