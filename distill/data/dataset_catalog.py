"""Catalog of public data sets: source, terms of use, and verification of a downloaded copy."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from distill.data.check.finding import Finding
from distill.errors import AnnotationError
from distill.files import sha256

if TYPE_CHECKING:
    from rich.table import Table

_TABLE = Path(__file__).with_name("public_sets.yaml")

_AGAIN = "download or unpack it again, at this path"
_PART = "fine if you mean to use a part; numbers on it do not compare with published ones"


@dataclass(frozen=True)
class Files:
    """Files a whole copy holds.

    Attributes:
        pattern: glob from the root of the set.
        count: how many files fit it.
        lines: of each such text file, where known.
        sha256: of the one file, where known.
        optional: whether a copy without them is whole too.
    """

    pattern: str
    count: int
    lines: int | None = None
    sha256: str | None = None
    optional: bool = False


@dataclass(frozen=True)
class CatalogEntry:
    """One public data set; `files` lists what a complete copy holds, as far as it is known."""

    name: str
    title: str
    url: str
    terms: str
    format: str
    scheme: str
    faces: str
    files: tuple[Files, ...] = ()


def load_catalog() -> Mapping[str, CatalogEntry]:
    """Return the data sets of the table by name."""
    table: dict[str, dict[str, Any]] = yaml.safe_load(_TABLE.read_text(encoding="utf-8"))
    return {
        name: CatalogEntry(name=name, files=tuple(Files(**files) for files in entry.pop("files", ())), **entry)
        for name, entry in table.items()
    }


def overview(sources: Mapping[str, CatalogEntry]) -> "Table":
    """All data sets in a table."""
    from rich.table import Table

    table = Table(title="public sets of faces with landmarks", show_lines=True)
    for name in ("name", "faces", "points", "terms", "where"):
        table.add_column(name, overflow="fold")
    for source in sources.values():
        table.add_row(source.name, source.faces, source.scheme, source.terms, source.url)
    return table


def describe(source: CatalogEntry) -> str:
    """All that is known of one data set, as lines."""
    expected = [f"  {files.pattern}: {_wanted(files)}" for files in source.files]
    return "\n".join(
        [
            source.title,
            f"where: {source.url}",
            f"terms: {source.terms}",
            f"faces: {source.faces}",
            f"read with: --data.format {source.format} (points: {source.scheme})",
            *(["a whole copy holds:", *expected] if expected else []),
        ]
    )


def _wanted(files: Files) -> str:
    lines = f" of {files.lines} lines" if files.lines else ""
    return f"{files.count} file{'s' * (files.count != 1)}{lines}" + (", optional" if files.optional else "")


def _count_lines(path: Path) -> int:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise AnnotationError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    return text.count(b"\n") + (not text.endswith(b"\n") and bool(text))


def _verify_files(files: Files, root: Path) -> Iterator[Finding]:
    matching = sorted(path for path in root.glob(files.pattern) if path.is_file())
    if not matching:
        if not files.optional:
            yield Finding("error", "source", files.pattern, "no such file", _AGAIN)
        return
    if len(matching) != files.count:
        what = f"{len(matching)} files where the published set has {files.count}"
        yield Finding("warning", "source", files.pattern, what, _PART)
    for path in matching if files.lines or files.sha256 else ():
        name = path.relative_to(root).as_posix()
        if files.lines and (lines := _count_lines(path)) != files.lines:
            yield Finding("warning", "source", name, f"{lines} lines where the published file has {files.lines}", _PART)
        if files.sha256 and sha256(path) != files.sha256:
            yield Finding("warning", "source", name, "not the published bytes", _PART)


def verify(source: CatalogEntry, root: Path) -> Iterator[Finding]:
    """Compare a folder with what a whole copy of the set holds: missing is an error, other counts a warning.

    Raises:
        AnnotationError: no such folder, or nothing is known of this set's files.
    """
    if not root.is_dir():
        raise AnnotationError(f"{root}: no such folder; unpack {source.name} there")
    if not source.files:
        raise AnnotationError(f"{source.name}: no count of its files is known; check it with `distill data check`")
    for files in source.files:
        yield from _verify_files(files, root)
