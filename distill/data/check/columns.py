"""Short facts of all faces as an array, for checks that compare faces without having them in memory."""

import hashlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from distill.data.check.finding import SubsetCounts
from distill.data.records import FaceRecord, Labels
from distill.geometry import Box

_LABELS: tuple[Labels, ...] = get_args(Labels)
# 64 bits stand for a text; corners of the box are NaN where there is none.
_ROW = np.dtype(
    [
        ("name", "<u8"), ("image", "<u8"), ("group", "<u8"), ("subset", "<i4"), ("scheme", "<i4"), ("labels", "u1"),
        ("unmarked", "<i4"), ("hidden", "<i4"), ("box", "<f8", (4,)),
    ]
)  # fmt: skip


def number_of(text: str) -> int:
    """Return the 64 bits that stand for a text; two of a million texts have the same with a chance of 3e-8."""
    digest = hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def box_of(record: FaceRecord) -> Box | None:
    """Return the box by which a face is measured and compared."""
    return record.boxes.get("gt") or record.boxes.get("dataset")


class FaceColumns:
    """Facts of faces as columns: `columns["group"]` is (n,).

    Attributes:
        rows: (n,) of the fields above.
        subsets: names that the numbers in `subset` stand for.
    """

    def __init__(self, records: Sequence[FaceRecord]) -> None:
        self._subsets: dict[str, int] = {}
        self._schemes: dict[str, int] = {}
        self.rows = np.fromiter((self._row(record) for record in records), _ROW, len(records))
        self.subsets = list(self._subsets)

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.rows[name]

    def _row(self, record: FaceRecord) -> tuple[Any, ...]:
        subset = self._subsets.setdefault(record.subset, len(self._subsets))
        scheme = self._schemes.setdefault(record.scheme, len(self._schemes))
        texts = (number_of(text) for text in (record.name, str(record.image), record.group))
        unmarked, hidden = int((~record.known).sum()), int((record.known & ~record.visible).sum())
        box = box_of(record) or (np.nan,) * 4
        return (*texts, subset, scheme, _LABELS.index(record.labels), unmarked, hidden, box)

    @cached_property
    def repeated_names(self) -> NDArray[np.int64]:
        """Faces whose name another face has as well, ascending."""
        _, inverse, counts = np.unique(self["name"], return_inverse=True, return_counts=True)
        return np.flatnonzero(counts[inverse] > 1)

    def counts(self) -> dict[str, SubsetCounts]:
        """Return the counts of each subset by name, and of `all` last."""
        parts = {name: self.rows[self["subset"] == number] for name, number in sorted(self._subsets.items())}
        return {name: self._count(rows) for name, rows in [*parts.items(), ("all", self.rows)]}

    def _count(self, rows: NDArray[np.void]) -> SubsetCounts:
        schemes = list(self._schemes)
        labels = zip(*np.unique(rows["labels"], return_counts=True), strict=True)
        box = rows["box"][~np.isnan(rows["box"][:, 0])]
        sides = (box[:, 2:] - box[:, :2]).max(1)
        low, middle, high = (round(float(v), 1) for v in np.percentile(sides, (5, 50, 95))) if len(box) else (0.0,) * 3
        return SubsetCounts(
            faces=len(rows), photos=len(np.unique(rows["image"])), groups=len(np.unique(rows["group"])),
            scheme="+".join(sorted({Path(schemes[number]).stem for number in np.unique(rows["scheme"])})),
            labels=dict(sorted((_LABELS[label], int(count)) for label, count in labels)),
            unmarked_points=int(rows["unmarked"].sum()), hidden_points=int(rows["hidden"].sum()),
            face_px=(low, middle, high) if len(box) else None,
        )  # fmt: skip


def count_subsets(records: Sequence[FaceRecord]) -> dict[str, SubsetCounts]:
    """Return the counts of each subset by name, and of `all` last."""
    return FaceColumns(records).counts()


def find_repeated(columns: FaceColumns, records: Sequence[FaceRecord]) -> Iterator[tuple[str, int]]:
    """Yield each name that several faces have, with their number, in the order of the faces."""
    names = [records[int(index)].name for index in columns.repeated_names]
    yield from ((name, names.count(name)) for name in dict.fromkeys(names))
