"""Package a model for a contest: check the limits, zip it deterministically, and keep only a zip that runs."""

import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from distill.detection.detector import bundled_detector
from distill.environments.pythons import find_python
from distill.errors import DistillError, SubmissionError
from distill.files import atomic_path, sha256, write_json
from distill.inference.landmarker import Landmarker
from distill.landmarks import selected_points
from distill.landmarks.schemes import scheme_file
from distill.opcheck.check import check_model
from distill.spec import ModelSpec, read_sidecar, sidecar_path, write_sidecar
from distill.submission.contest_rules import Contest, Points, load_contest
from distill.submission.dry_run import DryRun, dry_run, python_version
from distill.submission.evaluation import concerns, evaluation_command
from distill.submission.package_runtime import package_runtime
from distill.submission.requirements import ENTRY, canonical, check_requirements, required_names, shipped_files
from distill.submission.run_model import attempt
from distill.submission.runtime_speed import slow_integers
from distill.submission.samples import sample_photos
from distill.submission.techreport import render_pdf
from distill.tflite.outputs import landmarks_only
from distill.tflite.serialization import read_model

__all__ = ["SubmissionReport", "build_submission", "package_files", "sample_photos", "write_zip"]

REPORT = "submission.json"
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
        runtime_px: mean distance between the points of the newest runtime here, in which models are evaluated, and of
            the package's, on the detected faces of the dry run, in photo pixels; None without a face.
        dry_run: what the run in an empty environment showed.
        concerns: what speaks against this model, from its evaluation.
    """

    contest: str
    zip: str
    sha256: str
    bytes: int
    model_bytes: int
    files: tuple[str, ...]
    min_runtime: str | None
    runtime_px: float | None
    dry_run: DryRun
    concerns: tuple[str, ...] = ()


@contextmanager
def _single_output(model: Path, contest: Contest) -> Iterator[Path]:
    """Yield a model whose only output are the landmarks, which contests ask for: a copy where it has a confidence.

    Errors that name the copy are raised with the name of the model.
    """
    if model.suffix != ".tflite":
        raise SubmissionError(f"{model}: {contest.name} takes a .tflite file; make one with `distill export`")
    spec, content = read_sidecar(model), model.read_bytes()
    _require_points(model, spec, contest)
    shipped = landmarks_only(content, str(model))
    if shipped == content:
        yield model
        return
    with tempfile.TemporaryDirectory(prefix="distill-submission-") as folder:
        copy = Path(folder, model.name)
        copy.write_bytes(shipped)
        write_sidecar(copy, spec)
        try:
            yield copy
        except DistillError as error:
            raise type(error)(str(error).replace(str(copy), str(model))) from error


def _require_points(model: Path, spec: ModelSpec, contest: Contest) -> None:
    """Check that a model predicts the landmarks of the rules."""
    if (spec.scheme, spec.n_points) != (contest.scheme, contest.n_points):
        part = selected_points(spec.scheme, contest.scheme) is not None
        raise SubmissionError(
            f"{model}: {spec.scheme} with {spec.n_points} points, {contest.name} wants {contest.scheme} with "
            f"{contest.n_points}{f'; distill export --scheme {contest.scheme} keeps those' if part else ''}"
        )


def _check_model(model: Path, contest: Contest) -> str | None:
    """Check a model against the rules; return the oldest runtime that has its operators."""
    _check_interface(model, read_sidecar(model))
    _check_limit(model, contest.max_model_bytes, "max_model_bytes")
    report = check_model(model, contest.runtime)
    for checked in (report, check_model(bundled_detector(), contest.runtime)):
        if not checked.passed:
            first = checked.explanations[0]
            raise SubmissionError(f"{checked.model}: does not run on TFLite {contest.runtime}: {first}; export again")
    return report.min_runtime


def _check_interface(model: Path, spec: ModelSpec) -> None:
    """Check that one float32 image goes in and one float32 set of points comes out, however the weights are stored."""
    graph, size = read_model(model).main, spec.crop.size
    found = [(tensor.dtype, tensor.shape) for tensor in (*graph.inputs, *graph.outputs)]
    batch = found[0][1][0] if found[0][1] else 1
    if batch > 1:
        raise SubmissionError(f"{model}: takes {batch} faces a call, run_model.py gives one; export with --batch 1")
    wanted = [("FLOAT32", (1, size, size, 3)), ("FLOAT32", (1, spec.n_points, 2))]
    if found != wanted:
        raise SubmissionError(f"{model}: inputs and outputs are {found}, run_model.py needs {wanted}; export again")


def _check_limit(path: Path, limit: int | None, rule: str) -> None:
    size = path.stat().st_size
    if limit is not None and size > limit:
        raise SubmissionError(f"{path.name}: {size} bytes, {rule} is {limit}; make the model smaller")


def _read_source(path: str) -> str | None:
    """Return the text of a file of the package; the code that is tested is the code that ships."""
    inside = f"submission/{ENTRY}" if path == ENTRY else path.removeprefix("distill/")
    file = resources.files("distill").joinpath(inside)
    return file.read_bytes().decode() if file.is_file() else None


def _requirements() -> bytes:
    return resources.files("distill").joinpath("submission", "requirements.txt").read_bytes()


def package_files(model: Path, rules: Path, contest: Contest, results: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the files of a package, path in the zip -> content.

    Raises:
        SubmissionError: a file the rules ask for is not among them, or requirements.txt does not fit the code.
    """
    code = shipped_files(_read_source, contest.oldest_python)
    requirements = _requirements()
    check_requirements(code, requirements.decode(), contest.oldest_python)
    for name in set(map(canonical, contest.forbidden_packages or ())) & required_names(requirements.decode()):
        raise SubmissionError(f"requirements.txt names {name}, which forbidden_packages of {contest.name} lists")
    files = {
        **{path: text.encode() for path, text in code.items()},
        "requirements.txt": requirements,
        "contest.yaml": rules.read_bytes(),
        contest.model_name: model.read_bytes(),
        sidecar_path(contest.model_name).name: sidecar_path(model).read_bytes(),
        "techreport.pdf": render_pdf(f"{contest.name}: {model.stem}", results),
    }
    scheme = scheme_file(read_sidecar(model).scheme)
    if scheme is not None:
        files[f"distill/landmarks/data/{scheme.name}"] = scheme.read_bytes()
    for path in (bundled_detector(), bundled_detector().with_suffix(".json")):
        files[f"detector/{path.name}"] = path.read_bytes()
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


def _predict(model: Path, photos: Sequence[Path], contest: Contest) -> dict[Path, list[Points]]:
    """Predict here; a broken photo gives no face."""
    landmarker = Landmarker(model)
    return {photo: attempt(photo, landmarker, contest).faces for photo in photos}


def _runtime_px(model: Path, expected: Mapping[Path, list[Points]], contest: Contest) -> float | None:
    """Return how far the newest runtime here puts the points of detected faces from where the package's does."""
    here = _predict(model, list(expected), replace(contest, no_face="empty"))
    pairs = [pair for photo, faces in here.items() for pair in zip(faces, expected[photo], strict=False)]
    return float(np.mean([np.linalg.norm(a - b, axis=1).mean() for a, b in pairs])) if pairs else None


def build_submission(
    model_path: str | Path,
    out_zip: str | Path,
    contest: str | Path,
    photos: Sequence[Path],
    report: Mapping[str, Any],
    wheels: str | Path | None = None,
    python: str | Path | None = None,
) -> SubmissionReport:
    """Package a model and prove that the package runs. The zip appears only when everything passed.

    Args:
        model_path: an exported `.tflite` with its sidecar.
        out_zip: where the package goes; `submission.json` is written beside it.
        contest: rules, such as configs/contest/icme2024_pair.yaml.
        photos: what the dry run is made with, as from `sample_photos`.
        report: results for techreport.pdf, nested as one likes; a bad or missing evaluation is a concern of the report.
        wheels: folder with the wheels of requirements.txt; None asks the package index.
        python: interpreter of the dry run, one of the versions the rules name; None takes this one where they name its
            version, else the newest of them that is installed.

    Raises:
        SubmissionError: a rule is broken or the dry run fails; nothing is written then.
        CheckpointError: the model or its sidecar is missing or broken.
        ConfigError: the rules cannot be read.
    """
    model, target, rules_path = Path(model_path), Path(out_zip), Path(contest)
    rules = load_contest(rules_path)
    interpreter = _allowed_python(rules, python)
    if not photos:
        raise SubmissionError("no photos for the dry run; give some, or generate them with sample_photos")
    with _single_output(model, rules) as shipped:
        done = _package(shipped, target, rules_path, rules, photos, report, wheels, interpreter)
    slow = slow_integers(model, _requirements().decode())
    done = replace(done, concerns=(*concerns(report, sha256(model), evaluation_command(model)), *slow))
    write_json(target.parent / REPORT, asdict(done))
    return done


def _allowed_python(rules: Contest, chosen: str | Path | None) -> str | Path:
    """Return the interpreter of the dry run.

    Raises:
        SubmissionError: the chosen one is of another version than the rules name, or none of them is installed.
    """
    allowed = " or ".join(rules.python)
    if chosen is None:
        newest_first = sorted(rules.python, key=lambda version: tuple(map(int, version.split("."))), reverse=True)
        found = find_python(newest_first)
        if found is None:
            raise SubmissionError(
                f"the dry run needs Python {allowed} ({rules.name}), which is not on PATH, in pyenv or in uv; "
                "install one, or name it: --python"
            )
        return found
    running = python_version(chosen).rpartition(".")[0]
    if running not in rules.python:
        raise SubmissionError(f"the dry run has Python {running}, {rules.name} runs {allowed}; name one: --python")
    return chosen


def _package(
    model: Path,
    target: Path,
    rules_path: Path,
    rules: Contest,
    photos: Sequence[Path],
    report: Mapping[str, Any],
    wheels: str | Path | None,
    python: str | Path,
) -> SubmissionReport:
    min_runtime = _check_model(model, rules)
    files = package_files(model, rules_path, rules, report)
    with atomic_path(target) as temporary:
        write_zip(temporary, files)
        _check_limit(temporary, rules.max_zip_bytes, "max_zip_bytes")
        with package_runtime():
            expected = _predict(model, photos, rules)
        result = dry_run(temporary, expected, rules, Path(wheels) if wheels else None, python)
        (target.parent / REPORT).unlink(missing_ok=True)  # no description beside another package, also after a kill
    return SubmissionReport(
        contest=rules.name,
        zip=target.name,
        sha256=sha256(target),
        bytes=target.stat().st_size,
        model_bytes=model.stat().st_size,
        files=tuple(sorted(files)),
        min_runtime=min_runtime,
        runtime_px=_runtime_px(model, expected, rules),
        dry_run=result,
    )
