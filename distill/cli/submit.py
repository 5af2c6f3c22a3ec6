"""`distill submit MODEL.tflite`: a contest submission, run in a fresh environment before it is written."""

import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

from distill.cli.options import options_of, parse
from distill.errors import ConfigError, suggest
from distill.pretrained.resources import CONTESTS
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
        model: a .tflite file with its .json beside it.
        out: the zip; submission.json is written beside it.
        contest: rules: the name of a file in configs/contest, or the path of a YAML file.
        photos: folder of photos for the dry run; by default generated ones: one, several, no face, half a file.
        results: JSON of `distill evaluate`, whose numbers go into the technical report; a bad NME is reported.
        wheels: folder with the wheels of the requirements, to install without a network; `.wheels` where it exists.
        python: interpreter of the dry run, a path or a name such as `python3.10`; this one by default.
        log: run that the package is recorded in.
    """
    import tempfile

    from distill.cli.record import record_submission
    from distill.files import require_writable
    from distill.submission.build import build_submission, sample_photos

    require_writable(out)
    rules = find_contest(contest)
    wheels = wheels or (Path(".wheels") if Path(".wheels").is_dir() else None)
    with tempfile.TemporaryDirectory(prefix="distill-photos-") as folder:
        chosen = _photos_in(photos) if photos else sample_photos(folder)
        numbers = _read_results(results) if results else {}
        report = build_submission(model, out, rules, chosen, numbers, wheels, python or sys.executable)
    run = report.dry_run
    print(f"{out}: {report.bytes / 1e6:.2f} MB, sha256 {report.sha256[:16]}, needs TFLite >= {report.min_runtime}")
    summary = f"{run.photos} photos, {run.faces} faces, {run.max_px:.4f} px from the prediction here"
    print(f"dry run: Python {run.python}, {summary}, {run.seconds:.1f} s, slowest photo {run.slowest:.2f} s")
    if report.runtime_px is not None:
        print(
            f"the package's TFLite runtime puts the points {report.runtime_px:.3f} px from where the newest here does"
        )
    print("installed there:", ", ".join(run.installed))
    record_submission(log, model, out, report.contest, results)
    for concern in report.concerns:
        print(f"warning: {concern}", file=sys.stderr)
    return 0


def find_contest(name: str) -> Path:
    """Return the file of contest rules: a path, or the bare name of a file in `configs/contest/`.

    Raises:
        ConfigError: neither.
    """
    path = Path(name)
    if path.is_file():
        return path
    known = {file.stem: file for file in sorted(CONTESTS.glob("*.yaml"))}
    # configs/contest/NAME.yaml is where the documentation shows a file, also beside an installed package.
    if path.stem in known and path.parent.parts in ((), ("configs", "contest")) and path.suffix in ("", ".yaml"):
        return known[path.stem]
    raise ConfigError(f"--contest {name}: no such file and no rules of this name: {suggest(path.stem, list(known))}")


def _read_results(path: Path) -> dict[str, Any]:
    from distill.files import read_regular

    try:
        numbers = json.loads(read_regular(path))
        numbers.pop("faces", None)  # an evaluation lists every face; the report wants the totals
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise ConfigError(f"{path}: no results in it ({error}); name a JSON file of `distill evaluate`") from error
    return dict(numbers)


def _photos_in(folder: Path) -> list[Path]:
    photos = sorted(path for path in folder.glob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if not photos:
        raise ConfigError(f"{folder}: no .jpg or .png photos; name another folder, or leave --photos out")
    for photo, following in pairwise(photos):
        if photo.stem == following.stem:
            raise ConfigError(f"{following}: {photo.name} has the same result file; rename or remove one of them")
    return photos


def run(argv: list[str]) -> int:
    return submit(**parse(options_of("submit", _DESCRIPTION, submit, "model"), argv, "model"))
