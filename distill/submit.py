"""Package a model for a contest: check the limits, zip it deterministically, and keep only a zip that runs."""

import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from distill.contest import Contest, Points, load_contest
from distill.detector import FULL_RANGE, SHORT_RANGE, locate_model
from distill.errors import ImageError, SubmissionError
from distill.export.opcheck import check_model
from distill.files import atomic_path, sha256, write_json
from distill.runtime import Landmarker
from distill.spec import read_sidecar, sidecar_path
from distill.submission.dry_run import DryRun, dry_run
from distill.submission.requirements import check_requirements
from distill.submission.run_model import predict
from distill.submission.samples import sample_photos
from distill.submission.techreport import render_pdf

__all__ = ["SubmissionReport", "build_submission", "package_files", "sample_photos", "write_zip"]

# The package holds these files of the project as they are: the code that is tested is the code that ships.
SHIPPED = (
    "__init__", "contest", "detector", "detector_calibration", "errors", "files", "geometry", "images", "interpreter",
    "runtime", "spec",
)  # fmt: skip
_NOTICE = "face_detection_*.tflite: BlazeFace, from MediaPipe 0.10.21, Apache License 2.0, unchanged.\n"
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class SubmissionReport:
    """What was packaged and how it ran; also written as submission.json beside the zip.

    Attributes:
        zip: path of the package.
        sha256, bytes: of the package.
        model_bytes: of the model in it.
        files: names in the package.
        min_runtime: oldest TFLite release that has every operator of the model.
        dry_run: what the run in an empty environment showed.
    """

    contest: str
    zip: str
    sha256: str
    bytes: int
    model_bytes: int
    files: tuple[str, ...]
    min_runtime: str | None
    dry_run: DryRun


def _check_model(model: Path, contest: Contest) -> str | None:
    """Check a model against the rules; return the oldest runtime that has its operators."""
    if model.suffix != ".tflite":
        raise SubmissionError(f"{model}: {contest.name} takes a .tflite file; make one with `distill export`")
    spec = read_sidecar(model)
    if (spec.scheme, spec.n_points) != (contest.scheme, contest.n_points):
        wanted = f"{contest.scheme} with {contest.n_points}"
        raise SubmissionError(f"{model}: {spec.scheme} with {spec.n_points} points, {contest.name} wants {wanted}")
    _check_limit(model, contest.max_model_bytes, "max_model_bytes")
    report = check_model(model, contest.runtime)
    detectors = [check_model(locate_model(kind.file), contest.runtime) for kind in (SHORT_RANGE, FULL_RANGE)]
    for checked in (report, *detectors):
        if not checked.passed:
            first = checked.failures[0]
            raise SubmissionError(f"{checked.model}: does not run on TFLite {contest.runtime}: {first}; export again")
    return report.min_runtime


def _check_limit(path: Path, limit: int | None, rule: str) -> None:
    size = path.stat().st_size
    if limit is not None and size > limit:
        raise SubmissionError(f"{path.name}: {size} bytes, {rule} is {limit}; make the model smaller")


def package_files(model: Path, rules: Path, contest: Contest, results: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the files of a package, path in the zip -> content.

    Raises:
        SubmissionError: a file the rules ask for is not among them, or requirements.txt does not fit the code.
    """
    source = resources.files("distill")
    code = {f"distill/{name}.py": source.joinpath(f"{name}.py").read_bytes() for name in SHIPPED}
    code["run_model.py"] = source.joinpath("submission", "run_model.py").read_bytes()
    requirements = source.joinpath("submission", "requirements.txt").read_bytes()
    check_requirements(
        {path: text.decode() for path, text in code.items()}, requirements.decode(), contest.oldest_python
    )
    files = {
        **code,
        "requirements.txt": requirements,
        "contest.yaml": rules.read_bytes(),
        contest.model_name: model.read_bytes(),
        sidecar_path(contest.model_name).name: sidecar_path(model).read_bytes(),
        "detector/NOTICE.txt": _NOTICE.encode(),
        "techreport.pdf": render_pdf(f"{contest.name}: {model.stem}", results),
    }
    for kind in (SHORT_RANGE, FULL_RANGE):
        files[f"detector/{kind.file}"] = locate_model(kind.file).read_bytes()
    for name in contest.files:
        if name not in files:
            raise SubmissionError(f"{contest.name} asks for {name}, which is not packaged; see `files` in {rules}")
    return files


def write_zip(path: Path, files: Mapping[str, bytes]) -> None:
    """Write a zip whose bytes depend on the names and contents alone: sorted, one date, one mode, one level."""
    with zipfile.ZipFile(path, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, date_time=_EPOCH)
            entry.create_system, entry.external_attr = 3, 0o100644 << 16
            archive.writestr(entry, files[name], zipfile.ZIP_DEFLATED, compresslevel=9)


def _expected(model: Path, photos: Sequence[Path], contest: Contest) -> dict[Path, list[Points]]:
    """Predict here what the package must give; a broken photo gives no face."""
    landmarker, faces = Landmarker(model), {}
    for photo in photos:
        try:
            faces[photo] = predict(photo, landmarker, contest)
        except ImageError:
            faces[photo] = []
    return faces


def build_submission(
    model_path: str | Path,
    out_zip: str | Path,
    contest: str | Path,
    photos: Sequence[Path],
    report: Mapping[str, Any],
    wheels: str | Path | None = None,
) -> SubmissionReport:
    """Package a model and prove that the package runs. The zip appears only when everything passed.

    Args:
        model_path: an exported `.tflite` with its sidecar.
        out_zip: where the package goes; `submission.json` is written beside it.
        contest: rules, such as configs/contest/icme2024_pair.yaml.
        photos: what the dry run is made with, as from `sample_photos`.
        report: results for techreport.pdf, nested as one likes.
        wheels: folder with the wheels of requirements.txt; None asks the package index.

    Raises:
        SubmissionError: a rule is broken or the dry run fails; nothing is written then.
        CheckpointError: the model or its sidecar is missing or broken.
        ConfigError: the rules cannot be read.
    """
    model, target, rules_path = Path(model_path), Path(out_zip), Path(contest)
    rules = load_contest(rules_path)
    running = ".".join(map(str, sys.version_info[:2]))
    if running not in rules.python:
        raise SubmissionError(f"this is Python {running}, {rules.name} runs {', '.join(rules.python)}; use one")
    if not photos:
        raise SubmissionError("no photos for the dry run; give some, or generate them with sample_photos")
    min_runtime = _check_model(model, rules)
    files = package_files(model, rules_path, rules, report)
    with atomic_path(target) as temporary:
        write_zip(temporary, files)
        _check_limit(temporary, rules.max_zip_bytes, "max_zip_bytes")
        result = dry_run(temporary, _expected(model, photos, rules), rules, Path(wheels) if wheels else None)
    done = SubmissionReport(
        contest=rules.name,
        zip=target.name,
        sha256=sha256(target),
        bytes=target.stat().st_size,
        model_bytes=model.stat().st_size,
        files=tuple(sorted(files)),
        min_runtime=min_runtime,
        dry_run=result,
    )
    write_json(target.parent / "submission.json", asdict(done))
    return done
