"""Readers of annotated data sets: one module per format, each returns `FaceRecord`s."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from distill.data.readers.aflw import read_aflw
from distill.data.readers.coco import read_coco
from distill.data.readers.cofw import read_cofw
from distill.data.readers.csv_points import iterate_csv_points, read_csv_points
from distill.data.readers.dlib_xml import read_dlib_xml
from distill.data.readers.face_synthetics import read_face_synthetics
from distill.data.readers.lapa import read_lapa
from distill.data.readers.manifest import iterate_manifest, read_manifest
from distill.data.readers.muct import read_muct
from distill.data.readers.reader import FaceFault, Reader, StreamedReader, with_own_scheme
from distill.data.readers.udacity import read_udacity
from distill.data.readers.w300 import read_300w
from distill.data.readers.webmorph import read_webmorph
from distill.data.readers.wflw import read_wflw
from distill.data.readers.wider import read_wider
from distill.data.records import FaceRecord
from distill.data.store_sums import require_unchanged_annotations, require_unchanged_photos, store_list
from distill.errors import AnnotationError, ConfigError, suggest
from distill.landmarks import scheme_name

_LOG = logging.getLogger(__name__)
# Menpo and IVSFD are laid out as 300-W is; they are listed so that their names are found.
_FORMATS: dict[str, Reader] = {
    "300w": read_300w,
    "aflw": read_aflw,
    "coco": read_coco,
    "cofw": read_cofw,
    "csv": read_csv_points,
    "dlib": read_dlib_xml,
    "face_synthetics": read_face_synthetics,
    "ivsfd": read_300w,
    "lapa": read_lapa,
    "manifest": read_manifest,
    "menpo": read_300w,
    "muct": read_muct,
    "udacity": read_udacity,
    "webmorph": read_webmorph,
    "wflw": read_wflw,
    "wider": read_wider,
}
FORMATS: Mapping[str, Reader] = MappingProxyType(_FORMATS)
# Formats of millions of faces: the same faces, one by one.
STREAMED: Mapping[str, StreamedReader] = MappingProxyType({"csv": iterate_csv_points, "manifest": iterate_manifest})

__all__ = [
    "FORMATS",
    "STREAMED",
    "FaceFault",
    "Reader",
    "StreamedReader",
    "iterate_faces",
    "parse_subsets",
    "read_annotated",
    "read_faces",
    "register_format",
    "with_own_scheme",
]


def register_format(name: str, reader: Reader) -> Reader:
    """Add a data format, for `--data.format NAME`; returns the reader.

    Raises:
        ConfigError: the name is in use.
    """
    if name in _FORMATS:
        raise ConfigError(f"data format '{name}' is registered already; choose another name")
    _FORMATS[name] = reader
    return reader


def parse_subsets(text: str | None) -> tuple[str, ...] | None:
    """`helen/testset+lfpw/testset` -> both names; nothing, or `all`, -> None, which means every subset."""
    if text is None or text.strip() in ("", "all"):
        return None
    subsets = tuple(part.strip().strip("/") for part in text.split("+"))
    if not all(subsets):
        raise ConfigError(f"subset '{text}' has an empty part: write names joined by '+', like helen/testset+afw")
    return subsets


def report_turned(records: Sequence[FaceRecord], root: Path) -> None:
    """Warn, in one line, of annotations that were turned with their photos."""
    if turned := sum(record.turned for record in records):
        _LOG.warning(
            "%s: %d of %d faces are annotated in the stored pixels of photos that their orientation tag turns; "
            "their points were turned as well",
            root,
            turned,
            len(records),
        )


def read_faces(
    format: str, root: str | Path, subsets: Sequence[str] | None = None, scheme: str | None = None
) -> list[FaceRecord]:
    """Read the faces of a data set, in an order that does not depend on the machine.

    Args:
        format: a name in `FORMATS`.
        root: folder of the data set.
        subsets: names as the format defines them; None reads everything.
        scheme: landmark scheme of the records; None keeps what is on disk. Points are converted where need be.

    Raises:
        ConfigError: unknown format, or a scheme the points on disk cannot be turned into.
        AnnotationError: no such folder, nothing in it, no such subset, a broken annotation, or a prepared store whose
            files are no longer those of its checksums.
        ImageError: a photo that cannot be opened.
    """
    if format == "shards":
        raise ConfigError("shards are read by trainings alone: name the data set that they were packed from")
    if format not in FORMATS:
        raise ConfigError(f"unknown data format '{format}': {suggest(format, list(FORMATS))}")
    root = Path(root)
    require_root(root, format)
    if next(root.iterdir(), None) is None:
        raise AnnotationError(f"{root}: the folder is empty; copy the {format} data there")
    scheme = scheme if scheme is None else scheme_name(scheme)
    records = _read(format, root, subsets, scheme)
    if not records:
        raise AnnotationError(f"{root}: no face of the {format} data in it; check the folder and the subsets")
    name, count = Counter(record.name for record in records).most_common(1)[0]
    if count > 1:
        raise AnnotationError(f"{root}: {count} faces are called '{name}'; give each its own name")
    report_turned(records, root)
    return records if scheme is None else [record.in_scheme(scheme) for record in records]


def iterate_faces(
    format: str, root: Path, subsets: Sequence[str] | None = None, scheme: str | None = None
) -> Iterator[FaceRecord]:
    """Yield the faces of `read_faces` in its order; millions in a manifest or a CSV are never held in memory.

    Raises:
        As `read_faces`; of a manifest or CSV, two faces of one name are accepted.
    """
    if format not in STREAMED or store_list(root) is not None or not root.is_dir():
        yield from read_faces(format, root, subsets, scheme)
        return
    for record in STREAMED[format](root, subsets, scheme if scheme is None else scheme_name(scheme)):
        yield record if scheme is None else record.in_scheme(scheme)


def require_root(root: Path, format: str) -> None:
    """Check that the root of a data set is a folder.

    Raises:
        AnnotationError: it is missing, or a file.
    """
    if root.is_file():
        raise AnnotationError(f"{root}: a file; give the folder that holds the {format} data")
    if not root.is_dir():
        raise AnnotationError(f"{root}: no such folder; --data.root names that of the {format} data")


def read_annotated(
    format: str, root: str | Path, subsets: Sequence[str] | None = None, scheme: str | None = None
) -> list[FaceRecord]:
    """Read the faces with the points they were annotated with, in whatever scheme those are.

    Args:
        format: a name in `FORMATS`.
        root: folder of the data set.
        subsets: names as the format defines them; None reads everything.
        scheme: scheme of the points, for files that only number them.

    Raises:
        As `read_faces`.
    """
    try:
        return read_faces(format, root, subsets)
    except ConfigError:
        if scheme is None or format not in FORMATS:
            raise
    return _read(format, Path(root), subsets, scheme)


def _read(format: str, root: Path, subsets: Sequence[str] | None, scheme: str | None) -> list[FaceRecord]:
    """Read the faces; the files of a prepared store are compared with its checksums."""
    if format != "manifest":
        return FORMATS[format](root, subsets, scheme)
    require_unchanged_annotations(root)
    records = FORMATS[format](root, subsets, scheme)
    require_unchanged_photos(root, records)
    return records
