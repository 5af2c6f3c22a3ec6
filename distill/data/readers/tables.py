"""Helpers of the readers: size-limited files, CSV rows with line numbers, photos by name, subsets."""

import codecs
import csv
import io
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from distill.errors import AnnotationError, suggest
from distill.files import read_regular, require_regular

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".heic", ".heif")

# A whole public data set in one text file is below 100 MB; larger files are refused.
_MAX_BYTES = 500_000_000

_LONGEST_NAME = 100  # characters of a photo's name in a message

_SEPARATORS = (",", ";", "\t")
# The first line by which Excel states the separator.
_SEPARATOR_LINE = re.compile(r"sep=.[\r\n]*$")
# Receives a row that is left out: its line number, its cells and what is wrong.
RowFault = Callable[[int, Mapping[str, str], AnnotationError], object]
_DECIMAL_COMMA = re.compile(r"^\s*([-+]?[0-9]+),([0-9]+)\s*$")


def read_bytes(path: Path, max_bytes: int = _MAX_BYTES) -> bytes:
    """Read an annotation file.

    Raises:
        AnnotationError: missing, unreadable or larger than `max_bytes`.
    """
    try:
        _require_size(path, max_bytes)
        return read_regular(path)
    except OSError as error:
        raise _unreadable(path, error) from error


def _require_size(path: Path, max_bytes: int) -> None:
    size = path.stat().st_size
    if size > max_bytes:
        raise AnnotationError(f"{path}: {size} bytes are too many for {path.suffix or 'such'} labels; check it")


def _unreadable(path: Path, error: OSError) -> AnnotationError:
    return AnnotationError(f"{path}: cannot be read ({error.strerror}); check the path")


def read_text(path: Path, max_bytes: int = _MAX_BYTES) -> str:
    """Read an annotation file as UTF-8 text, or as UTF-16 with a byte order mark; raises AnnotationError."""
    data = read_bytes(path, max_bytes)
    try:
        return data.decode(_encoding(data)).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        if b"\0" in data:
            raise AnnotationError(f"{path}: binary data, not text; copy or download it again") from error
        raise AnnotationError(f"{path}: not UTF-8 text at byte {error.start}; save it as UTF-8") from error


def _encoding(beginning: bytes) -> str:
    return "utf-16" if beginning.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"


def read_csv_rows(
    path: Path, columns: Sequence[str], on_fault: RowFault | None = None
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, row) of a CSV whose header holds these columns; a row has all its cells.

    Cells are separated by commas, semicolons or tabs: by what separates these columns in the header. Rows without any
    text are skipped. Beside semicolons and tabs a number may have a decimal comma, as spreadsheets write it.

    Args:
        path: the file.
        columns: names that the header must hold.
        on_fault: is called with each row of another length than the header, which is left out; by default the first
            one is raised.

    Raises:
        AnnotationError: unreadable, another header, a column twice, or, without `on_fault`, a row of another length.
    """
    with _open_text(path) as lines:
        yield from _rows(lines, columns, path, on_fault)


def _rows(
    lines: Iterator[str], columns: Sequence[str], path: Path, on_fault: RowFault | None
) -> Iterator[tuple[int, dict[str, str]]]:
    above = _to_header(lines)
    separator = _separator("".join(above[-1:]), columns)
    reader = csv.reader(chain(above, lines), delimiter=separator, strict=True)
    header: list[str] | None = None
    try:
        for row in reader:
            if not any(cell.strip() for cell in row) or (header is None and _SEPARATOR_LINE.match(separator.join(row))):
                continue
            if header is None:
                header = _checked_header([cell.strip() for cell in row], columns, path)
                continue
            if len(row) != len(header):
                fault = f"{len(row)} cells, not {len(header)} cells as the header; fix it"
                error = AnnotationError(f"{path} line {reader.line_num}: {fault}")
                if on_fault is None:
                    raise error
                on_fault(reader.line_num, dict(zip(header, row, strict=False)), error)
                continue
            cells = row if separator == "," else [_DECIMAL_COMMA.sub(r"\1.\2", cell) for cell in row]
            yield reader.line_num, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise AnnotationError(
            f"{path}: line {reader.line_num} is not CSV ({error}); copy or download it again"
        ) from error
    if header is None:
        _checked_header([], columns, path)


@contextmanager
def _open_text(path: Path) -> Iterator[Iterator[str]]:
    """Open an annotation file as lines with their ends, in the encodings of `read_text`; none of it is kept in memory.

    Raises:
        AnnotationError: as `read_text`, also while lines are read.
    """
    try:
        require_regular(path)
        _require_size(path, _MAX_BYTES)
        with path.open("rb") as file:
            encoding = _encoding(file.read(len(codecs.BOM_UTF16_LE)))
            file.seek(0)
            # Not `splitlines`, which breaks at characters that are no line ends in CSV.
            lines = io.TextIOWrapper(file, encoding, newline="")
            first = next(lines, "").removeprefix("\ufeff")
            yield chain([first], lines)
    except OSError as error:
        raise _unreadable(path, error) from error
    except UnicodeDecodeError:
        read_text(path)  # names the place in the whole file
        raise


def _to_header(lines: Iterator[str]) -> list[str]:
    """Return the lines of a table up to its header, or all where there is none."""
    above: list[str] = []
    for line in lines:
        above.append(line)
        if line.strip(",;\t \r\n") and not _SEPARATOR_LINE.match(line):
            break
    return above


def _separator(header: str, columns: Sequence[str]) -> str:
    """Return what separates the cells of a table: the separator that leaves most of `columns` in its header."""

    def known(separator: str) -> int:
        names = {name.strip().strip('"') for name in header.rstrip("\r\n").split(separator)}
        return len(names.intersection(columns))

    return max(_SEPARATORS, key=known)


def _checked_header(header: list[str], columns: Sequence[str], path: Path) -> list[str]:
    missing = [name for name in columns if name not in header]
    if missing:
        raise AnnotationError(f"{path}: no column {missing[0]!r}; the first line must hold {','.join(columns)[:200]}")
    twice = [name for name in header if name and header.count(name) > 1]
    if twice:
        raise AnnotationError(f"{path}: column {twice[0]!r} occurs twice; remove or rename one of them")
    return header


def to_number(text: str, what: str, source: Path) -> float:
    """Parse a finite number; `what` names it in the error."""
    try:
        value = float(text)
    except (ValueError, OverflowError) as error:
        raise AnnotationError(f"{source}: {what} is {text[:40]!r}, not a number; fix it") from error
    if not abs(value) <= sys.float_info.max:
        raise AnnotationError(f"{source}: {what} is {text[:40]!r}, not a finite number; fix it")
    return value


def photo_within(root: Path, relative: str, source: Path) -> Path:
    """Return the photo of this relative name below `root`, which must exist; nothing of it is read.

    Raises:
        AnnotationError: no such file, or a name that leads out of the folder.
    """
    name = relative.replace("\\", "/")
    try:
        path = root / name
        inside = bool(name) and path.resolve().is_relative_to(root.resolve())
        exists = inside and path.is_file()
    except (OSError, ValueError, RuntimeError) as error:  # NUL bytes, names too long, loops of links
        raise AnnotationError(f"{source}: photo name {relative[:60]!r} is not a file name; fix it") from error
    if not name:
        raise AnnotationError(f"{source}: a face without the name of its photo; write it or remove the face")
    if not inside:
        raise AnnotationError(f"{source}: photo {relative[:60]!r} lies outside {root}; give a path within it")
    if not exists:
        raise AnnotationError(f"{source}: no photo {root / _shortened(name)}; copy it there or remove the face")
    return path


def _shortened(name: str) -> str:
    """Return the name of a photo for a message: in a damaged file it may be anything."""
    return name if len(name) <= _LONGEST_NAME else f"{name[:60]}..."


class PhotosByStem(dict[str, Path]):
    """Photos of a folder by file name without suffix.

    Reading a stem that several photos have raises AnnotationError: it is unknown which of them was annotated.
    """

    def __init__(self, photos: Iterable[Path]) -> None:
        super().__init__()
        self._others: dict[str, Path] = {}
        for path in photos:
            if path.stem in self:
                self._others[path.stem] = path
            else:
                self[path.stem] = path

    def __getitem__(self, stem: str) -> Path:
        if stem in self._others:
            first, other = super().__getitem__(stem), self._others[stem]
            raise AnnotationError(
                f"{first}: {other.name} has the same name, so that its points fit either; move one of the photos away"
            )
        return super().__getitem__(stem)

    def get(self, stem: str, default: Path | None = None) -> Path | None:  # type: ignore[override]
        if stem not in self:
            return default
        return self[stem]


def photos_by_stem(folder: Path) -> Mapping[str, Path]:
    """The photos of a folder by file name without suffix; empty where there is no such folder."""
    if not folder.is_dir():
        return {}
    photos = (path for path in sorted(folder.iterdir()) if path.suffix.lower() in PHOTO_SUFFIXES)
    return PhotosByStem(path for path in photos if not path.name.startswith(".") and path.is_file())


def check_subsets(root: Path, subsets: Sequence[str] | None, known: Iterable[str]) -> list[str]:
    """Return the subsets to read: the requested ones, or all known, each once and in the order known.

    Raises:
        AnnotationError: a subset that is not there.
    """
    valid = list(dict.fromkeys(known))
    for subset in subsets or ():
        if subset not in valid:
            raise AnnotationError(f"{root}: no subset '{subset}': {suggest(subset, valid)}")
    return valid if subsets is None else [name for name in valid if name in subsets]
