"""Numeric tables of evaluations: for trackers and for the dashboard."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from distill.evaluate.result import Evaluation
from distill.tracking.tables import Table, table_of

# Points of a CED curve.
_CURVE = 200
_WORDS = {"percent": "%", "nme": "NME", "ap": "AP", "fr8": "FR@8", "fr10": "FR@10", "auc8": "AUC@8", "auc10": "AUC@10"}


def column_label(name: str) -> str:
    """Return the name of a column as it is shown: `nme_percent` as `NME %`."""
    return " ".join(_WORDS.get(word, word) for word in name.split("_"))


def evaluation_tables(evaluations: Mapping[str, Evaluation]) -> dict[str, Table]:
    """Return `accuracy`, `landmarks`, `groups` and `ced` of evaluations by model; errors and shares in percent."""
    items = evaluations.items()
    return {
        "accuracy": table_of(accuracy_row(name, evaluation) for name, evaluation in items),
        "landmarks": table_of(
            {"model": name, "landmark": index, "error_percent": value}
            for name, evaluation in items
            for index, value in enumerate(landmark_errors(evaluation))
        ),
        "groups": table_of(
            {
                "model": name,
                "group": group,
                "points": len(points),
                "nme_percent": 100 * float(np.nanmean(evaluation.nme(group=group))),
            }
            for name, evaluation in items
            for group, points in evaluation.groups.items()
        ),
        "ced": table_of(
            {"model": name, "nme_percent": x, "faces_percent": y}
            for name, evaluation in items
            for x, y in ced_points(evaluation)
        ),
    }


def accuracy_row(name: str, evaluation: Evaluation) -> dict[str, Any]:
    """Return the metrics of an evaluation with its protocol; errors and shares in percent."""
    protocol, (low, high) = evaluation.protocol, evaluation.interval()
    return {
        "model": name,
        "subset": protocol.subset,
        "boxes": protocol.boxes,
        "points": protocol.points,
        "faces": protocol.n_faces,
        **{f"{metric}_percent": 100 * value for metric, value in evaluation.summary().items()},
        "nme_low_percent": 100 * low,
        "nme_high_percent": 100 * high,
        "accuracy_5px_percent": 100 * evaluation.accuracy_5px(),
    }


def landmark_errors(evaluation: Evaluation) -> list[float | None]:
    """Return the mean error of every landmark in percent of the primary normaliser, None where it is not annotated."""
    errors = evaluation.errors / evaluation.distances[evaluation.primary][:, None]
    known = np.isfinite(errors)
    return [
        100 * float(errors[known[:, index], index].mean()) if known[:, index].any() else None
        for index in range(errors.shape[1])
    ]


def ced_points(evaluation: Evaluation) -> list[tuple[float, float]]:
    """Return points (NME, share of faces at or below it), in percent, of the cumulative error distribution."""
    nme = np.sort(evaluation.nme())
    shares = np.arange(1, len(nme) + 1) / len(nme)
    kept = np.unique(np.linspace(0, len(nme) - 1, min(_CURVE, len(nme))).round().astype(int))
    return [(0.0, 0.0), *((100 * float(nme[i]), 100 * float(shares[i])) for i in kept)]
