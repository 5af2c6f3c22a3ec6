"""Photos for a dry run when none are given: generated ones with one face, several and none, and a torn one."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from distill.detection.detector import Detector, FaceDetector
from distill.errors import SubmissionError
from distill.files import write_bytes
from distill.images import Photo

_WIDTH, _HEIGHT, _FACE = 640, 480, 200
_TRIES = 100
_SEED = 20240


def texture(seed: int) -> Photo:
    """Return a (480, 640, 3) uint8 photo without a face: smooth coloured blobs."""
    random = np.random.default_rng(seed)
    coarse = random.integers(60, 200, (6, 8, 3)).astype(np.uint8)
    smooth = cv2.resize(coarse, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_CUBIC).astype(np.int16)
    return np.clip(smooth + random.integers(-6, 7, smooth.shape), 0, 255).astype(np.uint8)


def compose(faces: Sequence[NDArray[np.uint8]], seed: int) -> Photo:
    """Return a texture with square face pictures side by side, at differing heights."""
    canvas = texture(seed)
    for index, face in enumerate(faces):
        x = (2 * index + 1) * _WIDTH // (2 * len(faces)) - _FACE // 2
        y = (_HEIGHT - _FACE) // 2 + (index % 2) * 60
        canvas[y : y + _FACE, x : x + _FACE] = cv2.resize(face, (_FACE, _FACE), interpolation=cv2.INTER_AREA)
    return canvas


def sample_photos(folder: str | Path, detect: Detector | None = None) -> list[Path]:
    """Write one.png, several.png (three faces), none.png and torn.jpg (half a file) into `folder`; return their paths.

    Faces that the detector does not find are skipped, because a photo with one face must be one for the package too.

    Raises:
        SubmissionError: the detector finds too few of the generated faces.
    """
    from distill.data.synthetic import render_face

    detect = detect or FaceDetector()
    found: list[NDArray[np.uint8]] = []
    for index in range(_TRIES):
        face = render_face(_SEED, index, 256).image
        if len(detect(compose([face], _SEED))) == 1:
            found.append(face)
        if len(found) >= 3 and len(detect(compose(found[-3:], _SEED))) == 3:
            break
    else:
        raise SubmissionError(f"the detector saw {len(found)} of {_TRIES} generated faces; give photos of your own")
    photos = {"one": compose(found[-1:], _SEED), "several": compose(found[-3:], _SEED), "none": texture(_SEED)}
    paths = []
    for name, photo in photos.items():
        paths.append(Path(folder) / f"{name}.png")
        write_bytes(paths[-1], cv2.imencode(".png", photo[:, :, ::-1])[1].tobytes())
    whole = cv2.imencode(".jpg", photos["one"][:, :, ::-1])[1].tobytes()
    paths.append(Path(folder) / "torn.jpg")
    write_bytes(paths[-1], whole[: len(whole) // 2])
    return paths
