"""Tables and series of the dashboard: numbers in plain types, computed from the collected runs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from distill.evaluate.result import Evaluation
from distill.report.dashboard.collect import ROLES, RunEntry
from distill.report.tables import accuracy_row, ced_points, landmark_errors
from distill.tracking.result_tables import detection_table, latency_table, parity_table
from distill.tracking.run_folder import network_of
from distill.tracking.tables import Table, table_of
from distill.training.loggers.metrics_csv import read_rows

# Points of a curve in the page; a longer one is thinned out.
_CURVE = 400

Series = dict[str, Any]
Group = dict[str, tuple[RunEntry, Evaluation]]


def runs_table(entries: Sequence[RunEntry]) -> Table:
    """Return one row a run: what it is, how it ended, and its first evaluation."""
    return table_of(_run_row(entry) for entry in entries if entry.role != "model")


def _run_row(entry: RunEntry) -> dict[str, Any]:
    config, summary = entry.config, entry.summary
    nme, precision = summary.get("val_nme"), summary.get("val/ap")
    own = _own_evaluations(entry)
    test = own[0].summary()["nme"] if own else None
    return {
        "run": entry.name,
        "role": entry.role,
        "network": network_of(config),
        "scheme": _get(config, "data", "scheme"),
        "size_px": _get(config, "data", "crop", "size"),
        "distillation": _get(config, "kd", "kind"),
        "seed": config.get("seed"),
        "epochs": _get(config, "trainer", "epochs"),
        "val_nme_percent": None if nme is None else 100 * nme,
        "test_nme_percent": None if test is None else 100 * test,
        **({} if precision is None else {"val_ap_percent": 100 * precision}),
        "best_step": summary.get("best_step"),
        "steps": summary.get("steps"),
        "train_faces": summary.get("train_faces"),
        "minutes": summary["seconds"] / 60 if "seconds" in summary else None,
        "commit": None if "commit" not in summary else str(summary["commit"])[:8],
        "jobs": len(entry.jobs),
    }


def _own_evaluations(entry: RunEntry) -> list[Evaluation]:
    """Return the evaluations of the weights and files that a run made; those of other models may lie in it, too."""
    made = {artifact.sha256 for job in entry.jobs for artifact in job.outputs}
    return [found for found in entry.evaluations if not made or found.protocol.model_sha256 in made]


def _get(content: Mapping[str, Any], *names: str) -> Any:
    value: Any = content
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def training_series(entries: Sequence[RunEntry]) -> dict[str, list[Series]]:
    """Return the curves of every recorded value by its name; shares under `val/` are in percent."""
    found: dict[str, list[Series]] = {}
    for entry in entries:
        if entry.metrics is None:
            continue
        curves: dict[str, list[tuple[int, float]]] = {}
        for step, name, value in read_rows(entry.metrics):
            if np.isfinite(value):
                curves.setdefault(name, []).append((step, 100 * value if name.startswith("val/") else value))
        for name, points in curves.items():
            found.setdefault(name, []).append({"name": entry.name, "points": thinned(points)})
    return dict(sorted(found.items(), key=lambda item: (not item[0].startswith("val/nme"), item[0])))


def thinned(points: Sequence[tuple[float, float]]) -> list[list[float]]:
    """Return at most 400 of the points: means of consecutive ones, which keep the level of a noisy curve."""
    if len(points) <= _CURVE:
        return [[x, _short(y)] for x, y in points]
    parts = np.array_split(np.asarray(points, np.float64), _CURVE)
    return [[round(float(part[-1, 0])), _short(float(part[:, 1].mean()))] for part in parts]


def _short(value: float) -> float:
    return float(f"{value:.5g}")


def evaluation_groups(entries: Sequence[RunEntry]) -> list[Group]:
    """Return evaluations that may be compared, by `RUN FILE`, the largest group first, teachers first in each."""
    groups: list[Group] = []
    for entry in sorted(entries, key=lambda entry: ROLES.index(entry.role)):
        for evaluation in entry.evaluations:
            group = next((g for g in groups if _first(g).protocol.same_as(evaluation.protocol)), None)
            if group is None:
                groups.append(group := {})
            name = f"{entry.name} {evaluation.model}"
            group[name if name not in group else f"{name}, {evaluation.protocol.runtime}"] = entry, evaluation
    return sorted(groups, key=len, reverse=True)


def _first(group: Group) -> Evaluation:
    return next(iter(group.values()))[1]


def accuracy_table(group: Group) -> Table:
    """Return the metrics of the evaluations of a group, with the role of the run each belongs to."""
    return table_of(
        {"model": name, "role": entry.role, **_without(accuracy_row(name, evaluation), "model", "subset", "boxes")}
        for name, (entry, evaluation) in group.items()
    )


def _without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


def interval_series(group: Group) -> list[Series]:
    """Return NME and its 95 % interval of each model, in percent."""
    found = []
    for name, (entry, evaluation) in group.items():
        low, high = evaluation.interval()
        nme = evaluation.summary()["nme"]
        values = {"value": _short(100 * nme), "low": _short(100 * low), "high": _short(100 * high)}
        found.append({"name": name, "role": entry.role, **values})
    return found


def ced_series(group: Group) -> list[Series]:
    """Return the cumulative error distribution of each model, in percent."""
    return [
        {"name": name, "points": [[_short(x), _short(y)] for x, y in ced_points(evaluation)]}
        for name, (_, evaluation) in group.items()
    ]


def landmark_series(group: Group) -> list[Series]:
    """Return the mean error of every landmark of each model, in percent."""
    return [
        {
            "name": name,
            "points": [[i, _short(v)] for i, v in enumerate(landmark_errors(evaluation)) if v is not None],
        }
        for name, (_, evaluation) in group.items()
    ]


def detection_rows(entries: Sequence[RunEntry]) -> Table:
    """Return the evaluations of face detectors, the name of the run first."""
    return _joined((entry.name, detection_table([content])) for entry in entries for content in entry.detections)


def parity_rows(entries: Sequence[RunEntry]) -> Table:
    """Return the parity of every export, the name of the run first."""
    return _joined((entry.name, parity_table(export)) for entry in entries for export in entry.exports)


def latency_rows(entries: Sequence[RunEntry]) -> Table:
    """Return the times of every bench run, the name of the run it was kept in first."""
    return _joined((entry.name, latency_table(bench)) for entry in entries for bench in entry.benches)


def _joined(tables: Iterable[tuple[str, Table]]) -> Table:
    return table_of(
        {"run": name, **dict(zip(table.columns, row, strict=True))} for name, table in tables for row in table.rows
    )


def pareto_points(entries: Sequence[RunEntry], group: Group | None) -> list[Series]:
    """Return latency and NME of every timed model whose NME is known; `front` marks those that none dominates.

    The NME is that of the bench run, else that of the evaluation in `group` of the same file. Times are those of the
    smallest number of threads.
    """
    measured = {} if group is None else {e.protocol.model_sha256: e.summary()["nme"] for _, e in group.values()}
    points: list[Series] = []
    for entry in entries:
        for bench in entry.benches:
            models = {model["name"]: model for model in bench["models"]}
            times = [time for time in bench["times"] if time["part"] == "model"]
            threads = min((time["threads"] for time in times), default=0)
            for time in times:
                model = models[time["name"]]
                nme = model["nme_percent"]
                if nme is None and model.get("sha256") in measured:
                    nme = 100 * measured[model["sha256"]]
                if nme is None or time["threads"] != threads:
                    continue
                name = " ".join([entry.name, time["name"], *([time["engine"]] if time.get("engine") else [])])
                points.append({"name": name, "x": _short(time["median_ms"]), "y": _short(nme), "bytes": model["bytes"]})
    for point in points:
        point["front"] = not any(_dominates(other, point) for other in points)
    return points


def _dominates(first: Series, other: Series) -> bool:
    as_good = first["x"] <= other["x"] and first["y"] <= other["y"]
    return bool(as_good and (first["x"] < other["x"] or first["y"] < other["y"]))
