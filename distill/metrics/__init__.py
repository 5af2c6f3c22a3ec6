"""How far predicted points are from the truth. Importing this package makes torchvision importable for torchmetrics."""

import distill.torchvision_compat  # noqa: F401  isort: skip
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
