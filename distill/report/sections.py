"""Sections of the report: errors by landmark and subgroup, training, export, costs and latency."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from distill.errors import AnnotationError, ConfigError
from distill.evaluate.result import Evaluation
from distill.export.verify.parity import ParityResult
from distill.export.verify.tolerances import Gate
from distill.report.curves import training_plot
from distill.report.page import Cell, Interval, Report, Verdict
from distill.report.plots import face_map, robustness_curves, role_bars
from distill.report.sources import Source
from distill.report.tables import column_label
from distill.tracking.result_tables import detection_table
from distill.tracking.run_folder import network_of
from distill.training.loggers.metrics_csv import TERM_GRADIENT, value_names

_ROLES = {"teacher": "teacher", "baseline": "student without teacher", "student": "student with teacher"}
_CURVES = {"train/loss": "loss", "val/nme": "validation NME", "val/ap": "validation AP"}
# What the page says where no run has any of some curves.
_MISSING = {
    ("train/loss",): "No run recorded its loss: it is recorded every 10 steps, or as --log.every says.",
    ("val/nme", "val/ap"): "No run recorded a validation: none reached the end of --trainer.validate_every.",
}


def roles_section(report: Report, sources: Sequence[Source], evaluations: Mapping[str, Evaluation]) -> None:
    """Draw teachers, baselines and students side by side, where there are at least two of these."""
    roles = {
        words: {s.name: evaluations[s.name] for s in sources if s.role == role and s.name in evaluations}
        for role, words in _ROLES.items()
    }
    roles = {words: found for words, found in roles.items() if found}
    if len(roles) > 1:
        report.figure(
            role_bars(roles), "NME by role; dots: trainings; lines: 95 % over faces and trainings; lower is better"
        )


def detection_section(report: Report, sources: Sequence[Source]) -> None:
    """Show what was measured of face detectors, where there are any."""
    found = [(source.name, content) for source in sources for content in source.detections]
    if not found:
        return
    try:
        table = detection_table(content for _, content in found)
    except (KeyError, TypeError) as error:
        names = ", ".join(dict.fromkeys(name for name, _ in found))
        reason = f"an evaluation of a detector is not whole ({error!r}); make it again"
        raise AnnotationError(f"{names}: {reason}") from error
    report.heading("Face detectors")
    rows = [[name, *row] for (name, _), row in zip(found, table.rows, strict=True)]
    report.table(("run", *map(column_label, table.columns)), rows)


def face_map_section(report: Report, evaluations: Mapping[str, Evaluation]) -> None:
    try:
        png = face_map(evaluations)
    except ConfigError:
        return  # a user's own scheme: the positions of its points on the drawn head are unknown
    report.figure(png, "Mean error of every landmark, to scale, on a generated mean face")


def suite_section(report: Report, suites: Mapping[str, Mapping[str, Any]]) -> None:
    report.heading("Which faces")
    first = next(iter(suites.values()))
    for kind, parts in first["subgroups"].items():
        rows: list[list[Cell]] = []
        for part, figures in parts.items():
            cells = [_interval(suite["subgroups"].get(kind, {}).get(part)) for suite in suites.values()]
            rows.append([part, figures["faces"], *cells])
        report.table((kind, "faces", *(f"{name}, NME % (95 %)" for name in suites)), rows)
    report.heading("Robustness").figure(
        robustness_curves({name: suite["robustness"] for name, suite in suites.items()}),
        "Error as photos get worse; the same changes for every model",
    )
    report.heading("Jitter, calibration, agreement")
    names = list(suites)
    columns = [_answers(suite) for suite in suites.values()]
    keys = list(dict.fromkeys(key for column in columns for key in column))
    report.table(("what", *names), [[key, *(column.get(key) for column in columns)] for key in keys])


def _interval(figures: Mapping[str, Any] | None) -> Cell:
    if figures is None:
        return None
    return Interval(figures["low_percent"], figures["high_percent"], figures["nme_percent"])


def _answers(suite: Mapping[str, Any]) -> dict[str, Cell]:
    """One column of the table of single numbers."""
    found: dict[str, Cell] = {}
    if jitter := suite.get("jitter"):
        for sigma, value in jitter["noise_percent"].items():
            found[f"jitter under noise of {sigma}, % of the eye distance"] = round(value, 3)
        found["jitter under small motion, %"] = round(jitter["motion_percent"], 3)
        if video := jitter.get("video"):
            found["jitter in video, fixed box, %"] = round(video["fixed_box_percent"], 3)
            found["jitter in video, detector's box, %"] = round(video["detected_box_percent"], 3)
    if known := suite.get("calibration"):
        for level, value in known["inside_percent"].items():
            found[f"errors in the {level} % ellipses, %"] = round(value, 1)
        found["ellipses should be so many times as large"] = round(known["scale"], 3)
    if taken := suite.get("agreement"):
        found["distance from the teacher's points, %"] = round(taken["distance_percent"], 3)
        found["correlation of errors with the teacher's"] = taken["error_correlation"]
        found["correlation of faces' NME with the teacher's"] = taken["face_correlation"]
        found["teacher's mistakes copied, %"] = taken["copied_percent"]
    return found


def training_section(report: Report, sources: Sequence[Source]) -> None:
    runs = {source.name: source.metrics for source in sources if source.metrics}
    names = dict.fromkeys(name for path in runs.values() for name in value_names(path))
    if runs:
        report.heading("Training")
        _curves(report, runs, names)
    rows = [_trained(source) for source in sources if source.images is not None]
    if rows:
        report.table(("run", "network", "teacher", "seed", "steps", "images", "faces", "seconds"), rows)
    if terms := [name for name in names if name.startswith(TERM_GRADIENT)]:
        report.figure(training_plot(runs, terms), "Norm of the gradient of each term of the loss")


def _curves(report: Report, runs: Mapping[str, Path], names: Collection[str]) -> None:
    """Draw the curves that runs have, and name those that none has: runs of a few steps lack them."""
    if shown := [curve for curve in _CURVES if curve in names]:
        *first, last = (_CURVES[curve] for curve in shown)
        caption = " and ".join(filter(None, (", ".join(first), last)))
        report.figure(training_plot(runs, shown), caption[0].upper() + caption[1:])
    for curves, missing in _MISSING.items():
        if not any(curve in names for curve in curves):
            report.text(missing)


def _trained(source: Source) -> list[Cell]:
    """One row of the table of trainings."""
    config, summary = source.config, source.summary
    teachers = config.get("teacher") if source.role in ("student", "detector") else None
    paths = teachers if isinstance(teachers, list) else [teachers]
    teacher = ", ".join(Path(path).parent.name or path for path in paths if path) or None
    return [
        source.name,
        network_of(config),
        teacher,
        config.get("seed"),
        summary["steps"],
        source.images,
        summary.get("train_faces"),
        round(summary.get("seconds", 0)),
    ]


def export_section(report: Report, name: str, export: Mapping[str, Any]) -> None:
    report.heading(f"Export of {name}")
    rows: list[list[Cell]] = []
    for result in export["parity"]["results"]:
        good = not ParityResult(**{**result, "gate": Gate(**result["gate"])}).missed
        rows.append([result["name"], result["max_px"], result["mean_px"], Verdict("pass" if good else "fail", good)])
    report.table(("stage", "max px", "mean px", "verdict"), rows)
    report.table(("file", "MB"), [[f["file"], f["bytes"] / 1e6] for f in export["files"].values()])


def parity_section(report: Report, name: str, parity: Mapping[str, Any]) -> None:
    report.heading(f"What each file of {name} costs")
    rows: list[list[Cell]] = []
    for row in parity["rows"]:
        result, ms = row["parity"] or {}, row["latency_ms"]
        nme = None if result.get("nme") is None else 100 * result["nme"]
        sizes = [None if row[key] is None else row[key] / 1e6 for key in ("bytes", "peak_bytes")]
        rows.append([row["name"], result.get("max_px"), result.get("mean_px"), nme, ms.get("1"), ms.get("2"), *sizes])
    report.table(("stage", "max px", "mean px", "NME %", "ms on 1 thread", "on 2", "MB", "peak MB"), rows)
    if parity["unstable"]:
        report.text("The machine was busy: these milliseconds are not to be trusted.")


def bench_section(report: Report, name: str, bench: Mapping[str, Any]) -> None:
    report.heading(f"Latency: {name}")
    models = {model["name"]: model for model in bench["models"]}
    rows: list[list[Cell]] = []
    for time in bench["times"]:
        if time["part"] == "model":
            model, stable = models[time["name"]], Verdict("yes" if time["stable"] else "no", time["stable"])
            numbers = [time["threads"], time["median_ms"], time["iqr_ms"], time["ratio"]]
            name = f"{time['name']} ({time['engine']})" if time.get("engine") else time["name"]
            rows.append([name, *numbers, model["macs"] / 1e6, model["bytes"] / 1e6, stable])
    reference = f"x {bench['settings']['reference']}"
    report.table(("model", "threads", "median ms", "IQR ms", reference, "M MACs", "MB", "stable"), rows)
    report.text(f"{bench['machine']['cpu']}; medians of {bench['settings']['rounds']} rounds, all models in turns.")
