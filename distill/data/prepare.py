"""Training store: face crops cut out of the photos once, so that training reads small images.

A store is a folder in the package's own manifest format, so every command can read it (`--data.format manifest`).
Crops are larger than the network input, by `margin`, so that augmentation may rotate, shift and zoom as before; points
and boxes move with them. Faces are never enlarged.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from distill.data.readers.manifest import FILE_NAME, format_manifest
from distill.data.records import FaceRecord
from distill.data.splits import data_hash, photo_hash
from distill.data.store_sums import LABEL, is_listed, store_list, write_store_list
from distill.errors import AnnotationError, ConfigError
from distill.files import listed_hashes, remove_unfinished, sha256, write_bytes, write_json, write_text
from distill.geometry import Affine, Box, apply_affine, similarity
from distill.images import Photo, read_image, warp
from distill.landmarks.schemes import load_scheme, own_definition
from distill.system.locks import NAME as LOCK
from distill.system.locks import folder_lock

# Raise it whenever the same faces and options give other pictures or points.
VERSION = 1
_JPEG_END = b"\xff\xd9"


@dataclass(frozen=True)
class StoreSpec:
    """How faces are cut out for a store.

    Attributes:
        size: largest side of a crop in pixels, smaller faces keep the pixels they have. A network with input crops of
            256 pixels at a scale of 1.3 loses nothing from 256 x 2.25 / 1.3 = 443 on.
        margin: side of the crop in units of the longer side of the face box. 2.25 covers all that training with a crop
            scale of 1.3 needs: 1.3 x 1.15 (zoom) x (1.37 (rotated by 30 degrees) + 2 x 0.06 (shift)).
        quality: of the JPEG files, 1 to 100.
    """

    size: int = 448
    margin: float = 2.25
    quality: int = 95

    def __post_init__(self) -> None:
        if not (self.size >= 32 and 1 <= self.margin <= 10 and 1 <= self.quality <= 100):
            values = f"size {self.size}, margin {self.margin}, quality {self.quality}"
            raise ConfigError(f"{values}: give size >= 32, margin in 1 ... 10, quality in 1 ... 100")


def crop_of(record: FaceRecord, spec: StoreSpec) -> tuple[Affine, int]:
    """Return the affine from photo to crop and the crop's side in pixels.

    The square holds every box the face has, so that training with any of them gets the same pixels.
    """
    boxes = list(record.boxes.values())
    if not boxes:
        raise AnnotationError(f"face {record.name} has neither points nor a box: leave it out of the store")
    whole = Box(min(b.x0 for b in boxes), min(b.y0 for b in boxes), max(b.x1 for b in boxes), max(b.y1 for b in boxes))
    longest = max(max(box.width, box.height) for box in boxes)
    # A detector's box off the points widens the square on both sides.
    side = spec.margin * longest + max(whole.width, whole.height) - longest
    size = max(8, min(spec.size, round(side)))
    return similarity(side, *whole.centre, size=size), size


def _image_name(record: FaceRecord) -> str:
    """File of a face in the store: its own name, made safe, with a hash so that no two names collide."""
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in record.name)[-60:]
    return f"images/{safe}-{hashlib.sha256(record.name.encode()).hexdigest()[:8]}.jpg"


def encode_crop(picture: Photo, quality: int) -> bytes:
    """Return a crop as JPEG."""
    _, content = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return bytes(content.tobytes())


def _is_whole(path: Path) -> bool:
    if not path.is_file() or path.stat().st_size < 4:
        return False
    with path.open("rb") as file:
        file.seek(-2, 2)
        return file.read() == _JPEG_END


def moved_to_crop(record: FaceRecord, spec: StoreSpec, image: Path) -> FaceRecord:
    """Return a face in pixels of its crop, which is `image`."""
    affine, _ = crop_of(record, spec)
    corners = {source: np.array([[box.x0, box.y0], [box.x1, box.y1]]) for source, box in record.boxes.items()}
    return replace(
        record,
        image=image,
        landmarks=apply_affine(affine, record.landmarks.astype(np.float64)),
        boxes={source: Box(*apply_affine(affine, ends).reshape(-1).tolist()) for source, ends in corners.items()},
    )


def _moved(record: FaceRecord, spec: StoreSpec, root: Path) -> FaceRecord:
    """The face as it lies in the store; a custom scheme file is referred to by its name beside the manifest."""
    scheme = f"{record.scheme}.yaml" if own_definition(record.scheme) else record.scheme
    return replace(moved_to_crop(record, spec, root / _image_name(record)), scheme=scheme)


def _claim(root: Path, wanted: dict[str, Any]) -> None:
    """Mark the folder as this store, or refuse one that holds anything else."""
    label = root / LABEL
    if label.is_file():
        try:
            existing = json.loads(label.read_text(encoding="utf-8"))
        except ValueError:
            existing = None
        if existing != wanted:
            changed = [name for name in wanted if not isinstance(existing, dict) or existing.get(name) != wanted[name]]
            raise ConfigError(f"{root}: a store of other faces or options ({', '.join(changed)}); name an empty folder")
    elif any(path.name != LOCK for path in root.iterdir()):
        raise ConfigError(f"{root}: holds other files and no {LABEL}; name an empty folder")
    else:
        write_json(label, wanted)


def _by_photo(records: Iterable[FaceRecord]) -> list[list[FaceRecord]]:
    photos: dict[Path, list[FaceRecord]] = {}
    for record in records:
        photos.setdefault(record.image, []).append(record)
    return list(photos.values())


def _write_crops(root: Path, faces: Sequence[FaceRecord], spec: StoreSpec, sums: Mapping[str, str]) -> int:
    """Write the crops of one photo that are not there yet or were changed; return how many faces it has."""
    targets = {record.name: root / _image_name(record) for record in faces}
    missing = [
        record
        for record in faces
        if not (_is_whole(targets[record.name]) and is_listed(targets[record.name], _image_name(record), sums))
    ]
    if missing:
        photo = read_image(missing[0].image)
        for record in missing:
            write_bytes(targets[record.name], encode_crop(warp(photo, *crop_of(record, spec)), spec.quality))
    return len(faces)


def _done(root: Path, records: Sequence[FaceRecord], spec: StoreSpec, workers: int) -> Iterator[int]:
    done = 0
    existing = store_list(root)
    sums = {} if existing is None else listed_hashes(existing)
    with ThreadPoolExecutor(workers) as pool:
        for count in pool.map(lambda faces: _write_crops(root, faces, spec, sums), _by_photo(records)):
            done += count
            yield done


def prepare_store(
    root: Path,
    records: Sequence[FaceRecord],
    spec: StoreSpec = StoreSpec(),
    workers: int = 2,
    progress: Callable[[int], None] | None = None,
) -> Path:
    """Write the store, or what is missing of it after an interruption; every file is whole or absent.

    Args:
        root: a folder that is empty, missing, or was begun with the same faces and options.
        records: the faces.
        spec: how to cut them out.
        workers: threads.
        progress: called with the number of faces done after each photo.

    Returns:
        ROOT/faces.json, written last; the checksums of all files are in ROOT/SHA256SUMS.

    Raises:
        ConfigError: the folder holds something else, a store of other faces or of other options, or another process
            writes there.
        AnnotationError: no faces, or a face without a box.
        ImageError: a photo that cannot be read.
    """
    if not records:
        raise AnnotationError("no faces to make a store of: choose another subset")
    if workers < 1:
        raise ConfigError(f"--workers {workers} must be at least 1")
    with folder_lock(Path(root), "is preparing", "folder"):
        return _prepare(Path(root), records, spec, workers, progress)


def _prepare(
    root: Path,
    records: Sequence[FaceRecord],
    spec: StoreSpec,
    workers: int,
    progress: Callable[[int], None] | None,
) -> Path:
    for folder in (root, root / "images"):
        remove_unfinished(folder)
    _claim(root, {"version": VERSION, "data_hash": data_hash(records), **asdict(spec)})
    for scheme in sorted({record.scheme for record in records}):
        load_scheme(scheme)
        if definition := own_definition(scheme):
            write_text(root / f"{scheme}.yaml", yaml.safe_dump(definition, sort_keys=False))
    for done in _done(root, records, spec, workers):
        if progress is not None:
            progress(done)
    manifest = root / FILE_NAME
    text = format_manifest([_moved(record, spec, root) for record in records], root)
    crops = sorted({_image_name(record) for record in records})
    with ThreadPoolExecutor(workers) as pool:
        sums = dict(zip(crops, pool.map(lambda name: photo_hash(root / name), crops), strict=True))
    sums |= {path.name: sha256(path) for path in (root / LABEL, *root.glob("*.yaml"))}
    # Before the manifest, so that a finished store has its checksums.
    write_store_list(root, {**sums, FILE_NAME: hashlib.sha256(text.encode()).hexdigest()})
    write_text(manifest, text)
    return manifest
