"""Landmark metrics: NME, failure rate, area under the CED curve, accuracy within a radius.

`LandmarkMetrics`, which trainings update batch by batch, is imported from `distill.metrics.landmarks`: torchmetrics
takes as long to import as torch, and an evaluation does not need it.
"""

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

__all__ = [
    "accuracy_within",
    "area_under_ced",
    "ced",
    "failure_rate",
    "nme_per_face",
    "normaliser",
    "point_errors",
    "summarise",
]
