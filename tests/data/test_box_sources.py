"""Box sources: former names are read from files and refused as options."""

import pytest

from distill.data.box_sources import BOX_SOURCES, name_for_hash, require_box_source, source_from_file
from distill.errors import ConfigError


@pytest.mark.parametrize(("former", "source"), [("det", "dataset"), ("found", "detector")])
def test_former_names_are_read_from_files_and_refused_as_options(former: str, source: str) -> None:
    assert source_from_file(former) == source
    assert name_for_hash(source) == former
    with pytest.raises(ConfigError, match=f"^--boxes {former} is now --boxes {source}$"):
        require_box_source("--boxes", former)


def test_present_names_are_accepted() -> None:
    for source in BOX_SOURCES:
        require_box_source("--boxes", source)
        assert source_from_file(source) == source


def test_unknown_names_are_refused_with_the_valid_ones() -> None:
    with pytest.raises(ConfigError, match="unknown --boxes 'mine': valid: gt, dataset, detector"):
        require_box_source("--boxes", "mine")


def test_the_order_of_hashed_boxes_does_not_depend_on_the_names() -> None:
    assert [name_for_hash(source) for source in sorted(BOX_SOURCES)] == sorted(map(name_for_hash, BOX_SOURCES))
