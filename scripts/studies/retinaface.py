"""Time of RetinaFace's modules by width, mode and size of the input: `python -m scripts.studies.retinaface DATA`.

Tables 1 to 3 of the paper (Sohn, Lee and Kim) on a CPU: backbone, feature pyramid, heads (with their context modules)
and suppression. Networks are untrained, as times do not depend on the weights; the time of a module is the difference
of two files, of which one ends before it. The suppression is that of the released detector on a group photo of
DATA/free_photos, decoding of the maps included. Processor time of one thread, everything interleaved, LiteRT. Beside it
the released files at 320 px and the landmark network of MediaPipe's FaceMesh, the scale of the other benchmarks. Writes
results/studies/retinaface.json and its table in the documentation.
"""

import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from torch import Tensor

from distill.detection.boxes import group
from distill.detection.detector import bundled_detector
from distill.detection.retinaface.decode_maps import decode_maps
from distill.detection.retinaface.detector import IOU
from distill.detection.retinaface.letterbox import letterbox
from distill.detection.retinaface.net import RetinaFace, RetinaFaceConfig
from distill.detection.retinaface.net_file import NetFile
from distill.detection.retinaface.sidecar import read_detector_sidecar
from distill.export.detector import RawMaps, export_detector, export_detector_onnx
from distill.export.lanes import Job, convert
from distill.files import write_bytes
from distill.images import read_image
from distill.inference.facemesh import SIZE, mediapipe_file
from distill.tflite.interpreter import TFLiteNet
from scripts.studies.common.study import run_study

OUT = "results/studies/retinaface.json"
WIDTHS = (1.0, 0.5, 0.35, 0.25)
SIDES = (640, 320)
MODES = ("fp32", "fp16", "dynamic")
ROUNDS = 20
RELEASED = ("retinaface", "retinaface_int8")
RELEASED_SIDE = 320

Call = Callable[[], object]


class Backbone(RawMaps):
    """The backbone alone: three feature maps."""

    def forward(self, image: Tensor) -> list[Tensor]:
        return [x.permute(0, 2, 3, 1) for x in self.backbone_maps(image)]


class Pyramid(RawMaps):
    """Backbone and feature pyramid: three maps."""

    def forward(self, image: Tensor) -> list[Tensor]:
        return [x.permute(0, 2, 3, 1) for x in self.pyramid_maps(image)]


def network_files(width: float, folder: Path) -> dict[str, Path]:
    """Return the files of an untrained network of a width: of each mode, and those that end before a module."""
    net = RetinaFace(RetinaFaceConfig(width)).eval()
    files = export_detector(net, folder, f"net_{width}", MODES).files
    del files["onnx"]
    for form in (Backbone, Pyramid):
        name = form.__name__.lower()
        with tempfile.TemporaryDirectory(prefix="part-") as part:
            graph = export_detector_onnx(net, Path(part) / "net.onnx", form=form)
            files[name] = folder / f"{name}_{width}.tflite"
            write_bytes(files[name], convert(Job(graph, Path(part), ("fp32",)))["fp32"])
    return files


def network_call(path: Path, side: int) -> Call:
    """Return the call of a file on an image of one side."""
    return partial(NetFile(path), np.random.default_rng(0).integers(0, 255, (side, side, 3), np.uint8))


def suppression(data: Path, side: int) -> Call:
    """Return decoding and suppression of the released detector's maps of a group photo."""
    image = letterbox(read_image(data / "free_photos" / "photos" / "solvay_1927.jpg"), side).image
    height, width = image.shape[:2]
    spec, maps = read_detector_sidecar(bundled_detector()), NetFile(bundled_detector())(image)

    def call() -> object:
        found = decode_maps(maps, spec.anchors, width, height, spec.min_score)
        return group(found.boxes, found.scores, IOU, 1.0)

    return call


def interleaved(calls: Mapping[str, Call]) -> dict[str, float]:
    """Return the median processor time of each call in ms, after one call of each."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for index in range(ROUNDS + 1):
        for name, call in calls.items():
            start = time.process_time()
            call()
            if index:
                times[name].append(1000 * (time.process_time() - start))
    return {name: round(float(np.median(values)), 3) for name, values in times.items()}


def studied(data: Path) -> dict[str, Any]:
    """Convert every width and time everything."""
    widths: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="retinaface-") as name:
        files = {width: network_files(width, Path(name)) for width in WIDTHS}
        mesh = TFLiteNet(mediapipe_file("face_landmark", "face_landmark.tflite"))
        calls = {
            f"{width}/{side}/{part}": network_call(path, side)
            for width, parts in files.items()
            for side in SIDES
            for part, path in parts.items()
        }
        calls |= {f"suppression/{side}": suppression(data, side) for side in SIDES}
        calls |= {f"released/{name}": network_call(bundled_detector(name), RELEASED_SIDE) for name in RELEASED}
        calls["FaceMesh"] = partial(mesh, np.zeros((1, SIZE, SIZE, 3), np.float32))
        ms = interleaved(calls)
        for width, parts in files.items():
            sizes = {}
            for side in SIDES:
                here = {part: ms[f"{width}/{side}/{part}"] for part in parts}
                sizes[str(side)] = {
                    "backbone": here["backbone"],
                    "FPN": round(here["pyramid"] - here["backbone"], 3),
                    "heads": round(here["fp32"] - here["pyramid"], 3),
                    "suppression": ms[f"suppression/{side}"],
                    "network": {mode: here[mode] for mode in MODES},
                    "of_facemesh": {mode: round(here[mode] / ms["FaceMesh"], 2) for mode in MODES},
                }
            widths[str(width)] = {
                "bytes": {mode: parts[mode].stat().st_size for mode in MODES},
                "sizes": sizes,
            }
    released = {name: round(ms[f"released/{name}"] / ms["FaceMesh"], 2) for name in RELEASED}
    return {"rounds": ROUNDS, "facemesh_ms": ms["FaceMesh"], "released_320px_of_facemesh": released, "widths": widths}


def table(study: Mapping[str, Any]) -> str:
    """Return a row for each width and size as a Markdown table."""
    lines = [
        "| width | kB: fp32, fp16, dynamic | input | backbone | FPN | heads | suppression | "
        "network: fp32, fp16, dynamic | fp16 over FaceMesh |",
        "|---|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for width, entry in study["widths"].items():
        size = ", ".join(f"{entry['bytes'][mode] / 1e3:.0f}" for mode in MODES)
        for side, found in entry["sizes"].items():
            parts = " | ".join(f"{found[part]:.1f}" for part in ("backbone", "FPN", "heads", "suppression"))
            network = ", ".join(f"{found['network'][mode]:.1f}" for mode in MODES)
            lines.append(f"| {width} | {size} | {side} px | {parts} | {network} | {found['of_facemesh']['fp16']:.1f} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and write."""
    cv2.setNumThreads(1)
    run_study(__doc__, OUT, studied, table)


if __name__ == "__main__":
    main()
