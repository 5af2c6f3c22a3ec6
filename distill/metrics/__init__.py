"""Landmark metrics: NME, failure rate, area under the CED curve, accuracy within a radius."""

from distill.metrics.functional import (
    accuracy_within,
    area_under_ced,
    ced,
    failure_rate,
    nme_per_face,
    normaliser,
    point_errors,
    summarise,
)
from distill.metrics.landmarks import LandmarkMetrics

__all__ = [
    "LandmarkMetrics",
    "accuracy_within",
    "area_under_ced",
    "ced",
    "failure_rate",
    "nme_per_face",
    "normaliser",
    "point_errors",
    "summarise",
]
