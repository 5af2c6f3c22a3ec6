"""Package a model for the contest and prove that the package runs; the same as `distill submit`.

    python scripts/package_submission.py checkpoints/student_fp16.tflite dist/submission.zip

About a minute; ends with the path and SHA-256 of the zip.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from distill.errors import DistillError
from distill.submit import build_submission, sample_photos

_RULES = Path(__file__).resolve().parents[1] / "configs" / "contest" / "icme2024_pair.yaml"


def main() -> None:
    """Read the options, build, print one line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", type=Path, help=".tflite file with its .json beside it")
    parser.add_argument("zip", type=Path, help="where the package goes")
    parser.add_argument("--contest", type=Path, default=_RULES, help="rules (default: %(default)s)")
    parser.add_argument("--photos", type=Path, nargs="+", help="photos of the dry run; default: generated ones")
    parser.add_argument("--results", type=Path, help="JSON with numbers for techreport.pdf")
    parser.add_argument("--wheels", type=Path, help="folder with the wheels of requirements.txt; default: the index")
    options = parser.parse_args()
    results = json.loads(options.results.read_text()) if options.results else {}
    with tempfile.TemporaryDirectory() as folder:
        try:
            photos = options.photos or sample_photos(folder)
            done = build_submission(options.model, options.zip, options.contest, photos, results, options.wheels)
        except DistillError as error:
            sys.exit(f"package_submission: {error}")
    run = done.dry_run
    print(f"{options.zip}: {done.bytes} bytes, sha256 {done.sha256}; dry run: {run.faces} faces, {run.max_px:.4f} px")


if __name__ == "__main__":
    main()
