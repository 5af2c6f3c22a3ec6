"""Distillation on weakly annotated frames: `python -m scripts.studies.weak_labels DATA`.

The student that `kd_study.py` starts from goes on with the frames of YouTube Faces alone, which were annotated
automatically: in one arm with these, in the other with the teacher's outputs instead, as many steps of the same
faces. DATA holds the folders 300W, on whose hand-labelled test faces both are measured, and youtube_faces. A run that
is complete is not trained again. Writes results/studies/weak_labels.json and its table in the documentation.
"""

import argparse
from pathlib import Path
from typing import Any

from distill.provenance import write_result
from scripts.studies.common.arms import measured, options_of_schedule, steps_of, train_arms, with_interval
from scripts.studies.common.marked_blocks import update_block
from scripts.studies.kd_study import STAR, train_start, where_from

RUNS = Path("runs/weak_labels")
CONFIG = Path("configs/student_refine.yaml")
OUT = "results/studies/weak_labels.json"
ARMS = {
    "weak": ["--kd.kind", "none", "--loss.star", STAR],
    "distilled": ["--kd.kind", "kl", "--kd.weight", "10", "--kd.supervised", "false"],
}


def arguments(arm: str, start: Path, teacher: Path, data: Path, epochs: int) -> list[str]:
    """Return the options of an arm."""
    faces = ["--data.format", "udacity", "--data.root", str(data / "youtube_faces"), "--data.subset", "training"]
    common = [*options_of_schedule(CONFIG, epochs), *faces, "--model.init", str(start)]
    return [*common, *ARMS[arm], *([] if "none" in ARMS[arm] else ["--teacher", str(teacher)])]


def table(study: dict[str, Any]) -> str:
    """Return what both arms score as a Markdown table."""
    lines = [
        "| trained on | boxes | NME % by seed | mean | against their own, points (95 %) |",
        "|---|---|---|---|---|",
    ]
    titles = {"weak": "the frames' own landmarks", "distilled": "the teacher's, on the same frames"}
    for boxes in ("gt", "dataset"):
        for arm, title in titles.items():
            nmes = study[boxes]["arms"][arm]
            seeds = ", ".join(f"{value:.2f}" for value in nmes["nme_percent"])
            against = "–" if arm == "weak" else with_interval(study[boxes]["difference_to_weak"][arm])
            lines.append(f"| {title} | {boxes} | {seeds} | {nmes['mean_percent']:.2f} | {against} |")
    return "\n".join(lines)


def main() -> None:
    """Train both arms with every seed, measure, write."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--teacher", type=Path, default=Path("checkpoints/teacher_128.safetensors"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=8)
    options = parser.parse_args()
    start = train_start(CONFIG, options.data)
    chosen = {arm: arguments(arm, start, options.teacher.resolve(), options.data, options.epochs) for arm in ARMS}
    runs = train_arms(chosen, options.seeds, RUNS)
    study: dict[str, Any] = {
        **where_from(start, options.teacher, options.data),
        "steps": [steps_of(path) for path in runs["weak"]],
        "epochs": options.epochs,
        "arms": ARMS,
    }
    study |= measured(runs, options.data / "300W", "weak")
    write_result(OUT, study)
    update_block(OUT, table(study))
    print(table(study))


if __name__ == "__main__":
    main()
