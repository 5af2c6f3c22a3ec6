"""`distill submit MODEL.tflite`: a contest submission that has been run before anyone uploads it."""

import json
from pathlib import Path

from distill.errors import ConfigError
from distill.options import options_of, parse

_DESCRIPTION = "Package a model for a contest and run the package in a fresh environment; one that fails is not kept."


def submit(
    model: Path,
    out: Path = Path("submission.zip"),
    contest: Path = Path("configs/contest/icme2024_pair.yaml"),
    photos: Path | None = None,
    results: Path | None = None,
    wheels: Path | None = None,
) -> int:
    """Build a submission.

    Args:
        model: a .tflite file with its .json beside it.
        out: the zip; submission.json is written beside it.
        contest: rules.
        photos: folder of photos for the dry run; generated ones with one, several and no face by default.
        results: JSON whose numbers go into the technical report, such as that of `distill evaluate`.
        wheels: folder with the wheels of the requirements, to install without a network; `.wheels` where it exists.
    """
    import tempfile

    from distill.submit import build_submission, sample_photos

    wheels = wheels or (Path(".wheels") if Path(".wheels").is_dir() else None)
    with tempfile.TemporaryDirectory(prefix="distill-photos-") as folder:
        chosen = _photos_in(photos) if photos else sample_photos(folder)
        numbers = json.loads(results.read_text()) if results else {}
        numbers.pop("faces", None)  # an evaluation lists every face; the report wants the totals
        report = build_submission(model, out, contest, chosen, numbers, wheels)
    run = report.dry_run
    print(f"{out}: {report.bytes / 1e6:.2f} MB, sha256 {report.sha256[:16]}, needs TFLite >= {report.min_runtime}")
    print(f"dry run: {run}")
    return 0


def _photos_in(folder: Path) -> list[Path]:
    photos = sorted(path for path in folder.glob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if not photos:
        raise ConfigError(f"{folder}: no .jpg or .png photos; name another folder, or leave --photos out")
    return photos


def run(argv: list[str]) -> int:
    return submit(**parse(options_of("submit", _DESCRIPTION, submit, "model"), argv, "model"))
