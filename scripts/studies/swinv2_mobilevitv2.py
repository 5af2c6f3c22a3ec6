"""SwinV2 to MobileViT-v2 again (arXiv 2404.06029): `python -m scripts.studies.swinv2_mobilevitv2 DATA`.

One student, MobileViT-v2-0.5 of configs/student.yaml, under one SwinV2 of configs/teacher.yaml that learnt from the
same labels: with the loss of the authors' code beside its baseline, with the formula of their paper, with the recipe of
this project, and without distillation; the same faces, seeds and numbers of steps. Teacher, faces and the first and
last arm are those of student_recipe.py. DATA holds the folder 300W. A tenth of its training faces (by photo group) is
for development; its test faces are read at the end. A run that is complete is not trained again, one that was stopped
is continued; `--arms authors` only trains some arms. Writes results/studies/swinv2_mobilevitv2.json and its table in
the documentation.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

from scripts.studies import student_recipe
from scripts.studies.common.arms import train
from scripts.studies.few_labels import labelled_store

RUNS = Path("runs/swinv2_mobilevitv2")
OUT = "results/studies/swinv2_mobilevitv2.json"
EPOCHS = 36
# Runs of student_recipe.py that serve here as well.
SHARED = {"none": "none", "ours": "own"}
# The authors start the student's heads from the teacher's and add noise to the deepest feature.
_START = [
    *["--kd.inherit_heads", "true"],
    *["--model.options", json.dumps({"neck": "pyramid", "width": 64, "feature_noise": 0.1})],
]
# The teacher's maps are those of the student's own crop, and other arms with the same seed read them from a cache.
_MAPS = ["--kd.flip", "false", "--kd.cache.form", "maps"]
# What distinguishes the other arms. A weight of 0 leaves the teacher's heads, which `none` would not have. The formula
# adds the norms of all landmarks; `l2` averages them.
ARMS: Mapping[str, list[str]] = {
    "authors_baseline": [*_START, "--kd.weight", "0"],
    "authors": [*_START, *_MAPS, "--kd.kind", "mse", "--kd.weight", "100"],
    "l2": [*_MAPS, "--kd.kind", "l2", "--kd.weight", "68"],
}
BASELINES = {"authors": "authors_baseline", "l2": "none", "ours": "none", "authors_baseline": "none"}


def arguments(store: Path, teacher: Path, epochs: int) -> dict[str, list[str]]:
    """Return the options of all arms, those without distillation first."""
    recipe = student_recipe.arguments(store, {"own": teacher}, epochs)
    shared = {arm: recipe[name] for arm, name in SHARED.items()}
    return {"none": shared["none"], **{arm: [*recipe["own"], *words] for arm, words in ARMS.items()}, **shared}


def trained(arm: str, options: list[str], seed: int) -> Path:
    """Train an arm with a seed, or continue it; return its checkpoint."""
    name, runs = (SHARED[arm], student_recipe.RUNS) if arm in SHARED else (arm, RUNS)
    return train(f"{name}_{seed}", runs, [*options, "--seed", str(seed)])


def main() -> None:
    """Train every arm with every seed, measure, write."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--arms", nargs="+", choices=[*ARMS, *SHARED], help="train these and measure nothing")
    options = parser.parse_args()
    folder = student_recipe.RUNS / "faces"
    store, faces = labelled_store(
        options.data / "300W", folder, student_recipe.HELD_OUT, validated=None, scheme=student_recipe.SCHEME
    )
    arms = arguments(store, student_recipe.own_teacher(store), EPOCHS)
    for seed in options.seeds:
        for arm in options.arms or arms:
            trained(arm, arms[arm], seed)


if __name__ == "__main__":
    main()
