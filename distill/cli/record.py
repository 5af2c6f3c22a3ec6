"""Record the jobs of the commands in the run they belong to: evaluations, exports, checks, benches, submissions."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.files import write_json
from distill.tracking import artifact as artifacts
from distill.tracking.artifact import Artifact, dataset_artifact, file_artifact, plain_name
from distill.tracking.attach import AttachConfig, attached_run, record_job
from distill.tracking.lineage import read_jobs
from distill.tracking.result_tables import detection_table, files_table, latency_table, operators_table, parity_table
from distill.tracking.run_folder import RECORDS

if TYPE_CHECKING:
    from distill.data.config import FacesConfig
    from distill.evaluate.detector_result import DetectorEvaluation
    from distill.evaluate.result import Evaluation
    from distill.export.detector_checkpoint import DetectorFile
    from distill.export.pipeline import ExportResult


def record_evaluation(
    log: AttachConfig,
    model: Path,
    data: "FacesConfig",
    evaluation: "Evaluation",
    content: Mapping[str, Any],
    json: Path | None,
) -> None:
    """Record an evaluation; without `json` its result is kept in `records/` of the run."""
    folder = attached_run(log, model)
    if folder is None or not model.is_file():
        return
    from distill.report.tables import accuracy_row, evaluation_tables

    protocol = evaluation.protocol
    result = json or _keep(folder, f"evaluate-{model.stem}", content, str(protocol.to_dict()))
    faces = dataset_artifact(
        f"{data.root.name}-{protocol.subset}", protocol.data_hash, protocol.n_faces, protocol.scheme,
        split="test", format=protocol.format, boxes=protocol.boxes,
    )  # fmt: skip
    row = accuracy_row(model.name, evaluation)
    metrics = {name: value for name, value in row.items() if isinstance(value, int | float)}
    outputs = _outputs(result, artifacts.EVALUATION, metrics)
    tables = evaluation_tables({model.name: evaluation})
    record_job(log, folder, "evaluate", [file_artifact(model), faces], outputs, metrics, tables)


def record_detector_evaluation(
    log: AttachConfig, model: Path, evaluation: "DetectorEvaluation", json: Path | None
) -> None:
    """Record an evaluation of a detector; without `json` its result is kept in `records/` of the run."""
    folder = attached_run(log, model)
    if folder is None or not model.is_file():
        return
    protocol, content = evaluation.protocol, evaluation.to_json()
    result = json or _keep(folder, f"evaluate-{model.stem}", content, str(protocol))
    photos = dataset_artifact("photos", protocol.data_hash, protocol.photos, "boxes", split="test")
    at = evaluation.at(evaluation.score)
    metrics = {"ap": evaluation.ap, "recall": at["recall"], "false_per_photo": at["false_per_photo"]}
    outputs = _outputs(result, artifacts.EVALUATION, metrics)
    tables = {"detection": detection_table([content])}
    record_job(log, folder, "evaluate", [file_artifact(model), photos], outputs, metrics, tables)


def record_detector_export(log: AttachConfig, model: Path, files: "Sequence[DetectorFile]") -> None:
    """Record the export of a detector: the weights it read and the files it made."""
    folder = attached_run(log, model)
    if folder is None:
        return
    outputs = [file_artifact(file.path, metadata=file.to_dict()) for file in files]
    metrics = {f"{file.path.stem}_mean_px": file.parity["mean_px"] for file in files}
    record_job(log, folder, "export", [file_artifact(model)], outputs, metrics)


def record_export(log: AttachConfig, model: Path, result: "ExportResult", content: Mapping[str, Any]) -> None:
    """Record an export: the weights it read and the files it made.

    Args:
        log: where to.
        model: the checkpoint.
        result: of the export.
        content: of `export.json`.
    """
    folder = attached_run(log, model)
    if folder is None:
        return
    stages = [(stage["name"].partition(" on ")[0], stage["max_px"]) for stage in content["parity"]["results"]]
    worst = {mode: max(px for name, px in stages if name == mode) for mode in result.files}
    outputs = [
        file_artifact(path, aliases=[mode], metadata={"mode": mode, "max_px": worst[mode]})
        for mode, path in result.files.items()
    ]
    metrics = {f"{mode}_max_px": value for mode, value in worst.items()}
    metrics |= {f"{mode}_bytes": path.stat().st_size for mode, path in result.files.items()}
    tables = {"parity": parity_table(content), "files": files_table(content)}
    record_job(log, folder, "export", [file_artifact(model)], outputs, metrics, tables)


def record_check(log: AttachConfig, model: Path, content: Mapping[str, Any], json: Path | None) -> None:
    """Record the operator check of a file."""
    folder = attached_run(log, model)
    if folder is None:
        return
    result = json or _keep(folder, f"check-{model.stem}", content, str(content["runtime"]))
    metrics = {"runs": bool(content["runs"]), "operators": sum(row["count"] for row in content["rows"])}
    outputs = _outputs(result, artifacts.CHECK, metrics | {"runtime": content["runtime"]})
    record_job(log, folder, "check", [file_artifact(model)], outputs, metrics, {"operators": operators_table(content)})


def record_bench(log: AttachConfig, models: Sequence[Path], content: Mapping[str, Any], json: Path | None) -> None:
    """Record a bench run of several files in the run of the first that lies in one."""
    files = [path for path in models if path.is_file()]
    folder = attached_run(log, *files)
    if folder is None:
        return
    result = json or _keep(folder, f"bench-{files[0].stem}", content, str([path.name for path in files]))
    metrics = {
        f"{plain_name(' '.join(filter(None, (time['name'], time['engine']))))}_{time['threads']}_threads_ms": ms
        for time in content["times"]
        if time["part"] == "model" and (ms := time["median_ms"])
    }
    inputs = [file_artifact(path) for path in files]
    metrics |= _speed_and_accuracy(folder, inputs[0], content)
    outputs = _outputs(result, artifacts.BENCH, metrics)
    record_job(log, folder, "bench", inputs, outputs, metrics, {"latency": latency_table(content)})


def _speed_and_accuracy(folder: Path, model: Artifact, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return latency and NME of the first file: that of the bench run, else that of its last evaluation in this run."""
    names = [entry["name"] for entry in content["models"] if entry["sha256"] == model.sha256]
    times = [time for time in content["times"] if time["part"] == "model" and time["name"] in names]
    if not times:
        return {}
    nme = next(entry["nme_percent"] for entry in content["models"] if entry["name"] == times[0]["name"])
    for job in read_jobs(folder) if nme is None else []:
        if job.type == "evaluate" and model.sha256 in {artifact.sha256 for artifact in job.inputs}:
            nme = job.metrics.get("nme_percent")
    return {"median_ms": min(times, key=lambda time: time["threads"])["median_ms"], "nme_percent": nme}


def record_submission(log: AttachConfig, model: Path, package: Path, contest: str, results: Path | None) -> None:
    """Record a contest package with the model in it and the evaluation in its report."""
    folder = attached_run(log, model)
    if folder is None:
        return
    inputs = [file_artifact(model), *([file_artifact(results, artifacts.EVALUATION)] if results else [])]
    outputs = [file_artifact(package, artifacts.SUBMISSION, aliases=["contest", contest])]
    record_job(log, folder, "submit", inputs, outputs, {"bytes": package.stat().st_size})


def _keep(folder: Path, name: str, content: Mapping[str, Any], protocol: str) -> Path | None:
    """Write a result into `records/` of a run; the same measurement again replaces it. None where that fails."""
    path = folder / RECORDS / f"{name}-{sha256(protocol.encode()).hexdigest()[:8]}.json"
    try:
        write_json(path, content)
    except (OSError, ValueError):
        return None
    return path


def _outputs(result: Path | None, type: str, metadata: Mapping[str, Any]) -> list[Artifact]:
    return [] if result is None else [file_artifact(result, type, metadata=metadata)]
