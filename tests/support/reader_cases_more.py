"""Small data sets of the formats people bring: dlib XML, MUCT, Udacity, FaceSynthetics, webmorph, WIDER, plain CSV."""

from pathlib import Path

import numpy as np

from distill.data.readers.csv_points import CsvFace
from distill.data.readers.dlib_xml import XmlFace, XmlImage
from distill.data.readers.muct import CSV
from distill.data.readers.webmorph import Curve, Template
from distill.data.readers.wider import WiderFace
from distill.geometry import Box
from tests.support.annotation_writers import (
    format_csv_faces,
    format_dlib_xml,
    format_frames,
    format_label,
    format_ldmks,
    format_muct,
    format_tem,
)
from tests.support.reader_cases import Case, random_points, write_photo


def xml_images() -> list[XmlImage]:
    """Two faces of a photo, the second with a part missing, and a photo with a box only."""
    full = {i: (float(x), float(y)) for i, (x, y) in enumerate(random_points(68))}
    half = {i: at for i, at in full.items() if i != 5}
    box = (5.0, 6.5, 70.0, 60.0)
    return [
        XmlImage("a & b.jpg", (XmlFace(box, full), XmlFace(box, half))),
        XmlImage("c.jpg", (XmlFace(box, {}),)),
    ]


def make_dlib(root: Path) -> Path:
    for image in xml_images():
        write_photo(root / image.file)
    (root / "train.xml").write_bytes(format_dlib_xml(xml_images()))
    return root / "train.xml"


def make_muct(root: Path) -> Path:
    rows = {name: random_points(76, i).astype(float) for i, name in enumerate(("i000qa-fn", "i000qb-fn", "i001ra-mg"))}
    rows["i000qb-fn"][14] = np.nan
    for name in rows:
        write_photo(root / "jpg" / f"{name}.jpg")
    rows["ir000qa-fn"] = random_points(76, 9).astype(float)
    (root / CSV).parent.mkdir(parents=True)
    (root / CSV).write_text(format_muct(rows))
    return root / CSV


def make_udacity(root: Path) -> Path:
    for subset in ("training", "test"):
        names = [f"{subset}_Person_{i}0.jpg" for i in range(2)]
        for name in names:
            write_photo(root / subset / name)
        rows = {name: random_points(68, i).astype(float) for i, name in enumerate(names)}
        (root / f"{subset}_frames_keypoints.csv").write_text(format_frames(rows))
    return root / "training_frames_keypoints.csv"


def make_face_synthetics(root: Path) -> Path:
    for i in range(2):
        write_photo(root / "dataset" / f"{i:06d}.png")
        (root / "dataset" / f"{i:06d}_ldmks.txt").write_text(format_ldmks(random_points(70, i)))
    return root / "dataset" / "000000_ldmks.txt"


def template() -> Template:
    return Template(random_points(83), (Curve(True, (2, 3, 4, 2)), Curve(False, (0,)), Curve(False, (82, 1))), 43)


def make_webmorph(root: Path) -> Path:
    for name in ("zoom/a", "zoom/b"):
        write_photo(root / f"{name}.jpg")
        (root / f"{name}.tem").write_text(format_tem(template()))
    return root / "zoom" / "a.tem"


def wider_faces() -> list[tuple[str, list[WiderFace]]]:
    """A face with five points, one hidden; one without the fifth point; one without any; one of four numbers."""
    points, four = random_points(5).astype(float), random_points(5, 1).astype(float)
    four[4] = np.nan
    none = np.full((5, 2), np.nan)
    box = (10.0, 12.0, 60.0, 55.5)
    visible = np.array([True, False, True, True, True])
    first = [WiderFace(box, points, visible, 0.82), WiderFace(box, four, np.isfinite(four[:, 0]), 0.5)]
    return [
        ("0--Parade/a b.jpg", first),
        ("1--X/c.jpg", [WiderFace(box, none, np.zeros(5, bool), 0.2), WiderFace(box, none, np.zeros(5, bool), None)]),
    ]


def make_wider(root: Path) -> Path:
    for photo, _ in wider_faces():
        write_photo(root / "train" / "images" / photo)
    (root / "train" / "label.txt").write_text(format_label(wider_faces()))
    return root / "train" / "label.txt"


def csv_faces() -> list[CsvFace]:
    """Two faces of one photo, one of them with a point missing and one hidden, and one with every optional column."""
    half = random_points(68).astype(float)
    half[7] = np.nan
    visible = np.ones(68, bool)
    visible[8] = False
    return [
        CsvFace("a, b.jpg", half, visible),
        CsvFace("a, b.jpg", random_points(68, 1).astype(float), np.ones(68, bool)),
        CsvFace("sub/c.jpg", random_points(68, 2).astype(float), visible, Box(1.5, 2.5, 80.0, 70.25), "test", "Ann"),
    ]


def make_csv(root: Path) -> Path:
    for face in csv_faces():
        write_photo(root / face.image)
    (root / "train.csv").write_text(format_csv_faces(csv_faces()))
    return root / "train.csv"


CASES = (
    Case("csv", make_csv, "ibug68"),
    Case("dlib", make_dlib, "ibug68"),
    Case("face_synthetics", make_face_synthetics, "faces70"),
    Case("muct", make_muct, "muct76"),
    Case("udacity", make_udacity, "ibug68"),
    Case("webmorph", make_webmorph, "webmorph83"),
    Case("wider", make_wider, "five"),
)
