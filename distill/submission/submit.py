"""Build a contest submission from a model, the name of a contest and folders of photos and wheels."""

import json
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

from distill.errors import ConfigError, suggest
from distill.pretrained.resources import CONTESTS
from distill.submission.build import SubmissionReport, build_submission
from distill.submission.evaluation import recorded_evaluation
from distill.submission.samples import sample_photos

WHEELS = Path(".wheels")


def submit(
    model: str | Path,
    out: str | Path = "submission.zip",
    *,
    contest: str = "icme2024_pair",
    photos: Path | None = None,
    results: Path | None = None,
    wheels: Path | None = None,
    python: str | None = None,
) -> SubmissionReport:
    """Package a model for a contest and run it in a fresh environment; a package that fails is not written.

    Args:
        model: a .tflite file with its .json beside it.
        out: the zip; submission.json is written beside it.
        contest: the name of a file in configs/contest, or the path of a YAML file.
        photos: folder of photos for the dry run; generated ones by default.
        results: JSON of `distill evaluate`, whose numbers go into the technical report; by default that of the last
            evaluation of the model in its run.
        wheels: folder with the wheels of the requirements, to install without a network; `.wheels` where it exists.
        python: interpreter of the dry run, a path or a name; by default this one where the rules name its version,
            else the newest that they name and that is installed.

    Raises:
        ConfigError: unknown rules, a package that does not end in .zip, or no photos, results or wheels where they are
            named.
        SubmissionError: a package that breaks a rule or does not run.
    """
    rules = find_contest(contest)
    if Path(out).suffix != ".zip":
        raise ConfigError(f"--out {out}: give a file that ends in .zip")
    if wheels is not None and not wheels.is_dir():
        raise ConfigError(f"--wheels {wheels}: no such folder")
    wheels = wheels or (WHEELS if WHEELS.is_dir() else None)
    with tempfile.TemporaryDirectory(prefix="distill-photos-") as folder:
        chosen = photos_in(photos) if photos else sample_photos(folder)
        results = results or recorded_evaluation(Path(model))
        numbers = read_results(results) if results else {}
        return build_submission(Path(model), Path(out), rules, chosen, numbers, wheels, python)


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


def read_results(path: Path) -> dict[str, Any]:
    """Return the numbers of a JSON file of `distill evaluate` without those of single faces.

    Raises:
        ConfigError: not such a file.
    """
    from distill.files import read_regular

    try:
        numbers = json.loads(read_regular(path))
        numbers.pop("faces", None)  # an evaluation lists every face; the report wants the totals
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise ConfigError(f"{path}: no results in it ({error}); name a JSON file of `distill evaluate`") from error
    return dict(numbers)


def photos_in(folder: Path) -> list[Path]:
    """Return the photos of a folder, sorted.

    Raises:
        ConfigError: there are none, or two whose result files would have one name.
    """
    photos = sorted(path for path in folder.glob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if not photos:
        raise ConfigError(f"{folder}: no .jpg or .png photos; name another folder, or leave --photos out")
    for photo, following in pairwise(photos):
        if photo.stem == following.stem:
            raise ConfigError(f"{following}: {photo.name} has the same result file; rename or remove one of them")
    return photos
