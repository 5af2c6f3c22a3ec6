"""Draw faces with numbered landmarks, for a visual check of the point order."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from distill.data.check.finding import Finding
from distill.data.records import FaceRecord
from distill.errors import ImageError
from distill.files import write_bytes
from distill.geometry import CropSpec, apply_affine, box_of_points, crop_affine
from distill.images import Photo, read_image, warp

SHEETS = ("faces.png", "findings.png")
_LABEL = 36
_VISIBLE = (60, 230, 90)
_HIDDEN = (250, 90, 60)
_TEXT = (255, 255, 255)
_SHADE = (0, 0, 0)


def evenly(records: Sequence[FaceRecord], count: int) -> list[FaceRecord]:
    """At most `count` of the faces, spread evenly."""
    indices = np.linspace(0, len(records) - 1, min(count, len(records))).astype(int)
    return [records[index] for index in indices]


def numbered_face(record: FaceRecord, size: int = 420) -> tuple[Photo, NDArray[np.float32]]:
    """Return the crop (size, size, 3) with a number beside each point, and the points (k, 2) in it that are marked.

    Hidden points have another colour. A face without points is shown by its box.

    Raises:
        ImageError: the photo cannot be read.
    """
    points = record.landmarks[record.known]
    box = record.boxes.get("gt") or record.boxes.get("dataset") or box_of_points(points)
    affine = crop_affine(box, CropSpec(size, 1.3))
    picture = warp(read_image(record.image), affine, size)
    positions = apply_affine(affine, points)
    numbers = np.flatnonzero(record.known)
    visible = record.visible[record.known]
    for number, position, shown in zip(numbers, positions, visible, strict=True):
        x, y = (round(float(v)) for v in position)
        cv2.circle(picture, (x, y), 2, _VISIBLE if shown else _HIDDEN, -1, cv2.LINE_AA)
        # Dark below light, so that the number is read on any skin.
        for colour, thickness in ((_SHADE, 2), (_TEXT, 1)):
            cv2.putText(
                picture, str(number), (x + 3, y + 3), cv2.FONT_HERSHEY_SIMPLEX, 0.28, colour, thickness, cv2.LINE_AA
            )
    return picture, positions


def numbered_sheet(records: Sequence[FaceRecord], captions: Mapping[str, str], columns: int = 4) -> Photo | None:
    """Return numbered faces side by side, RGB, with name and caption above each; None if no photo can be read.

    Args:
        records: the faces; those whose photo cannot be read are left out.
        captions: a line by face name.
        columns: faces in a row.
    """
    tiles = []
    for record in records:
        try:
            picture, _ = numbered_face(record)
        except ImageError:
            continue
        label = np.full((_LABEL, *picture.shape[1:]), 255, np.uint8)
        for row, text in enumerate((record.name[-60:], captions.get(record.name, "")), 1):
            cv2.putText(label, text, (4, 15 * row), cv2.FONT_HERSHEY_SIMPLEX, 0.38, _SHADE, 1, cv2.LINE_AA)
        tiles.append(np.concatenate([label, picture]))
    if not tiles:
        return None
    columns = min(columns, len(tiles))
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % columns)
    return np.concatenate([np.concatenate(tiles[i : i + columns], 1) for i in range(0, len(tiles), columns)])


def write_sheets(folder: Path, records: Sequence[FaceRecord], findings: Sequence[Finding]) -> list[Path]:
    """Write `faces.png`, evenly spread faces, and `findings.png`, faces with findings; return the files written."""
    captions = {finding.file: finding.check for finding in reversed(findings)}
    faulty = [record for record in records if record.name in captions]
    written = []
    for name, faces in zip(SHEETS, (evenly(records, 12), evenly(faulty, 12)), strict=True):
        picture = numbered_sheet(faces, captions)
        if picture is not None:
            write_bytes(folder / name, cv2.imencode(".png", picture[..., ::-1])[1].tobytes())
            written.append(folder / name)
    return written
