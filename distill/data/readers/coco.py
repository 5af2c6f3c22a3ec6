"""COCO-style keypoint JSON, as mmpose converts face sets to: `*.json` in the folder or in `annotations/`.

    {"images": [{"id": 7, "file_name": "a.jpg", "width": 640, "height": 480}],
     "annotations": [{"id": 1, "image_id": 7, "keypoints": [x, y, v, ...], "bbox": [x, y, w, h]}]}

The number of keypoints decides the scheme (`SCHEMES`), or the requested scheme where it has as many points. v = 0 is
a point that is not annotated, 2 a visible and 1 a hidden one; in files without any 2, such as mmpose's of WFLW and
300-W, 1 means visible. Coordinates are taken as 0-based pixels.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

import numpy as np

from distill.data.readers.tables import check_subsets, photo_within, read_text
from distill.data.records import FaceRecord, make_record
from distill.errors import AnnotationError, ConfigError
from distill.geometry import Box
from distill.landmarks import load_scheme

SCHEMES: Mapping[int, str] = MappingProxyType(
    {
        5: "five", 10: "ten", 19: "aflw19", 21: "aflw21", 29: "cofw29", 39: "menpo39", 51: "inner51", 68: "ibug68",
        70: "faces70", 76: "muct76", 98: "wflw98", 106: "lapa106",
    }
)  # fmt: skip
# Where photos lie, below the folder given.
_PHOTO_FOLDERS = ("", "images")
_HIDDEN = 1
_VISIBLE = 2


def _objects(content: Any, key: str, path: Path) -> list[Mapping[str, Any]]:
    part = content.get(key) if isinstance(content, dict) else None
    if not isinstance(part, list) or not all(isinstance(item, dict) for item in part):
        raise AnnotationError(f'{path}: "{key}" is not a list of objects; use a COCO keypoint file')
    return part


def _load(path: Path) -> tuple[dict[Any, Mapping[str, Any]], list[Mapping[str, Any]]]:
    """Images by id and annotations, both checked to be objects."""
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
    return by_id, annotations


def _keypoints(annotation: Mapping[str, Any], source: Path) -> np.ndarray[Any, np.dtype[np.float64]]:
    try:
        values = np.array(annotation["keypoints"], np.float64)
        if values.ndim != 1 or values.size % 3 or not values.size:
            raise ValueError(f"{values.shape} numbers are not x, y, v of each point")
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise AnnotationError(f"{source}: no usable keypoints ({str(error)[:100]}); fix it") from error
    return values.reshape(-1, 3)


def _scheme_of(k: int, requested: str | None, source: Path) -> str:
    if requested is not None and load_scheme(requested).n_points == k:
        return requested
    if k not in SCHEMES:
        raise ConfigError(f"{source}: {k} keypoints fit no built-in scheme; name yours with --data.scheme FILE.yaml")
    return SCHEMES[k]


def _box(annotation: Mapping[str, Any], source: Path) -> dict[str, Box]:
    try:
        x, y, w, h = (float(value) for value in annotation["bbox"])
    except KeyError:
        return {}
    except (TypeError, ValueError, OverflowError) as error:
        raise AnnotationError(f"{source}: bbox is not [x, y, width, height]; fix it") from error
    return {"dataset": Box(x, y, x + w, y + h)}


def _size(image: Mapping[str, Any]) -> tuple[int, int] | None:
    """Width and height where the file holds them."""
    size = image.get("width"), image.get("height")
    return (size[0], size[1]) if all(isinstance(side, int) and side > 0 for side in size) else None  # type: ignore[return-value]


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
    images, annotations = _load(path)
    sources = [Path(f"{path} annotation {annotation.get('id', index)}") for index, annotation in enumerate(annotations)]
    keypoints = [_keypoints(*pair) for pair in zip(annotations, sources, strict=True)]
    visible = _VISIBLE if any((points[:, 2] == _VISIBLE).any() for points in keypoints) else _HIDDEN
    counts: Counter[str] = Counter()
    records = []
    for annotation, source, points in zip(annotations, sources, keypoints, strict=True):
        try:
            image = images[annotation["image_id"]]
        except (KeyError, TypeError) as error:
            raise AnnotationError(f"{source}: its image is not in the file; fix it") from error
        photo = _image_path(root, image, source)
        stem = str(PurePosixPath(str(image["file_name"]).replace("\\", "/")).with_suffix(""))
        record = make_record(
            name=f"{subset}/{stem}#{counts[stem]}",
            image=photo,
            landmarks=points[:, :2],
            scheme=_scheme_of(len(points), scheme, source),
            source=source,
            visible=points[:, 2] == visible,
            known=points[:, 2] > 0,
            boxes=_box(annotation, source),
            group=stem,
            subset=subset,
            size=_size(image),
        )
        counts[stem] += 1
        records.append(record)
    return records


def format_coco(records: Sequence[FaceRecord], root: Path, sizes: Sequence[tuple[int, int]]) -> str:
    """Return the JSON of faces of one scheme, whose photos lie below `root` and have these (width, height).

    Reading it returns exactly the same points, visibility and `dataset` boxes.
    """
    files = {record.image: index for index, record in reversed(list(enumerate(records)))}
    images = [
        {
            "id": index,
            "file_name": image.relative_to(root).as_posix(),
            "width": sizes[index][0],
            "height": sizes[index][1],
        }
        for image, index in sorted(files.items(), key=lambda item: item[1])
    ]
    annotations = []
    for index, record in enumerate(records):
        flags = np.where(record.known, np.where(record.visible, _VISIBLE, _HIDDEN), 0)
        rows = zip(record.landmarks.tolist(), flags.tolist(), strict=True)
        face: dict[str, Any] = {"id": index, "image_id": files[record.image], "category_id": 1, "iscrowd": 0}
        face["keypoints"] = [value for point, flag in rows for value in (*point, flag)]
        face["num_keypoints"] = int(record.known.sum())
        if "dataset" in record.boxes:
            box = record.boxes["dataset"]
            face["bbox"] = [box.x0, box.y0, box.width, box.height]
        annotations.append(face)
    categories = [{"id": 1, "name": "face"}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    return json.dumps(content, separators=(",", ":"), allow_nan=False)


def read_coco(root: Path, subsets: Sequence[str] | None = None, scheme: str | None = None) -> list[FaceRecord]:
    """Read COCO-style keypoint files in file order; photos are not opened. A subset is a file's name without `.json`.

    `boxes['dataset']` is the file's bbox; `group` is the photo.

    Raises:
        AnnotationError: no such file, not COCO keypoints, a face without photo, or one that makes no sense.
        ConfigError: a number of keypoints no scheme has.
    """
    paths = {path.stem: path for folder in ("annotations", "") for path in sorted((root / folder).glob("*.json"))}
    if not paths:
        raise AnnotationError(f"{root}: no .json file in it or in annotations/; give the folder that holds it")
    names = check_subsets(root, subsets, sorted(paths))
    return [record for name in names for record in _read_file(root, paths[name], name, scheme)]
