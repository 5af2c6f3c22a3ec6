"""Int8 against fp16 files of the default model and the detector: `python -m scripts.studies.int8_files DATA`.

What decides which files are the defaults. DATA holds the folders 300W, WFLW and grid_video.

* Error: NME of `student_68_128` on 300-W common and on the hard faces of WFLW, paired by face.
* Jitter: of its landmarks in the clips, in percent of the outer eye distance (scripts/studies/video.py).
* Time: ratios of CPU time, the files in turns; of a photo from file to landmarks in LiteRT, and of the networks alone
  in every TFLite runtime of this machine.

Writes results/studies/int8_files.json and its table in the documentation; `--networks` renews the ratios of the
networks alone.
"""

import argparse
import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2

from distill.data.box_sources import DETECTOR
from distill.detection.detector import FaceDetector, bundled_detector
from distill.evaluate.result import Evaluation
from distill.files import sha256
from distill.inference.landmarker import Landmarker
from distill.pretrained.registry import DEFAULT_DETECTOR, DEFAULT_MODEL, resolve_model
from distill.provenance import write_result
from distill.tflite.runtimes import Runtime, child_environment, list_runtimes
from scripts.bench.photos import frames_of, in_turns, write_photos
from scripts.studies import video
from scripts.studies.common.arms import difference, with_interval
from scripts.studies.common.evaluation_faces import all_faces
from scripts.studies.common.marked_blocks import update_block

OUT = "results/studies/int8_files.json"
# What is in 8 bits -> file of the model, name of the detector. The first is the default.
ARMS = {
    "neither": (f"{DEFAULT_MODEL}_fp16", DEFAULT_DETECTOR),
    "landmarks": (f"{DEFAULT_MODEL}_int8", DEFAULT_DETECTOR),
    "detector": (f"{DEFAULT_MODEL}_fp16", "retinaface_int8"),
}
TITLES = {
    "gt": "NME %, 300-W common, annotated boxes",
    DETECTOR: "NME %, 300-W common, detector boxes",
    "hard": "NME %, hard faces of WFLW",
    "detected in each frame": "jitter %, detected in each frame",
    "tracked": "jitter %, followed",
    "tracked and smoothed": "jitter %, followed and smoothed",
}
CALLS = 20
# Runs in the Python of a runtime, which need not have this package: CPU time of two files in turns.
TIMER = """
import importlib, sys, time
import numpy as np
made = importlib.import_module(sys.argv[1]).Interpreter
nets = [made(model_path=path, num_threads=1) for path in sys.argv[3:]]
for net in nets:
    net.allocate_tensors()
    net.invoke()
times = []
for call in range(int(sys.argv[2])):
    for net in nets:
        start = time.process_time()
        net.invoke()
        times.append(time.process_time() - start)
low, high = np.median(np.reshape(times, (-1, 2)), axis=0)
print(round(high / low, 2))
"""
ROUNDS = 4


def differences(found: dict[str, Evaluation], first: dict[str, Evaluation]) -> dict[str, dict[str, Any]]:
    """Return how errors differ, paired by face; with boxes of another detector it is that of the means alone."""
    changes = {}
    for test, result in found.items():
        if result.protocol.data_hash == first[test].protocol.data_hash:
            changes[test] = difference([result], [first[test]])
        else:
            changes[test] = {"mean": 100 * (result.summary()["nme"] - first[test].summary()["nme"])}
    return changes


def changed(difference: dict[str, Any]) -> str:
    """Return a difference as the table shows it."""
    return with_interval(difference, 3) if "low" in difference else f"{difference['mean']:+.3f}"


def jitter(clips: Sequence[Path], landmarkers: dict[str, Landmarker]) -> dict[str, dict[str, float]]:
    """Return the jitter by arm and by the way in which faces are found."""
    rows = video.run(clips, landmarkers, peers=False)
    found: dict[str, dict[str, float]] = {}
    for name, row in rows.items():
        arm, _, way = name.partition(", ")
        found.setdefault(arm, {})[way] = row["jitter_percent"]
    return found


def photo_ratios(clips: Path, landmarkers: dict[str, Landmarker]) -> dict[str, float]:
    """Return the time from a photo to landmarks over that of the first arm."""
    with tempfile.TemporaryDirectory() as folder:
        times = in_turns(landmarkers, write_photos(frames_of(clips), Path(folder)), ROUNDS)
    return {arm: round(time / times["neither"], 3) for arm, time in times.items()}


def runtime_ratio(runtime: Runtime, fp16: Path, int8: Path) -> float:
    """Return the CPU time of an int8 file over that of an fp16 file, in one runtime and on one thread."""
    command = [runtime.python, "-c", TIMER, runtime.module, str(CALLS), str(fp16), str(int8)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=child_environment())
    return float(done.stdout.split()[-1])


def files(arm: str) -> list[Path]:
    """Return the files of model and detector of an arm."""
    model, detector = ARMS[arm]
    return [resolve_model(model), bundled_detector(detector)]


def measured(data: Path) -> dict[str, Any]:
    """Return errors, jitter and ratios of time of every arm, and how its errors differ from those of the first."""
    landmarkers = {arm: Landmarker(model, FaceDetector(found)) for arm, (model, found) in ARMS.items()}
    clips = sorted((data / "grid_video").glob("*.mpg"))
    shaken, ratios = jitter(clips, landmarkers), photo_ratios(data / "grid_video", landmarkers)
    results = {arm: all_faces(resolve_model(model), data, FaceDetector(found)) for arm, (model, found) in ARMS.items()}
    arms = {
        arm: {
            "sha256": {path.name: sha256(path) for path in files(arm)},
            "nme_percent": {test: 100 * result.summary()["nme"] for test, result in found.items()},
            "difference": differences(found, results["neither"]),
            "protocol": {test: result.protocol.to_dict() for test, result in found.items()},
            "jitter_percent": shaken[arm],
            "time_ratio_photo": ratios[arm],
        }
        for arm, found in results.items()
    }
    return {"clips": [clip.name for clip in clips], "arms": arms, "time_ratio_network": network_ratios()}


def network_ratios() -> dict[str, dict[str, float]]:
    """Return the time of the int8 files over that of the fp16 files, by runtime."""
    pairs = {
        "landmarks": (files("neither")[0], files("landmarks")[0]),
        "detector": (files("neither")[1], files("detector")[1]),
    }
    return {
        str(runtime): {name: runtime_ratio(runtime, *pair) for name, pair in pairs.items()}
        for runtime in list_runtimes()
    }


def table(study: dict[str, Any]) -> str:
    """Return the study as Markdown tables."""
    arms = study["arms"]
    lines = [f"| in 8 bits | {' | '.join(arms)} |", f"|---|{'---|' * len(arms)}"]
    for test, title in TITLES.items():
        cells = []
        for arm, row in arms.items():
            if test not in row["nme_percent"]:
                cells.append(f"{row['jitter_percent'][test]:.3f}")
                continue
            change = "" if arm == "neither" else f", {changed(row['difference'][test])}"
            cells.append(f"{row['nme_percent'][test]:.3f}{change}")
        lines.append(f"| {title} | {' | '.join(cells)} |")
    times = " | ".join(f"{row['time_ratio_photo']:.2f}" for row in arms.values())
    lines += [f"| time, photo to landmarks | {times} |", ""]
    lines += ["| time of int8 over fp16, network alone | landmarks | detector |", "|---|---:|---:|"]
    for runtime, ratios in study["time_ratio_network"].items():
        lines.append(f"| {runtime} | {ratios['landmarks']:.2f} | {ratios['detector']:.2f} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--networks", action="store_true")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    if options.networks:
        study = json.loads(Path(OUT).read_text()) | {"time_ratio_network": network_ratios()}
        study.pop("provenance")
    else:
        study = measured(options.data)
    write_result(OUT, study)
    update_block(OUT, table(study))
    print(table(study))


if __name__ == "__main__":
    main()
