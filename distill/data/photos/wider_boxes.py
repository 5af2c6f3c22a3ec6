"""WIDER FACE photos with boxes: RetinaFace's `label.txt`, the official `wider_face_*_bbx_gt.txt` or `wider_face_*.mat`.

The official files mark faces as invalid (too small or too blurred to judge); those are ignored here, as are faces
without area. In `label.txt` a face is `x y width height`, and with RetinaFace's points fifteen numbers and a sharpness.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from distill.data.photos.records import PhotoRecord, corners_of_pixels, make_photo
from distill.data.readers.tables import photo_within, read_text, to_number
from distill.data.readers.wider import parse_label
from distill.errors import AnnotationError

# Columns of the official text after x, y, width and height: blur, expression, illumination, invalid, occlusion, pose.
_INVALID = 7
_COLUMNS = 10


def read_label(labels: Path, images: Path) -> list[PhotoRecord]:
    """Read a `label.txt`, in file order.

    Raises:
        AnnotationError: a missing or broken file, or a photo that is not there.
    """
    photos = []
    for name, faces in parse_label(read_text(labels), labels):
        kept = [face for face in faces if face.box[2] > 0 and face.box[3] > 0]
        points = [np.where(np.isfinite(face.points).all(), face.points, np.nan) for face in kept]
        boxes = [corners_of_pixels(*face.box) for face in kept]
        photos.append(make_photo(name, photo_within(images, name, labels), boxes, points=points))
    return photos


def read_official_text(labels: Path, images: Path) -> list[PhotoRecord]:
    """Read the official text: name, number of faces, then ten numbers a face; a photo without any has one zero line.

    Raises:
        AnnotationError: a missing or broken file, or a photo that is not there.
    """
    lines = [line.strip() for line in read_text(labels).splitlines() if line.strip()]
    photos = []
    index = 0
    while index < len(lines):
        name = lines[index]
        if index + 1 >= len(lines):
            raise AnnotationError(f"{labels}: ends after the photo {name}; copy it again")
        count = int(to_number(lines[index + 1], f"the number of faces of {name}", labels))
        rows = []
        for line in lines[index + 2 : index + 2 + max(1, count)]:
            words = line.split()
            if len(words) != _COLUMNS:
                raise AnnotationError(f"{labels}: a face of {name} has {len(words)} numbers, not {_COLUMNS}; copy it")
            rows.append([to_number(word, f"a face of {name}", labels) for word in words])
        if len(rows) != max(1, count):
            raise AnnotationError(f"{labels}: {name} has {len(rows)} faces, not {count}; copy it again")
        index += 2 + len(rows)
        faces = np.array(rows).reshape(-1, _COLUMNS)
        photos.append(_official(name, photo_within(images, name, labels), faces[:, :4], faces[:, _INVALID] > 0))
    return photos


def read_official_mat(labels: Path, images: Path) -> list[PhotoRecord]:
    """Read an official `.mat` file with its lists of events, photos, boxes and invalid flags.

    Raises:
        AnnotationError: a missing or broken file, or a photo that is not there.
    """
    content = read_mat(labels, "face_bbx_list", "invalid_label_list")
    invalid = wider_cells(content, "invalid_label_list")
    photos = []
    for (photo, boxes), (_, flags) in zip(wider_cells(content, "face_bbx_list"), invalid, strict=True):
        values = np.asarray(boxes, float).reshape(-1, 4)
        photos.append(_official(photo, photo_within(images, photo, labels), values, np.asarray(flags).reshape(-1) > 0))
    return photos


def read_mat(path: Path, *lists: str) -> dict[str, Any]:
    """Read an official `.mat` file that holds events, photos and these lists.

    Raises:
        AnnotationError: a missing or broken file.
    """
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        content: dict[str, Any] = loadmat(str(path))
        return {name: content[name] for name in ("event_list", "file_list", *lists)}
    except (MatReadError, OSError, ValueError, TypeError, KeyError, NotImplementedError) as error:
        raise AnnotationError(f"{path}: not an official WIDER .mat file ({str(error)[:100]}); copy it") from error


def wider_cells(content: dict[str, Any], name: str) -> Iterator[tuple[str, Any]]:
    """Yield the photos `EVENT/NAME.jpg` of an official `.mat` file with their entries of one of its lists."""
    for event, names, cells in zip(*(_column(content[key]) for key in ("event_list", "file_list", name)), strict=True):
        folder = str(np.squeeze(event))
        for photo, cell in zip(_column(names), _column(cells), strict=True):
            yield f"{folder}/{np.squeeze(photo)}.jpg", cell


def _column(cells: Any) -> Any:
    return np.asarray(cells).reshape(-1)


def _official(name: str, image: Path, boxes: Any, invalid: Any) -> PhotoRecord:
    real = (boxes[:, 2] > 0) & (boxes[:, 3] > 0)
    return make_photo(name, image, [corners_of_pixels(*box) for box in boxes[real]], invalid[real])
