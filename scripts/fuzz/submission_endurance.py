"""Memory of run_model.py over one call with 1,000 photos: `python -m scripts.fuzz.submission_endurance`.

Eight photos in turn, of two sizes, two of them broken, under 1,000 names. Writes
results/checks/submission_endurance.json and exits with 1 when the memory grows by more than 20 MB. Takes some minutes;
Linux only.
"""

import argparse
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from distill.files import sha256, write_bytes
from distill.provenance import write_result
from distill.submission.build import package_files
from distill.submission.contest_rules import load_contest
from tests.support.endurance import endure, mixed_photos

_ROOT = Path(__file__).resolve().parents[2]
_RULES = _ROOT / "configs" / "contest" / "icme2024_pair.yaml"
# One of the larger photos, decoded, is 8 MB: keeping even every hundredth would show.
_GROWTH_MB = 20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=_ROOT / "checkpoints" / "student_128_fp16.tflite")
    parser.add_argument("--photos", type=int, default=1000)
    parser.add_argument("--python", default=sys.executable, help="interpreter with the requirements of the package")
    parser.add_argument("--json", type=Path, default=Path("results/checks/submission_endurance.json"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="distill-endurance-") as name:
        package, photos, work = (Path(name, part) for part in ("package", "photos", "work"))
        for folder in (photos, work):
            folder.mkdir()
        for path, content in package_files(args.model, _RULES, load_contest(_RULES), {}).items():
            write_bytes(package / path, content)
        measured = endure(package, args.python, mixed_photos(photos, args.photos), work, seconds=10.0 * args.photos)
    result = {
        "model": {"file": args.model.name, "sha256": sha256(args.model)},
        "protocol": "eight generated photos in turn (640x480 and 1920x1440; 1, 3, 0 faces; 2 of 8 broken); "
        "resident memory, median over each tenth of the photos; growth is the last against the second",
        **asdict(measured),
        "growth_mb": measured.growth_mb,
    }
    write_result(args.json, result)
    early, late = measured.tenths_mb[1], measured.tenths_mb[-1]
    print(f"{measured.photos} photos in {measured.seconds:.1f} s: {early:.1f} MB early, {late:.1f} MB at the end")
    return 0 if measured.growth_mb <= _GROWTH_MB else 1


if __name__ == "__main__":
    sys.exit(main())
