"""Scores of a face detector on labelled photos, and the processor time it takes."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from distill.detection.metrics import PhotoMatch, recall
from distill.evaluate.detector_result import at_score, without_nan
from distill.images import Photo

IOU_RECALL = 0.4
IOU_AP = 0.5
LEAST = 24.0
LOWEST = 0.02
ROUNDS = 30


def counted(found: Sequence[PhotoMatch], score: float) -> dict[str, Any]:
    """Return what an evaluation measures at a score, and the recall of faces from 24 px on."""
    values: dict[str, Any] = without_nan(at_score(found, score))
    return {**values, f"recall_{LEAST:.0f}px": recall(found, score, LEAST)}


def processor_ms(calls: Mapping[str, Callable[[Photo], object]], photo: Photo) -> dict[str, float]:
    """Return the median processor time of each call on a photo in ms; calls are interleaved after one each."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call(photo)
    for _ in range(ROUNDS):
        for name, call in calls.items():
            start = time.process_time()
            call(photo)
            times[name].append(1000 * (time.process_time() - start))
    return {name: float(np.median(values)) for name, values in times.items()}
