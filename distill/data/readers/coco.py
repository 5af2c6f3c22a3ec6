"""COCO-style keypoint JSON, as mmpose converts face sets to: `*.json` in the folder or in `annotations/`.

    {"images": [{"id": 7, "file_name": "a.jpg", "width": 640, "height": 480}],
     "annotations": [{"id": 1, "image_id": 7, "keypoints": [x, y, v, ...], "bbox": [x, y, w, h]}]}

The number of keypoints decides the scheme, or the requested scheme where it has as many points; names of the category's
keypoints are compared with it. v = 0 is a point that is not annotated, 2 a visible and 1 a hidden one; in files without
any 2, such as mmpose's of WFLW and 300-W, 1 means visible. Coordinates are taken as 0-based pixels. A face without
keypoints has labels `none`; crowds, and annotations that have neither keypoints nor a box, are skipped.
"""

import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distill.data.annotation_size import positive_size
from distill.data.readers.scheme_choice import choose_scheme
from distill.data.readers.tables import check_subsets, photo_within, read_text
from distill.data.records import FaceRecord, make_record
from distill.errors import AnnotationError
from distill.geometry import Box
from distill.images import image_size

_LOG = logging.getLogger(__name__)
# Where photos lie, below the folder given.
_PHOTO_FOLDERS = ("", "images")
_HIDDEN = 1
_VISIBLE = 2


def _objects(content: Any, key: str, path: Path) -> list[Mapping[str, Any]]:
    part = content.get(key) if isinstance(content, dict) else None
    if not isinstance(part, list) or not all(isinstance(item, dict) for item in part):
        raise AnnotationError(f'{path}: "{key}" is not a list of objects; use a COCO keypoint file')
    return part


class _Content(NamedTuple):
    """Images by id, annotations, and the keypoint names of the categories that have any."""

    images: Mapping[Any, Mapping[str, Any]]
    annotations: Sequence[Mapping[str, Any]]
    keypoint_names: Sequence[Sequence[str]]

    def names_of(self, k: int) -> Sequence[str]:
        """The names of k keypoints, empty where the file does not name them."""
        return next((names for names in self.keypoint_names if len(names) == k), ())

    def image_of(self, annotation: Mapping[str, Any], source: Path) -> Mapping[str, Any]:
        try:
            return self.images[annotation["image_id"]]
        except (KeyError, TypeError) as error:
            raise AnnotationError(f"{source}: its image is not in the file; fix it") from error


def _load(path: Path) -> _Content:
    """Read a file; its images and annotations are checked to be objects."""
    try:
        content = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise AnnotationError(f"{path}: not JSON ({str(error)[:100]}); copy or download it again") from error
    images, annotations = (_objects(content, key, path) for key in ("images", "annotations"))
    try:
        by_id = {image["id"]: image for image in images}
    except (KeyError, TypeError) as error:
        raise AnnotationError(f"{path}: an image without a usable id ({error!r}); fix it") from error
    if not annotations:
        raise AnnotationError(f"{path}: no annotation; use the file with the keypoints")
    categories = content.get("categories")
    names = (
        [item.get("keypoints") for item in categories if isinstance(item, dict)] if isinstance(categories, list) else []
    )
    return _Content(by_id, annotations, [[str(name) for name in part] for part in names if isinstance(part, list)])


def _keypoints(annotation: Mapping[str, Any], source: Path) -> NDArray[np.float64]:
    """Return (x, y, v) of each point, (0, 3) where the annotation has none."""
    try:
        values = np.array(annotation.get("keypoints") or [], np.float64)
        if values.ndim != 1 or values.size % 3:
            raise ValueError(f"{values.shape} numbers are not x, y, v of each point")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise AnnotationError(f"{source}: no usable keypoints ({str(error)[:100]}); fix it") from error
    points = values.reshape(-1, 3)
    return points if (points[:, 2] > 0).any() else points[:0]


def _is_face(annotation: Mapping[str, Any], points: NDArray[np.float64]) -> bool:
    """Whether an annotation is one face: not a crowd, and with points or a box of any area."""
    box = annotation.get("bbox")
    has_box = isinstance(box, list) and len(box) == 4 and all(isinstance(v, int | float) and v > 0 for v in box[2:])
    return not annotation.get("iscrowd") and bool(len(points) or has_box)


def _box(annotation: Mapping[str, Any], source: Path) -> dict[str, Box]:
    try:
        x, y, w, h = (float(value) for value in annotation["bbox"])
    except KeyError:
        return {}
    except (TypeError, ValueError, OverflowError) as error:
        raise AnnotationError(f"{source}: bbox is not [x, y, width, height]; fix it") from error
    return {"dataset": Box(x, y, x + w, y + h)}


def _image_path(root: Path, image: Mapping[str, Any], source: Path) -> Path:
    name = image.get("file_name")
    if not isinstance(name, str):
        raise AnnotationError(f"{source}: its image has no file_name; fix it")
    for folder in _PHOTO_FOLDERS[1:]:
        try:
            return photo_within(root / folder, name, source)
        except AnnotationError:
            continue
    return photo_within(root, name, source)


def _read_file(root: Path, path: Path, subset: str, scheme: str | None) -> list[FaceRecord]:
    content = _load(path)
    faces = []
    for index, annotation in enumerate(content.annotations):
        source = Path(f"{path} annotation {annotation.get('id', index)}")
        points = _keypoints(annotation, source)
        if _is_face(annotation, points):
            faces.append((annotation, source, points))
    if skipped := len(content.annotations) - len(faces):
        _LOG.warning("%s: %d annotations are crowds or have no keypoints and no box; they are skipped", path, skipped)
    pointed = [points for _, _, points in faces if len(points)]
    if not pointed:
        raise AnnotationError(f"{path}: no annotation with keypoints; use the file with the keypoints")
    visible = _VISIBLE if any((points[:, 2] == _VISIBLE).any() for points in pointed) else _HIDDEN
    names = {k: choose_scheme(k, scheme, path, "keypoints", content.names_of(k)) for k in {len(p) for p in pointed}}
    without = names[len(pointed[0])]
    counts: Counter[str] = Counter()
    records = []
    for annotation, source, points in faces:
        image = content.image_of(annotation, source)
        photo = _image_path(root, image, source)
        stem = str(PurePosixPath(str(image["file_name"]).replace("\\", "/")).with_suffix(""))
        stated = positive_size(image.get("width"), image.get("height"))
        record = make_record(
            name=f"{subset}/{stem}#{counts[stem]}",
            image=photo,
            landmarks=points[:, :2] if len(points) else None,
            scheme=names[len(points)] if len(points) else without,
            source=source,
            visible=points[:, 2] == visible if len(points) else None,
            known=points[:, 2] > 0 if len(points) else None,
            boxes=_box(annotation, source),
            group=stem,
            subset=subset,
            stated=stated,
            size=None if stated else image_size(photo),
        )
        counts[stem] += 1
        records.append(record)
    return records


def read_coco(root: Path, subsets: Sequence[str] | None = None, scheme: str | None = None) -> list[FaceRecord]:
    """Read COCO-style keypoint files in file order. A subset is a file's name without `.json`.

    `boxes['dataset']` is the file's bbox; `group` is the photo.

    Raises:
        AnnotationError: no such file, not COCO keypoints, a face without photo or with one of another size than stated,
            or one that makes no sense.
        ConfigError: a number of keypoints that no scheme has, or several, or names of other points.
        ImageError: a photo that cannot be opened.
    """
    paths = {path.stem: path for folder in ("annotations", "") for path in sorted((root / folder).glob("*.json"))}
    if not paths:
        raise AnnotationError(f"{root}: no .json file in it or in annotations/; give the folder that holds it")
    names = check_subsets(root, subsets, sorted(paths))
    return [record for name in names for record in _read_file(root, paths[name], name, scheme)]
