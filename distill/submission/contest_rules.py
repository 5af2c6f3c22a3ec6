"""A contest's rules as data, and the text files its results are written in.

A result file holds one block per face::

    version: 1
    n_points: 51
    {
    103.250 88.125
    ...
    }
"""

import re
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import yaml
from numpy.typing import NDArray

from distill.errors import ConfigError, SubmissionError, suggest
from distill.files import read_regular
from distill.geometry import Box
from distill.submission.result_template import ResultFace, ResultTemplate, read_template

Points = NDArray[np.floating]
Header = Literal["plain", "suffixed"]
NoFace = Literal["guess", "skip", "empty"]
Order = Literal["right_to_left", "left_to_right", "largest_first", "detector"]
# By how much rounded coordinates may change the order: middles are rounded like any coordinate, areas by a share.
_MIDDLE_SLACK, _AREA_SLACK = 1e-9, 0.01
_BLOCK = re.compile(r"version: 1(?:\((right|middle|left) one\))?\nn_points: (\d+)\n\{\n([^{}]*)\}\n")


@dataclass(frozen=True)
class Contest:
    """The rules of a contest; configs/contest/*.yaml names the source of each.

    Attributes:
        name: what reports call it.
        scheme: landmark scheme of the result.
        n_points: points of a face.
        decimals: digits after the point of a coordinate.
        order: how faces follow each other in a photo: by the middle of their points, by the area these cover, or as
            the detector is certain of them.
        header: whether a face's header names its position.
        first_pixel: coordinate of the first pixel's centre in result files.
        no_face: what is written for a photo in which no face is found.
        guess_box: where the face is guessed, in photo pixels from 0; required by `no_face: guess`.
        runtime: newest TFLite release whose operators the model may use.
        model_name: name of the model in the package.
        files: names the package must hold.
        python: Python versions the package must run on.
        forbidden_packages: distributions that must not be installed with the package, None where unknown.
        max_zip_bytes, max_model_bytes: limits, None where unknown.
        max_seconds_per_photo: of the slowest photo, None where unknown.
        max_seconds_total: of one call with all its photos, start included, None where unknown.
        result: templates of the result files; None for the blocks above.
    """

    name: str
    scheme: str
    n_points: int
    decimals: int
    order: Order
    header: Header
    first_pixel: int
    no_face: NoFace
    guess_box: tuple[float, float, float, float] | None
    runtime: str
    model_name: str
    files: tuple[str, ...]
    python: tuple[str, ...]
    forbidden_packages: tuple[str, ...] | None
    max_zip_bytes: int | None
    max_model_bytes: int | None
    max_seconds_per_photo: float | None
    max_seconds_total: float | None
    result: ResultTemplate | None = None

    @property
    def oldest_python(self) -> tuple[int, int]:
        """The oldest Python the package must run on."""
        major, minor = min(tuple(map(int, version.split("."))) for version in self.python)
        return major, minor


_CHOICES = {"order": get_args(Order), "header": get_args(Header), "no_face": get_args(NoFace)}
_TEXTS = ("name", "scheme", "runtime", "model_name")
_LISTS = ("files", "python", "forbidden_packages")
_LIMITS = ("max_zip_bytes", "max_model_bytes", "max_seconds_per_photo", "max_seconds_total")


def load_contest(path: str | Path) -> Contest:
    """Read rules from YAML.

    Raises:
        ConfigError: missing file, not YAML, an unknown or missing key, or a value that is not allowed.
    """
    path = Path(path)
    try:
        raw = yaml.safe_load(read_regular(path).decode())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"{path}: no readable contest rules ({reason}); see configs/contest/") from error
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: contest rules are `key: value` lines, this is {type(raw).__name__}")
    names = [field.name for field in fields(Contest)]
    for key in raw:
        if key not in names:
            raise ConfigError(f"{path}: unknown rule '{key}'; {suggest(str(key), names)}")
    missing = [field.name for field in fields(Contest) if field.name not in raw and field.default is MISSING]
    if missing:
        raise ConfigError(f"{path}: missing rule '{missing[0]}'; write null where a limit is unknown")
    _check_values(raw, path)
    box = None if raw["guess_box"] is None else tuple(float(value) for value in raw["guess_box"])
    lists = {key: None if raw[key] is None else tuple(raw[key]) for key in _LISTS}
    template = read_template(raw.get("result"), str(path))
    return Contest(**{**raw, "guess_box": box, **lists, "result": template})


def _check_values(raw: dict[str, Any], path: Path) -> None:
    def refuse(key: str, wanted: str) -> None:
        raise ConfigError(f"{path}: {key} is {raw[key]!r}; it must be {wanted}")

    for key, valid in _CHOICES.items():
        if raw[key] not in valid:
            refuse(key, f"one of {', '.join(valid)}")
    for key in _TEXTS:
        if not isinstance(raw[key], str):
            refuse(key, "text")
    for key in _LISTS:
        if raw[key] is None and key == "forbidden_packages":
            continue
        if not isinstance(raw[key], list) or not all(isinstance(item, str) for item in raw[key]):
            refuse(key, "a list of texts, with quotes where they look like numbers")
    if not re.fullmatch(r"[\w-][\w.-]*\.tflite", raw["model_name"]):
        refuse("model_name", "a file name that ends in .tflite, without folders")
    if not raw["python"] or not all(re.fullmatch(r"3\.\d+", version) for version in raw["python"]):
        refuse("python", 'versions like "3.11"')
    for key, least in (("n_points", 1), ("decimals", 0), ("first_pixel", 0)):
        if type(raw[key]) is not int or raw[key] < least:
            refuse(key, f"a whole number, at least {least}")
    for key in _LIMITS:
        if raw[key] is not None and (type(raw[key]) not in (int, float) or raw[key] <= 0):
            refuse(key, "a number above 0, or null")
    box = raw["guess_box"]
    good = isinstance(box, list) and len(box) == 4 and all(type(value) in (int, float) for value in box)
    if not (good and box[2] > box[0] and box[3] > box[1]) and (box is not None or raw["no_face"] == "guess"):
        refuse("guess_box", "four numbers x0, y0, x1, y1 of a box with an area")


def guess_box(contest: Contest, width: int, height: int) -> Box:
    """Return the box in which a face is guessed in a photo of this size: the contest's, cut to the photo."""
    if contest.guess_box is None:
        raise ConfigError(f"{contest.name}: no guess_box; set it, or choose no_face: skip or empty")
    x0, y0, x1, y1 = contest.guess_box
    box = Box(max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height)))
    return box if box.width > 0 and box.height > 0 else Box(0.0, 0.0, float(width), float(height))


def ordered(faces: Sequence[Points], order: Order) -> list[Points]:
    """Return faces (k, 2), given as the detector is certain of them, in the order of the rules."""
    return sorted(faces, key=lambda points: _rank(points, order))


def _rank(points: Points, order: Order) -> float:
    """Return what faces are sorted by, smallest first."""
    low, high = points.min(0), points.max(0)
    if order == "detector":
        return 0.0
    if order == "largest_first":
        return -float(np.prod(high - low))
    middle = float(low[0] + high[0])
    return middle if order == "left_to_right" else -middle


def _require_order(faces: Sequence[Points], order: Order, name: str) -> None:
    ranks = [_rank(points, order) for points in faces]
    for earlier, later in pairwise(ranks):
        slack = _AREA_SLACK * abs(earlier) if order == "largest_first" else _MIDDLE_SLACK
        if later < earlier - slack:
            raise SubmissionError(f"{name}: faces are not ordered {order.replace('_', ' ')}")


def _suffix(index: int, count: int, header: Header) -> str:
    if header == "plain" or count == 1:
        return ""
    name = "right" if index == 0 else "left" if index == count - 1 else "middle"
    return f"({name} one)"


def result_name(contest: Contest, stem: str) -> str:
    """Return the name of the file with the result of a photo, whose name without suffix is `stem`."""
    return contest.result.file_name(stem) if contest.result else f"{stem}.txt"


def format_result(faces: Sequence[Points], contest: Contest, photo: str = "") -> str:
    """Return the text of a result file, or of the faces of one photo where one file holds all photos.

    Args:
        faces: points (k, 2) in photo pixels from 0, as the detector is certain of them.
        contest: the rules.
        photo: its file name, which templates may state.

    Raises:
        SubmissionError: a face has another number of points or a coordinate that is not finite.
    """
    blocks = []
    for index, points in enumerate(ordered(faces, contest.order)):
        if points.shape != (contest.n_points, 2):
            raise SubmissionError(f"a face has shape {points.shape}; {contest.name} wants ({contest.n_points}, 2)")
        if not np.isfinite(points).all():
            raise SubmissionError("a face has coordinates that are not finite; check the model's output")
        # Adding 0.0 turns the negative zero that rounding leaves into zero.
        rounded = np.round(points.astype(np.float64) + contest.first_pixel, contest.decimals) + 0.0
        suffix = _suffix(index, len(faces), contest.header)
        if contest.result:
            blocks.append(contest.result.text_of_face(rounded, photo, index, suffix, contest.decimals))
            continue
        lines = "".join(f"{x:.{contest.decimals}f} {y:.{contest.decimals}f}\n" for x, y in rounded)
        blocks.append(f"version: 1{suffix}\nn_points: {contest.n_points}\n{{\n{lines}}}\n")
    if contest.result is None:
        return "".join(blocks)
    if contest.result.per_photo:
        return contest.result.document(blocks, photo, contest.n_points)
    return contest.result.face_separator.join(blocks)


def format_photos(texts: Sequence[str], contest: Contest) -> str:
    """Return the file of all photos from the texts of `format_result`; photos without a face have an empty one."""
    assert contest.result is not None
    return contest.result.document([text for text in texts if text], "", contest.n_points)


def parse_result(text: str, contest: Contest, name: str = "result") -> list[NDArray[np.float64]]:
    """Read a result file strictly.

    Returns:
        points (k, 2) per face in photo pixels from 0, in the order of the file.

    Raises:
        SubmissionError: the text breaks a rule: another format, number of points, precision, header or order.
    """
    if contest.result:
        stated = contest.result.parse(text, contest.n_points, contest.decimals, name)
        return _required(
            [face.points - contest.first_pixel for face in stated], [f.suffix for f in stated], contest, name
        )
    faces, headers, position = [], [], 0
    while position < len(text):
        block = _BLOCK.match(text, position)
        if block is None:
            line = text.count("\n", 0, position) + 1
            raise SubmissionError(f"{name}: line {line} does not start a face block; expected `version: 1`")
        faces.append(_parse_points(block, contest, name))
        headers.append(f"({block[1]} one)" if block[1] else "")
        position = block.end()
    return _required(faces, headers, contest, name)


def parse_photos(text: str, contest: Contest, name: str = "results") -> dict[str, list[NDArray[np.float64]]]:
    """Read a file of all photos strictly; return the faces of each photo by what the file calls it.

    Raises:
        SubmissionError: as `parse_result`.
    """
    assert contest.result is not None
    photos: dict[str, list[ResultFace]] = {}
    for face in contest.result.parse(text, contest.n_points, contest.decimals, name):
        photos.setdefault(face.photo, []).append(face)
    return {
        photo: _required(
            [face.points - contest.first_pixel for face in faces], [f.suffix for f in faces], contest, name
        )
        for photo, faces in photos.items()
    }


def _required(
    faces: list[NDArray[np.float64]], headers: list[str], contest: Contest, name: str
) -> list[NDArray[np.float64]]:
    """Return the faces of a photo that have the suffixes and the order of the rules.

    Raises:
        SubmissionError: they have not.
    """
    expected = [_suffix(index, len(faces), contest.header) for index in range(len(faces))]
    if headers != expected and (contest.result is None or "$suffix" in contest.result.face):
        raise SubmissionError(f"{name}: header suffixes are {headers}, {contest.name} wants {expected}")
    _require_order(faces, contest.order, name)
    return faces


def _parse_points(block: re.Match[str], contest: Contest, name: str) -> NDArray[np.float64]:
    lines = block[3].splitlines()
    if int(block[2]) != contest.n_points or len(lines) != contest.n_points:
        raise SubmissionError(
            f"{name}: a face has {len(lines)} points, n_points is {block[2]}; want {contest.n_points}"
        )
    digits = rf"\.\d{{{contest.decimals}}}" if contest.decimals else ""
    pattern = re.compile(rf"(-?\d+{digits}) (-?\d+{digits})")
    points = []
    for line in lines:
        found = pattern.fullmatch(line)
        if found is None:
            raise SubmissionError(f"{name}: '{line}' is not `x y` with {contest.decimals} decimals")
        points.append((float(found[1]), float(found[2])))
    return np.array(points, np.float64) - contest.first_pixel
