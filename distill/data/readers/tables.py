"""Helpers of the readers: size-limited files, CSV rows with line numbers, photos by name, subsets."""

import csv
import io
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from distill.errors import AnnotationError, suggest

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".heic", ".heif")

# A whole public data set in one text file is below 100 MB; larger files are refused.
_MAX_BYTES = 500_000_000


def read_bytes(path: Path, max_bytes: int = _MAX_BYTES) -> bytes:
    """Read an annotation file.

    Raises:
        AnnotationError: missing, unreadable or larger than `max_bytes`.
    """
    try:
        size = path.stat().st_size
        if size > max_bytes:
            raise AnnotationError(f"{path}: {size} bytes are too many for {path.suffix or 'such'} labels; check it")
        return path.read_bytes()
    except OSError as error:
        raise AnnotationError(f"{path}: cannot be read ({error.strerror}); check the path") from error


def read_text(path: Path, max_bytes: int = _MAX_BYTES) -> str:
    """Read an annotation file as UTF-8 text, with or without byte order mark; raises AnnotationError."""
    data = read_bytes(path, max_bytes)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise AnnotationError(f"{path}: binary data, not text; copy or download it again") from error


def read_csv_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number, row) of a CSV whose header holds these columns; a row has all its cells.

    Raises:
        AnnotationError: unreadable, another header, or a row of another length.
    """
    # Splitlines would break at characters that are no line ends in CSV.
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""), restkey=None, restval=None, strict=True)
    try:
        header = reader.fieldnames or ()
        missing = [name for name in columns if name not in header]
        if missing:
            raise AnnotationError(
                f"{path}: no column {missing[0]!r}; the first line must hold {','.join(columns)[:200]}"
            )
        for row in reader:
            if None in row or None in row.values():
                raise AnnotationError(f"{path}: line {reader.line_num} has not {len(header)} cells; fix it")
            yield reader.line_num, row
    except csv.Error as error:
        raise AnnotationError(
            f"{path}: line {reader.line_num} is not CSV ({error}); copy or download it again"
        ) from error


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
    if not inside:
        raise AnnotationError(f"{source}: photo {relative[:60]!r} lies outside {root}; give a path within it")
    if not exists:
        raise AnnotationError(f"{source}: no photo {path}; copy it there or remove the face")
    return path


class PhotosByStem(dict[str, Path]):
    """Photos of a folder by file name without suffix.

    Reading a stem that several photos have raises AnnotationError: nothing says which of them was annotated.
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
    return PhotosByStem(path for path in photos if not path.name.startswith("."))


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
