"""Score released models on faces none was trained on: `python -m scripts.studies.released DATA NAME=FILE ...`.

DATA holds the folders 300W and FaceSynthetics, whose points convert to ours only approximately. Writes
results/studies/released.json and its table in the documentation; rows of models that are not given stay unchanged, and
with `--boxes` the columns of other boxes do. NAME=facemesh scores MediaPipe's own net.
"""

import argparse
import json
from collections.abc import Callable
from hashlib import sha256 as hashed
from pathlib import Path
from textwrap import fill
from typing import Any, NamedTuple

from distill.data.box_sources import BOX_SOURCES, DETECTOR
from distill.detection.detection import Detection
from distill.detection.detector import FaceDetector, bundled_detector
from distill.evaluate.evaluate import evaluate
from distill.files import sha256
from distill.images import Photo
from distill.provenance import commit, write_result
from scripts.studies.common.arms import mean_with_interval
from scripts.studies.common.marked_blocks import ROOT, update_block
from scripts.studies.common.split_300w import TEST

OUT = Path("results/studies/released.json")
# Rows of the README: what a user chooses from, and what they compare with.
CHOICE = {
    "student_68_256 fp16": "68 points, most accurate",
    "student_68_192 fp16": "68 points, between the two",
    "student_68_128 fp16": "68 points, the default",
    "efld_68_128 int8": "68 points, smallest",
    "FaceMesh": "468 points",
}


# Mean and ends of its interval in a score.
_MEAN = ("nme_percent", "low_percent", "high_percent")


class Test(NamedTuple):
    """Faces to score on: what the column is called, and where they are."""

    title: str
    format: str
    folder: str
    subset: str | None
    boxes: str


TESTS = (
    Test("300-W common, gt boxes", "300w", "300W", TEST, "gt"),
    Test("HELEN", "300w", "300W", "helen/testset", "gt"),
    Test("LFPW", "300w", "300W", "lfpw/testset", "gt"),
    Test("300-W common, dataset boxes", "300w", "300W", TEST, "dataset"),
    Test("300-W common, detector boxes", "300w", "300W", TEST, "detector"),
    Test("FaceSynthetics *", "face_synthetics", "FaceSynthetics", None, "gt"),
)

# Test sets whose median and share of faces above 8 % are in the table: annotated boxes, detector boxes, rendered heads.
SPREAD = tuple(TESTS[index].title for index in (0, 4, 5))


def remembered(detector: Callable[[Photo], list[Detection]]) -> Callable[[Photo], list[Detection]]:
    """Return a detector that searches every photo once, however many models are scored on it."""
    known: dict[bytes, list[Detection]] = {}

    def find(photo: Photo) -> list[Detection]:
        digest = hashed(photo.tobytes()).digest()
        if digest not in known:
            known[digest] = detector(photo)
        return known[digest]

    return find


def scores(
    model: Path, data: Path, boxes: tuple[str, ...], detector: Callable[[Photo], list[Detection]]
) -> dict[str, Any]:
    """Return what one model scores on every test with these boxes, in percent, with the 95 % interval over faces."""
    found: dict[str, Any] = {}
    for test in (test for test in TESTS if test.boxes in boxes):
        result = evaluate(
            model,
            format=test.format,
            root=data / test.folder,
            subset=test.subset,
            boxes=test.boxes,
            detector=detector if test.boxes == DETECTOR else None,
            scheme="inner51",
            approximate=test.format != "300w",
        )
        summary, (low, high) = result.summary(), result.interval()
        found[test.title] = {
            **{f"{name}_percent": 100 * summary[name] for name in ("nme", "nme_median", "fr8", "fr10", "auc10")},
            "low_percent": 100 * low,
            "high_percent": 100 * high,
            "protocol": result.protocol.to_dict(),
        }
        if test.boxes == DETECTOR:
            found[test.title] |= {"detector_sha256": sha256(bundled_detector()), "commit": commit()}
    return found


def former_detector(models: dict[str, dict[str, Any]]) -> list[str]:
    """Return the models whose detector boxes are those of BlazeFace, the detector before RetinaFace."""
    title = next(test.title for test in TESTS if test.boxes == DETECTOR)
    return [name for name, model in models.items() if "detector_sha256" not in model["scores"][title]]


def table(models: dict[str, dict[str, Any]]) -> str:
    """Return NME with intervals, medians and failure rates as a Markdown table, the best first."""
    titles = [test.title for test in TESTS]
    lines = [f"| model | {' | '.join(titles)} | median | above 8 % |", f"|---|{'---|' * len(titles)}---|---|"]
    former = former_detector(models)
    for name, model in sorted(models.items(), key=lambda entry: float(entry[1]["scores"][titles[0]]["nme_percent"])):
        cells = [model["scores"][title] for title in titles]
        texts = [mean_with_interval(*(cell[key] for key in _MEAN)) for cell in cells]
        if name in former:
            texts = [f"{text} †" if test.boxes == DETECTOR else text for test, text in zip(TESTS, texts, strict=True)]
        spread = [cells[titles.index(title)] for title in SPREAD]
        medians = " / ".join(f"{cell['nme_median_percent']:.2f}" for cell in spread)
        failures = " / ".join(f"{cell['fr8_percent']:.1f}" for cell in spread)
        lines.append(f"| {name} | {' | '.join(texts)} | {medians} | {failures} |")
    return "\n".join(lines)


def block(result: dict[str, Any]) -> str:
    """Return the block of the documentation for a stored result."""
    other = " (†: BlazeFace)" if former_detector(result["models"]) else ""
    note = (
        "NME in percent over the outer eye corners, 51 points, with the 95 % interval over faces. Dataset boxes come "
        f"with 300-W, detector boxes are RetinaFace's{other}. FaceSynthetics (*) shows rendered heads, a third "
        "of them turned far; its 70 points become 51 only approximately. The last two columns: the median, and "
        "the share of faces above 8 %, in percent: 300-W common with gt boxes, with detector boxes, and FaceSynthetics."
    )
    return f"{fill(note, 100)}\n\n{table(result['models'])}"


def choice(result: dict[str, Any]) -> str:
    """Return the short table of the README for a stored result."""
    titles = [TESTS[index].title for index in (0, 4)]
    boxes = [title.rpartition(", ")[2] for title in titles]  # all of one test set
    lines = [f"| model | | file | {' | '.join(boxes)} |", f"|---|---|---|{'---|' * len(titles)}"]
    for name, use in CHOICE.items():
        file = ROOT / "checkpoints" / f"{name.replace(' ', '_')}.tflite"
        size = f"{file.stat().st_size / 1e6:.2f} MB" if file.is_file() else "–"
        cells = [result["models"][name]["scores"][title] for title in titles]
        texts = [mean_with_interval(*(cell[key] for key in _MEAN)) for cell in cells]
        lines.append(f"| {name} | {use} | {size} | {' | '.join(texts)} |")
    return "\n".join(lines)


def main() -> None:
    """Score the models given and write."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("models", nargs="+", help="NAME=FILE")
    parser.add_argument("--boxes", nargs="+", default=list(BOX_SOURCES), choices=BOX_SOURCES)
    options = parser.parse_args()
    detector = remembered(FaceDetector())
    models: dict[str, dict[str, Any]] = json.loads(OUT.read_text())["models"] if OUT.is_file() else {}
    for entry in options.models:
        name, _, path = entry.partition("=")
        digest = sha256(Path(path)) if Path(path).is_file() else None
        found = scores(Path(path), options.data, tuple(options.boxes), detector)
        if set(options.boxes) == set(BOX_SOURCES):
            models[name] = {"commit": commit(), "sha256": digest, "scores": found}
        elif name in models and models[name]["sha256"] == digest:
            models[name]["scores"] |= found
        else:
            raise SystemExit(f"{name}: not the file that {OUT} has scores of; leave --boxes out")
    write_result(OUT, {"models": models})
    update_block(str(OUT), block({"models": models}))
    update_block(f"{OUT}#choice", choice({"models": models}))
    print(table(models))


if __name__ == "__main__":
    main()
