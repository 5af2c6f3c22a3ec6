"""Packed faces: all crops of a training in one safetensors file, for machines that receive a single file.

`distill data pack` writes it from the data options of a training; `scripts/studies/full_size.py` trains from it.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from distill.data.build import build_data
from distill.data.config import DataConfig
from distill.data.prepare import StoreSpec, crop_of
from distill.data.records import FaceRecord
from distill.data.splits import data_hash
from distill.data.trained_photos import photo_fingerprints
from distill.errors import AnnotationError, ConfigError
from distill.files import atomic_path
from distill.geometry import CropSpec, apply_affine
from distill.images import Photo, read_image, warp
from distill.landmarks import load_scheme

ROLES = ("train", "val", "unlabelled")
_FORMAT = "distill-pack/1"
_PACKED_SIZE = 256


@dataclass(frozen=True)
class PackedFaces:
    """The content of a packed file; n faces with k points.

    Attributes:
        images: WebP bytes of each crop.
        landmarks: (n, k, 2) float32 in pixels of the stored crop; undefined where not known.
        known: (n, k), which points are annotated.
        boxes: (n, 4) float32, x0 y0 x1 y1 of the face box in pixels of the stored crop.
        roles: (n,) index into `ROLES`.
        scheme: landmark scheme.
        crop: how a face box becomes the input of the network.
        origin: SHA-256 of the faces, fingerprints of the training photos and own landmark schemes.
    """

    images: list[bytes]
    landmarks: NDArray[np.float32]
    known: NDArray[np.bool_]
    boxes: NDArray[np.float32]
    roles: NDArray[np.uint8]
    scheme: str
    crop: CropSpec
    origin: dict[str, Any]

    def indices(self, role: str) -> NDArray[np.intp]:
        """Return which faces have a role."""
        return np.flatnonzero(self.roles == ROLES.index(role))


def packed_roles(data: DataConfig, seed: int) -> tuple[list[tuple[str, FaceRecord]], CropSpec]:
    """Return every face of a run with its role (`train`, `val`, `unlabelled`), and the crop.

    The faces, their split and their scheme are those of `build_data` with one head; without `data.crop.size` the crop
    has 256 pixels.

    Raises:
        ConfigError: options of the sampling, which a list of faces does not have.
    """
    if data.balance:
        raise ConfigError("--data.balance has no effect on packed faces: leave it out")
    size = data.crop.size or _PACKED_SIZE
    data = replace(data, cache=False, crop=replace(data.crop, size=size))
    faces = build_data(data, [data.scheme], seed, epochs=1)
    roles = []
    for record in faces.train.records:
        if record.labels == "none":
            roles.append(("unlabelled", _without_points(record, data.scheme)))
        else:
            roles.append(("train", record.in_scheme(data.scheme)))
    roles += [("val", record) for record in faces.val.records]
    return roles, faces.val.crop


def _without_points(record: FaceRecord, scheme: str) -> FaceRecord:
    """Return a face as one of `scheme` of which no point is known; its boxes stay."""
    k = load_scheme(scheme).n_points
    unknown = np.zeros(k, bool)
    return replace(record, scheme=scheme, landmarks=np.zeros((k, 2), np.float32), visible=unknown, known=unknown)


def write_pack(
    path: Path,
    faces: Sequence[tuple[str, FaceRecord]],
    crop: CropSpec,
    spec: StoreSpec,
    box: str = "gt",
    workers: int = 2,
    show: Callable[[int], None] = lambda done: None,
) -> int:
    """Write faces into one file and return its size in bytes.

    Args:
        path: the file, `.safetensors`.
        faces: (role, face); all faces in one landmark scheme.
        crop: how a face box becomes the input of the network.
        spec: side, margin and WebP quality of the stored crops.
        box: source of the boxes; a face without it keeps the first box it has.
        workers: threads.
        show: called with the number of faces done.

    Raises:
        AnnotationError: no faces, or a face without a box.
        ConfigError: faces of several schemes.
        ImageError: a photo that cannot be read.
    """
    schemes = sorted({record.scheme for _, record in faces})
    if not faces:
        raise AnnotationError("no faces to pack: choose another subset")
    if len(schemes) > 1:
        raise ConfigError(f"faces of the schemes {', '.join(schemes)}: pack one scheme, with --data.scheme")
    images = []
    if workers < 1:
        raise ConfigError(f"--workers {workers} must be at least 1")
    with ThreadPoolExecutor(workers) as pool:
        for image in pool.map(lambda entry: _encoded(entry[1], spec), faces):
            images.append(image)
            show(len(images))
    records = [record for _, record in faces]
    moved = [crop_of(record, spec)[0] for record in records]
    content = {
        "bytes": np.frombuffer(b"".join(images), np.uint8),
        "ends": np.cumsum([len(image) for image in images], dtype=np.int64),
        "landmarks": np.stack([apply_affine(a, r.landmarks) for a, r in zip(moved, records, strict=True)]),
        "known": np.stack([record.known for record in records]),
        "boxes": np.stack([_box_in(a, r, box) for a, r in zip(moved, records, strict=True)]),
        "roles": np.array([ROLES.index(role) for role, _ in faces], np.uint8),
    }
    content |= {name: content[name].astype(np.float32) for name in ("landmarks", "boxes")}
    trained = [record for role, record in faces if role != "val"]
    origin = {"data_hash": data_hash(records), "trained_on": photo_fingerprints(trained)}
    about = {"format": _FORMAT, "scheme": schemes[0], "crop": asdict(crop), "origin": origin}
    text = json.dumps(about)
    with atomic_path(path) as temporary:
        save_file(content, temporary, metadata={"about": text, "sha256": _digest(text, content)})
    return path.stat().st_size


def _digest(about: str, content: Mapping[str, NDArray[Any]]) -> str:
    """Return the SHA-256 (hex) of everything in a packed file."""
    digest = hashlib.sha256(about.encode())
    for name, values in sorted(content.items()):
        digest.update(f"\0{name}\0{values.dtype}\0{values.shape}\0".encode() + np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def _encoded(record: FaceRecord, spec: StoreSpec) -> bytes:
    affine, size = crop_of(record, spec)
    crop = warp(read_image(record.image), affine, size)
    encoded: bytes = cv2.imencode(".webp", crop[:, :, ::-1], [cv2.IMWRITE_WEBP_QUALITY, spec.quality])[1].tobytes()
    return encoded


def _box_in(affine: NDArray[np.floating], record: FaceRecord, source: str) -> NDArray[np.floating]:
    """Return the box of a face in its stored crop; crops are upright, so that a box stays a box."""
    box = record.boxes.get(source) or next(iter(record.boxes.values()))
    return apply_affine(affine, np.array([[box.x0, box.y0], [box.x1, box.y1]])).reshape(4)


def read_pack(path: Path) -> PackedFaces:
    """Read a packed file; images stay encoded, see `decoded`.

    Raises:
        ConfigError: missing, damaged, or not a file of packed faces.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; write one with `distill data pack`")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            about = json.loads(metadata["about"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a dict
        # Files of earlier versions have no checksum.
        if metadata.get("sha256", "") not in ("", _digest(metadata["about"], tensors)):
            raise ValueError("SHA-256 of its content differs, the file was changed or damaged")
        if about["format"] != _FORMAT:
            raise ValueError(f"its format is {about['format']}, not {_FORMAT}")
        data, ends = tensors["bytes"].tobytes(), tensors["ends"].tolist()
        images = [data[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]
        return PackedFaces(
            images, tensors["landmarks"], tensors["known"], tensors["boxes"], tensors["roles"], about["scheme"],
            CropSpec(**about["crop"]), about["origin"],
        )  # fmt: skip
    except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
        raise ConfigError(f"{path}: not a file of `distill data pack` ({error}); write it again") from error


def decoded(image: bytes, size: int) -> tuple[Photo, float]:
    """Return a stored crop as RGB (size, size, 3) uint8 and the factor that its coordinates (from the edge) grow by."""
    pixels = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR)
    factor = size / pixels.shape[0]
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    resized = pixels if factor == 1 else cv2.resize(pixels, (size, size), interpolation=method)
    return np.ascontiguousarray(resized[:, :, ::-1]), factor
