"""Annotated photos from disk: one file per format, all of them give `FaceRecord`s."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from distill.data.readers.manifest import read_manifest
from distill.data.readers.w300 import read_300w
from distill.data.records import FaceRecord
from distill.errors import AnnotationError, ConfigError, suggest

Reader = Callable[[Path, Sequence[str] | None, str | None], list[FaceRecord]]

FORMATS: Mapping[str, Reader] = MappingProxyType({"300w": read_300w, "manifest": read_manifest})

__all__ = ["FORMATS", "Reader", "parse_subsets", "read_faces"]


def parse_subsets(text: str | None) -> tuple[str, ...] | None:
    """`helen/testset+lfpw/testset` -> both names; nothing, or `all`, -> None, which means every subset."""
    if text is None or text.strip() in ("", "all"):
        return None
    subsets = tuple(part.strip().strip("/") for part in text.split("+"))
    if not all(subsets):
        raise ConfigError(f"subset '{text}' has an empty part: write names joined by '+', like helen/testset+afw")
    return subsets


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
        AnnotationError: no such folder, nothing in it, no such subset, or a broken annotation.
        ImageError: a photo that cannot be opened.
    """
    if format not in FORMATS:
        raise ConfigError(f"unknown data format '{format}': {suggest(format, list(FORMATS))}")
    root = Path(root)
    if not root.is_dir():
        raise AnnotationError(f"{root}: no such folder; give the root of the {format} data")
    if next(root.iterdir(), None) is None:
        raise AnnotationError(f"{root}: the folder is empty; copy the {format} data there")
    records = FORMATS[format](root, subsets, scheme)
    name, count = Counter(record.name for record in records).most_common(1)[0]
    if count > 1:
        raise AnnotationError(f"{root}: {count} faces are called '{name}'; give each its own name")
    return records if scheme is None else [record.in_scheme(scheme) for record in records]
