import re

import pytest

from distill.errors import ConfigError
from distill.tflite.releases import COLUMNS, parse_release, parse_version


def test_versions_are_numbers_not_text() -> None:
    assert parse_version("2.9") < parse_version("2.11.0") < parse_version("2.11.1")
    for bad in ("2", "latest", "2.x", "3.0.0", "2.11.0-rc1"):
        with pytest.raises(ConfigError, match=r"give one like 2\.11\.0"):
            parse_version(bad)


def test_litert_counts_anew() -> None:
    assert parse_release("2.11") == parse_release("2.11.0")
    assert parse_release("litert-2.1.0").has("2.0.3")
    assert not parse_release("litert-2.1.0").has("2.3.0")
    assert parse_release("LiteRT").has("2.3.0"), "no number is the newest"
    assert not parse_release("litert").has(None), "in no release"
    for bad in ("litert-new", "lite", ""):
        with pytest.raises(ConfigError):
            parse_release(bad)


def test_a_number_in_place_of_text_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"release 2\.14 is no text: give a string like '2\.14\.0'"):
        parse_release(2.14)  # type: ignore[arg-type]


def test_the_matrix_covers_what_the_check_takes() -> None:
    assert {"2.5", "2.11", "2.14", "litert"} <= set(COLUMNS)
    assert all(parse_release(column) for column in COLUMNS)


def test_a_release_that_the_tables_do_not_cover_is_refused() -> None:
    for text in ("2.99", "2.21", "1.99"):
        with pytest.raises(ConfigError, match=f"'{re.escape(text)}' is no release of TensorFlow Lite"):
            parse_release(text)
    assert parse_release("2.2").version[:2] == (2, 2)  # older than the first column: it has no later operator


def test_a_number_that_was_never_published_is_refused() -> None:
    """`--runtime 2.11.7` passed as 2.11, and a load in 2.11.0 did not count for it."""
    with pytest.raises(
        ConfigError, match=r"'2\.11\.7' is no release of TensorFlow Lite: the newest of 2\.11 is 2\.11\.1"
    ):
        parse_release("2.11.7")
    with pytest.raises(ConfigError, match=r"'litert-2\.9\.0' is no release of LiteRT; .*2\.3\.0"):
        parse_release("litert-2.9.0")
