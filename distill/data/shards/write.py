"""Write a data set as shards: tar files of the WebDataset layout, each with an array of rows as its index.

A shard holds `KEY.jpg`, the crop of a face, and `KEY.json`, what a manifest says of it, so that every reader of
WebDataset reads it. `shard-000000.npy` has a row per face, and `shards.json`, written last, lists the shards.
"""

import hashlib
import io
import json
import re
import tarfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import numpy as np

from distill.data.preflight import find_unfit, without_unfit
from distill.data.prepare import StoreSpec, crop_of, encode_crop, moved_to_crop
from distill.data.readers.manifest import face_entry
from distill.data.records import FaceRecord
from distill.data.shards.index import FORMAT, key_of, rows_name
from distill.data.shards.processes import map_in_processes
from distill.data.shards.rows import make_row, row_type
from distill.data.shards.storage import INDEX
from distill.data.splits import photo_hash
from distill.errors import AnnotationError, ConfigError
from distill.files import atomic_path, remove_unfinished, sha256, write_json
from distill.images import read_image, warp
from distill.landmarks import load_scheme, own_definition, register_scheme
from distill.system.locks import NAME as LOCK
from distill.system.locks import folder_lock

# Raise it whenever the same faces and options give other shards.
VERSION = 1
_OURS = re.compile(rf"shard-\d{{6}}\.(?:tar|npy|json)|{re.escape(INDEX)}|{re.escape(LOCK)}")


@dataclass(frozen=True)
class _Task:
    """One shard to write; `definition` is that of a scheme of the user's own."""

    root: Path
    number: int
    faces: Sequence[FaceRecord]
    spec: StoreSpec
    definition: Mapping[str, Any]
    leave_out: bool

    @property
    def name(self) -> str:
        return f"shard-{self.number:06d}.tar"


def write_shards(
    root: Path,
    faces: Iterable[FaceRecord],
    scheme: str,
    per_shard: int,
    spec: StoreSpec,
    about: Mapping[str, Any],
    workers: int = 1,
    leave_out: bool = False,
    progress: Callable[[int], None] = lambda done: None,
) -> dict[str, Any]:
    """Write shards, or those that are missing after an interruption; every file is whole or absent.

    Args:
        root: a folder that is empty, missing, or holds shards; shards of other faces or options are written again.
        faces: in `scheme`; they are read as shards are written.
        scheme: landmark scheme of the faces.
        per_shard: faces in a shard.
        spec: how to cut them out.
        about: further content of the index.
        workers: processes; 1 writes in this one.
        leave_out: leave faces out that would spoil a training, instead of refusing them.
        progress: called with the number of faces done after each shard.

    Returns:
        The content of `shards.json`.

    Raises:
        ConfigError: the folder holds something else, or another process writes there.
        AnnotationError: no faces, a face without a box, or one that would spoil a training.
        ImageError: a photo that cannot be read.
    """
    if per_shard < 1 or workers < 1:
        raise ConfigError(f"--shards {per_shard}, --workers {workers}: give 1 or more")
    with folder_lock(root, "is packing", "folder"):
        remove_unfinished(root)
        if other := next((path for path in sorted(root.iterdir()) if not _OURS.fullmatch(path.name)), None):
            raise ConfigError(f"{root}: holds other files ({other.name}); name an empty folder")
        (root / INDEX).unlink(missing_ok=True)  # shards that change are no longer those of the index
        definition = own_definition(scheme)
        tasks = (
            _Task(root, number, chunk, spec, definition, leave_out)
            for number, chunk in enumerate(_chunks(faces, per_shard))
        )
        shards: list[dict[str, Any]] = []
        for shard in map_in_processes(_write, tasks, workers):
            shards.append(shard)
            progress(sum(shard["faces"] for shard in shards))
        if not shards:
            raise AnnotationError("no faces to make shards of: choose another subset")
        _remove_further(root, len(shards))
        subsets = sum((Counter(shard.pop("subsets")) for shard in shards), Counter[str]())
        content = {
            "format": FORMAT, "scheme": scheme, "definition": definition, **about, "crops": asdict(spec),
            "faces": sum(shard["faces"] for shard in shards), "subsets": dict(sorted(subsets.items())),
            "shards": shards,
        }  # fmt: skip
        write_json(root / INDEX, content)
    return content


def _chunks(faces: Iterable[FaceRecord], size: int) -> Iterator[list[FaceRecord]]:
    remaining = iter(faces)
    while chunk := list(islice(remaining, size)):
        yield chunk


def _write(task: _Task) -> dict[str, Any]:
    """Write a shard, unless it is there with the same faces; return its entry in the index."""
    if task.definition:
        register_scheme(task.definition, "the scheme of the shards")
    entry = task.root / f"{Path(task.name).stem}.json"
    inputs = _inputs(task)
    if (existing := _existing(task, entry)) is not None and existing["inputs"] == inputs:
        return existing
    entry.unlink(missing_ok=True)
    unfit = find_unfit(task.faces, task.faces[0].scheme)
    faces = without_unfit(task.faces, unfit, f"{task.name}:", task.leave_out, print)
    rows = np.zeros(len(faces), row_type(load_scheme(faces[0].scheme).n_points))
    with atomic_path(task.root / task.name) as path, tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for number, (record, content, photo) in enumerate(_crops(faces, task.spec)):
            key = key_of(task.number, number)
            offset = _add(tar, f"{key}.jpg", content)
            moved = moved_to_crop(record, task.spec, record.image)
            _add(tar, f"{key}.json", _entry_text(record.name, moved))
            rows[number] = make_row(moved, offset, content, photo)
    with atomic_path(task.root / rows_name(task.name)) as path:
        np.save(path, rows)
    shard = _entry(task, len(faces), Counter(record.subset for record in faces))
    write_json(entry, {**shard, "inputs": inputs})
    return {**shard, "inputs": inputs}


def _entry_text(name: str, face: FaceRecord) -> bytes:
    """Return what a manifest says of a face; its points to a thousandth of a pixel, the exact ones are in the rows."""
    points = {face.scheme: face.landmarks.astype(np.float64).round(3).tolist()}
    entry = {"name": name, **face_entry(face), "points": points}
    return json.dumps(entry, separators=(",", ":"), allow_nan=False).encode()


def _entry(task: _Task, faces: int, subsets: Mapping[str, int]) -> dict[str, Any]:
    path = task.root / task.name
    sums = {"sha256": sha256(path), "rows_sha256": sha256(task.root / rows_name(task.name))}
    return {"name": task.name, "faces": faces, "bytes": path.stat().st_size, **sums, "subsets": dict(subsets)}


def _existing(task: _Task, entry: Path) -> dict[str, Any] | None:
    """Return the entry of a shard whose files are as they were written, else None."""
    try:
        content: dict[str, Any] = json.loads(entry.read_text(encoding="utf-8"))
        actual = _entry(task, content["faces"], content["subsets"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return content if {**content, **actual} == content else None


def _inputs(task: _Task) -> str:
    """Return a SHA-256 (hex) of everything that decides the content of a shard; photos count by size and date."""
    digest = hashlib.sha256(json.dumps([VERSION, asdict(task.spec), task.leave_out]).encode())
    for record in task.faces:
        status = record.image.stat()
        photo = record.image.name, status.st_size, status.st_mtime_ns
        words = record.name, record.group, record.subset, record.labels, sorted(record.boxes.items())
        digest.update(repr((photo, words, sorted(record.attributes.items()))).encode())
        for values in (record.landmarks, record.known, record.visible):
            digest.update(values.tobytes())
    return digest.hexdigest()


def _crops(faces: Sequence[FaceRecord], spec: StoreSpec) -> Iterator[tuple[FaceRecord, bytes, str]]:
    """Yield each face with its crop as JPEG and the SHA-256 of its photo, which neighbours share."""
    for image, of_photo in groupby(faces, key=lambda record: record.image):
        photo, digest = read_image(image), photo_hash(image)
        for record in of_photo:
            affine, size = crop_of(record, spec)
            yield record, encode_crop(warp(photo, affine, size), spec.quality), digest


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> int:
    """Add a file to a tar; return the offset of its content."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    offset = tar.offset + tarfile.BLOCKSIZE
    tar.addfile(member, io.BytesIO(content))
    return int(offset)


def _remove_further(root: Path, count: int) -> None:
    """Remove shards that are no longer part of the data set."""
    for path in root.glob("shard-*"):
        if int(path.stem.removeprefix("shard-")) >= count:
            path.unlink()
