"""Package a model for the contest and prove that the package runs: `distill submit` by another name.

    python scripts/package_submission.py checkpoints/student_128_fp16.tflite dist/submission.zip

About a minute; takes the options of `distill submit`, works from any folder, and ends with what the dry run showed.
"""

import sys
from pathlib import Path

from distill.cli import submit
from distill.errors import DistillError

_RULES = Path(__file__).resolve().parents[1] / "configs" / "contest" / "icme2024_pair.yaml"


def main() -> int:
    """Turn `MODEL ZIP [options]` into the command's words and run it."""
    if len(sys.argv) < 3 or any(word.startswith("-") for word in sys.argv[1:3]):
        sys.exit("usage: python scripts/package_submission.py MODEL.tflite SUBMISSION.zip [options of distill submit]")
    model, target, *options = sys.argv[1:]
    rules = [] if any(word.startswith("--contest") for word in options) else ["--contest", str(_RULES)]
    try:
        return submit.run([model, "--out", target, *rules, *options])
    except DistillError as error:
        sys.exit(f"package_submission: {error}")


if __name__ == "__main__":
    sys.exit(main())
