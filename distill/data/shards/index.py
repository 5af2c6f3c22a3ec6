"""Index of a folder of shards: `shards.json`, and the rows of each shard mapped from disk."""

import json
import mmap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distill.data.shards.rows import Rows, row_type
from distill.data.shards.storage import AGAIN, INDEX, ShardStorage
from distill.errors import AnnotationError
from distill.files import sha256
from distill.landmarks import load_scheme, register_scheme

FORMAT = "distill-shards/1"


@dataclass(frozen=True)
class ShardIndex:
    """Content of a folder of shards.

    Attributes:
        storage: its files.
        about: content of `shards.json`.
        rows: of each shard, mapped from disk.
        starts: (shards,) number of the first face of each shard.
    """

    storage: ShardStorage
    about: Mapping[str, Any]
    rows: Sequence[Rows]
    starts: NDArray[np.int64]

    def column(self, name: str) -> NDArray[Any]:
        """Return one field of all faces."""
        parts = []
        for rows in self.rows:
            parts.append(np.array(rows[name]))
            release(rows)
        return np.concatenate(parts)


def release(rows: Rows) -> None:
    """Give the memory back that holds pages of a mapped file; they are read again when they are needed."""
    if isinstance(rows.base, mmap.mmap):
        rows.base.madvise(mmap.MADV_DONTNEED)


def open_index(root: Path, max_gb: float) -> ShardIndex:
    """Open a folder of shards, after a check that no file of it is missing.

    Args:
        root: the folder, or the URL as a path.
        max_gb: room for copies of shards at a URL.

    Raises:
        AnnotationError: no shards, or files of it are missing, of another size or damaged.
    """
    storage = ShardStorage(root, max_gb)
    where = storage.url or root
    try:
        about = json.loads(storage.index())
        if about["format"] != FORMAT:
            raise ValueError(f"format {about['format']!r} where {FORMAT!r} belongs")
        shards = [(str(shard["name"]), int(shard["bytes"]), str(shard["rows_sha256"])) for shard in about["shards"]]
        if about.get("definition"):
            register_scheme(about["definition"], f"{where}/{INDEX}")
        dtype = row_type(load_scheme(about["scheme"]).n_points)
    except (KeyError, TypeError, ValueError) as error:
        raise AnnotationError(f"{where}/{INDEX}: not the index of shards ({error}); {AGAIN}") from error
    _require_complete(storage, shards)
    rows = [_read_rows(storage, name, digest, dtype) for name, _, digest in shards]
    return ShardIndex(storage, about, rows, np.cumsum([0, *(len(part) for part in rows)])[:-1])


def _require_complete(storage: ShardStorage, shards: Sequence[tuple[str, int, str]]) -> None:
    sizes = storage.sizes()
    for name, size, _ in shards:
        if missing := next((file for file in (name, rows_name(name)) if file not in sizes), None):
            raise AnnotationError(f"{storage.url or storage.root}/{missing}: missing; {AGAIN}")
        if sizes[name] != size:
            actual = f"{sizes[name]} bytes where {INDEX} has {size}"
            raise AnnotationError(f"{storage.url or storage.root}/{name}: {actual}; {AGAIN}")


def _read_rows(storage: ShardStorage, shard: str, digest: str, dtype: np.dtype[np.void]) -> Rows:
    path = storage.path(rows_name(shard), digest)
    try:
        if sha256(path) != digest:
            raise ValueError(f"its SHA-256 is not that of {INDEX}")
        rows: Rows = np.load(path, mmap_mode="r", allow_pickle=False)
        if rows.dtype != dtype:
            raise ValueError("its rows are of another scheme or version")
    except (OSError, ValueError, EOFError) as error:
        raise AnnotationError(f"{path}: damaged ({error}); {AGAIN}") from error
    return rows


def rows_name(shard: str) -> str:
    """Return the file of the rows of a shard."""
    return f"{Path(shard).stem}.npy"


def key_of(shard: int, face: int) -> str:
    """Return the name of a face in its shard."""
    return f"{shard:06d}-{face:06d}"
