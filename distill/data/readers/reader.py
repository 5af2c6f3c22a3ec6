"""Interface of a data format's reader."""

from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from pathlib import Path
from typing import Protocol

from distill.data.records import FaceRecord
from distill.errors import DistillError


class Reader(Protocol):
    """Function that reads the faces of a data set.

    It builds every face with `records.make_record`, which validates it, in an order that does not depend on the
    machine, and gives faces of one photo or person the same `group`. Faults raise `AnnotationError`: one line with the
    file, the cause and the next step.
    """

    def __call__(self, root: Path, subsets: Sequence[str] | None = None, scheme: str | None = None) -> list[FaceRecord]:
        """Read the faces below `root`.

        Args:
            root: folder of the data set, which exists.
            subsets: names as the format defines them; None reads everything.
            scheme: scheme requested by the user, a hint for formats that do not define their own. Records may be in
                any scheme; `read_faces` converts them.
        """


# Receives a face that cannot be read: its name, its photo (None where it has none), and what is wrong.
FaceFault = Callable[[str, Path | None, DistillError], object]


class StreamedReader(Protocol):
    """Function that yields the faces of a data set one by one, of which a million are never in memory."""

    def __call__(
        self,
        root: Path,
        subsets: Sequence[str] | None = None,
        scheme: str | None = None,
        on_fault: FaceFault | None = None,
    ) -> Iterator[FaceRecord]:
        """Yield the faces below `root`.

        Args:
            root: folder of the data set, which exists.
            subsets: as of `Reader`.
            scheme: as of `Reader`.
            on_fault: is called with each face that cannot be read, which is left out; by default the first one is
                raised.
        """


def with_own_scheme(read: Callable[[Path, Sequence[str] | None], list[FaceRecord]]) -> Reader:
    """Decorator of readers whose files define the scheme of their points: it ignores `scheme`."""

    @wraps(read)
    def reader(root: Path, subsets: Sequence[str] | None = None, scheme: str | None = None) -> list[FaceRecord]:
        del scheme
        return read(root, subsets)

    return reader
