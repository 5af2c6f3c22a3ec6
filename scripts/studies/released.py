"""Score released models on faces none was trained on: `python -m scripts.studies.released DATA NAME=FILE ...`.

DATA holds the folders 300W and FaceSynthetics, whose points convert to ours only approximately. Writes
results/studies/released.json and its table in the documentation; rows of models that are not given stay unchanged.
NAME=facemesh scores MediaPipe's own net.
"""

import argparse
import json
from pathlib import Path
from textwrap import fill
from typing import Any, NamedTuple

from distill.evaluate.evaluate import evaluate
from distill.files import sha256
from distill.provenance import commit, write_result
from scripts.studies.common.marked_blocks import update_block
from scripts.studies.common.split_300w import TEST

OUT = Path("results/studies/released.json")


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


def scores(model: Path, data: Path) -> dict[str, Any]:
    """Return what one model scores on every test, in percent, with the 95 % interval over faces."""
    found: dict[str, Any] = {}
    for test in TESTS:
        result = evaluate(
            model,
            format=test.format,
            root=data / test.folder,
            subset=test.subset,
            boxes=test.boxes,
            scheme="inner51",
            approximate=test.format != "300w",
        )
        summary, (low, high) = result.summary(), result.interval()
        found[test.title] = {
            **{f"{name}_percent": 100 * summary[name] for name in ("nme", "fr8", "fr10", "auc10")},
            "low_percent": 100 * low,
            "high_percent": 100 * high,
            "protocol": result.protocol.to_dict(),
        }
    return found


def table(models: dict[str, dict[str, Any]]) -> str:
    """Return NME with intervals as a Markdown table, the best first."""
    titles = [test.title for test in TESTS]
    lines = [f"| model | {' | '.join(titles)} |", f"|---|{'---|' * len(titles)}"]
    for name, model in sorted(models.items(), key=lambda entry: float(entry[1]["scores"][titles[0]]["nme_percent"])):
        cells = [model["scores"][title] for title in titles]
        texts = [f"{c['nme_percent']:.2f} ({c['low_percent']:.2f}–{c['high_percent']:.2f})" for c in cells]
        lines.append(f"| {name} | {' | '.join(texts)} |")
    return "\n".join(lines)


def block(result: dict[str, Any]) -> str:
    """Return the block of the documentation for a stored result."""
    note = (
        "NME in percent over the outer eye corners, 51 points, with the 95 % interval over faces. Dataset boxes come "
        "with 300-W, detector boxes are those of our own detector. FaceSynthetics (*) shows rendered heads, a third "
        "of them turned far; its 70 points become 51 only approximately."
    )
    return f"{fill(note, 100)}\n\n{table(result['models'])}"


def main() -> None:
    """Score the models given and write."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("models", nargs="+", help="NAME=FILE")
    options = parser.parse_args()
    models: dict[str, dict[str, Any]] = json.loads(OUT.read_text())["models"] if OUT.is_file() else {}
    for entry in options.models:
        name, _, path = entry.partition("=")
        digest = sha256(Path(path)) if Path(path).is_file() else None
        models[name] = {"commit": commit(), "sha256": digest, "scores": scores(Path(path), options.data)}
    write_result(OUT, {"models": models})
    update_block(str(OUT), block({"models": models}))
    print(table(models))


if __name__ == "__main__":
    main()
