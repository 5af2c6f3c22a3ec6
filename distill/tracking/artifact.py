"""Artifacts of the lineage: data sets, models, exported files, results and packages, each known by its SHA-256."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distill.files import sha256
from distill.pretrained.registry import checksums
from distill.tracking.run_folder import find_run

DATASET, MODEL, EXPORT = "dataset", "model", "export"
EVALUATION, CHECK, BENCH, SUBMISSION = "evaluation", "check", "bench", "submission"
# Types whose files a tracker receives; of all others it receives the description alone.
FILES_SENT = (MODEL, EXPORT, SUBMISSION)

_EXPORTED = (".onnx", ".tflite")


@dataclass(frozen=True)
class Artifact:
    """Something that a job reads or makes.

    Attributes:
        type: `dataset`, `model` (weights), `export` (ONNX or TFLite), `evaluation`, `check`, `bench` or `submission`.
        name: of the series of versions it belongs to, such as `student-best`.
        sha256: of the file, or `data_hash` of a data set; two artifacts with one hash are the same.
        aliases: names of this version: `best`, `released`, that of a contest.
        metadata: plain values: metrics, counts, sizes.
        path: the file, None for a data set; only its name is recorded.
    """

    type: str
    name: str
    sha256: str
    aliases: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    path: Path | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, without the folder of the file."""
        return {
            "type": self.type,
            "name": self.name,
            "sha256": self.sha256,
            "file": None if self.path is None else self.path.name,
            "aliases": list(self.aliases),
            "metadata": dict(self.metadata),
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> "Artifact":
        """Return a recorded artifact; its path is the bare file name.

        Raises:
            KeyError, TypeError: a field is missing or of another type.
        """
        path = None if raw["file"] is None else Path(raw["file"])
        aliases = tuple(str(alias) for alias in raw["aliases"])
        return cls(raw["type"], raw["name"], raw["sha256"], aliases, dict(raw["metadata"]), path)


def file_artifact(
    path: str | Path,
    type: str | None = None,
    aliases: Iterable[str] = (),
    metadata: Mapping[str, Any] | None = None,
) -> Artifact:
    """Return the artifact of a file.

    Args:
        path: of the file.
        type: by default `export` for ONNX and TFLite files and `model` for all others.
        aliases: of this version; `released` is added to the files of released models.
        metadata: the size in bytes is added.
    """
    path = Path(path)
    digest = sha256(path)
    if type is None:
        type = EXPORT if path.suffix in _EXPORTED else MODEL
    released = ("released",) if digest in checksums().values() else ()
    size = {"bytes": path.stat().st_size}
    names = tuple(dict.fromkeys(map(plain_name, (*aliases, *released))))
    return Artifact(type, _series(path), digest, names, {**size, **(metadata or {})}, path)


def dataset_artifact(name: str, digest: str, faces: int, scheme: str, **metadata: Any) -> Artifact:
    """Return the artifact of annotated faces; no photo and no annotation is part of it.

    Args:
        name: of the data set and its part.
        digest: `data_hash` of the faces.
        faces: their number.
        scheme: landmark scheme of the points.
        metadata: further plain values.
    """
    return Artifact(DATASET, plain_name(name), digest, (), {"faces": faces, "scheme": scheme, **metadata})


def plain_name(text: str) -> str:
    """Return a name that every tracker accepts: letters, digits, `_`, `-` and `.`, at most 100 of them."""
    return re.sub(r"[^\w.-]+", "-", text, flags=re.ASCII).strip("-.")[:100] or "unnamed"


def _series(path: Path) -> str:
    """Return `RUN-STEM` for a file of a run, else the stem of the file."""
    folder = find_run(path)
    return plain_name(path.stem if folder is None else f"{folder.name}-{path.stem}")
