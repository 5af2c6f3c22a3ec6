"""Tables hold numbers: one type in a column, None where nothing was measured."""

from distill.tracking.tables import table_of


def test_a_column_has_one_type() -> None:
    table = table_of([{"a": 1, "b": "x", "c": True}, {"a": 2.5, "b": 3}, {"d": None}])
    assert table.columns == ("a", "b", "c", "d")
    assert table.rows == ((1.0, "x", True, None), (2.5, "3", None, None), (None, None, None, None))
    assert isinstance(table.rows[0][0], float)


def test_nothing_is_an_empty_table() -> None:
    assert table_of([]).rows == ()
