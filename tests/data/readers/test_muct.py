"""MUCT: round trips, conventions and error messages."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from distill.data.readers import read_faces
from distill.data.readers.muct import CSV, parse_muct
from distill.errors import AnnotationError
from tests.support.annotation_writers import format_muct
from tests.support.reader_cases import random_points, write_photo
from tests.support.reader_cases_more import make_muct

_coordinate = st.floats(-9000, 9000, allow_nan=False)


_SOURCE = Path("a")


def _points(k: int, **options: Any) -> st.SearchStrategy[np.ndarray[Any, Any]]:
    return arrays(np.float64, (k, 2), elements=_coordinate, **options)


@settings(max_examples=50)
@given(_points(76), st.sets(st.integers(0, 75), max_size=9))
def test_muct_round_trip(points: np.ndarray[Any, Any], missing: set[int]) -> None:
    points[sorted(missing)] = np.nan
    points[(points == 0).all(1)] = np.nan  # the format's own mark
    ((name, read),) = parse_muct(format_muct({"i000qa-fn": points}), _SOURCE)
    assert name == "i000qa-fn"
    assert np.array_equal(read, points, equal_nan=True)


def test_muct_points_that_are_not_there_are_unknown_and_persons_are_groups(root: Path) -> None:
    make_muct(root)
    a, b, other = read_faces("muct", root)
    assert a.known.all()
    assert np.flatnonzero(~b.known).tolist() == [14]
    assert a.group == b.group == "000" != other.group
    assert (a.subset, b.subset, other.attributes["glasses"], other.attributes["sex"]) == ("a", "b", True, "m")
    assert [r.name for r in read_faces("muct", root, ["b"])] == [b.name]


def test_muct_rows_of_68_points_leave_the_others_unknown(root: Path) -> None:
    path = make_muct(root)
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header, *(",".join(row.split(",")[:138]) for row in rows)]))
    assert all(np.flatnonzero(~r.known)[-8:].tolist() == list(range(68, 76)) for r in read_faces("muct", root))
    path.write_text("\n".join([header, rows[0], ",".join(rows[1].split(",")[:138])]))
    with pytest.raises(AnnotationError, match="line 3 has 138 of 154"):
        read_faces("muct", root)


def test_muct_may_miss_a_camera_but_not_a_photo(root: Path) -> None:
    make_muct(root)
    (root / "jpg" / "i000qb-fn.jpg").unlink()
    assert {record.subset for record in read_faces("muct", root)} == {"a"}
    (root / "jpg" / "i001ra-mg.jpg").unlink()
    with pytest.raises(AnnotationError, match="no photo i001ra-mg"):
        read_faces("muct", root)


def test_muct_identical_siblings_are_one_group(root: Path) -> None:
    rows = {name: random_points(76, i).astype(float) for i, name in enumerate(("i247qa-fn", "i248qa-fn"))}
    for name in rows:
        write_photo(root / "jpg" / f"{name}.jpg")
    (root / CSV).parent.mkdir()
    (root / CSV).write_text(format_muct(rows))
    assert len({record.group for record in read_faces("muct", root)}) == 1
