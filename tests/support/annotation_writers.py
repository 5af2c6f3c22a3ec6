"""Writers of the annotation formats, the inverse of the readers: tests write data sets with them."""

import csv
import io
import json
import math
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
from numpy.typing import NDArray

from distill.data.readers import (
    aflw,
    coco,
    csv_points,
    dlib_xml,
    muct,
    udacity,
    webmorph,
    wflw,
    wider,
)
from distill.data.records import FaceRecord
from distill.files import write_text
from distill.landmarks import load_scheme


def write_aflw(path: Path, faces: Sequence[aflw.AflwFace]) -> None:
    """Write a database of the tables this reader needs; reading it returns the same numbers."""
    with closing(sqlite3.connect(path)) as database:
        database.executescript("""
            CREATE TABLE Faces (face_id INTEGER, file_id TEXT, db_id TEXT);
            CREATE TABLE FaceImages (file_id TEXT, db_id TEXT, filepath TEXT, width INTEGER, height INTEGER);
            CREATE TABLE FaceRect (face_id INTEGER, x REAL, y REAL, w REAL, h REAL);
            CREATE TABLE FacePose (face_id INTEGER, roll REAL, pitch REAL, yaw REAL);
            CREATE TABLE FeatureCoords (face_id INTEGER, feature_id INTEGER, x REAL, y REAL);
        """)
        for path_, size in {face.path: face.size or (None, None) for face in faces}.items():
            database.execute("INSERT INTO FaceImages VALUES (?, 'flickr', ?, ?, ?)", (path_, path_, *size))
        for face in faces:
            database.execute("INSERT INTO Faces VALUES (?, ?, 'flickr')", (face.face_id, face.path))
            if face.box is not None:
                box = (face.box.x0, face.box.y0, face.box.width, face.box.height)
                database.execute("INSERT INTO FaceRect VALUES (?, ?, ?, ?, ?)", (face.face_id, *box))
            if face.angles:
                angles = [math.radians(face.angles[name]) for name in aflw._ANGLES]
                database.execute("INSERT INTO FacePose VALUES (?, ?, ?, ?)", (face.face_id, *angles))
            for feature, point in enumerate(face.points.tolist(), 1):
                if not math.isnan(point[0]):
                    row = (face.face_id, feature, *point)
                    database.execute("INSERT INTO FeatureCoords VALUES (?, ?, ?, ?)", row)
        database.commit()


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
        flags = np.where(record.known, np.where(record.visible, coco._VISIBLE, coco._HIDDEN), 0)
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


def format_csv_faces(faces: Sequence[csv_points.CsvFace]) -> str:
    """Return the text of faces of one number of points, one line each; reading it returns exactly the same numbers."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    k = len(faces[0].points)
    columns = [*(f"{axis}{i}" for i in range(k) for axis in "xy"), *(f"visible{i}" for i in range(k))]
    writer.writerow(["image", *columns, *csv_points._BOX, "subset", "group"])
    for face in faces:
        marked = np.isfinite(face.points).all(1)
        cells = [
            repr(float(v)) if is_marked else "" for at, is_marked in zip(face.points, marked, strict=True) for v in at
        ]
        box = [""] * 4 if face.box is None else [repr(float(v)) for v in face.box]
        flags = [int(flag) for flag in face.visible]
        writer.writerow([face.image, *cells, *flags, *box, face.subset, face.group])
    return out.getvalue()


def format_dlib_xml(images: Sequence[dlib_xml.XmlImage]) -> bytes:
    """Return imglab XML; reading it returns exactly the same numbers."""
    lines = ["<?xml version='1.0' encoding='UTF-8'?>", "<dataset>", "<images>"]
    for image in images:
        size = "" if image.size is None else f" width='{image.size[0]}' height='{image.size[1]}'"
        lines.append(f"  <image file={quoteattr(image.file)}{size}>")
        for face in image.faces:
            left, top, width, height = (f"{value:.17g}" for value in face.box)
            lines.append(f"    <box top='{top}' left='{left}' width='{width}' height='{height}'>")
            lines += [f"      <part name='{i:02d}' x='{x:.17g}' y='{y:.17g}'/>" for i, (x, y) in face.parts.items()]
            lines.append("    </box>")
        lines.append("  </image>")
    return "\n".join([*lines, "</images>", "</dataset>", ""]).encode()


def format_ldmks(points: NDArray[np.floating]) -> str:
    """Return the text of points (k, 2); reading it returns exactly the same float32 numbers."""
    return "".join(f"{float(x)!r} {float(y)!r}\n" for x, y in np.asarray(points, np.float32))


def format_lapa(points: NDArray[np.floating]) -> str:
    """Return the text of a landmark file for points (k, 2); parsing it returns exactly the same numbers."""
    rows = (" ".join(np.format_float_positional(v, trim="0") for v in row) for row in points.astype(np.float32))
    return "\n".join([str(len(points)), *rows, ""])


def format_muct(rows: Mapping[str, NDArray[np.floating]]) -> str:
    """Return the muct.CSV text of points (76, 2), NaN where not marked; reading it returns exactly the same numbers."""
    lines = [",".join(muct._header(load_scheme(muct.SCHEME).n_points))]
    for name, points in rows.items():
        marked = np.isfinite(points).all(1)
        cells = [repr(float(value)) for value in np.where(marked[:, None], points, 0.0).reshape(-1)]
        lines.append(",".join([name, "0000", *cells]))
    return "\n".join([*lines, ""])


def format_pts(points: NDArray[np.floating], label: str = "", decimals: int = 6) -> str:
    """Return one `.pts` block for points (k, 2), 0-based pixel centres; it is written 1-based."""
    header = f"version: 1({label})" if label else "version: 1"
    rows = (f"{x:.{decimals}f} {y:.{decimals}f}" for x, y in points.astype(np.float64) + 1)
    return "\n".join([header, f"n_points: {len(points)}", "{", *rows, "}", ""])


def write_pts(path: str | Path, points: NDArray[np.floating], decimals: int = 6) -> None:
    """Write points (k, 2), 0-based pixel centres, as a `.pts` file, atomically."""
    write_text(path, format_pts(points, decimals=decimals))


def format_frames(rows: Mapping[str, NDArray[np.floating]]) -> str:
    """Return the CSV text of points (k, 2) by file name; reading it returns exactly the same numbers."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["", *udacity._columns(load_scheme(udacity.SCHEME).n_points)])
    writer.writerows([name, *(repr(float(value)) for value in points.reshape(-1))] for name, points in rows.items())
    return out.getvalue()


def format_tem(template: webmorph.Template) -> str:
    """Return the text of a template; reading it returns exactly the same float32 points."""
    rows = [f"{float(x)!r}\t{float(y)!r}" for x, y in template.points]
    curves = [f"{int(c.closed)}\n{len(c.points)}\n{' '.join(map(str, c.points))}" for c in template.curves]
    last = [] if template.last is None else [str(template.last)]
    return "\n".join([str(len(rows)), *rows, str(len(curves)), *curves, *last, ""])


def format_wflw(faces: Sequence[wflw.WflwFace]) -> str:
    """Return the list's text; parsing it returns exactly the same numbers."""

    def line(face: wflw.WflwFace) -> str:
        numbers = np.concatenate([face.points.ravel(), face.box]).astype(np.float32)
        cells = [np.format_float_positional(value, trim="0") for value in numbers]
        return " ".join([*cells, *("1" if face.attributes[name] else "0" for name in wflw.ATTRIBUTES), face.path])

    return "".join(f"{line(face)}\n" for face in faces)


def format_label(photos: Sequence[tuple[str, Sequence[wider.WiderFace]]]) -> str:
    """Return the text of photos and their faces; reading it returns exactly the same numbers."""
    lines = []
    for photo, faces in photos:
        lines.append(f"# {photo}")
        for face in faces:
            words = [repr(float(value)) for value in face.box]
            if face.sharpness is not None:
                for point, is_visible in zip(face.points, face.visible, strict=True):
                    absent = not np.isfinite(point).all()
                    words += (
                        ["-1.0"] * 3 if absent else [*(repr(float(v)) for v in point), "0.0" if is_visible else "1.0"]
                    )
                words.append(repr(float(face.sharpness)))
            lines.append(" ".join(words))
    return "\n".join([*lines, ""])
