"""Robustness to degraded photos: `python -m scripts.studies.robustness DATA --videos DIR`.

Writes results/studies/robustness.json.

DATA is a 300-W folder; models are the released student, or those of `--models`. MediaPipe's FaceMesh is measured at the
crop that suits it best and, since its points are of another convention, also after one constant offset; both are fitted
on training faces. A model that was measured already, by the hash of its file and the numbers of faces and clips, is not
measured again.
"""

import argparse
import json
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

from distill.evaluate.agreement import agreement
from distill.evaluate.evaluate import UNCHANGED, measure
from distill.evaluate.facemesh import tuned
from distill.evaluate.faces import FaceSet, load_faces
from distill.evaluate.result import Evaluation
from distill.evaluate.suite import list_videos, run_suite
from distill.files import sha256, write_json
from distill.inference.backend import Backend
from distill.inference.load import open_backend
from distill.provenance import write_result
from distill.report.page import Report
from distill.report.plots import robustness_curves
from scripts.studies.common.split_300w import TEST, TRAIN

RUNS = Path("runs/robustness")


def models(data: Path, given: list[Path]) -> dict[str, Callable[[], Backend]]:
    """Return how to load each predictor, by its name and, of ours, a part of the file's hash."""
    mesh = cache(lambda: tuned(load_faces("inner51", format="300w", root=data, subset=TRAIN)))
    named = {f"{path.parent.name if path.stem == 'best' else path.stem}-{sha256(path)[:8]}": path for path in given}
    ours = {name: partial(open_backend, path) for name, path in named.items()}
    return {**ours, "FaceMesh": lambda: mesh()[0], "FaceMesh, offset fitted": lambda: mesh()[1]}


def measured(name: str, load: Callable[[], Backend], faces: FaceSet, clips: list[Path]) -> Path:
    """Measure one model, unless that was done, and return the file with its errors and the results of the suite."""
    path = RUNS / f"{name}-{len(faces.records)}-{len(clips)}.json"
    if not path.is_file():
        predictor = load()
        plain = measure(predictor, faces, name)[UNCHANGED]
        write_json(path, plain.to_json() | {"suite": run_suite(predictor, faces, plain, videos=clips)})
    return path


def main() -> None:
    """Measure every model and write JSON and page."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--models", type=Path, nargs="+", default=[Path("checkpoints/student_128.safetensors")])
    parser.add_argument("--videos", type=Path)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--out", type=Path, default=Path("results/studies/robustness.json"))
    options = parser.parse_args()
    faces = load_faces("inner51", format="300w", root=options.data, subset=TEST, limit=options.limit)
    clips = list_videos(options.videos) if options.videos else []
    found: dict[str, dict[str, Any]] = {}
    plain: dict[str, Evaluation] = {}
    for name, load in models(options.data, options.models).items():
        path = measured(name, load, faces, clips)
        plain[name] = Evaluation.from_json(path)
        found[name] = {"protocol": plain[name].protocol.to_dict(), **json.loads(path.read_text())["suite"]}
    first = next(iter(plain))
    for name, evaluation in plain.items():
        if name != first:
            found[name]["agreement_with_" + first] = agreement(evaluation, plain[first])
    write_result(options.out, {"models": found})
    report = Report("Robustness", f"{len(faces.records)} faces of the 300-W common test set, {faces.boxes} boxes")
    report.heading("As they are").evaluations(plain)
    report.heading("As photos get worse").figure(
        robustness_curves({name: suite["robustness"] for name, suite in found.items()}),
        "The same changes for every model",
    )
    print(report.write(Path("runs") / "robustness.html"))


if __name__ == "__main__":
    main()
