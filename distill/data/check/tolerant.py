"""Read a data set that has errors: return all valid faces and a finding for each invalid one.

Readers stop at the first fault, as training must. Here the file that was named is left out and the rest read again,
from a folder of links, as often as needed. Where one file holds many faces, as a CSV does, that is not possible: then
the error is reported and no faces are returned.
"""

import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from distill.data.check.finding import Finding
from distill.data.records import FaceRecord
from distill.data.spilled import Spilled
from distill.errors import AnnotationError, ConfigError, DistillError

_TODO = "fix, replace or remove the file"
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


def read_all_sound(
    reader: Callable[[Path, Sequence[str] | None, str | None], Iterable[FaceRecord]],
    root: Path,
    subsets: Sequence[str] | None,
    scheme: str | None,
    limit: int = 20,
) -> tuple[Sequence[FaceRecord], list[Finding]]:
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
                return Spilled(_at(record, view, root) for record in reader(view, subsets, scheme)), findings
            except ConfigError:
                raise
            except DistillError as error:
                message = str(error)
                path = _named(str(error), view)
                text = message.replace(f"{view}/", "")
                if findings and _nothing_left(error, message):
                    return [], findings
                file = path.relative_to(view).as_posix() if path else text.partition(":")[0]
                # A table that names a photo which was left out is no further fault.
                if path is not None or not left_out:
                    findings.append(Finding("error", "unreadable", file, text.removeprefix(f"{file}: "), _TODO))
                if path is None or len(findings) >= limit:
                    findings.append(Finding("error", "unreadable", ".", "reading stopped here", _MORE))
                    return [], findings
                left_out.add(path.relative_to(view))


def _nothing_left(error: DistillError, message: str) -> bool:
    """Whether the reader fails only because leaving out the broken files left none."""
    return isinstance(error, AnnotationError) and ": no " in message and " in it" in message


def _at(record: FaceRecord, view: Path, root: Path) -> FaceRecord:
    return record if view == root else replace(record, image=root / record.image.relative_to(view))
