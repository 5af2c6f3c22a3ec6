"""Train the five points of docs/tutorials/your-own-points.md at full size: `own_points.py DATA FOLDER`.

DATA is 300-W; 300 training faces of LFPW get eye centres, mouth corners and chin, the 224 test faces of LFPW are
measured on. The recipe and the command are those of the tutorial. The crop that earlier versions used for every scheme
must be refused. FOLDER keeps the faces and the run; a finished run in it is measured again. Writes
results/checks/own_points.json and the text in the tutorial.
"""

import argparse
import csv
import io
import os
import shlex
import shutil
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import numpy as np

from distill.cli.main import main as distill
from distill.data.readers import read_faces
from distill.data.records import FaceRecord
from distill.provenance import write_result
from scripts.studies.common.code_blocks import commands_of, files_of
from scripts.studies.common.marked_blocks import update_block

ROOT = Path(__file__).resolve().parents[2]
TUTORIAL = ROOT / "docs" / "tutorials" / "your-own-points.md"
RESULT = "results/checks/own_points.json"
# Eye centres, mouth corners and chin among the 68 points.
FIVE = (range(36, 42), range(42, 48), (48,), (54,), (8,))
# Made for the 51 inner points of 300-W in boxes around all 68.
OLD_CROP = ("--data.crop.scale", "1.1", "--data.crop.shift_y", "-0.1")
N_TRAIN = 300
GOAL_PERCENT = 5.0


def write_csv(faces: Mapping[str, Sequence[FaceRecord]], folder: Path) -> None:
    """Annotate faces of 68 points as the tutorial says: five points in pixels, one CSV file for each subset."""
    for subset, records in faces.items():
        (folder / subset).mkdir(parents=True, exist_ok=True)
        with (folder / f"{subset}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["image", *(f"{axis}{point}" for point in range(len(FIVE)) for axis in "xy")])
            for record in records:
                points = np.array([record.landmarks[list(group)].mean(0) for group in FIVE])
                shutil.copy(record.image, folder / subset)
                writer.writerow([f"{subset}/{record.image.name}", *points.ravel().round(2)])


def prepare(data: Path, folder: Path) -> None:
    """Write the faces and the files of the tutorial into a folder like a clone."""
    train = read_faces("300w", data, ("lfpw/trainset",), "ibug68")
    chosen = np.linspace(0, len(train) - 1, N_TRAIN).astype(int)
    test = read_faces("300w", data, ("lfpw/testset",), "ibug68")
    write_csv({"train": [train[index] for index in chosen], "test": test}, folder / "my_faces")
    for name, content in files_of(TUTORIAL.read_text()).items():
        (folder / name).write_text(content)
    for name in ("configs", "checkpoints"):
        if not (folder / name).exists():
            (folder / name).unlink(missing_ok=True)  # a link to a checkout that is gone
            (folder / name).symlink_to(ROOT / name)


def refusal(command: str) -> str:
    """Return the message with which a training of the old crop is refused.

    Raises:
        SystemExit: it is not refused.
    """
    with redirect_stderr(io.StringIO()) as errors:
        status = distill([*shlex.split(command)[1:], "--name", "old_crop", *OLD_CROP])
    if status != 2 or "cuts points off" not in errors.getvalue():
        raise SystemExit(f"the old crop was not refused (status {status}): {errors.getvalue()}")
    return errors.getvalue().strip().removeprefix("error: ")


def measure(checkpoint: Path) -> dict[str, Any]:
    """Return NME in percent over the distance of the pupils, of all points and of each part."""
    from distill.evaluate.evaluate import evaluate

    summary = evaluate(checkpoint, format="csv", root=Path("my_faces"), subset="test").to_json()
    pupil = summary["metrics"]["pupil"]
    return {
        "faces": summary["protocol"]["n_faces"],
        "data_hash": summary["protocol"]["data_hash"],
        "nme_percent": pupil["nme_percent"],
        "interval_percent": pupil["nme_95_percent"],
        "parts": {name: part["nme_percent"]["pupil"] for name, part in summary["groups"].items()},
    }


def text_of(result: Mapping[str, Any]) -> str:
    """Return the sentences for the tutorial."""
    low, high = result["interval_percent"]
    return (
        f"On {result['faces']} test faces of LFPW this teacher, trained on {result['training']['faces']}, has an NME "
        f"of\n{result['nme_percent']:.2f} % over the distance of the pupils ({low:.2f} to {high:.2f}); the chin alone "
        f"has {result['parts']['chin']:.1f} %.\nThe crop of earlier versions, which left every chin outside, is "
        "refused\n(`scripts/checks/own_points.py`)."
    )


def main() -> None:
    """Train, measure, compare with the goal, write."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    prepare(options.data.resolve(), options.folder)
    command = next(line for line in commands_of(TUTORIAL.read_text()) if line.startswith("distill teacher"))
    here = Path.cwd()
    os.chdir(options.folder)
    trained = Path("runs/my_teacher/summary.json").is_file()
    if not trained and distill(shlex.split(command)[1:]):
        raise SystemExit("the training failed")
    result = {
        "training": {"command": command, "faces": N_TRAIN, "in_an_earlier_call": trained},
        **measure(Path("runs/my_teacher/best.ckpt")),
    }
    result["old_crop"] = refusal(command)
    os.chdir(here)
    if result["nme_percent"] > GOAL_PERCENT:
        raise SystemExit(f"NME {result['nme_percent']:.2f} % is above {GOAL_PERCENT} %")
    write_result(ROOT / RESULT, result)
    update_block(RESULT, text_of(result))


if __name__ == "__main__":
    main()
