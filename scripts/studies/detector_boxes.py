"""Training on detector boxes: `python -m scripts.studies.detector_boxes DATA`.

EFLD twice, on true boxes alone and on them and our detector's, as many steps of the same faces: once with the true
boxes of 300-W, tight around 68 points as the detector's are, once with boxes tight around the 51 inside, as a data set
of those has them. DATA holds the folder 300W. A run that is complete is not trained again. Writes
results/studies/detector_boxes.json and its table in the documentation.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from distill.data.detector_boxes import with_detector_boxes
from distill.data.prepare import StoreSpec, prepare_store
from distill.data.readers import parse_subsets, read_faces
from distill.data.readers.manifest import FILE_NAME
from distill.data.records import FaceRecord
from distill.data.splits import without_groups_of
from distill.detection.detector import FaceDetector
from distill.evaluate.evaluate import evaluate
from distill.geometry import box_of_points
from distill.provenance import write_result
from scripts.studies.common.arms import GENTLE, compared, options_of_schedule, steps_of, train_arms
from scripts.studies.common.marked_blocks import update_block
from scripts.studies.common.split_300w import TEST, TRAIN

RUNS = Path("runs/detector_boxes")
OUT = "results/studies/detector_boxes.json"
BOXES_AROUND = {"51 points": True, "68 points": False}
ARMS = {"gt": '["gt"]', "gt_detector": '["gt", "detector"]'}
# Wide enough for the detector's boxes around the smaller true ones.
STORE = StoreSpec(size=300, margin=3.0)


def faces_of(data: Path, subset: str, tight: bool) -> list[FaceRecord]:
    """Return faces of 300-W with their 51 inner points, and boxes around those where requested."""
    faces = read_faces("300w", data / "300W", parse_subsets(subset), "inner51")
    boxes = [box_of_points(face.landmarks) if tight else face.boxes["gt"] for face in faces]
    return [replace(face, boxes={"gt": box}) for face, box in zip(faces, boxes, strict=True)]


def store(folder: Path, faces: Sequence[FaceRecord]) -> Path:
    """Write faces with what the detector finds, once; return the folder."""
    if not (folder / FILE_NAME).is_file():
        prepare_store(folder, with_detector_boxes(faces, FaceDetector()), STORE)
    return folder


def studied(kind: str, data: Path, seeds: int, epochs: int) -> dict[str, Any]:
    """Train both arms on boxes of one kind and measure them."""
    folder, test = RUNS / kind.partition(" ")[0], faces_of(data, TEST, BOXES_AROUND[kind])
    train_store = store(folder / "train", without_groups_of(faces_of(data, TRAIN, BOXES_AROUND[kind]), test))
    test_store = store(folder / "test", test)
    common = [*options_of_schedule("configs/zoo/efld.yaml", epochs), "--kd.kind", "none", *GENTLE]
    common += ["--data.format", "manifest", "--data.root", str(train_store)]
    runs = train_arms({arm: [*common, "--data.boxes", boxes] for arm, boxes in ARMS.items()}, seeds, folder)
    study: dict[str, Any] = {"steps": [steps_of(path) for path in runs["gt"]]}
    for boxes in ("gt", "detector"):
        found = {
            arm: [evaluate(path, format="manifest", root=test_store, subset="all", boxes=boxes) for path in paths]
            for arm, paths in runs.items()
        }
        study[boxes] = compared(found, "gt")
    return study


def table(study: dict[str, Any]) -> str:
    """Return NME by kind of true box, arm and box shown as a Markdown table."""
    lines = ["| true boxes around | trained on | NME %, true boxes | NME %, detector boxes |", "|---|---|---:|---:|"]
    for kind in BOXES_AROUND:
        for arm, boxes in ARMS.items():
            cells = [f"{study[kind][shown]['arms'][arm]['mean_percent']:.2f}" for shown in ("gt", "detector")]
            lines.append(f"| {kind} | `{boxes}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Train every arm with every seed, measure, write."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=20)
    options = parser.parse_args()
    study: dict[str, Any] = {"epochs": options.epochs}
    study |= {kind: studied(kind, options.data, options.seeds, options.epochs) for kind in BOXES_AROUND}
    write_result(OUT, study)
    update_block(OUT, table(study))
    print(table(study))


if __name__ == "__main__":
    main()
