"""Jitter, lag and time of landmarks in videos, beside MediaPipe FaceMesh in its video mode.

`taskset -c 0 python -m scripts.studies.video ../shared/data/grid_video --json results/bench/video.json`: clips of one
talking head each, no landmarks known. The first three in alphabetical order are the development clips, on which the
constants of distill/inference/crop_motion.py and the smoothing were chosen; the figures are of the others.

* Jitter: `distill.evaluate.jitter.frame_jitter` of the 51 inner points, in percent of the outer eye distance.
* Lag: the delay of the smoothed points that fits the unsmoothed ones best, in milliseconds, over the same clips
  shifted back and forth by a known sine (a pan of the camera), because talking heads hardly move; and of the opening of
  the mouth in the clips as they are.
* Time: CPU time per frame, all pipelines in turns on each frame, median over frames; decoding not counted. On a busy
  machine the ratios hold, not the times.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from distill.bench.machine import LoadMeter
from distill.evaluate.jitter import frame_jitter, read_video
from distill.images import Photo
from distill.inference.facemesh import _VERTICES
from distill.inference.landmarker import Landmarker
from distill.inference.smoothing import OneEuroConfig
from distill.inference.track_config import TrackConfig
from distill.provenance import write_result

OUT = "results/bench/video.json"
PEER = "MediaPipe FaceMesh, video mode"
N_DEVELOPMENT = 3
MODELS = ("student_68_128", "efld_51_128")
INNER, OUTER_CORNERS, INNER_LIPS = 51, (19, 28), (45, 49)
RATE = 25.0
# Amplitude of the pan in outer eye distances and its periods in seconds: peak speeds of 2 pi a / T a second.
PAN, PERIODS = 0.5, (4.0, 2.0, 1.0)
CANDIDATES = [OneEuroConfig(cutoff, beta) for cutoff in (2.0, 5.0, 10.0) for beta in (0.0, 5.0, 20.0, 60.0)]

Points = NDArray[np.float64]
Predict = Callable[[Photo], Points | None]


def inner(landmarks: NDArray[np.floating]) -> Points:
    """Return the 51 inner points of 51 or 68 landmarks."""
    return np.asarray(landmarks[-INNER:] if len(landmarks) in (INNER, 68) else landmarks, np.float64)


def first_face(faces: Sequence[Any]) -> Points | None:
    return inner(faces[0].landmarks) if faces else None


def mediapipe(static: bool) -> Predict:
    """Return FaceMesh of MediaPipe's Python API, one face, detecting in each frame (`static`) or in its video mode."""
    import mediapipe

    mesh = mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=static, max_num_faces=1)

    def predict(photo: Photo) -> Points | None:
        found = mesh.process(photo).multi_face_landmarks
        if not found:
            return None
        height, width = photo.shape[:2]
        points = found[0].landmark
        return np.array([[points[index].x * width - 0.5, points[index].y * height - 0.5] for index in _VERTICES])

    return predict


def pipelines(landmarkers: dict[str, Landmarker], peers: bool) -> dict[str, Predict]:
    """Return the pipelines to compare, as they start with a new clip."""

    def tracked(landmarker: Landmarker, smooth: bool) -> Predict:
        tracker = landmarker.tracker(TrackConfig(smooth=smooth))
        return lambda photo: first_face(tracker(photo))

    found: dict[str, Predict] = {}
    for name, landmarker in landmarkers.items():
        found[f"{name}, detected in each frame"] = lambda photo, use=landmarker: first_face(use(photo))  # type: ignore[misc]
        found[f"{name}, tracked"] = tracked(landmarker, False)
        found[f"{name}, tracked and smoothed"] = tracked(landmarker, True)
    if peers:
        found["MediaPipe FaceMesh, detected in each frame"] = mediapipe(True)
        found[PEER] = mediapipe(False)
    return found


def run(clips: Sequence[Path], landmarkers: dict[str, Landmarker], peers: bool) -> dict[str, Any]:
    """Return jitter by clip and the median CPU time of each pipeline, all of them in turns on each frame."""
    jitter: dict[str, list[float]] = {}
    times: dict[str, list[float]] = {}
    for clip in clips:
        ready = pipelines(landmarkers, peers)
        tracks: dict[str, list[Points]] = {name: [] for name in ready}
        for index, frame in enumerate(read_video(clip)):
            for name, predict in ready.items():
                start = time.process_time()
                points = predict(frame)
                if index:
                    times.setdefault(name, []).append(1000 * (time.process_time() - start))
                if points is None:
                    raise SystemExit(f"{clip.name}: {name} finds no face in frame {index}")
                tracks[name].append(points)
        for name, track in tracks.items():
            jitter.setdefault(name, []).append(100 * frame_jitter(np.array(track), eye_distance(track)))
    return {
        name: {
            "jitter_percent": float(np.mean(values)),
            "by_clip": [round(value, 4) for value in values],
            "ms_median": float(np.median(times[name])),
            "ms_mean": float(np.mean(times[name])),
        }
        for name, values in jitter.items()
    }


def eye_distance(track: Sequence[Points] | Points) -> float:
    points = np.asarray(track)
    return float(np.linalg.norm(points[:, OUTER_CORNERS[0]] - points[:, OUTER_CORNERS[1]], axis=-1).mean())


def panned(frames: Sequence[Photo], distance: float, period: float) -> Iterator[Photo]:
    """Yield the frames shifted sideways by a sine of `PAN` eye distances."""
    for index, frame in enumerate(frames):
        shift = PAN * distance * np.sin(2 * np.pi * index / RATE / period)
        matrix = np.array([[1.0, 0.0, shift], [0.0, 1.0, 0.0]])
        yield cv2.warpAffine(frame, matrix, frame.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)


def lag_ms(raw: Points, smoothed: Points) -> float:
    """Return the delay of the smoothed points (t, k, d) that fits the raw ones best, to a hundredth of a frame."""
    raw, smoothed = raw.mean(1), smoothed.mean(1)
    moments = np.arange(len(raw), dtype=float)
    used = slice(10, None)
    delays = np.arange(0, 5, 0.01)
    errors = []
    for delay in delays:
        shifted = np.stack([np.interp(moments - delay, moments, raw[:, axis]) for axis in range(raw.shape[1])], -1)
        errors.append(float(((shifted - smoothed)[used] ** 2).sum()))
    return 1000 / RATE * float(delays[int(np.argmin(errors))])


def mouth(track: Points) -> Points:
    """Return the opening of the mouth (t, 1, 1), the fastest motion of a talking head."""
    upper, lower = INNER_LIPS
    return np.linalg.norm(track[:, upper] - track[:, lower], axis=-1)[:, None, None]


def smoothing(clips: Sequence[Path], landmarker: Landmarker, candidates: Sequence[OneEuroConfig]) -> list[dict]:
    """Return jitter on the clips as they are, and lag and distance from the raw points on the panned ones."""
    rows: list[dict[str, Any]] = [
        {"min_cutoff": c.min_cutoff, "beta": c.beta, "jitter": [], "mouth": [], "pans": []} for c in candidates
    ]
    for clip in clips:
        frames = read_video(clip)
        still = followed(landmarker, frames, candidates)
        distance = eye_distance(still[0])
        for row, points in zip(rows, still[1:], strict=True):
            row["jitter"].append(100 * frame_jitter(points, distance))
            row["mouth"].append(lag_ms(mouth(still[0]), mouth(points)))
        for period in PERIODS:
            raw, *others = followed(landmarker, list(panned(frames, distance, period)), candidates)
            for row, points in zip(rows, others, strict=True):
                off = 100 * float(np.linalg.norm(raw - points, axis=-1)[10:].mean()) / distance
                row["pans"].append((period, lag_ms(raw, points), off))
    return [summary(row) for row in rows]


def summary(row: dict[str, Any]) -> dict[str, Any]:
    lags = {
        f"{2 * np.pi * PAN / period:.2f}": {
            "lag_ms": round(float(np.mean([lag for at, lag, _ in row["pans"] if at == period])), 1),
            "behind_percent": round(float(np.mean([off for at, _, off in row["pans"] if at == period])), 3),
        }
        for period in PERIODS
    }
    return {
        "min_cutoff": row["min_cutoff"],
        "beta": row["beta"],
        "jitter_percent": round(float(np.mean(row["jitter"])), 4),
        "mouth_lag_ms": round(float(np.mean(row["mouth"])), 1),
        "by_peak_speed_in_eye_distances_per_second": lags,
    }


def followed(landmarker: Landmarker, frames: Sequence[Photo], candidates: Sequence[OneEuroConfig]) -> list[Points]:
    """Return the track (t, 51, 2) of a clip without smoothing, then with each candidate."""
    from distill.inference.smoothing import OneEuroFilter

    faces = [found[0] for found in landmarker.track(frames, RATE, smooth=False)]
    raw = np.array([inner(face.landmarks) for face in faces])
    side = max(faces[0].box.width, faces[0].box.height)
    tracks = [raw]
    for config in candidates:
        smooth = OneEuroFilter(config)
        tracks.append(np.array([smooth(points / side, 1 / RATE) * side for points in raw]))
    return tracks


def table(result: dict[str, Any]) -> str:
    """Return the marked block of docs/how-to/video.md."""
    rows = result["pipelines"]
    peer = rows.get(PEER)
    lines = ["| pipeline | jitter % | ms a frame | of MediaPipe |", "|---|---|---|---|"]
    for name, row in rows.items():
        ratio = f"{row['ms_median'] / peer['ms_median']:.2f}" if peer else "–"
        lines.append(f"| {name} | {row['jitter_percent']:.3f} | {row['ms_median']:.2f} | {ratio} |")
    smooth = result["smoothing"]
    lines += ["", "| peak speed of the head | lag ms | distance from the unsmoothed points % |", "|---|---|---|"]
    for speed, row in smooth["by_peak_speed_in_eye_distances_per_second"].items():
        lines.append(f"| {speed} | {row['lag_ms']:.1f} | {row['behind_percent']:.2f} |")
    lines.append(f"| opening of the mouth, clips as they are | {smooth['mouth_lag_ms']:.1f} | – |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, help="folder of the GRID clips (.mpg)")
    parser.add_argument("--no_peers", action="store_true", help="without MediaPipe")
    parser.add_argument("--json", type=Path, help="write the numbers here")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    clips = sorted(args.clips.glob("*.mpg"))
    development, measured = clips[:N_DEVELOPMENT], clips[N_DEVELOPMENT:]
    landmarkers = {name: Landmarker(name) for name in MODELS}
    load = LoadMeter()
    default = TrackConfig().smoothing
    result: dict[str, Any] = {
        "development_clips": [clip.name for clip in development],
        "clips": [clip.name for clip in measured],
        "pipelines": run(measured, landmarkers, not args.no_peers),
        "development": run(development, landmarkers, not args.no_peers),
        "smoothing_development": smoothing(development, landmarkers[MODELS[0]], CANDIDATES),
        "smoothing": smoothing(measured, landmarkers[MODELS[0]], [default])[0],
        "load": load.read(),
    }
    for name, row in result["pipelines"].items():
        print(f"{name:45s} {row['jitter_percent']:.3f} %  {row['ms_median']:.2f} ms")
    print(result["smoothing"])
    if args.json:
        write_result(args.json, result)


if __name__ == "__main__":
    main()
