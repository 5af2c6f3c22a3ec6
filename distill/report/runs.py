"""`distill report`: runs side by side on one page."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distill.errors import AnnotationError, ConfigError
from distill.evaluate.result import FORMAT, Evaluation
from distill.export.pipeline import FORMAT as EXPORT
from distill.export.verify.parity import ParityResult
from distill.export.verify.parity_report import FORMAT as PARITY
from distill.export.verify.tolerances import Gate
from distill.files import short_names
from distill.provenance import BENCH
from distill.report.curves import training_plot
from distill.report.page import Cell, Report, Verdict
from distill.report.plots import face_map, robustness_curves
from distill.training.loggers.metrics_csv import TERM_GRADIENT, value_names

_CURVES = ("train/loss", "val/nme")
# Keys of earlier versions.
_SUITE = {"slices": "subgroups", "stability": "jitter"}


@dataclass(frozen=True)
class Source:
    """Files of one run.

    Attributes:
        name: for tables and legends.
        evaluations: in the order of their files.
        suites: for each evaluation the results of `suite.run_suite`, empty without `--suite full`.
        export: export.json, if there is one.
        parity: parity.json, which says more of the same export, if there is one.
        bench: what `distill bench` measured, if that was kept here.
        metrics: metrics.csv, if there is one.
    """

    name: str
    evaluations: list[Evaluation] = field(default_factory=list)
    suites: list[Mapping[str, Any]] = field(default_factory=list)
    export: Mapping[str, Any] | None = None
    parity: Mapping[str, Any] | None = None
    bench: Mapping[str, Any] | None = None
    metrics: Path | None = None


def read_sources(paths: Sequence[Path]) -> list[Source]:
    """Read several, each with a name of its own.

    Raises:
        AnnotationError: see `read_source`.
        ConfigError: one is given twice.
    """
    return [read_source(path, name.removesuffix(".json")) for path, name in zip(paths, short_names(paths), strict=True)]


def read_source(path: Path, name: str | None = None) -> Source:
    """Read a run folder, or one JSON file of `distill evaluate`, `export` or `bench`.

    Args:
        name: what the report calls it; that of the folder or file by default.

    Raises:
        AnnotationError: missing, or nothing of ours in it.
    """
    if not path.exists():
        raise AnnotationError(f"{path}: no such run; give a folder under runs/ or a JSON file of `distill evaluate`")
    files = sorted([*path.glob("*.json"), *path.glob("export/*.json")]) if path.is_dir() else [path]
    evaluations: list[Evaluation] = []
    suites: list[Mapping[str, Any]] = []
    others: dict[Any, dict[str, Any]] = {}
    for file in files:
        raw = _read(file)
        if raw.get("format") == FORMAT:
            evaluations.append(Evaluation.from_json(file))
            suites.append({_SUITE.get(key, key): value for key, value in raw.get("suite", {}).items()})
        elif raw.get("format") in (EXPORT, PARITY, BENCH):
            others[raw["format"]] = raw
    metrics = path / "metrics.csv"
    curves = metrics if metrics.is_file() else None
    if not (evaluations or others or curves):
        raise AnnotationError(f"{path}: no evaluation, export or metrics in it; `distill evaluate --json` makes one")
    export, parity, bench = (others.get(kind) for kind in (EXPORT, PARITY, BENCH))
    return Source(name or path.name.removesuffix(".json"), evaluations, suites, export, parity, bench, curves)


def _read(file: Path) -> dict[str, Any]:
    try:
        raw = json.loads(file.read_text())
    except (ValueError, OSError) as error:
        raise AnnotationError(f"{file}: not JSON ({error}); make it again or move it away") from error
    return raw if isinstance(raw, dict) else {}


def matched(sources: Sequence[Source]) -> list[dict[str, tuple[Evaluation, Mapping[str, Any]]]]:
    """Group evaluations by protocol: a list, in the order of the first source, of name -> (evaluation, suite).

    Raises:
        ConfigError: an evaluation that compares with none of the first source's, naming what differs.
    """
    found: list[dict[str, tuple[Evaluation, Mapping[str, Any]]]] = []
    first: str | None = None
    for source in sources:
        for evaluation, suite in zip(source.evaluations, source.suites, strict=True):
            alike = [group for group in found if _same(group, evaluation)]
            free = [group for group in alike if source.name not in group]
            if free:
                free[0][source.name] = evaluation, suite
            elif alike or first in (None, source.name):
                first = first or source.name
                found.append({source.name: (evaluation, suite)})
            else:
                raise ConfigError(_unlike(source.name, evaluation, first, found))
    return found


def _same(group: Mapping[str, tuple[Evaluation, Mapping[str, Any]]], evaluation: Evaluation) -> bool:
    return next(iter(group.values()))[0].protocol.same_as(evaluation.protocol)


def _unlike(name: str, evaluation: Evaluation, first: str | None, found: list[dict[str, Any]]) -> str:
    other = next(iter(found[0].values()))[0].protocol
    what = str(other.first_difference(evaluation.protocol))
    values = f"{getattr(other, what)} and {getattr(evaluation.protocol, what)}"
    return f"{first} and {name} cannot be compared, {what} differs ({values}); evaluate both the same way"


def build(sources: Sequence[Source], title: str, pictures: Mapping[str, bytes] | None = None) -> Report:
    """Compose the page.

    Args:
        pictures: PNGs to show by caption; only of faces that may be shown.

    Raises:
        ConfigError: evaluations that cannot be compared.
    """
    report = Report(title, ", ".join(source.name for source in sources))
    for group in matched(sources):
        evaluations = {name: evaluation for name, (evaluation, _) in group.items()}
        protocol = next(iter(evaluations.values())).protocol
        report.heading(f"Accuracy: {protocol.subset}, {protocol.boxes} boxes").evaluations(evaluations)
        _face_map(report, evaluations)
        suites = {name: suite for name, (_, suite) in group.items() if suite}
        if suites:
            _suite(report, suites)
    for caption, png in (pictures or {}).items():
        report.figure(png, caption)
    _training(report, sources)
    for source in sources:
        for section, content in ((_export, source.export), (_parity, source.parity), (_bench, source.bench)):
            if content:
                _require_whole(source.name, section, report, content)
    return report


def _require_whole(
    name: str, section: Callable[[Report, str, Mapping[str, Any]], None], report: Report, content: Mapping[str, Any]
) -> None:
    """Write a section, or say that the file it is made of is not as this version writes it."""
    try:
        section(report, name, content)
    except (KeyError, TypeError, IndexError) as error:
        what = content["format"]
        raise AnnotationError(f"{name}: its {what} file is not whole ({error!r}); make it again") from error


def _face_map(report: Report, evaluations: Mapping[str, Evaluation]) -> None:
    try:
        png = face_map(evaluations)
    except ConfigError:
        return  # a user's own scheme: nobody knows where its points lie on the drawn head
    report.figure(png, "Mean error of every landmark, to scale, on a generated mean face")


def _suite(report: Report, suites: Mapping[str, Mapping[str, Any]]) -> None:
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
    return f"{figures['nme_percent']:.2f} ({figures['low_percent']:.2f} to {figures['high_percent']:.2f})"


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


def _training(report: Report, sources: Sequence[Source]) -> None:
    runs = {source.name: source.metrics for source in sources if source.metrics}
    if runs:
        report.heading("Training").figure(training_plot(runs, _CURVES), "Loss and validation NME")
    terms = dict.fromkeys(
        name for path in runs.values() for name in value_names(path) if name.startswith(TERM_GRADIENT)
    )
    if terms:
        report.figure(training_plot(runs, list(terms)), "Norm of the gradient of each term of the loss")


def _export(report: Report, name: str, export: Mapping[str, Any]) -> None:
    report.heading(f"Export of {name}")
    rows: list[list[Cell]] = []
    for result in export["parity"]["results"]:
        good = not ParityResult(**{**result, "gate": Gate(**result["gate"])}).missed
        rows.append([result["name"], result["max_px"], result["mean_px"], Verdict("pass" if good else "fail", good)])
    report.table(("stage", "max px", "mean px", "verdict"), rows)
    report.table(("file", "MB"), [[f["file"], f["bytes"] / 1e6] for f in export["files"].values()])


def _parity(report: Report, name: str, parity: Mapping[str, Any]) -> None:
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


def _bench(report: Report, name: str, bench: Mapping[str, Any]) -> None:
    report.heading(f"Latency: {name}")
    models = {model["name"]: model for model in bench["models"]}
    rows: list[list[Cell]] = []
    for time in bench["times"]:
        if time["part"] == "model":
            model, stable = models[time["name"]], Verdict("yes" if time["stable"] else "no", time["stable"])
            numbers = [time["threads"], time["median_ms"], time["iqr_ms"], time["ratio"]]
            rows.append([time["name"], *numbers, model["macs"] / 1e6, model["bytes"] / 1e6, stable])
    reference = f"x {bench['settings']['reference']}"
    report.table(("model", "threads", "median ms", "IQR ms", reference, "M MACs", "MB", "stable"), rows)
    report.text(f"{bench['machine']['cpu']}; medians of {bench['settings']['rounds']} rounds, all models in turns.")
