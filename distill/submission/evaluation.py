"""Evaluation of a packaged model: found in the run of the model, and reported where it is bad or missing."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from distill.files import sha256
from distill.tracking.artifact import EVALUATION
from distill.tracking.lineage import read_jobs
from distill.tracking.run_folder import RECORDS, find_run, read_config

# The NME from which the literature counts a face as a failure (FR at 8 %); as a mean it means a network without use.
BAD_NME_PERCENT = 8.0
_OVER = ("ocular", "pupil")


def recorded_evaluation(model: Path) -> Path | None:
    """Return the file of the last evaluation of a model that its run has recorded, None where there is none.

    An evaluation of the checkpoint that the model was exported from is not one of the model.
    """
    folder = find_run(model)
    if folder is None or not model.is_file():
        return None
    digest = sha256(model)
    for job in reversed(read_jobs(folder)):
        if digest in {artifact.sha256 for artifact in job.inputs}:
            for artifact in job.outputs:
                found = None if artifact.type != EVALUATION else _file_of(artifact.path, artifact.sha256, folder, model)
                if found is not None:
                    return found
    return None


def _file_of(name: Path | None, digest: str, folder: Path, model: Path) -> Path | None:
    """Return the file with a recorded name and hash: in the records of the run, in the run or beside the model."""
    candidates = [] if name is None else [folder / RECORDS / name, folder / name, model.parent / name]
    return next((path for path in candidates if path.is_file() and sha256(path) == digest), None)


def evaluation_command(model: Path) -> str:
    """Return the command that evaluates a model on the test faces of its run; outside a run the faces are left open."""
    folder = find_run(model)
    data = {} if folder is None else read_config(folder).get("data") or {}
    words = ["distill", "evaluate", str(model)]
    if data.get("preset"):
        words += ["--data.preset", data["preset"], "--data.root", data["root"]]
    elif data.get("format", "shards") != "shards":  # shards are for trainings alone
        words += ["--data.format", data["format"], "--data.root", data["root"]]
    else:
        return f"{shlex.join(words)} --data.format FORMAT --data.root FOLDER"
    return shlex.join([*words, *(["--data.subset", data["test_subset"]] if data.get("test_subset") else [])])


def concerns(results: Mapping[str, Any], model_sha256: str, command: str) -> tuple[str, ...]:
    """Return what speaks against packaging a model, one line each; empty where its evaluation is good.

    Args:
        results: of `distill evaluate --json`; empty where none are given.
        model_sha256: of the file that is packaged, or of the one it is a copy of.
        command: that evaluates this file.
    """
    if not results:
        return (
            f"no evaluation of this file is recorded in its run: run `{command} --json evaluation.json`, "
            "then this command with --results evaluation.json",
        )
    metrics = results.get("metrics")
    kinds = [kind for kind in _OVER if isinstance(metrics, Mapping) and isinstance(metrics.get(kind), Mapping)]
    if not kinds:
        return ("the results hold no NME over the eyes, so that nothing is known of the model's accuracy",)
    assert isinstance(metrics, Mapping)
    nme = metrics[kinds[0]].get("nme_percent")
    found = []
    if not isinstance(nme, int | float) or not nme <= BAD_NME_PERCENT:
        shown = f"{nme:.2f} %" if isinstance(nme, int | float) else f"{nme!r}"
        found.append(
            f"the evaluation is bad: NME {shown} over {kinds[0]}, above {BAD_NME_PERCENT:g} %; train longer, or "
            "package another model"
        )
    protocol = results.get("protocol")
    evaluated = protocol.get("model_sha256") if isinstance(protocol, Mapping) else None
    if evaluated != model_sha256:
        found.append(f"the evaluation is of another file (its SHA-256 differs); evaluate the .tflite itself: {command}")
    return tuple(found)
