"""Scores of a face detector on labelled photos: best threshold, recall by size, counts of false boxes."""

import time
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from distill.detection.metrics import PhotoMatch, recall
from distill.images import Photo

IOU_RECALL = 0.4
IOU_AP = 0.5
SIZES = (16.0, 24.0, 32.0, 48.0, 64.0, np.inf)
LEAST = 24.0
LOWEST = 0.02
ROUNDS = 30


def counted(found: Sequence[PhotoMatch], score: float) -> dict[str, Any]:
    """Return recall by size, counts and false boxes a photo at a score."""
    sizes = np.concatenate([match.sizes[~match.ignored] for match in found])
    scores = np.concatenate([match.found[~match.ignored] for match in found])
    by_size = {}
    for low, high in pairwise(SIZES):
        here = (sizes >= low) & (sizes < high)
        by_size[f"{low:.0f}-{high:.0f}"] = [int((scores[here] >= score).sum()), int(here.sum())]
    false = np.concatenate([match.scores[match.false] for match in found])
    return {
        "score": score,
        "found_by_size": by_size,
        f"recall_{LEAST:.0f}px": recall(found, score, LEAST),
        "false_per_photo": float((false >= score).sum() / len(found)),
    }


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
