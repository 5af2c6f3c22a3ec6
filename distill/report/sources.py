"""Files of the runs that a report compares, and which of their evaluations belong together."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from distill.errors import AnnotationError, ConfigError
from distill.evaluate.detector_result import FORMAT as DETECTION
from distill.evaluate.result import FORMAT, Evaluation
from distill.export.pipeline import FORMAT as EXPORT
from distill.export.verify.parity_report import FORMAT as PARITY
from distill.files import read_regular, short_names
from distill.provenance import BENCH
from distill.tracking.run_folder import role_of

# Keys of earlier versions.
_SUITE = {"slices": "subgroups", "stability": "jitter"}


@dataclass(frozen=True)
class Source:
    """Files of one run.

    Attributes:
        name: for tables and legends.
        evaluations: in the order of their files.
        detections: content of the files of evaluations of face detectors.
        suites: for each evaluation the results of `suite.run_suite`, empty without `--suite full`.
        export: export.json, if there is one.
        parity: parity.json, which has more of the same export, if there is one.
        bench: what `distill bench` measured, if that was kept here.
        metrics: metrics.csv, if there is one.
        folder: of the run; None for a JSON file.
        config: config.yaml, if there is one.
        summary: summary.json of the training, if there is one.
    """

    name: str
    evaluations: list[Evaluation] = field(default_factory=list)
    suites: list[Mapping[str, Any]] = field(default_factory=list)
    detections: list[Mapping[str, Any]] = field(default_factory=list)
    export: Mapping[str, Any] | None = None
    parity: Mapping[str, Any] | None = None
    bench: Mapping[str, Any] | None = None
    metrics: Path | None = None
    folder: Path | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    summary: Mapping[str, Any] = field(default_factory=dict)

    @property
    def role(self) -> str:
        """What `role_of` returns of its configuration, or `model` where that is not recorded."""
        return role_of(self.config) if self.config else "model"

    @property
    def images(self) -> int | None:
        """How many crops it was trained on, repetitions included, or None where that is not recorded."""
        steps, batch = self.summary.get("steps"), self.config.get("data", {}).get("batch_size")
        return steps * batch if isinstance(steps, int) and isinstance(batch, int) else None


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
    detections: list[Mapping[str, Any]] = []
    others: dict[Any, dict[str, Any]] = {}
    for file in files:
        raw = _read(file)
        if raw.get("format") == FORMAT:
            evaluations.append(Evaluation.from_json(file))
            suites.append({_SUITE.get(key, key): value for key, value in raw.get("suite", {}).items()})
        elif raw.get("format") == DETECTION:
            detections.append(raw)
        elif raw.get("format") in (EXPORT, PARITY, BENCH):
            others[raw["format"]] = raw
    metrics = path / "metrics.csv"
    curves = metrics if metrics.is_file() else None
    if not (evaluations or detections or others or curves):
        run = next((file.parent for file in sorted(path.glob("*/metrics.csv"))), None) if path.is_dir() else None
        hint = f"give one of its runs, such as {run}" if run else "`distill evaluate --json` makes one"
        raise AnnotationError(f"{path}: no evaluation, export or metrics in it; {hint}")
    export, parity, bench = (others.get(kind) for kind in (EXPORT, PARITY, BENCH))
    folder = path if path.is_dir() else None
    return Source(
        name or path.name.removesuffix(".json"), evaluations, suites, detections, export, parity, bench, curves, folder,
        _config(path / "config.yaml"), _summary(path / "summary.json"),
    )  # fmt: skip


def _config(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise AnnotationError(f"{file}: not readable YAML ({' '.join(str(error).split())[:100]})") from error
    return content if isinstance(content, dict) else {}


def _summary(file: Path) -> dict[str, Any]:
    return _read(file) if file.is_file() else {}


def _read(file: Path) -> dict[str, Any]:
    try:
        raw = json.loads(read_regular(file))
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
