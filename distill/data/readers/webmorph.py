"""webmorph / Psychomorph `.tem` templates beside photos of the same stem: points, then curves through them.

    189                 number of points
    112.262 186.772     x and y of each, tab or space between, 0-based
    ...
    44                  number of curves
    0                   0 open, 1 closed          (three lines for each curve)
    9                   how many points it has
    2 3 4 5 6 7 8 9 2   which
    43                  some programs end the file with one more number

The number of points determines the template. Photos without a `.tem` are not faces to train on and are skipped.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from distill.data.readers.reader import with_own_scheme
from distill.data.readers.tables import check_subsets, photos_by_stem, read_text, to_number
from distill.data.records import FaceRecord, make_record
from distill.errors import AnnotationError
from distill.geometry import Points
from distill.images import image_size

SCHEMES: Mapping[int, str] = {189: "webmorph189", 106: "webmorph106", 83: "webmorph83"}

_MAX_BYTES = 1_000_000
_MAX_COUNT = 10_000


class Curve(NamedTuple):
    """Points joined in order; a closed one returns to its first."""

    closed: bool
    points: tuple[int, ...]


class Template(NamedTuple):
    """One `.tem` file: points (k, 2), 0-based pixels, the curves, and the number after them where there is one."""

    points: Points
    curves: tuple[Curve, ...]
    last: int | None


class _Lines:
    """Non-blank lines, so that errors can name the line."""

    def __init__(self, text: str, source: str | Path) -> None:
        self.source = source
        self._lines: Iterator[tuple[int, str]] = iter(
            [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
        )

    def error(self, number: int, line: str, wanted: str) -> AnnotationError:
        return AnnotationError(f"{self.source}: line {number} is {line[:40]!r} where {wanted} belongs; fix the file")

    def next(self, wanted: str) -> tuple[int, str]:
        for number, line in self._lines:
            return number, line
        raise AnnotationError(f"{self.source}: ends where {wanted} belongs; copy the file again, it is cut short")

    def numbers(self, wanted: str, count: int, low: int, high: int) -> tuple[int, ...]:
        """One line of `count` whole numbers in [low, high)."""
        number, line = self.next(wanted)
        words = line.split()
        if len(words) != count or not all(word.isascii() and word.isdigit() and len(word) < 6 for word in words):
            raise self.error(number, line, wanted)
        values = tuple(int(word) for word in words)
        if not all(low <= value < high for value in values):
            raise self.error(number, line, f"{wanted} from {low} to {high - 1}")
        return values

    def point(self, wanted: str) -> list[float]:
        number, line = self.next(wanted)
        words = line.split()
        if len(words) != 2:
            raise self.error(number, line, wanted)
        return [to_number(word, wanted, Path(f"{self.source} line {number}")) for word in words]


def parse_tem(text: str, source: str | Path) -> Template:
    """Parse a `.tem` text; `source` is the file named in errors.

    Raises:
        AnnotationError: anything but a whole template with finite points and curves through existing points.
    """
    if text.lstrip().startswith("<"):
        raise AnnotationError(f"{source}: a web page or XML, not a template; download the .tem file again")
    lines = _Lines(text, source)
    (count,) = lines.numbers("the number of points", 1, 1, _MAX_COUNT)
    points = [lines.point(f"point {i + 1} of {count} ('x y')") for i in range(count)]
    (n_curves,) = lines.numbers("the number of curves", 1, 0, _MAX_COUNT)
    curves = []
    for index in range(n_curves):
        name = f"curve {index + 1} of {n_curves}"
        (closed,) = lines.numbers(f"0 or 1 ({name} open or closed)", 1, 0, 2)
        (length,) = lines.numbers(f"the length of {name}", 1, 1, _MAX_COUNT)
        curves.append(Curve(bool(closed), lines.numbers(f"{length} points of {name}", length, 0, count)))
    rest = list(lines._lines)
    if len(rest) > 1 or (rest and not (rest[0][1].isascii() and rest[0][1].isdigit() and len(rest[0][1]) < 6)):
        raise lines.error(*rest[0], "the end of the file")
    with np.errstate(over="ignore"):  # becomes infinite, which make_record refuses
        array = np.array(points, np.float64).astype(np.float32)
    return Template(array, tuple(curves), int(rest[0][1]) if rest else None)


@with_own_scheme
def read_webmorph(root: Path, subsets: Sequence[str] | None = None) -> list[FaceRecord]:
    """Read every `.tem` below a folder, sorted by name; a subset is a folder.

    Raises:
        AnnotationError: no or broken templates, a number of points no template has, or a template without photo.
        ImageError: a photo that cannot be opened.
    """
    files = sorted(path for path in root.rglob("*.tem") if not path.name.startswith("."))
    if not files:
        raise AnnotationError(f"{root}: no .tem file in it or below; give the folder that holds the templates")
    chosen = check_subsets(root, subsets, (path.parent.relative_to(root).as_posix() for path in files))
    photos = {folder: photos_by_stem(root / folder) for folder in chosen}
    records = []
    for path in files:
        subset = path.parent.relative_to(root).as_posix()
        if subset not in chosen:
            continue
        points = parse_tem(read_text(path, _MAX_BYTES), path).points
        if len(points) not in SCHEMES:
            known = ", ".join(map(str, SCHEMES))
            raise AnnotationError(f"{path}: {len(points)} points where a known template has {known}; check the file")
        image = photos[subset].get(path.stem)
        if image is None:
            raise AnnotationError(f"{path}: no photo {path.stem}.* beside it; copy it there or remove the template")
        stem = path.relative_to(root).with_suffix("").as_posix()
        record = make_record(
            name=stem, image=image, landmarks=points, scheme=SCHEMES[len(points)], source=path, subset=subset,
            size=image_size(image),
        )  # fmt: skip
        records.append(record)
    return records
