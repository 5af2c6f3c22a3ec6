"""Presets of public data sets: formats and official splits."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from distill.data import presets
from distill.data.config import DataConfig
from distill.data.presets import Split, official_split, preset
from distill.data.readers import FORMATS
from distill.errors import ConfigError

NAMES = list(yaml.safe_load(Path(presets.__file__).with_name("presets.yaml").read_text()))
REFERENCE = Path(__file__).parents[2] / "docs/reference/configuration.md"


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_names_a_format_and_is_documented(name: str) -> None:
    found = preset(name)
    assert found["format"] in FORMATS
    assert f" {name}" in str(DataConfig.__doc__).partition("preset: ")[2].partition("\n")[0]  # help of --data.preset
    assert f"| `{name}` | `{found['format']}` | `{found['root']}` |" in REFERENCE.read_text()


def test_a_public_set_without_official_split_is_not_read_for_one(tmp_path: Path) -> None:
    assert official_split("muct", tmp_path / "absent") == Split(None, None, None)


def test_the_official_split_of_300w_tests_on_the_common_faces(tmp_path: Path) -> None:
    split = official_split("300w", tmp_path)
    assert split == Split("helen/trainset+lfpw/trainset", None, "helen/testset+lfpw/testset")


@pytest.mark.parametrize(
    ("subsets", "expected"),
    [
        (["train", "val", "test"], Split("train", "val", "test")),
        (["training", "validation", "testing"], Split("training", "validation", "testing")),
        (["trainset", "dev", "extra", "validation"], Split("trainset", "dev+validation", None)),
        (["Anna", "Ben"], Split(None, None, None)),
    ],
)
def test_subsets_of_a_set_of_ones_own_are_known_by_their_names(
    subsets: list[str], expected: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [SimpleNamespace(subset=name) for name in subsets]
    monkeypatch.setattr(presets, "read_annotated", lambda *_: records)
    assert official_split("csv", tmp_path) == expected
    assert {"test", "testing"} <= set(presets.official_test_subsets("csv"))


def test_an_unknown_preset_suggests_a_known_one() -> None:
    with pytest.raises(ConfigError, match=r"unknown --data\.preset 'wlfw': did you mean 'wflw'"):
        preset("wlfw")
