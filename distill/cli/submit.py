"""`distill submit MODEL.tflite`: a contest submission, run in a fresh environment before it is written."""

import sys
from pathlib import Path

from distill.options.parser import options_of, parse
from distill.pretrained.registry import require_known, resolve_model
from distill.tracking.attach import AttachConfig

_DESCRIPTION = "Package a model for a contest and run it in a fresh environment; one that fails is not written."


def submit(
    model: Path,
    out: Path = Path("submission.zip"),
    contest: str = "icme2024_pair",
    photos: Path | None = None,
    results: Path | None = None,
    wheels: Path | None = None,
    python: str | None = None,
    log: AttachConfig = AttachConfig(),  # noqa: B008  frozen
) -> int:
    """Build a submission.

    Args:
        model: a .tflite file with its .json beside it, or the name of a released model.
        out: the zip; submission.json is written beside it.
        contest: rules: the name of a file in configs/contest, or the path of a YAML file.
        photos: folder of photos for the dry run; by default generated ones: one, several, no face, half a file.
        results: JSON of `distill evaluate`, whose numbers go into the technical report; a bad NME is reported. By
            default that of the last evaluation of this file in its run.
        wheels: folder with the wheels of the requirements, to install without a network; `.wheels` where it exists.
        python: interpreter of the dry run, a path or a name such as `python3.10`; by default one that the rules allow.
        log: run that the package is recorded in.
    """
    from distill.cli.record import record_submission
    from distill.files import require_writable
    from distill.submission.evaluation import recorded_evaluation
    from distill.submission.submit import submit as build
    from distill.tracking.attach import attached_run

    model = resolve_model(model)
    require_known(model)
    require_writable(out)
    attached_run(log, model)  # before anything slow
    results = results or recorded_evaluation(model)
    report = build(model, out, contest=contest, photos=photos, results=results, wheels=wheels, python=python)
    run = report.dry_run
    print(f"{out}: {report.bytes / 1e6:.2f} MB, sha256 {report.sha256[:16]}, needs TFLite >= {report.min_runtime}")
    summary = f"{run.photos} photos, {run.faces} faces, {run.max_px:.4f} px from the prediction here"
    print(f"dry run: Python {run.python}, {summary}, {run.seconds:.1f} s, slowest photo {run.slowest:.2f} s")
    if report.runtime_px is not None:
        print(
            f"the package's TFLite runtime puts the points {report.runtime_px:.3f} px from where the newest here does"
        )
    print("installed there:", ", ".join(run.installed))
    if results is not None:
        print(f"evaluation in the report: {results}")
    record_submission(log, model, out, report.contest, results)
    for concern in report.concerns:
        print(f"warning: {concern}", file=sys.stderr)
    return 0


def run(argv: list[str]) -> int:
    return submit(**parse(options_of("submit", _DESCRIPTION, submit, "model"), argv, "model"))
