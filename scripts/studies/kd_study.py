"""Comparison of distillation losses: `python -m scripts.studies.kd_study DATA --teacher TEACHER.safetensors`.

Every arm against its baseline without a teacher: the same student, faces, augmentations, seeds and number of steps.
All start from one student, trained without a teacher: from scratch, luck decides for many epochs whether a few faces
are found at all, and says more about a short training than any teacher. DATA holds the folders 300W and, for the
arms with frames of videos, youtube_faces. A run that is complete is not trained again, one that was stopped is
continued; `--arms none kl` studies some. Writes results/studies/kd_study.json, its table in the documentation and the
plot.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distill.evaluate.result import Evaluation
from distill.files import sha256, write_bytes
from distill.images.figures import COLOURS, new_axes, png
from distill.provenance import write_result
from scripts.studies.common.arms import measured, options_of_run, steps_of, train, train_arms, with_interval
from scripts.studies.common.cached import scored
from scripts.studies.common.marked_blocks import update_block

RUNS = Path("runs/kd_study")
REFERENCE = "none"
OUT = "results/studies/kd_study.json"
# Of seeds 0 to 2 the one whose held-out faces were found best.
START_SEED, START_EPOCHS = "2", 16
# More weight on the annotations also increases the loss on landmarks: a baseline is only fair when its own
# weights are tuned. Of 1, 4, 10 and 30 this is the best of STAR's without a teacher.
STAR = "10"
# Averaged, and with their outputs for the mirrored face; the second has the form of the student.
ENSEMBLE = ("checkpoints/teacher_128.safetensors", "checkpoints/student_128_refined.safetensors")
# What distinguishes each arm. Weights give each kind a gradient about as large as STAR's when training ends
# (`--log.gradients`), but for `authors`, whose weight is the published one.
_KL = ["--kd.kind", "kl", "--kd.weight", "10"]
ARMS: Mapping[str, list[str]] = {
    "none": ["--kd.kind", "none"],
    "star_1": ["--kd.kind", "none", "--loss.star", "1"],
    "kl_star_1": ["--kd.kind", "kl", "--kd.weight", "1", "--loss.star", "1"],
    "authors": ["--kd.kind", "mse", "--kd.weight", "100"],
    "mse": ["--kd.kind", "mse", "--kd.weight", "50000"],
    "kl": _KL,
    "ensemble": [*_KL, "--kd.flip", "true", "--teacher", *ENSEMBLE],
    "frames": ["--kd.kind", "none"],
    "kl_frames": _KL,
    "covariance": ["--kd.kind", "covariance", "--kd.weight", "10"],
    "coordinate": ["--kd.kind", "coordinate", "--kd.weight", "120", "--kd.cache.form", "landmarks"],
    "both": [*_KL, "--kd.extra", '{"coordinate": 120}'],
    "feature": ["--kd.kind", "feature", "--kd.weight", "1"],
}
# Frames beside, as many of 300-W a step as in the other arms: with their own weak landmarks, or the teacher's alone.
FRAMES = {"frames": "weak", "kl_frames": "none"}
BATCH, FRAMES_BATCH, FACES, YOUTUBE = 16, 8, 1309, 1320
# Baseline of an arm that trains on further frames; that of the others is REFERENCE.
BASELINES = {"kl_frames": "frames"}


def train_start(config: Path, data: Path) -> Path:
    """Train what all arms start from, without a teacher; return its checkpoint."""
    options = [*options_of_run(config, data / "300W", START_EPOCHS), "--seed", START_SEED]
    return train("start", RUNS, [*options, "--model.init", "null", "--kd.kind", "none"])


def where_from(start: Path, teacher: Path, data: Path) -> dict[str, Any]:
    """Return who teaches, and from where all arms go on, as results record it."""
    first = Evaluation.from_json(scored(start, data / "300W", start.parent)).summary()
    return {
        "teacher": {"file": teacher.name, "sha256": sha256(teacher)},
        "start": {"epochs": START_EPOCHS, "nme_percent": 100 * first["nme"]},
    }


def arguments(arm: str, config: Path, start: Path, teacher: Path, data: Path, epochs: int) -> list[str]:
    """Return the options of an arm."""
    common = [*options_of_run(config, data / "300W", epochs), "--model.init", str(start), "--log.gradients", "100"]
    common += ["--loss.star", STAR]
    if "none" not in ARMS[arm]:
        common += ["--teacher", str(teacher)]
    if arm in FRAMES:
        share = FRAMES_BATCH / BATCH * FACES / YOUTUBE
        frames = {"format": "udacity", "root": f"{data}/youtube_faces", "subset": "training", "labels": FRAMES[arm]}
        common += ["--data.sets", json.dumps([frames | {"share": round(share, 3)}])]
    return [*common, *ARMS[arm], "--data.batch_size", str(BATCH + FRAMES_BATCH * (arm in FRAMES))]


def against_baseline(scores: Mapping[str, Any], arm: str) -> dict[str, Any]:
    """Return how an arm's NME differs from its baseline's."""
    found: dict[str, Any] = scores[f"difference_to_{BASELINES.get(arm, REFERENCE)}"][arm]
    return found


def table(study: Mapping[str, Any]) -> str:
    """Return what was measured with true boxes as a Markdown table, the best first."""
    lines = ["| arm | options | NME % by seed | mean | against its baseline, points (95 %) |", "|---|---|---|---|---|"]
    for arm, nmes in sorted(study["gt"]["arms"].items(), key=lambda entry: entry[1]["mean_percent"]):
        seeds = ", ".join(f"{value:.2f}" for value in nmes["nme_percent"])
        against = "–"
        if arm != REFERENCE:
            against = with_interval(against_baseline(study["gt"], arm), digits=3)
            against += f" (`{BASELINES[arm]}`)" if arm in BASELINES else ""
        sets = f" --data.sets …labels: {FRAMES[arm]}" if arm in FRAMES else ""
        cells = [f"`{arm}`", f"`{' '.join(ARMS[arm])}{sets}`", seeds, f"{nmes['mean_percent']:.3f}", against]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def plot(study: Mapping[str, Any]) -> bytes:
    """Draw how much each arm differs from its baseline, its interval over faces and its seeds, as PNG."""
    differences = {arm: against_baseline(study["gt"], arm) for arm in study["gt"]["arms"] if arm != REFERENCE}
    arms = sorted(differences, key=lambda arm: -differences[arm]["mean"])
    figure, axes = new_axes(7, 0.9 + 0.32 * len(arms))
    axes.axvline(0, color="#999999", linewidth=1)
    for row, arm in enumerate(arms):
        found = differences[arm]
        colour = COLOURS[0] if found["high"] < 0 else COLOURS[1] if found["low"] > 0 else "#777777"
        axes.plot([found["low"], found["high"]], [row, row], color=colour, linewidth=2)
        axes.plot([found["mean"]], [row], "o", color=colour, markersize=6)
        axes.plot(found["by_seed"], [row] * len(found["by_seed"]), "|", color=colour, markersize=11)
    axes.set_yticks(range(len(arms)), arms)
    axes.set(
        ylim=(-0.6, len(arms) - 0.4), xlabel="points of NME against the baseline; line: 95 % over faces, ticks: seeds"
    )
    return png(figure)


def main() -> None:
    """Train every arm with every seed, measure, write."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--teacher", type=Path, default=Path("checkpoints/teacher_128.safetensors"))
    parser.add_argument("--config", type=Path, default=Path("configs/student_refine.yaml"))
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=8)
    options = parser.parse_args()
    start = train_start(options.config, options.data)
    arms = list(
        dict.fromkeys([REFERENCE, *(BASELINES[arm] for arm in options.arms if arm in BASELINES), *options.arms])
    )
    chosen = {
        arm: arguments(arm, options.config, start, options.teacher.resolve(), options.data, options.epochs)
        for arm in arms
    }
    runs = train_arms(chosen, options.seeds, RUNS)
    study: dict[str, Any] = {
        "config": str(options.config),
        **where_from(start, options.teacher, options.data),
        "steps": [steps_of(path) for path in runs[REFERENCE]],
        "epochs": options.epochs,
        "arms": {arm: ARMS[arm] for arm in arms},
        "frames": FRAMES,
    }
    study |= measured(runs, options.data / "300W", REFERENCE)
    for arm, baseline in BASELINES.items():
        if arm in runs:
            pair = measured({name: runs[name] for name in (baseline, arm)}, options.data / "300W", baseline)
            for boxes, scores in pair.items():
                study[boxes][f"difference_to_{baseline}"] = scores[f"difference_to_{baseline}"]
    write_result(OUT, study)
    update_block(OUT, table(study))
    write_bytes("docs/images/kd_study.png", plot(study))
    print(json.dumps(study["gt"]["arms"], indent=1), table(study), sep="\n")


if __name__ == "__main__":
    main()
