"""What studies share: train arms with several seeds, as many steps each, and say whether a difference is real."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from distill.evaluate.result import Evaluation
from distill.evaluate.seeds import seed_difference
from distill.options.parser import options_of, parse
from distill.system.processes import run_stoppable
from distill.training.config import StudentConfig
from distill.training.resume import checkpoint_to_resume
from scripts.studies.common.cached import scored
from scripts.studies.common.split_300w import TEST, TRAIN

# What turns and covers faces less than the configurations do: in a short training no network here memorises its
# faces (docs/explanation/distillation.md), so everything that makes them harder only slows it down.
GENTLE = [
    "--data.augment.rotate", "8", "--data.augment.scale", "0.08", "--data.augment.shift", "0.02",
    "--data.augment.occlusion", "0.1", "--data.augment.pixels", "0.4",
]  # fmt: skip


def options_of_schedule(config: Path | str, epochs: int) -> list[str]:
    """Return the options that every run of a study has, whatever its faces: one validation, at the end."""
    return [
        "--config", str(config), "--trainer.epochs", str(epochs), "--trainer.validate_every", str(epochs),
        "--trainer.threads", "1", "--log.wandb", "disabled",
    ]  # fmt: skip


def options_of_run(config: Path | str, data: Path, epochs: int) -> list[str]:
    """Return the options of a run on the training faces of a 300-W folder."""
    faces = ["--data.root", str(data), "--data.subset", TRAIN, "--data.test_subset", TEST]
    return [*options_of_schedule(config, epochs), *faces]


def train(name: str, runs: Path, options: Sequence[str]) -> Path:
    """Train one run with `distill student`, continue it or, when it is complete, leave it; return its checkpoint.

    Raises:
        ConfigError: a complete run of this name that was made with other options.
        SystemExit: the training failed or was stopped, with its exit status.
    """
    run = runs / name
    # Last, because a --config among the options has a name of its own.
    words = [*options, "--name", name, "--runs", str(runs)]
    if (run / "summary.json").is_file():
        checkpoint_to_resume(run, StudentConfig(**parse(options_of("student", "", StudentConfig), words)))
    else:
        resume = ["--resume"] if (run / "last.ckpt").is_file() else []
        if status := run_stoppable([sys.executable, "-m", "distill", "student", *words, *resume]):
            raise SystemExit(status)
    return run / "best.ckpt"


def train_arms(arms: Mapping[str, Sequence[str]], seeds: int, runs: Path) -> dict[str, list[Path]]:
    """Train every arm with every seed, seed by seed, so that what is done at any moment can be compared.

    Raises:
        SystemExit: arms that make unequal numbers of steps with one seed, which also decides who is held out.
    """
    made: dict[str, list[Path]] = {arm: [] for arm in arms}
    for seed in range(seeds):
        for arm, options in arms.items():
            made[arm].append(train(f"{arm}_{seed}", runs, [*options, "--seed", str(seed)]))
    require_equal_steps(made, range(seeds))
    return made


def require_equal_steps(made: Mapping[str, Sequence[Path]], seeds: Sequence[int]) -> list[int]:
    """Return the number of steps that all arms have made, seed by seed.

    Raises:
        SystemExit: arms that make unequal numbers of steps with one seed.
    """
    found: list[int] = []
    for seed, paths in zip(seeds, zip(*made.values(), strict=True), strict=True):
        steps = dict(zip(made, map(steps_of, paths), strict=True))
        if len(set(steps.values())) != 1:
            raise SystemExit(f"with seed {seed} the arms have made {steps} steps; adapt epochs or batches")
        found += set(steps.values())
    return found


def steps_of(checkpoint: Path) -> int:
    """Return how many steps a finished run has made."""
    made: int = json.loads((checkpoint.parent / "summary.json").read_text())["steps"]
    return made


def measured(
    runs: Mapping[str, Sequence[Path]],
    data: Path,
    reference: str,
    sources: Sequence[str] = ("gt", "dataset"),
    limit: int | None = None,
) -> dict[str, dict[str, Any]]:
    """Evaluate on the 554 common faces of 300-W, what was not yet, and compare every arm with one of them.

    Args:
        sources: of the face boxes.
        limit: faces, all by default.

    Returns:
        for each box source the result of `compared`.
    """
    study = {}
    for boxes in sources:
        found = {
            arm: [Evaluation.from_json(scored(path, data, path.parent, boxes, limit)) for path in paths]
            for arm, paths in runs.items()
        }
        study[boxes] = compared(found, reference)
    return study


def compared(found: Mapping[str, Sequence[Evaluation]], reference: str) -> dict[str, Any]:
    """Return what every arm scores, seed by seed, and how it differs from one of them."""
    others = [arm for arm in found if arm != reference]
    return {
        "arms": {arm: arm_nmes(evaluations) for arm, evaluations in found.items()},
        f"difference_to_{reference}": {arm: difference(found[arm], found[reference]) for arm in others},
        "protocol": found[reference][0].protocol.to_dict(),
    }


def arm_nmes(evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    """Return the NME of every seed in percent, their mean, and their standard deviation where there are several.

    Beside it stand the failure rate and the area under the curve at 10 %, means over the seeds.
    """
    nmes = [100 * float(evaluation.nme().mean()) for evaluation in evaluations]
    spread = float(np.std(nmes, ddof=1)) if len(nmes) > 1 else None
    summaries = [evaluation.summary() for evaluation in evaluations]
    shares = {f"{name}_percent": 100 * float(np.mean([row[name] for row in summaries])) for name in ("fr10", "auc10")}
    return {"nme_percent": nmes, "mean_percent": float(np.mean(nmes)), "deviation_points": spread, **shares}


def difference(arm: Sequence[Evaluation], reference: Sequence[Evaluation]) -> dict[str, Any]:
    """Return how much an arm's NME differs, in points of NME, paired by face and averaged over seeds.

    `low` and `high` are the 95 % interval over faces and seeds, over faces alone where there is one seed.
    """
    return seed_difference(list(zip(arm, reference, strict=True))).percent()


def mean_with_interval(mean: float, low: float, high: float) -> str:
    """Return a mean with its 95 % interval as tables show it."""
    return f"{mean:.2f} ({low:.2f}–{high:.2f})"


def with_interval(difference: Mapping[str, float], digits: int = 2) -> str:
    """Return a difference of points with its 95 % interval as tables show it."""
    mean, low, high = (f"{difference[name]:+.{digits}f}" for name in ("mean", "low", "high"))
    return f"{mean} ({low} to {high})"
