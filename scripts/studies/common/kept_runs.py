"""Trainings whose errors stand in the result of a study: one of many hours goes on where no folder of runs is left."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from distill.evaluate.protocol import Protocol
from distill.evaluate.result import Evaluation
from distill.provenance import write_result
from scripts.studies.common.arms import steps_of, train
from scripts.studies.common.cached import scored

# Of an error in percent: a result holds thousands of them.
_DIGITS = 4

Run = dict[str, Any]


def read_runs(out: Path) -> dict[str, Run]:
    """Return the trainings in the result of a study by name; none where there is no result."""
    return dict(json.loads(out.read_text())["runs"]) if out.is_file() else {}


def train_and_score(name: str, folder: Path, options: Sequence[str], data: Path, sources: Sequence[str]) -> Run:
    """Train one run in `folder`, continue it or leave it, and evaluate it on the 554 common faces of a 300-W folder.

    Args:
        sources: of the face boxes.

    Returns:
        its steps and, for each source, the protocol and the NME of every face in percent.
    """
    model = train(name, folder, options)
    found = {source: Evaluation.from_json(scored(model, data, model.parent, source)) for source in sources}
    errors = {
        source: {
            "protocol": evaluation.protocol.to_dict(),
            "nme_percent": [round(100 * float(value), _DIGITS) for value in evaluation.nme()],
        }
        for source, evaluation in found.items()
    }
    return {"steps": steps_of(model), **errors}


def evaluation_of(run: Run, source: str) -> Evaluation:
    """Return the evaluation of a run with one point a face, whose error is the NME of the face."""
    nme = np.array(run[source]["nme_percent"], np.float32) / 100
    protocol = Protocol.from_dict(run[source]["protocol"])
    names = tuple(str(face) for face in range(len(nme)))
    offsets = np.stack([nme, np.zeros_like(nme)], -1)[:, None]
    return Evaluation("", protocol, names, offsets, {protocol.normalisers[0]: np.ones(len(nme))})


def train_missing(
    out: Path,
    planned: Mapping[str, Sequence[str]],
    train_run: Callable[[str], Run],
    result_of: Callable[[dict[str, Run]], dict[str, Any]],
) -> None:
    """Train what a result does not hold, and write the result after each training.

    Args:
        out: the result.
        planned: options of each training by its name, in their order, as the result holds them: with paths that do not
            depend on the machine.
        train_run: the name of a training -> what it measures.
        result_of: all trainings so far -> the result.

    Raises:
        SystemExit: a training in the result was made with other options.
    """
    runs = read_runs(out)
    for name, options in planned.items():
        if name not in runs:
            runs[name] = {"options": list(options), **train_run(name)}
            write_result(out, result_of(runs))
        elif runs[name]["options"] != list(options):
            raise SystemExit(f"{out}: {name} was trained with other options; remove it there to train it again")


def complete_seeds(runs: Mapping[str, Run], arms: Sequence[str], seeds: int) -> list[int]:
    """Return the seeds that every arm is trained with, by runs whose names are ARM_SEED.

    Raises:
        SystemExit: arms that have made unequal numbers of steps with one seed.
    """
    complete = [seed for seed in range(seeds) if all(f"{arm}_{seed}" in runs for arm in arms)]
    for seed in complete:
        steps = {arm: runs[f"{arm}_{seed}"]["steps"] for arm in arms}
        if len(set(steps.values())) != 1:
            raise SystemExit(f"with seed {seed} the arms have made {steps} steps; adapt epochs or batches")
    return complete
