"""dlib's imglab XML, as iBUG's `labels_ibug_300W_train.xml` and dlib's own examples: photos, boxes, parts.

    <dataset><images>
      <image file='2008_002470.jpg' width='500' height='332'>
        <box top='181' left='274' width='52' height='53' ignore='0'>
          <part name='00' x='277' y='194'/> ...

Coordinates are 0-based pixels. The box is the one dlib's detector would give, hence `dataset`; the tight box of the
points is `gt`. A part that is missing is not marked; a box with ignore='1' is skipped; a box without parts has labels
`none`. XML with a document type or entities is refused: such files can exhaust the memory or read other files.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from distill.data.annotation_size import positive_size
from distill.data.readers.scheme_choice import choose_scheme
from distill.data.readers.tables import check_subsets, photo_within, read_bytes, to_number
from distill.data.readers.w300 import Groups
from distill.data.records import FaceRecord, make_record
from distill.errors import AnnotationError, ConfigError
from distill.geometry import Box
from distill.images import image_size
from distill.landmarks import load_scheme

DEFAULT_SCHEME = "ibug68"

_MAX_BYTES = 200_000_000


class XmlFace(NamedTuple):
    """A box (left, top, width, height) and its parts (x, y) by number; no parts where only the box is known."""

    box: tuple[float, float, float, float]
    parts: Mapping[int, tuple[float, float]]


class XmlImage(NamedTuple):
    """A photo, as the file calls it, its faces, and its (width, height) where the file states it."""

    file: str
    faces: tuple[XmlFace, ...]
    size: tuple[int, int] | None = None


def parse_xml(data: bytes, source: Path) -> Any:
    """Return the root element of an XML file; document types and entities are refused.

    Raises:
        AnnotationError: not XML, or with a document type.
        ConfigError: defusedxml is not installed.
    """
    try:
        from defusedxml import DefusedXmlException
        from defusedxml.ElementTree import fromstring
    except ImportError as error:
        raise ConfigError("reading XML needs defusedxml: run `pip install defusedxml`") from error
    from xml.etree.ElementTree import ParseError

    try:
        return fromstring(data, forbid_dtd=True)
    except DefusedXmlException as error:
        raise AnnotationError(f"{source}: XML with a document type or entities ({error!r}); remove them") from error
    except (ParseError, ValueError, LookupError, RecursionError) as error:  # bad bytes, unknown encodings, depth
        raise AnnotationError(f"{source}: not XML ({error}); copy or download it again") from error


def _number(element: Any, name: str, source: Path) -> float:
    text = element.get(name)
    if text is None:
        raise AnnotationError(f"{source}: a <{element.tag}> without {name}; fix the file")
    return to_number(text, f"{name} of a <{element.tag}>", source)


def _face(box: Any, source: Path) -> XmlFace:
    left, top, width, height = (_number(box, name, source) for name in ("left", "top", "width", "height"))
    parts: dict[int, tuple[float, float]] = {}
    for part in box.iter("part"):
        name = part.get("name") or ""
        if not (name.isascii() and name.isdigit() and len(name) < 5):
            raise AnnotationError(f"{source}: a part called {name[:20]!r}, not a number; name parts 00, 01, ...")
        if int(name) in parts:
            raise AnnotationError(f"{source}: two parts {int(name)} in one box; remove one")
        parts[int(name)] = _number(part, "x", source), _number(part, "y", source)
    return XmlFace((left, top, width, height), parts)


def _stated_size(image: Any, source: Path) -> tuple[int, int] | None:
    if image.get("width") is None or image.get("height") is None:
        return None
    return positive_size(*(round(_number(image, name, source)) for name in ("width", "height")))


def parse_dlib_xml(data: bytes, source: Path) -> list[XmlImage]:
    """Parse imglab XML, in file order, without the boxes to ignore; `source` is the file named in errors.

    Raises:
        AnnotationError: not XML, dangerous XML, or not such a list of photos.
    """
    tree = parse_xml(data, source)
    images = []
    for image in tree.iter("image"):
        file = image.get("file")
        if not file:
            raise AnnotationError(f"{source}: an <image> without file; fix the file")
        where = Path(f"{source} {file}")
        faces = (_face(box, where) for box in image.iter("box") if box.get("ignore", "0") in ("0", "false"))
        images.append(XmlImage(file, tuple(faces), _stated_size(image, where)))
    if not images:
        raise AnnotationError(f"{source}: no <image> in it; give a file that imglab or dlib wrote")
    return images


def _scheme_of(images: Sequence[XmlImage], requested: str | None, source: Path) -> str:
    """The scheme the parts are numbered by: 300-W's, or the requested one that has them all; some may be missing."""
    last = max((max(face.parts) for image in images for face in image.faces if face.parts), default=None)
    if last is None or last == load_scheme(DEFAULT_SCHEME).n_points - 1:
        return DEFAULT_SCHEME
    if requested is not None and load_scheme(requested).n_points > last:
        return requested
    try:
        return choose_scheme(last + 1, requested, source, "parts")
    except ConfigError as error:
        raise ConfigError(f"{error}; or {DEFAULT_SCHEME} where parts are missing") from error


def _record(
    photo: Path, image: XmlImage, index: int, scheme: str, subset: str, group: str, size: tuple[int, int] | None
) -> FaceRecord:
    face, file = image.faces[index], image.file
    left, top, width, height = face.box
    k = load_scheme(scheme).n_points
    points = np.full((k, 2), np.nan)
    source = Path(f"{subset}.xml {file} face {index}")
    beyond = [number for number in face.parts if number >= k]
    if beyond:
        raise AnnotationError(f"{source}: part {beyond[0]} where scheme {scheme} has {k} points; fix the file")
    for number, at in face.parts.items():
        points[number] = at
    known: NDArray[np.bool_] = np.isfinite(points).all(1)
    return make_record(
        name=f"{subset}/{Path(file).with_suffix('').as_posix()}#{index}",
        image=photo,
        landmarks=points if known.any() else None,
        known=known if known.any() else None,
        scheme=scheme,
        source=source,
        # dlib's rectangle covers whole pixels, from the left edge of the first to the right edge of the last.
        boxes={"dataset": Box(left - 0.5, top - 0.5, left + width - 0.5, top + height - 0.5)},
        group=group,
        subset=subset,
        size=size,
        stated=image.size,
    )


def read_dlib_xml(root: Path, subsets: Sequence[str] | None = None, scheme: str | None = None) -> list[FaceRecord]:
    """Read the XML files of a folder; a subset is one of them, by its name without `.xml`.

    Without subsets, files that hold boxes only are skipped where others hold points: they list the same photos.
    `scheme` says what the parts mean where they are not the 68 of 300-W.

    Raises:
        AnnotationError: no or broken XML, or a photo that is not there.
        ConfigError: parts of another number than 68, and no scheme given that has as many.
        ImageError: a photo that cannot be opened.
    """
    files = {path.stem: path for path in sorted(root.glob("*.xml"))}
    if not files:
        raise AnnotationError(f"{root}: no .xml file in it; give the folder that holds the list of photos")
    chosen = check_subsets(root, subsets, files)
    lists = {name: parse_dlib_xml(read_bytes(files[name], _MAX_BYTES), files[name]) for name in chosen}
    pointed = {n: images for n, images in lists.items() if any(face.parts for image in images for face in image.faces)}
    groups = Groups(root / "near_duplicates.csv")
    records = []
    for subset, images in (pointed if subsets is None and pointed else lists).items():
        actual = _scheme_of(images, scheme, files[subset])
        for image in images:
            photo = photo_within(root, image.file, files[subset])
            size = None if image.size else image_size(photo)
            group = groups.of(Path(image.file).with_suffix("").as_posix())
            records += [_record(photo, image, index, actual, subset, group, size) for index in range(len(image.faces))]
    if not records:
        raise AnnotationError(f"{files[chosen[0]]}: no <box> in it that is not to be ignored; mark the faces first")
    return records
