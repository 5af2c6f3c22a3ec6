"""The page in headless Chromium, with LiteRT.js and the released files, against the Python of this package."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from distill.data.synthetic.render import render_face
from distill.errors import ConfigError
from distill.inference.landmarker import Landmarker
from distill.web.litertjs import installed_litertjs
from scripts.web.browser import ENVIRONMENT, Browser, find_chromium
from scripts.web.demo import choose_model, open_demo, show_photo, start_camera

# Photo pixels; the pixels of a PNG are the same in both, those of a JPEG differ by the decoders' rounding.
PNG_TOLERANCE = 0.01
JPEG_TOLERANCE = 0.1
SIDE = 256

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def faces() -> list[np.ndarray]:
    return [render_face(5, index, SIDE, 0.3).image for index in range(3)]


@pytest.fixture(scope="module")
def demo(faces: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if find_chromium() is None:
        pytest.skip(f"no Chromium on PATH, and {ENVIRONMENT} does not name one")
    try:
        installed_litertjs()
    except ConfigError as error:
        pytest.skip(str(error))
    camera = tmp_path_factory.mktemp("camera") / "faces.mjpeg"
    frames = [np.concatenate([face, faces[0]], axis=1) for face in faces[1:]]
    camera.write_bytes(b"".join(cv2.imencode(".jpg", frame[..., ::-1])[1].tobytes() for frame in frames))
    with open_demo(camera=camera) as browser:
        yield browser


def largest_difference(found: dict[str, Any], photo: Path, model: str) -> float:
    """Return the largest distance in pixels between corners of boxes, or landmarks, of the page and of Python."""
    expected = Landmarker(model)(photo)
    assert len(found["faces"]) == len(expected) > 0
    differences = []
    for face, own in zip(found["faces"], expected, strict=True):
        assert face["score"] == pytest.approx(own.score, abs=0.01)
        assert face["placed"] is own.placed
        differences += [np.subtract(face["box"], own.box), np.subtract(face["landmarks"], own.landmarks)]
    return max(float(np.abs(difference).max()) for difference in differences)


def shown_with(demo: Browser, model: str) -> dict[str, Any]:
    """Choose a model and return the result for the photo that is shown; a later result is then of a later photo."""
    demo.evaluate("window.result = null")
    choose_model(demo, model)
    result: dict[str, Any] = demo.wait_for("window.result || undefined")
    return result


def test_boxes_and_points_of_a_photo_are_those_of_python(
    demo: Browser, faces: list[np.ndarray], tmp_path: Path
) -> None:
    """Three faces side by side: a wide photo, which is searched in tiles as well."""
    photo = tmp_path / "faces.png"
    cv2.imwrite(str(photo), np.concatenate(faces, axis=1)[..., ::-1])
    found = show_photo(demo, photo)
    assert (found["width"], found["height"], len(found["faces"])) == (3 * SIDE, SIDE, 3)
    assert largest_difference(found, photo, "student_68_128") < PNG_TOLERANCE
    found = shown_with(demo, "efld_51_128_int8")
    assert len(found["faces"][0]["landmarks"]) == 51
    assert largest_difference(found, photo, "efld_51_128") < PNG_TOLERANCE


def test_a_turned_photo_of_a_phone(demo: Browser, faces: list[np.ndarray], tmp_path: Path) -> None:
    """A JPEG stored on its side, whose EXIF entry says so."""
    shown_with(demo, "student_68_128_fp16")
    stored = Image.fromarray(np.rot90(np.concatenate(faces[:2], axis=0)).copy())
    exif = stored.getexif()
    exif[0x0112] = 6
    stored.save(tmp_path / "turned.jpg", quality=95, exif=exif)
    found = show_photo(demo, tmp_path / "turned.jpg")
    assert (found["width"], found["height"]) == (SIDE, 2 * SIDE)
    assert largest_difference(found, tmp_path / "turned.jpg", "student_68_128") < JPEG_TOLERANCE


def test_the_camera_shows_faces_and_times(demo: Browser) -> None:
    start_camera(demo)
    assert demo.wait_for("Number(document.getElementById('fps').textContent) > 0")
    found = demo.evaluate("window.result")
    assert len(found["faces"]) == 2
    assert all(face["placed"] for face in found["faces"])
    numbers = {name: float(demo.evaluate(f"document.getElementById('{name}').textContent")) for name in (
        "faces", "detector", "landmarks")}  # fmt: skip
    assert numbers["faces"] == 2
    assert min(numbers.values()) > 0
    demo.evaluate("document.getElementById('camera').click()")
    assert demo.evaluate("document.getElementById('video').srcObject === null")


def test_a_file_that_is_no_photo_is_reported_in_the_page(demo: Browser, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no photo")
    demo.choose_files("#photo", tmp_path / "notes.txt")
    demo.wait_for("document.querySelector('#message.error') !== null")
    assert demo.evaluate("document.getElementById('message').textContent")


def test_nothing_is_uploaded_and_nothing_comes_from_elsewhere(demo: Browser) -> None:
    """After all of the above: every request was a GET of the page's own server, and none was refused."""
    requests = [(method, address) for method, address in demo.requests() if not address.startswith(("data:", "blob:"))]
    assert len(requests) > 15
    assert {method for method, _ in requests} == {"GET"}
    assert {address.split("/")[2].split(":")[0] for _, address in requests} == {"localhost"}
    assert demo.problems() == []
