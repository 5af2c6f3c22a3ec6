"""Faces of shards: a sequence of records that are made of rows of the index when they are needed."""

import hashlib
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from distill.data.box_sources import BOX_SOURCES
from distill.data.records import FaceRecord
from distill.data.shards.index import ShardIndex, key_of, open_index, release
from distill.data.shards.rows import CONTENT, LABELS, Rows, boxes_of
from distill.data.shards.storage import INDEX
from distill.errors import AnnotationError
from distill.files import write_bytes
from distill.images import Photo, decode_image
from distill.landmarks import convert, scheme_name
from distill.landmarks.convert import convert_visibility

# Rows that are hashed at once.
_BLOCK = 1 << 16
_LONGEST_NAME = 100  # characters of a name in a message


def open_shards(root: Path, window: int = 8, max_gb: float = 100.0) -> "ShardFaces":
    """Return all faces of a folder of shards.

    Args:
        root: the folder, or the URL as a path.
        window: shards whose faces are mixed in the order of an epoch.
        max_gb: room for copies of shards at a URL.

    Raises:
        AnnotationError: as `open_index`.
    """
    shards = open_index(root, max_gb)
    return ShardFaces(shards, np.arange(sum(len(rows) for rows in shards.rows)), shards.about["scheme"], window)


class ShardFaces(Sequence[FaceRecord]):
    """Faces of shards; records are made on access and convert to `scheme`.

    Args:
        shards: their index.
        faces: numbers of the faces of this sequence, ascending.
        scheme: landmark scheme of the records.
        window: shards whose faces are mixed in the order of an epoch.
    """

    def __init__(self, shards: ShardIndex, faces: NDArray[np.int64], scheme: str, window: int) -> None:
        self.shards, self.faces, self.scheme, self.window = shards, faces, scheme, window
        self._shard_of = np.searchsorted(shards.starts, faces, side="right") - 1

    def __len__(self) -> int:
        return len(self.faces)

    @overload
    def __getitem__(self, item: int) -> FaceRecord: ...
    @overload
    def __getitem__(self, item: slice) -> "ShardFaces": ...
    def __getitem__(self, item: int | slice) -> "FaceRecord | ShardFaces":
        if isinstance(item, slice):
            return self.select(np.arange(len(self))[item])
        shard = int(self._shard_of[item])
        face = int(self.faces[item] - self.shards.starts[shard])
        return self._record(self.shards.rows[shard][face], shard, face)

    def _record(self, row: Any, shard: int, face: int) -> FaceRecord:
        stored = self.shards.about["scheme"]
        k = row["points"].shape[0]
        flags = [np.unpackbits(row[name], count=k).astype(bool) for name in ("known", "visible")]
        points = np.array(row["points"])
        if stored != self.scheme:
            points = convert(points, stored, self.scheme)
            flags = [convert_visibility(values, stored, self.scheme) for values in flags]
        key, tar = key_of(shard, face), self.shards.about["shards"][shard]["name"]
        return FaceRecord(
            name=f"{tar}/{key}", image=self.shards.storage.root / tar / f"{key}.jpg",
            landmarks=points, known=flags[0], visible=flags[1], scheme=self.scheme, boxes=boxes_of(row),
            group=f"{int(row['group']):016x}", subset=bytes(row["subset"]).decode(), labels=LABELS[row["labels"]],
        )  # fmt: skip

    def in_scheme(self, scheme: str) -> "ShardFaces":
        """Return the same faces with their points in another scheme.

        Raises:
            ConfigError: they cannot be converted.
        """
        scheme = scheme_name(scheme)
        if len(self) and scheme != self.scheme:
            convert(np.array(self.shards.rows[0]["points"][0]), self.shards.about["scheme"], scheme)
        return ShardFaces(self.shards, self.faces, scheme, self.window)

    def select(self, chosen: NDArray[Any]) -> "ShardFaces":
        """Return some of the faces, by a mask or by ascending positions."""
        return ShardFaces(self.shards, self.faces[chosen], self.scheme, self.window)

    def column(self, name: str) -> NDArray[Any]:
        """Return one field of the rows of these faces."""
        values = self.shards.column(name)
        return values if len(values) == len(self) else values[self.faces]

    def has_box(self, sources: Iterable[str]) -> NDArray[np.bool_]:
        """Return for each face whether it has a box of one of these sources."""
        columns = [BOX_SOURCES.index(source) for source in sources]
        return np.asarray(~np.isnan(self.column("boxes")[:, columns, 0]).all(1))

    def has_points(self) -> NDArray[np.bool_]:
        """Return for each face whether a point of it is annotated."""
        return np.asarray(self.column("known").any(1))

    def photos(self) -> NDArray[np.void]:
        """Return the SHA-256 of the files that the faces were cut out of, each once, sorted; (photos,) of 32 bytes."""
        return np.unique(np.ascontiguousarray(self.column("photo")).view("V32")[:, 0])

    def blocks(self) -> Iterator[Rows]:
        """Yield copies of the rows of the faces in order, some at a time."""
        ends = np.flatnonzero(np.diff(self._shard_of)) + 1
        for part in np.split(np.arange(len(self)), ends):
            for start in range(0, len(part), _BLOCK):
                chosen = part[start : start + _BLOCK]
                shard = int(self._shard_of[chosen[0]])
                yield self.shards.rows[shard][self.faces[chosen] - self.shards.starts[shard]]
                release(self.shards.rows[shard])

    def data_hash(self) -> str:
        """Return a SHA-256 (hex) over points, boxes and photos in order; the size of the shards does not matter."""
        fields = {name: hashlib.sha256() for name in CONTENT}
        for rows in self.blocks():
            for name, digest in fields.items():
                digest.update(np.ascontiguousarray(rows[name]).tobytes())
        whole = "".join(digest.hexdigest() for digest in fields.values())
        return hashlib.sha256(f"{self.shards.about['scheme']}{whole}".encode()).hexdigest()

    def order(self, seed: int, epoch: int) -> NDArray[np.int64]:
        """Return the faces of an epoch in a shuffled order that a pass over shuffled shards can deliver.

        A face of the shard at position p of the shuffled shards comes at a random time in [p, p + window), at the end
        wrapped to the start, so that at any time the faces of `window` shards are mixed and shards come and go singly.
        """
        rng = np.random.default_rng([seed, epoch])
        count = len(self.shards.rows)
        time = rng.permutation(count)[self._shard_of] + min(self.window, count) * rng.random(len(self))
        return np.argsort(time % count, kind="stable")

    def read_photo(self, record: FaceRecord) -> Photo:
        """Return the photo of one of the faces, (h, w, 3) uint8 RGB.

        Raises:
            AnnotationError: its shard is missing, or was damaged or changed.
            ImageError: it cannot be decoded.
        """
        return decode_image(self.photo_bytes(record), self._place(record))

    def photo_bytes(self, record: FaceRecord) -> bytes:
        """Return the encoded photo of one of the faces.

        Raises:
            AnnotationError: its shard is missing, cannot be read, or was damaged or changed.
        """
        shard, row = self._row(record)
        try:
            content = self._read(shard, int(row["offset"]), int(row["length"]))
        except AnnotationError as error:
            raise AnnotationError(f"face {record.image.stem}: {error}") from error
        if hashlib.sha256(content).digest() != row["sha256"].tobytes():
            again = self.shards.storage.again(shard["name"])
            raise AnnotationError(f"{self._place(record)}: damaged, its SHA-256 is not that of {INDEX}; {again}")
        return content

    def packed_name(self, record: FaceRecord) -> str | None:
        """Return the name that one of the faces had before it was packed; None where its entry cannot be read."""
        shard, row = self._row(record)
        blocks = -(-(int(row["offset"]) + int(row["length"])) // tarfile.BLOCKSIZE)
        start = blocks * tarfile.BLOCKSIZE  # of the header of the entry, which follows the photo
        try:
            header = tarfile.TarInfo.frombuf(self._read(shard, start, tarfile.BLOCKSIZE), "utf-8", "strict")
            entry = json.loads(self._read(shard, start + tarfile.BLOCKSIZE, header.size))
            return str(entry["name"])
        except (AnnotationError, tarfile.HeaderError, ValueError, KeyError, TypeError):
            return None

    def full_name(self, record: FaceRecord) -> str:
        """Return the shard and the key of one of the faces, and its name before it was packed."""
        return f"{record.name}{self._before(record)}"

    def _place(self, record: FaceRecord) -> str:
        """Return where one of the faces lies, for a message: folder, shard, file in it, and its name before."""
        storage = self.shards.storage
        return f"{storage.url or storage.root}/{record.name}.jpg{self._before(record)}"

    def _before(self, record: FaceRecord) -> str:
        name = self.packed_name(record)
        return "" if name is None else f" ({name[:_LONGEST_NAME]!r})"

    def _row(self, record: FaceRecord) -> tuple[Mapping[str, Any], Any]:
        """Return the entry of the shard of one of the faces in the index, and the row of the face."""
        shard, face = (int(part) for part in record.image.stem.split("-"))
        return self.shards.about["shards"][shard], self.shards.rows[shard][face]

    def _read(self, shard: Mapping[str, Any], offset: int, length: int) -> bytes:
        return self.shards.storage.read(shard["name"], shard["sha256"], offset, length)

    def extract(self, positions: Iterable[int], folder: Path) -> list[FaceRecord]:
        """Write photos of some faces into a folder; return these faces as records of files."""
        extracted = []
        for position in positions:
            record = self[int(position)]
            path = folder / record.image.name
            write_bytes(path, self.photo_bytes(record))
            extracted.append(replace(record, image=path))
        return extracted


def full_name(faces: Sequence[FaceRecord], index: int) -> str:
    """Return the name of a face for a message; of shards with the name that it had before it was packed."""
    record = faces[index]
    return faces.full_name(record) if isinstance(faces, ShardFaces) else record.name
