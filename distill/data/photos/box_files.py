"""Photos with boxes in Pascal VOC XML or COCO JSON; every class counts as a face."""

import json
from pathlib import Path

from distill.data.photos.records import PhotoRecord, corners_of_pixels, make_photo
from distill.data.readers.dlib_xml import parse_xml
from distill.data.readers.tables import photo_within, read_bytes, read_text, to_number
from distill.errors import AnnotationError


def read_voc(labels: Path, images: Path) -> list[PhotoRecord]:
    """Read a folder of Pascal VOC files, one a photo; `difficult` faces are ignored.

    Corners are counted from 1 in VOC's definition and from 0 in most sets that borrow its format; they are read as
    edges counted from 0.

    Raises:
        AnnotationError: a missing or broken file, or a photo that is not there.
    """
    photos = []
    for path in sorted(labels.glob("*.xml")):
        tree = parse_xml(read_bytes(path), path)
        name = tree.findtext("filename") or path.stem
        boxes, ignored = [], []
        for item in tree.iter("object"):
            values = [item.findtext(f"bndbox/{corner}") or "" for corner in ("xmin", "ymin", "xmax", "ymax")]
            x0, y0, x1, y1 = (to_number(value, "a corner of a box", path) for value in values)
            boxes.append(corners_of_pixels(x0, y0, x1 - x0, y1 - y0))
            ignored.append(item.findtext("difficult") == "1")
        photos.append(make_photo(name, photo_within(images, name, path), boxes, ignored))
    if not photos:
        raise AnnotationError(f"{labels}: no .xml file in it; give the folder of the annotations")
    return photos


def read_coco_boxes(labels: Path, images: Path) -> list[PhotoRecord]:
    """Read the boxes of a COCO JSON file; faces with `iscrowd` are ignored, photos without any face are kept.

    Raises:
        AnnotationError: a missing or broken file, or a photo that is not there.
    """
    try:
        content = json.loads(read_text(labels))
        names = {item["id"]: str(item["file_name"]) for item in content["images"]}
        faces: dict[object, list[tuple[tuple[float, float, float, float], bool]]] = {key: [] for key in names}
        for item in content["annotations"]:
            x, y, width, height = (float(value) for value in item["bbox"])
            faces[item["image_id"]].append((corners_of_pixels(x, y, width, height), bool(item.get("iscrowd"))))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise AnnotationError(f"{labels}: not a COCO file with boxes ({str(error)[:100]}); copy it again") from error
    return [
        make_photo(
            name, photo_within(images, name, labels), [box for box, _ in faces[key]], [crowd for _, crowd in faces[key]]
        )
        for key, name in names.items()
    ]
