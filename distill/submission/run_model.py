"""Write the landmarks of every photo of a list: python run_model.py image_list.txt OUTPUT_FOLDER

Model, rules and detector lie beside this file, so the working directory does not matter. A photo that fails is
reported in one line and gets a result without a face; the run goes on. Exit status: 0 done, 1 some result could not be
written or every photo failed, 2 nothing could be done at all.
"""

import codecs
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from distill.detection.detector import FaceDetector, bundled_detector
from distill.errors import ConfigError, DistillError, ImageError
from distill.files import write_text
from distill.images import read_image
from distill.inference.landmarker import Landmarker
from distill.submission.contest_rules import (
    Contest,
    Points,
    format_photos,
    format_result,
    guess_box,
    load_contest,
    result_name,
)  # fmt: skip

HERE = Path(__file__).resolve().parent


class Outcome(NamedTuple):
    """What became of one photo.

    Attributes:
        faces: points (k, 2) per face in photo pixels.
        text: of the result file, or of the photo's faces where one file holds all photos.
        complaint: why the photo failed, in one line; None when it did not.
    """

    faces: list[Points]
    text: str
    complaint: str | None


def _decode(data: bytes) -> str:
    """Decode a list: UTF-8, or UTF-16 as PowerShell writes it; bytes that are neither stay what they are."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16")
    if b"\0" in data:
        raise ValueError("not a text file")
    return data.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long, a folder that may not be entered
        return False


def _locate(line: str, folder: Path) -> Path:
    """Return the photo of a line: as it is written, else as Windows means it, with backslashes and in quotes."""
    plain = line.strip('"').replace("\\", "/")
    for name in dict.fromkeys((line, plain)):
        for photo in (Path(name), folder / name):
            if _is_file(photo):
                return photo
    return folder / plain


def read_list(path: Path) -> list[Path]:
    """Return the photos of a list: one path per line, relative to the working directory or to the list.

    Of photos that would write the same result file the first is kept and the others are reported.

    Raises:
        ConfigError: the list cannot be read.
    """
    try:
        text = _decode(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: unreadable list of photos ({error}); give a text file, one path a line") from error
    lines = text.replace("\r", "\n").split("\n")  # not splitlines: file names may hold rarer separators
    photos: dict[str, Path] = {}
    for line in filter(None, map(str.strip, lines)):
        photo = _locate(line, path.resolve().parent)
        if photos.setdefault(photo.stem, photo) != photo:
            print(f"run_model: {photo}: left out, {photos[photo.stem]} has the same result file", file=sys.stderr)
    return list(photos.values())


def predict(photo: Path, landmarker: Landmarker, contest: Contest) -> list[Points]:
    """Return the faces (k, 2) of a photo, or the contest's guess when none is found."""
    if photo.exists() and not photo.is_file():
        raise ImageError(f"{photo}: not a file; a folder or a device holds no photo")
    pixels = read_image(photo)
    faces = [face.landmarks for face in landmarker(pixels)]
    if not faces and contest.no_face == "guess":
        height, width = pixels.shape[:2]
        # A guess stands where the detector would have found a whole face.
        faces = [landmarker.landmarks(pixels, guess_box(contest, width, height), landmarker.spec.detected_crop)]
    return faces


def attempt(photo: Path, landmarker: Landmarker, contest: Contest) -> Outcome:
    """Predict a photo; whatever goes wrong with it becomes a complaint."""
    try:
        faces = predict(photo, landmarker, contest)
        return Outcome(faces, format_result(faces, contest, photo.name), None)
    except Exception as error:  # noqa: BLE001 - one bad photo must not cost the others their results
        kind = "" if isinstance(error, DistillError) else f"{type(error).__name__}: "
        reason = kind + " ".join(str(error).split())
        empty = format_result([], contest, photo.name)
        return Outcome([], empty, reason if str(photo) in reason else f"{photo}: {reason}")


def prepare(output: Path) -> None:
    """Make the output folder and see that files can be written there.

    Raises:
        ConfigError: they cannot.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=output):
            pass
    except OSError as error:
        raise ConfigError(f"{output}: no results can be written there ({error.strerror}); choose another") from error


def write(path: Path, text: str) -> str | None:
    """Write a result; return why it could not be written, None where it was."""
    try:
        write_text(path, text)
    except (OSError, ConfigError) as error:
        return str(error.strerror if isinstance(error, OSError) else error)
    return None


def packaged_detector(folder: Path) -> Path:
    """Return the detector of a package: RetinaFace's file, or the folder where BlazeFace's files are instead."""
    file = folder / bundled_detector().name
    return folder if not file.is_file() and any(folder.glob("face_detection_*.tflite")) else file


def run(image_list: Path, output: Path) -> bool:
    """Write the results of all photos; return whether all were written and at least one photo did not fail."""
    began = time.perf_counter()
    contest = load_contest(HERE / "contest.yaml")
    photos = read_list(image_list)
    prepare(output)
    landmarker = Landmarker(HERE / contest.model_name, FaceDetector(packaged_detector(HERE / "detector")))
    together = contest.result is not None and not contest.result.per_photo
    failed, unwritten, slowest, texts = 0, 0, (0.0, "none"), list[str]()
    for photo in photos:
        start = time.perf_counter()
        faces, text, complaint = attempt(photo, landmarker, contest)
        texts += [text] if together else []
        refused = None
        if not together and (faces or contest.no_face != "skip"):
            refused = write(output / result_name(contest, photo.stem), text)
        if refused:
            complaint, unwritten = f"{photo}: no result could be written ({refused})", unwritten + 1
        if complaint:
            failed += 1
            print(f"run_model: {complaint}", file=sys.stderr, flush=True)
        slowest = max(slowest, (time.perf_counter() - start, photo.name))
    refused = write(output / result_name(contest, ""), format_photos(texts, contest)) if together else None
    if refused:
        print(f"run_model: no result could be written ({refused})", file=sys.stderr, flush=True)
        unwritten += 1
    whole = time.perf_counter() - began
    print(f"run_model: {len(photos)} photos, {failed} failed, {whole:.3f} s, slowest {slowest[0]:.3f} s {slowest[1]}")
    return not unwritten and (failed < len(photos) or not photos)


def main() -> int:
    """Run from the command line; return the exit status."""
    if len(sys.argv) != 3:
        sys.exit("usage: python run_model.py image_list.txt OUTPUT_FOLDER")
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a name no terminal can show
    try:
        return 0 if run(Path(sys.argv[1]), Path(sys.argv[2])) else 1
    except DistillError as error:
        print(f"run_model: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
