"""Read a data set that has errors: return all valid faces and a finding for each invalid one.

Readers stop at the first fault, as training must. Those of manifests and CSVs report single faces here and go on. For
other formats the file that was named is left out and the rest read again, from a folder of links, as often as needed.
Where one file holds many faces, as that of COCO does, that is not possible: then the error is reported and no faces are
returned.
"""

import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from distill.data.check.finding import Finding
from distill.data.readers import FORMATS, STREAMED, StreamedReader
from distill.data.records import FaceRecord
from distill.data.spilled import Spilled
from distill.errors import AnnotationError, ConfigError, DistillError

_TODO = "fix, replace or remove the file"
_FACE = "fix the face, or remove it and its photo"
_MORE = "fix the first ones and check again: there may be more"
# One file of many faces is not left out with all of them.
_TABLES = (".csv", ".json", ".xml", ".mat", ".sqlite", ".yaml", ".yml")
_LISTS = ("label.txt",)


def _named(message: str, view: Path) -> Path | None:
    """The file below `view` an error message begins with, if leaving it out leaves out one photo only."""
    text = message
    while text:
        path = Path(text)
        try:
            is_file = path.is_relative_to(view) and path.is_file()
        except (OSError, ValueError):
            is_file = False
        if is_file:
            is_table = path.suffix.lower() in _TABLES or path.name in _LISTS or path.name.startswith("list_")
            return None if is_table else path
        text = text.rpartition(":")[0]
    return None


def _without(root: Path, view: Path, left_out: set[Path]) -> None:
    """Fill `view` with links to everything in `root` but these files and what has their name with another suffix."""
    stems = {(path.parent, path.name.partition(".")[0].removesuffix("_ldmks")) for path in left_out}
    for path in root.rglob("*"):
        relative = path.relative_to(root)
        if path.is_dir():
            (view / relative).mkdir(parents=True, exist_ok=True)
        elif (relative.parent, path.name.partition(".")[0].removesuffix("_ldmks")) not in stems:
            (view / relative).parent.mkdir(parents=True, exist_ok=True)
            (view / relative).symlink_to(path.resolve())


class SoundFaces(NamedTuple):
    """What could be read of a data set.

    Attributes:
        faces: valid faces.
        findings: one for each fault.
        photos: of faces that are not valid.
        complete: whether it was read to its end.
    """

    faces: Sequence[FaceRecord]
    findings: list[Finding]
    photos: frozenset[Path] = frozenset()
    complete: bool = True


def read_sound(format: str, root: Path, subsets: Sequence[str] | None, scheme: str | None) -> SoundFaces:
    """Read the valid faces of a data set, with a finding of severity error for each fault.

    Raises:
        ConfigError: the requested scheme or format is invalid: not the fault of a file.
    """
    if format in STREAMED:
        return _read_streamed(STREAMED[format], root, subsets, scheme)
    return read_all_sound(FORMATS[format], root, subsets, scheme)


def _read_streamed(reader: StreamedReader, root: Path, subsets: Sequence[str] | None, scheme: str | None) -> SoundFaces:
    findings: list[Finding] = []
    photos: set[Path] = set()

    def report(name: str, photo: Path | None, error: DistillError) -> None:
        text = str(error).replace(f"{root}/", "")
        if photo is not None:
            photos.add(photo)
        findings.append(Finding("error", "unreadable", name, text.removeprefix(f"{name}: "), _FACE))

    try:
        faces = Spilled(reader(root, subsets, scheme, report))
    except ConfigError:
        raise
    except DistillError as error:
        text = str(error).replace(f"{root}/", "")
        file = text.partition(":")[0]
        findings.append(Finding("error", "unreadable", file, text.removeprefix(f"{file}: "), _TODO))
        return _stopped(findings)
    return SoundFaces(faces, findings, frozenset(photos))


def _stopped(findings: list[Finding]) -> SoundFaces:
    return SoundFaces(
        [], [*findings, Finding("error", "unreadable", ".", "reading stopped here", _MORE)], complete=False
    )


def read_all_sound(
    reader: Callable[[Path, Sequence[str] | None, str | None], Iterable[FaceRecord]],
    root: Path,
    subsets: Sequence[str] | None,
    scheme: str | None,
    limit: int = 20,
) -> SoundFaces:
    """Return the faces that can be read and a finding of severity error for each file, at most `limit`, that cannot.

    Raises:
        ConfigError: the requested scheme or format is invalid: not the fault of a file.
    """
    findings: list[Finding] = []
    left_out: set[Path] = set()
    view = root
    while True:
        with tempfile.TemporaryDirectory() as folder:
            if left_out:
                view = Path(folder)
                _without(root, view, left_out)
            try:
                return SoundFaces(
                    Spilled(_at(record, view, root) for record in reader(view, subsets, scheme)), findings
                )
            except ConfigError:
                raise
            except DistillError as error:
                message = str(error)
                path = _named(str(error), view)
                text = message.replace(f"{view}/", "")
                if findings and _nothing_left(error, message):
                    return SoundFaces([], findings)
                file = path.relative_to(view).as_posix() if path else text.partition(":")[0]
                # A table that names a photo which was left out is no further fault.
                if path is not None or not left_out:
                    findings.append(Finding("error", "unreadable", file, text.removeprefix(f"{file}: "), _TODO))
                if path is None or len(findings) >= limit:
                    return _stopped(findings)
                left_out.add(path.relative_to(view))


def _nothing_left(error: DistillError, message: str) -> bool:
    """Whether the reader fails only because leaving out the broken files left none."""
    return isinstance(error, AnnotationError) and ": no " in message and " in it" in message


def _at(record: FaceRecord, view: Path, root: Path) -> FaceRecord:
    return record if view == root else replace(record, image=root / record.image.relative_to(view))
