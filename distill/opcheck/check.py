"""Operator check: whether an old TFLite runtime has every operator of a file, from the file alone.

Every node is looked up twice: its operator and version, and its element types and rank (tables.py). An operator that
is refused is explained (advice.py) and traced to the module of the network it came from (module_map.py).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from distill.errors import CheckpointError
from distill.opcheck.advice import advise
from distill.opcheck.module_map import module_map
from distill.opcheck.tables import Kind, Since, kind_of, limit_of, op_table
from distill.tflite.integrity import read_verified
from distill.tflite.model import Model, Operator
from distill.tflite.releases import COLUMNS, Release, parse_release, parse_version
from distill.tflite.serialization import read_model

_SHOWN = 3  # origins named in a reason


@dataclass(frozen=True)
class OpRow:
    """One operator in one version, and where element types or ranks matter, in one kind of them.

    Attributes:
        count: how many nodes use it.
        max_rank: highest rank of a tensor they touch.
        dtypes: element types of those tensors.
        since: first TensorFlow Lite release that takes it, or None when unknown.
        litert: first LiteRT release that takes it, or None when none known does.
        source: of that knowledge: a table of TensorFlow, or measured loads.
        verdict: `ok`, `too new`, `unknown` (version not in the table), `custom` (not part of any runtime, Flex too),
            `type` (the operator is there but does not take these types or this rank) or `constant` (it writes into
            stored values).
        why: what in a network leads to this operator.
        change: what to change in it.
        per_channel: some weights have one scale per channel.
        made_by: torch modules that made the nodes, or names of their tensors where a module is unknown.
        is_modules: whether `made_by` holds modules.
    """

    op: str
    version: int
    count: int
    max_rank: int
    dtypes: tuple[str, ...]
    since: str | None
    verdict: str
    litert: str | None
    source: str
    why: str
    change: str
    per_channel: bool
    made_by: tuple[str, ...]
    is_modules: bool

    @property
    def reason(self) -> str:
        """Why it fails, as text; empty when it passes."""
        label = f"{self.op} v{self.version}"
        return {
            "ok": "",
            "too new": f"{label} needs {self._needed} (rank {self.max_rank}, {self.count} nodes)",
            "unknown": f"{label} is in no release known here",
            "custom": f"{label} is not a builtin operator: no plain runtime has it",
            "type": f"{label} of {' and '.join(self.dtypes)}, rank {self.max_rank}, needs {self._needed} "
            f"({self.count} nodes)",
            "constant": f"{label} writes into stored values, which needs {self._needed} ({self.count} nodes)",
        }[self.verdict]

    @property
    def _needed(self) -> str:
        return self.since or (f"LiteRT {self.litert}" if self.litert else "a release not known here")

    @property
    def explanation(self) -> str:
        """The reason, its origin, why it is so and what to change, as sentences; empty when it passes."""
        if self.verdict == "ok":
            return ""
        more = f" and {len(self.made_by) - _SHOWN} more" if len(self.made_by) > _SHOWN else ""
        label = "Made by" if self.is_modules else "Tensors"
        where = f" {label} {', '.join(self.made_by[:_SHOWN])}{more}." if self.made_by else ""
        known = f" [{self.source}]" if self.source else ""
        return f"{self.reason}.{where} Why: {self.why}. Change: {self.change}.{known}"


@dataclass(frozen=True)
class OpReport:
    """Every operator of a model against one runtime.

    Attributes:
        runtime: the requested release.
        min_runtime: the oldest TensorFlow Lite that takes every operator, None when one is custom or unknown.
        declared: the oldest release according to a note in the file.
        min_litert: the oldest LiteRT that takes every operator.
    """

    model: str
    runtime: str
    rows: tuple[OpRow, ...]
    min_runtime: str | None
    declared: str | None
    min_litert: str | None = None

    @property
    def failures(self) -> list[str]:
        return [row.reason for row in self.rows if row.verdict != "ok"]

    @property
    def explanations(self) -> list[str]:
        return [row.explanation for row in self.rows if row.verdict != "ok"]

    @property
    def passed(self) -> bool:
        return not self.failures

    @property
    def exit_status(self) -> int:
        return 0 if self.passed else 1

    def passes(self, release: str) -> bool:
        """Whether another release has every operator.

        Raises:
            ConfigError: not a release.
        """
        return all(_has(parse_release(release), row) for row in self.rows)

    def matrix(self) -> dict[str, bool]:
        """Return for every release whether it has every operator."""
        return {release: self.passes(release) for release in COLUMNS}

    def to_dict(self) -> dict[str, Any]:
        summary = {"passed": self.passed, "failures": self.failures, "explanations": self.explanations}
        return asdict(self) | summary | {"matrix": self.matrix()}


def check_model(path: str | Path, runtime: str, onnx: str | Path | None = None, sha256: str | None = None) -> OpReport:
    """Check every operator of a TFLite file against a runtime's release.

    Args:
        runtime: `2.11`, `2.11.0`, `litert` or `litert-2.1.0`.
        onnx: the ONNX file it was made from, whose names state the module of a node; the one beside a file of
            `distill export` is found.
        sha256: the hash the file must have, as hex; None for that of its sidecar.

    Raises:
        CheckpointError: the file is missing, not a TFLite file or damaged, or not the one its sidecar belongs to.
        ConfigError: `runtime` is not a release.
    """
    target, path = parse_release(runtime), Path(path)
    model = read_model(read_verified(path, sha256), str(path))
    if not model.operators:
        raise CheckpointError(f"{path}: a TFLite file without a single operator; export the model again")
    rows = _rows(model.operators, module_map(model, onnx or _onnx_beside(path)), target)
    return OpReport(
        path.name, runtime, rows, _oldest([row.since for row in rows]), model.min_runtime,
        _oldest([row.litert for row in rows]),
    )  # fmt: skip


def oldest_release(model: Model) -> str | None:
    """Return the oldest TensorFlow Lite that has every operator of a model, None when one is custom or unknown."""
    rows = _rows(model.operators, [None] * len(model.operators), parse_release("litert"))
    return _oldest([row.since for row in rows])


def _onnx_beside(path: Path) -> Path | None:
    """Return the ONNX file `distill export` leaves beside `NAME_KIND.tflite`."""
    stem = path.stem.rpartition("_")[0]
    return beside if stem and (beside := path.with_name(f"{stem}.onnx")).is_file() else None


def _oldest(known: Sequence[str | None]) -> str | None:
    """Return the newest of the first releases, None when one is unknown."""
    releases = [since for since in known if since is not None]
    return max(releases, key=parse_version) if len(releases) == len(known) else None


def _has(release: Release, row: OpRow | Since) -> bool:
    since = row.since if isinstance(row, OpRow) else row.tflite
    return release.has(since if release.family == "tflite" else row.litert)


def _rows(nodes: Sequence[Operator], modules: Sequence[str | None], target: Release) -> tuple[OpRow, ...]:
    groups: dict[tuple[str, int, Kind | None], list[tuple[Operator, str | None]]] = defaultdict(list)
    for node, module in zip(nodes, modules, strict=True):
        kind = kind_of(node) if limit_of(node) else None
        groups[node.op, node.version, kind].append((node, module))
    order = sorted(groups, key=lambda key: (key[0], key[1], str(key[2])))
    return tuple(_row(key[0], key[1], groups[key], target) for key in order)


def _row(op: str, version: int, members: Sequence[tuple[Operator, str | None]], target: Release) -> OpRow:
    nodes = [node for node, _ in members]
    # Custom operators have no versions of their own: a runtime has the code or not.
    by_version = op_table().get((op, 1 if op.startswith("CUSTOM:") else version))
    by_type = limit_of(nodes[0])
    known = by_version
    verdict = "custom" if op.startswith("CUSTOM:") else "unknown"
    if by_version is not None:
        verdict = "ok" if _has(target, by_version) else "too new"
        if by_type is not None:
            known = Since(
                _oldest([by_version.tflite, by_type.tflite]),
                _oldest([by_version.litert, by_type.litert]),
                by_type.source,
            )
            if verdict == "ok" and not _has(target, by_type):
                verdict = "constant" if nodes[0].outputs and nodes[0].outputs[0].buffer is not None else "type"
    tensors = [tensor for node in nodes for tensor in node.tensors]
    advice = advise(op, version, verdict)
    is_modules = all(module is not None for _, module in members)
    made_by = [module or "the top level" if is_modules else _label(node) for node, module in members]
    return OpRow(
        op, version, len(nodes), max((len(tensor.shape) for tensor in tensors), default=0),
        tuple(sorted({tensor.dtype for tensor in tensors})), known.tflite if known else None, verdict,
        known.litert if known else None, known.source if known else "", advice.why, advice.change,
        any(tensor.n_scales > 1 for tensor in tensors), tuple(dict.fromkeys(made_by)), is_modules,
    )  # fmt: skip


def _label(node: Operator) -> str:
    """Return the name of a node's result, the only hint in a file of another converter."""
    name = node.outputs[0].name if node.outputs else ""
    return f"'{name[-60:]}'" if name else "without a name"
