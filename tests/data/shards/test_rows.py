"""A row holds a face to the last bit of its points."""

import numpy as np
import pytest

from distill.data.records import FaceRecord
from distill.data.shards.rows import boxes_of, group_number, make_row, row_type


@pytest.mark.parametrize("n_points", [1, 8, 9, 68])
def test_a_row_has_a_bit_for_every_flag(n_points: int) -> None:
    assert row_type(n_points)["known"].shape == (-(-n_points // 8),)


def test_points_flags_and_boxes_come_back(drawn: list[FaceRecord]) -> None:
    for record in drawn[:3]:
        rows = np.zeros(1, row_type(68))
        rows[0] = make_row(record, 1 << 40, b"photo", "ab" * 32)
        row = rows[0]
        np.testing.assert_array_equal(row["points"], record.landmarks)
        np.testing.assert_array_equal(np.unpackbits(row["known"], count=68).astype(bool), record.known)
        np.testing.assert_array_equal(np.unpackbits(row["visible"], count=68).astype(bool), record.visible)
        assert {source: pytest.approx(box, rel=1e-6) for source, box in record.boxes.items()} == boxes_of(row)
        assert (int(row["offset"]), int(row["length"])) == (1 << 40, 5)
        assert int(row["group"]) == group_number(record.group)
