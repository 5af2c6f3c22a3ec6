"""How models stand worse photos: `python scripts/reproduce/robustness.py DATA --videos DIR`, results/robustness.json.

DATA is a 300-W folder; models are the released student and, where it has been trained, runs/teacher. MediaPipe's
FaceMesh is measured at the crop that suits it best and, since its points are of another convention, also after one
constant offset; both are fitted on training faces.
"""

import argparse
from pathlib import Path
from typing import Any

from distill.evaluate.agreement import agreement
from distill.evaluate.evaluate import UNCHANGED, measure
from distill.evaluate.facemesh import tuned
from distill.evaluate.faces import load_faces
from distill.evaluate.plots import robustness_curves
from distill.evaluate.predictors import Predictor, load_predictor
from distill.evaluate.report import Report
from distill.evaluate.result import Evaluation
from distill.evaluate.suite import list_videos, run_suite
from distill.results import write_result

TRAIN, TEST = "helen/trainset+lfpw/trainset", "helen/testset+lfpw/testset"


def models(data: Path, given: list[Path]) -> dict[str, Predictor]:
    """Return the predictors by name."""
    train = load_faces("inner51", format="300w", root=data, subset=TRAIN)
    raw, fitted = tuned(train)
    found = {path.stem if path.stem != "best" else path.parent.name: load_predictor(path) for path in given}
    return {**found, "FaceMesh": raw, "FaceMesh, offset fitted": fitted}


def main() -> None:
    """Measure every model and write JSON and page."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--models", type=Path, nargs="+", default=[Path("checkpoints/student_128.safetensors")])
    parser.add_argument("--videos", type=Path)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--out", type=Path, default=Path("results/robustness.json"))
    options = parser.parse_args()
    faces = load_faces("inner51", format="300w", root=options.data, subset=TEST, limit=options.limit)
    clips = list_videos(options.videos) if options.videos else []
    found: dict[str, dict[str, Any]] = {}
    plain: dict[str, Evaluation] = {}
    for name, predictor in models(options.data, options.models).items():
        plain[name] = measure(predictor, faces, name)[UNCHANGED]
        suite = run_suite(predictor, faces, plain[name], videos=clips)
        found[name] = {"protocol": plain[name].protocol.to_dict(), **suite}
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
