"""Detector boxes of training faces, and the crop that makes them match the boxes trained on.

A true box is tight around the points a data set has: four points, the 51 inside a face and the 68 with its jaw give
boxes of unlike size. Detector boxes are always those of a whole face, so a crop that suits the one cuts the other out
too large or too small. Training measures it once, on its own faces.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from distill.data.box_sources import DETECTOR
from distill.data.records import FaceRecord
from distill.detection.detection import Detection, Detector
from distill.geometry import Box, CropSpec
from distill.images import read_image

# Sampled faces: the ratios of single faces of 300-W spread by 6 %, so their median is sure to about 1 %.
DETECTED_FACES = 60
# A median of fewer is unreliable, and where most faces are missed, the detected ones may be other faces.
_LEAST = 10


class DetectedCrop(NamedTuple):
    """How a detector's box becomes the crop that a true box gives.

    Attributes:
        crop: None where too few faces were detected.
        found: faces that the detector detected.
        searched: faces that were searched for.
        offset: how far the crop's centre lies from that of the true box's crop, in sides of the crop; the median.
    """

    crop: CropSpec | None
    found: int
    searched: int
    offset: float = 0.0


def detected_crop(records: Sequence[FaceRecord], crop: CropSpec, source: str, detector: Detector) -> DetectedCrop:
    """Fit the crop of detected boxes: the median over faces of what makes it the crop of the true box.

    Args:
        records: training faces; a few, evenly spread, are used.
        crop: how a box of `source` becomes a crop.
        source: of the boxes that are trained on.
        detector: photo -> faces.

    Raises:
        ImageError: a photo that cannot be read.
    """
    boxed = [record for record in records if source in record.boxes]
    sample = [boxed[int(index)] for index in np.linspace(0, len(boxed) - 1, min(DETECTED_FACES, len(boxed)))]
    faces = with_detector_boxes(sample, detector, source)
    found = [(face.boxes[source], face.boxes[DETECTOR]) for face in faces if DETECTOR in face.boxes]
    if len(found) < max(_LEAST, len(sample) / 2):
        return DetectedCrop(None, len(found), len(sample))
    # Of each face: side and centre of its crop relative to the detected box, in sides of that box.
    wanted = np.array([crop.side_and_centre(true) for true, _ in found])
    detected = np.array([(max(box.width, box.height), *box.centre) for _, box in found])
    side, x, y = ((wanted - detected * [0, 1, 1]) / detected[:, :1]).T
    scale, shift = (round(float(np.median(values)), 4) for values in (side, y))
    offset = float(np.median(np.hypot(x, y - shift) / side))
    return DetectedCrop(CropSpec(crop.size, scale, shift), len(found), len(sample), offset)


def with_detector_boxes(records: Iterable[FaceRecord], detector: Detector, source: str = "gt") -> list[FaceRecord]:
    """Return the faces, with the detector's box as `detector` where it detects the face.

    Args:
        records: faces; one with a `detector` box keeps it, and one without a `source` box is not searched for. A photo
            of several faces is searched once.
        detector: photo -> faces.
        source: the box that selects the face in the photo.

    Raises:
        ImageError: a photo that cannot be read.
    """
    faces, searched = [], dict[Path, list[Detection]]()
    for record in records:
        box = None
        if source in record.boxes and DETECTOR not in record.boxes:
            if record.image not in searched:
                searched[record.image] = detector(read_image(record.image))
            box = _same_face(searched[record.image], record.boxes[source])
        faces.append(record if box is None else replace(record, boxes={**record.boxes, DETECTOR: box}))
    return faces


def _same_face(faces: Sequence[Detection], true: Box) -> Box | None:
    """The best of the detected faces whose centre lies as near as half a box to the true one's."""
    near = max(true.width, true.height) / 2
    for face in faces:
        if np.abs(np.subtract(face.box.centre, true.centre)).max() < near:
            return face.box
    return None
