"""Time the page of `distill demo web` in headless Chromium: two generated faces from a fake camera of 640 x 480 px.

python -m scripts.bench.web [--seconds 20] [--out results/bench/web.json]

Needs Chromium (`DISTILL_CHROMIUM` where it is not on PATH) and LiteRT.js (docs/how-to/web.md). The same frames are
given to `Landmarker` in Python, in the same run, between the models of the page.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.bench.machine import LoadMeter, busy_warning, describe_machine
from distill.detection.detector import FaceDetector
from distill.inference.landmarker import Landmarker
from distill.provenance import write_result
from distill.web.litertjs import tested_release
from scripts.web.browser import Browser
from scripts.web.camera import SIZE, camera_frames, write_camera
from scripts.web.demo import choose_model, open_demo, start_camera

MODELS = ("student_68_128_fp16", "efld_51_128_int8")
FRAMES = 24
REPEATS = 30
_QUANTILES = {"fastest_tenth": 0.1, "median": 0.5}

# Collects each result of the page once, for some seconds.
_COLLECT = """(async () => {
  const found = [];
  let last = window.result;
  for (const end = performance.now() + 1000 * SECONDS; performance.now() < end; ) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    if (window.result === last) continue;
    last = window.result;
    found.push({ at: performance.now(), faces: last.faces.length, ...last.milliseconds });
  }
  return found;
})()"""

_KEEP_IMAGE = """(() => {
  const canvas = document.getElementById("canvas");
  window.image = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  window.boxes = window.result.faces.map((face) => face.box);
})()"""
_STAGES = {
    "detector_cpu_ms": "pipeline.detector.detect(image).then(() => 0)",
    "landmarks_cpu_ms": "(async () => { for (const box of boxes) await pipeline.landmarker.place(image, box); })()",
}


def page_times(browser: Browser, model: str, seconds: float) -> dict[str, Any]:
    """Return frames per second and milliseconds of detector and landmarks (all faces) with one model."""
    choose_model(browser, model)
    browser.wait_for(f"window.result.model === '{model}'")
    found = browser.evaluate(_COLLECT.replace("SECONDS", str(seconds)), timeout=3 * seconds + 60)
    return {
        "frames": len(found),
        "faces": float(np.mean([result["faces"] for result in found])),
        "frames_per_second": (len(found) - 1) / (found[-1]["at"] - found[0]["at"]) * 1000,
        "detector_ms": _quantiles([result["detector"] for result in found]),
        "landmarks_ms": _quantiles([result["landmarks"] for result in found]),
    }


def page_processor_times(browser: Browser, model: str) -> dict[str, float]:
    """Return the processor time of the page's thread for one image, which other processes disturb less."""
    browser.evaluate("document.getElementById('camera').click()")  # stops it
    choose_model(browser, model)
    browser.wait_for(f"window.pipeline.model.name === '{model}'")
    browser.evaluate(_KEEP_IMAGE)
    browser.send("Performance.enable", timeDomain="threadTicks")
    times = {}
    for stage, call in _STAGES.items():
        browser.evaluate(call)
        before = _script_seconds(browser)
        browser.evaluate(f"(async () => {{ for (let n = 0; n < {REPEATS}; n++) await ({call}); }})()", timeout=300)
        times[stage] = round(1000 * (_script_seconds(browser) - before) / REPEATS, 2)
    start_camera(browser)
    return times


def _script_seconds(browser: Browser) -> float:
    metrics = browser.send("Performance.getMetrics")["metrics"]
    return float(next(entry["value"] for entry in metrics if entry["name"] == "TaskDuration"))


def python_times(model: str) -> dict[str, Any]:
    """Return the milliseconds of detector and of the landmarks of all faces in Python, on one thread."""
    landmarker, detector = Landmarker(model), FaceDetector()
    rows = []
    for frame in camera_frames(FRAMES):
        for _ in range(2):  # the first call of each size allocates
            start = _clocks()
            faces = detector(frame)
            detected = _clocks()
            for face in faces:
                landmarker.landmarks(frame, face.box, landmarker.spec.detected_crop)
            row = np.concatenate([detected - start, _clocks() - detected])
        rows.append(row)
    detection, detection_cpu, placing, placing_cpu = np.transpose(rows)
    return {
        "frames": FRAMES,
        "detector_ms": _quantiles(detection),
        "landmarks_ms": _quantiles(placing),
        "detector_cpu_ms": round(float(detection_cpu.mean()), 2),
        "landmarks_cpu_ms": round(float(placing_cpu.mean()), 2),
    }


def _clocks() -> NDArray[np.float64]:
    """Return milliseconds of the wall clock and of this process's processor time."""
    return np.array([time.perf_counter(), time.process_time()], np.float64) * 1000.0


def _quantiles(milliseconds: Sequence[float] | NDArray[np.float64]) -> dict[str, float]:
    return {name: round(float(np.quantile(milliseconds, share)), 2) for name, share in _QUANTILES.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20, help="of each model")
    parser.add_argument("--out", type=Path, default=Path("results/bench/web.json"))
    options = parser.parse_args()
    meter = LoadMeter()
    with tempfile.TemporaryDirectory() as folder:
        camera = Path(folder) / "camera.mjpeg"
        write_camera(camera, FRAMES)
        with open_demo(camera=camera) as browser:
            version = browser.send("Browser.getVersion")["product"]
            start_camera(browser)
            page = {
                model: page_times(browser, model, options.seconds) | page_processor_times(browser, model)
                for model in MODELS
            }
    python = {model: python_times(model) for model in MODELS}
    load = meter.read()
    result = {
        "machine": describe_machine(),
        "load": load,
        "browser": version,
        "runtime": f"{tested_release().package} {tested_release().version}, WebAssembly, one thread",
        "camera": list(SIZE),
        "page": page,
        "python": python,
    }
    write_result(options.out, result)
    for model, times in page.items():
        print(model, times, python[model], sep="\n  ")
    if warning := busy_warning(load):
        print(warning)


if __name__ == "__main__":
    main()
