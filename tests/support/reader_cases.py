"""A small data set of each format, made by the format's own writer, and damage to do to its files."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from distill.data.readers.aflw import AflwFace
from distill.data.readers.cofw_photos import unpack_cofw
from distill.data.readers.manifest import FILE_NAME, format_manifest
from distill.data.readers.wflw import ATTRIBUTES, LISTS, PHOTOS, WflwFace
from distill.data.records import FaceRecord, make_record
from distill.geometry import Box
from distill.landmarks import load_scheme
from tests.support.annotation_writers import format_coco, format_lapa, format_wflw, write_aflw, write_pts

SIZE = (96, 80)  # width, height of every photo


def write_photo(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", SIZE, (90, 120, 150)).save(path)
    return path


def random_points(k: int, seed: int = 0) -> NDArray[np.float32]:
    """Points inside the photo whose float32 values need all their digits."""
    return (np.random.default_rng(seed).uniform(0.1, 0.9, (k, 2)) * SIZE).astype(np.float32)


def wflw_faces() -> list[WflwFace]:
    """Three faces: two of one photo, whose name has a blank, and one that is occluded."""
    paths = ("0--Parade/0 a.jpg", "0--Parade/0 a.jpg", "1--Handshaking/b.jpg")
    return [
        WflwFace(
            random_points(98, seed),
            Box(1.25, 2.5, 90.0, 70.0),
            {name: (name == "occlusion") == (seed == 2) for name in ATTRIBUTES},
            path,
        )
        for seed, path in enumerate(paths)
    ]


def make_wflw(root: Path) -> Path:
    faces = wflw_faces()
    for face in faces:
        write_photo(root / PHOTOS / face.path)
    for name in LISTS:
        (root / LISTS[name]).parent.mkdir(parents=True, exist_ok=True)
        (root / LISTS[name]).write_text(format_wflw(faces))
    return root / LISTS["test"]


def make_lapa(root: Path) -> Path:
    for subset, stem, seed in (("train", "10_0", 0), ("train", "10_1", 1), ("test", "11_0", 2)):
        write_photo(root / subset / "images" / f"{stem}.jpg")
        path = root / subset / "landmarks" / f"{stem}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(format_lapa(random_points(106, seed)))
    return root / "train" / "landmarks" / "10_0.txt"


def coco_records(root: Path) -> list[FaceRecord]:
    """Two faces of a photo; the first has an occluded and an unknown point."""
    photo = root / "images" / "a.jpg"
    points = random_points(29)
    visible, known = np.ones(29, bool), np.ones(29, bool)
    visible[3], known[4] = False, False
    rest = {"image": photo, "scheme": "cofw29", "source": root, "group": "a", "subset": "faces"}
    box = {"dataset": Box(1.5, 2.5, 80.25, 70.0)}
    return [
        make_record(name="faces/a#0", landmarks=points, visible=visible, known=known, boxes=box, **rest),
        make_record(name="faces/a#1", landmarks=random_points(29, 1), **rest),
    ]


def make_coco(root: Path) -> Path:
    write_photo(root / "images" / "a.jpg")
    path = root / "faces.json"
    path.write_text(format_coco(coco_records(root), root / "images", [SIZE, SIZE]))
    return path


def aflw_faces() -> list[AflwFace]:
    full, half = random_points(21).astype(np.float64), random_points(21, 1).astype(np.float64)
    half[::2] = np.nan
    angles = {"roll": 1.25, "pitch": -3.5, "yaw": 40.0}
    return [
        AflwFace(7, "0/image00002.jpg", SIZE, full, Box(5.0, 6.0, 75.0, 76.0), angles),
        AflwFace(9, "0/image00002.jpg", SIZE, half, None, {}),
        AflwFace(8, "3/image00004.jpg", None, full, Box(5.0, 6.0, 75.0, 76.0), {}),
    ]


def make_aflw(root: Path) -> Path:
    for face in aflw_faces():
        write_photo(root / "flickr" / face.path)
    write_aflw(root / "aflw.sqlite", aflw_faces())
    return root / "aflw.sqlite"


def write_cofw(path: Path, ending: str, points: NDArray[np.floating], occluded: NDArray[np.bool_]) -> None:
    """Write points (n, 29, 2), 0-based, as Matlab's v7.3 does: every axis reversed, a cell per photo."""
    import h5py

    n = len(points)
    phis = np.concatenate([points[..., 0] + 1, points[..., 1] + 1, occluded.astype(np.float64)], axis=1)
    with h5py.File(path, "w") as file:
        cells = np.empty((1, n), object)
        for index in range(n):
            shape = (3, SIZE[0], SIZE[1]) if index % 2 == 0 else (SIZE[0], SIZE[1])
            pixels = np.random.default_rng(index).integers(0, 256, shape, dtype=np.uint8)
            cells[0, index] = file.create_dataset(f"#refs#/{index}", data=pixels).ref
        file.create_dataset(f"Is{ending}", data=cells, dtype=h5py.ref_dtype)
        file.create_dataset(f"phis{ending}", data=phis.T)
        file.create_dataset(f"bboxes{ending}", data=np.tile([[3.0], [4.0], [70.0], [60.0]], n))


def make_cofw(root: Path) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    points = np.stack([random_points(29, seed) for seed in range(2)])
    occluded = np.zeros((2, 29), bool)
    occluded[1, 5:9] = True
    write_cofw(root / "COFW_train_color.mat", "Tr", points.astype(np.float64), occluded)
    unpack_cofw(root)
    return root / "COFW_train_color.mat"


def make_pts(root: Path) -> Path:
    for folder, stem, k in (("menpo", "a", 68), ("menpo", "b", 39), ("afw", "c_1", 51)):
        labels = root / folder / "labels" if folder == "afw" else root / folder
        labels.mkdir(parents=True, exist_ok=True)
        write_pts(labels / f"{stem}.pts", random_points(k))
        write_photo((root / folder / "images" if folder == "afw" else labels) / f"{stem}.jpg")
    return root / "menpo" / "a.pts"


def make_manifest(root: Path) -> Path:
    write_photo(root / "images" / "a.jpg")
    (root / FILE_NAME).write_text(format_manifest(coco_records(root), root))
    return root / FILE_NAME


class Case(NamedTuple):
    """`make` writes a data set into a folder and returns the file to damage; `k` points of `scheme` in its faces."""

    format: str
    make: Callable[[Path], Path]
    scheme: str

    @property
    def k(self) -> int:
        return load_scheme(self.scheme).n_points


CASES = (
    Case("300w", make_pts, "ibug68"),
    Case("aflw", make_aflw, "aflw21"),
    Case("coco", make_coco, "cofw29"),
    Case("cofw", make_cofw, "cofw29"),
    Case("lapa", make_lapa, "lapa106"),
    Case("manifest", make_manifest, "cofw29"),
    Case("wflw", make_wflw, "wflw98"),
)


def mutations(content: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """Copies of a file with bytes changed, cut out, doubled or swapped for what breaks parsers."""
    rng = random.Random(seed)
    spice = (b"\x00", b"\xff\xfe", b"nan", b"1e999", b"-", b"\n", b"{", b"[[", b"\xe2\x80\xa8", b"9" * 30, b"../", b'"')
    for _ in range(count):
        data = bytearray(content)
        for _ in range(rng.randint(1, 4)):
            position = rng.randrange(len(data) + 1)
            length = rng.choice((1, 1, 2, 8, 200))
            match rng.randrange(5):
                case 0:
                    data[position : position + 1] = bytes([rng.randrange(256)])
                case 1:
                    del data[position : position + length]
                case 2:
                    data[position:position] = data[position : position + length]
                case 3:
                    data[position : position + rng.choice((0, 1))] = rng.choice(spice)
                case 4 if rng.random() < 0.3:
                    del data[position:]
        yield bytes(data)
