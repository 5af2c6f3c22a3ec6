"""Build a detector's training and validation photos from their configuration."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np

from distill.data.photos.box_files import read_coco_boxes, read_voc
from distill.data.photos.config import PhotoDataConfig, PhotoSetConfig
from distill.data.photos.datamodule import PhotoData
from distill.data.photos.dataset import PhotoDataset, SceneDataset
from distill.data.photos.paste import PasteFace
from distill.data.photos.paste_faces import read_paste_faces
from distill.data.photos.records import PhotoRecord, hold_out, unlabelled_photo, with_groups
from distill.data.photos.wider_boxes import read_label, read_official_mat, read_official_text
from distill.data.readers.tables import PHOTO_SUFFIXES, read_csv_rows
from distill.errors import ConfigError
from distill.files import sha256

PhotoReader = Callable[[Path, Path], list[PhotoRecord]]

PHOTO_FORMATS: Mapping[str, PhotoReader] = MappingProxyType(
    {
        "wider_label": read_label,
        "wider_text": read_official_text,
        "wider_mat": read_official_mat,
        "voc": read_voc,
        "coco": read_coco_boxes,
    }
)
_GROUP_COLUMNS = ("photo", "near_duplicate_group")


def read_photos(config: PhotoSetConfig) -> list[PhotoRecord]:
    """Read the photos of a set, with their groups.

    Raises:
        AnnotationError: a missing or broken file, or a photo that is not there.
    """
    photos = PHOTO_FORMATS[config.format](config.labels, config.images)
    if config.groups is None:
        return photos
    rows = read_csv_rows(config.groups, _GROUP_COLUMNS)
    return with_groups(photos, {row["photo"]: row["near_duplicate_group"] for _, row in rows})


def split_photos(sets: Sequence[PhotoSetConfig]) -> tuple[list[PhotoRecord], list[PhotoRecord]]:
    """Return training photos (each as often as its set says) and the photos that are held out.

    Raises:
        ConfigError: no set, or none holds out photos.
    """
    train, val = [], list[PhotoRecord]()
    for given in sets:
        rest, held = hold_out(read_photos(given), given.hold_out)
        train += rest * given.repeat
        val += held
    if not train or not val:
        raise ConfigError("--data.sets: give photos to train on and, with hold_out, photos to validate on")
    return train, val


def read_unlabelled(folder: Path) -> list[PhotoRecord]:
    """Return the photos of a folder and the folders in it, as photos whose faces are not known.

    Raises:
        ConfigError: no such folder, or no photo in it.
    """
    if not folder.is_dir():
        raise ConfigError(f"--data.unlabelled {folder}: no such folder")
    photos = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PHOTO_SUFFIXES)
    if not photos:
        raise ConfigError(f"--data.unlabelled {folder}: no photo in it; give a folder of photos")
    return [unlabelled_photo(f"{folder.name}/{path.relative_to(folder).as_posix()}", path) for path in photos]


def build_photos(config: PhotoDataConfig, seed: int, epochs: int) -> PhotoData:
    """Read the photos and faces of a run."""
    train, val = split_photos(config.sets)
    train += [photo for folder in config.unlabelled for photo in read_unlabelled(folder)]
    faces = read_paste_faces(config.paste)
    data = SceneDataset(train, faces, config.scene, seed, config.longest)
    hashes = {"train_hash": photo_hash(train), "val_hash": photo_hash(val), "paste_hash": face_hash(faces)}
    held_out = PhotoDataset(val, config.longest)
    return PhotoData(data, held_out, config.batch_size, epochs, config.workers, seed, hashes)


def face_hash(faces: Sequence[PasteFace]) -> str:
    """Return a SHA-256 (hex) over the pixels, boxes and points of faces to be pasted, in their order."""
    total = hashlib.sha256()
    for face in faces:
        total.update(np.ascontiguousarray(face.image).tobytes())
        total.update(face.box.astype("<f4").tobytes() + face.points.astype("<f4").tobytes())
    return total.hexdigest()


def photo_hash(photos: Sequence[PhotoRecord]) -> str:
    """Return a SHA-256 (hex) over names, photos and labels; neither order nor folder matters."""
    total = hashlib.sha256()
    for photo in sorted(photos, key=lambda photo: photo.name):
        total.update(f"{photo.name}\0{sha256(photo.image)}".encode())
        total.update(np.ascontiguousarray(photo.boxes, "<f4").tobytes())
        total.update(np.packbits(photo.ignored).tobytes())
        total.update(np.nan_to_num(photo.points, nan=-1.0).astype("<f4").tobytes())
    return total.hexdigest()
