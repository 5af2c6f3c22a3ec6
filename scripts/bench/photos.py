"""Time from photo to landmarks, beside MediaPipe FaceMesh, and of large photos decoded as needed or whole.

`taskset -c 0 python -m scripts.bench.photos ../shared/data/grid_video --json results/bench/photos.json`: frames of the
clips as JPEG photos of one face, each read and predicted by every pipeline in turns; and frames enlarged to 12
megapixels. CPU time, median over photos, one thread. On a busy machine the ratios hold, not the times.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from distill.bench.machine import LoadMeter
from distill.bench.runners import load_tflite
from distill.detection.detector import FaceDetector
from distill.evaluate.jitter import read_video
from distill.images import Photo, read_image
from distill.inference.landmarker import Landmarker
from distill.tflite.model import Operator, Tensor
from distill.tflite.pads import PADS, separate_pads
from distill.tflite.serialization import read_model, write_model
from scripts.studies.common.study import store
from scripts.studies.video import eye_distance, inner, mediapipe

OUT = "results/bench/photos.json"
MODELS = ("student_68_128", "efld_51_128")
PEER = "MediaPipe FaceMesh, detected in each photo"
PADDED = Path("checkpoints/efld_51_128_int8.tflite")
# Sides of the photos of 12 megapixels, and the shares of their height that a frame of the clips fills.
LARGE = (4000, 3000)
SHARES = (1.0, 0.5, 0.25)

Predict = Callable[[Path], Any]


def frames_of(clips: Path) -> list[Photo]:
    """Return every 40th frame of the clips (.mpg) in a folder."""
    return [frame for clip in sorted(clips.glob("*.mpg")) for frame in read_video(clip)[::40]]


def write_photos(frames: Sequence[Photo], folder: Path) -> list[Path]:
    """Write frames as JPEG photos and return their paths."""
    paths = [folder / f"{index}.jpg" for index in range(len(frames))]
    for frame, path in zip(frames, paths, strict=True):
        Image.fromarray(frame).save(path, quality=92)
    return paths


def in_turns(pipelines: Mapping[str, Predict], photos: Sequence[Path], rounds: int) -> dict[str, float]:
    """Return the median CPU time of each pipeline in ms, all of them in turns on each photo."""
    times: dict[str, list[float]] = {name: [] for name in pipelines}
    for index in range(rounds + 1):
        for photo in photos:
            for name, predict in pipelines.items():
                start = time.process_time()
                predict(photo)
                if index:
                    times[name].append(1000 * (time.process_time() - start))
    return {name: round(float(np.median(values)), 3) for name, values in times.items()}


def end_to_end(photos: Sequence[Path], rounds: int, peers: bool) -> dict[str, Any]:
    """Time photo to landmarks with the default detector and with its input of 160 px, which finds large faces alone."""
    pipelines: dict[str, Predict] = {}
    for size in (None, 160):
        for model in MODELS:
            name = model if size is None else f"{model}, --detector_size {size}"
            pipelines[name] = Landmarker(model, FaceDetector(size=size))
    if peers:
        mesh = mediapipe(True)
        pipelines[PEER] = lambda path: mesh(read_image(path))
    times = in_turns(pipelines, photos, rounds)
    return {"ms": times, "of_mediapipe": {n: round(t / times[PEER], 3) for n, t in times.items()} if peers else None}


def enlarged(frame: Photo, share: float) -> Photo:
    """Return a photo of 12 megapixels with an enlarged frame on grey, with the noise of a sensor."""
    width, height = LARGE
    inner_height = round(share * height)
    inner_width = round(inner_height * frame.shape[1] / frame.shape[0])
    photo = np.full((height, width, 3), 110, np.uint8)
    left, top = (width - inner_width) // 3, (height - inner_height) // 3
    photo[top : top + inner_height, left : left + inner_width] = cv2.resize(
        frame, (inner_width, inner_height), interpolation=cv2.INTER_CUBIC
    )
    noise = np.random.default_rng(0).integers(0, 10, photo.shape, np.uint8)
    return cv2.add(photo, noise)


def large_photos(frames: Sequence[Photo], folder: Path, rounds: int) -> list[dict[str, Any]]:
    """Compare photos of 12 megapixels decoded as needed with all pixels: time, and distance of the landmarks."""
    landmarker = Landmarker(MODELS[0])
    rows = []
    for share in SHARES:
        photos = []
        for index, frame in enumerate(frames):
            photos.append(folder / f"large_{share}_{index}.jpg")
            Image.fromarray(enlarged(frame, share)).save(photos[-1], quality=92)
        pipelines: dict[str, Predict] = {
            "as needed": landmarker,
            "whole": lambda path: landmarker(read_image(path)),
            "decoding alone": read_image,
        }
        times = in_turns(pipelines, photos, rounds)
        found = [(landmarker(path), landmarker(read_image(path))) for path in photos]
        same = [(a[0], b[0]) for a, b in found if len(a) == len(b) == 1]
        off = [float(np.linalg.norm(a.landmarks - b.landmarks, axis=1).mean()) for a, b in same]
        eyes = [eye_distance([inner(b.landmarks)]) for _, b in same]
        rows.append(
            {
                "frame_height_share": share,
                "eye_distance_px": round(float(np.mean(eyes)), 1),
                "photos": len(photos),
                "same_faces": len(same),
                "ms": times,
                "mean_px": round(float(np.mean(off)), 3),
                "max_px": round(float(np.max(off)), 3),
                "mean_percent_of_eye_distance": round(100 * float(np.mean(np.array(off) / eyes)), 3),
            }
        )
    return rows


def with_shared_pads(blob: bytes) -> bytes:
    """Return a file in which equal PADs of a tensor are one, as converters leave them; `separate_pads` reversed.

    Raises:
        ValueError: no two are equal, so that nothing would be compared.
    """
    model = read_model(blob)
    removed = 0
    for graph in model.subgraphs:
        first: dict[tuple[Tensor, str], Operator] = {}
        for node in [node for node in graph.operators if node.op in PADS]:
            kept = first.setdefault((node.present_inputs[0], str(node.present_inputs[1].values())), node)
            if kept is not node:
                for reader in graph.operators:
                    reader.inputs = [kept.outputs[0] if given is node.outputs[0] else given for given in reader.inputs]
                graph.operators.remove(node)
                removed += 1
    if not removed:
        raise ValueError("no two PADs are equal")
    return write_model(model)


def pads(rounds: int = 400) -> dict[str, Any]:
    """Time a file with shared PADs and the same file with one for each convolution, in turns, on the same inputs."""
    blob = PADDED.read_bytes()
    shared = with_shared_pads(blob)
    nets = {"shared": load_tflite(shared, 1), "one for each convolution": load_tflite(separate_pads(shared), 1)}
    rng = np.random.default_rng(0)
    times: dict[str, list[float]] = {name: [] for name in nets}
    worst = 0.0
    for index in range(rounds):
        image = rng.random((1, 128, 128, 3), np.float32)
        outputs = []
        for name, net in nets.items():
            net.set_tensor(net.get_input_details()[0]["index"], image)
            start = time.process_time()
            net.invoke()
            if index:
                times[name].append(1000 * (time.process_time() - start))
            outputs.append(net.get_tensor(net.get_output_details()[0]["index"]).copy())
        worst = max(worst, float(np.abs(outputs[0] - outputs[1]).max()))
    medians = {name: round(float(np.median(values)), 4) for name, values in times.items()}
    factor = medians["shared"] / medians["one for each convolution"]
    return {"file": PADDED.name, "ms": medians, "factor": round(factor, 2), "largest_difference": worst}


def table(result: Mapping[str, Any]) -> str:
    """Return the times of photos to landmarks, and of photos of 12 megapixels, as two Markdown tables."""
    times, ratios = result["end_to_end"]["ms"], result["end_to_end"]["of_mediapipe"]
    lines = ["| pipeline | ms a photo | of MediaPipe |", "|---|---:|---:|"]
    lines += [f"| {name} | {ms:.1f} | {ratios[name]:.2f} |" for name, ms in times.items()]
    lines += ["", "| 12 megapixels: eye distance | decoded as needed, ms | whole, ms | decoding alone, ms |"]
    lines += ["|---|---:|---:|---:|"]
    for row in result["twelve_megapixels"]:
        parts = " | ".join(f"{row['ms'][name]:.0f}" for name in ("as needed", "whole", "decoding alone"))
        lines.append(f"| {row['eye_distance_px']:.0f} px | {parts} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, help="folder of the GRID clips (.mpg)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no_peers", action="store_true", help="without MediaPipe")
    parser.add_argument("--json", type=Path, help="write the numbers here")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    load = LoadMeter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        frames = frames_of(args.clips)
        small = write_photos(frames, folder)
        result = {
            "photos": len(small),
            "pads": pads(),
            "end_to_end": end_to_end(small, args.rounds, not args.no_peers),
            "twelve_megapixels": large_photos(frames[::7], folder, 1),
            "load": load.read(),
        }
    print(result)
    store(result, args.json, OUT, table)


if __name__ == "__main__":
    main()
