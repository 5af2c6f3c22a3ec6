import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from distill.bench.accuracy import read_accuracies
from distill.bench.models import TimedModel, open_model
from distill.errors import ConfigError
from distill.evaluate.protocol import Protocol
from distill.geometry import CropSpec

PROTOCOL = Protocol(
    "inner51", 51, ("ocular", "box"), "gt", "300w", "test", 9, "d" * 64, False, CropSpec(), "torch", "m" * 64
)


def write(path: Path, sha256: str, nme: float = 3.05, **changes: Any) -> Path:
    raw = {
        "format": "distill-evaluation/1",
        "protocol": replace(PROTOCOL, model_sha256=sha256, **changes).to_dict(),
        "metrics": {"ocular": {"nme_percent": nme}, "box": {"nme_percent": 1.0}},
        "accuracy_5px_percent": 79.2,
    }
    path.write_text(json.dumps(raw))
    return path


@pytest.fixture
def models(small: Path, large: Path) -> list[TimedModel]:
    return [open_model(small, "small"), open_model(large, "large")]


def test_an_evaluation_belongs_to_the_file_it_measured(models: list[TimedModel], tmp_path: Path) -> None:
    found = read_accuracies(models, [write(tmp_path / "a.json", models[1].sha256)])
    assert set(found.by_name) == {"large"}
    assert (found.by_name["large"].nme_percent, found.by_name["large"].accuracy_percent) == (3.05, 79.2)
    assert found.protocol is not None
    assert found.typed == []


def test_unlike_protocols_are_refused(models: list[TimedModel], tmp_path: Path) -> None:
    files = [
        write(tmp_path / "a.json", models[0].sha256),
        write(tmp_path / "b.json", models[1].sha256, boxes="dataset"),
    ]
    with pytest.raises(ConfigError, match="boxes differs"):
        read_accuracies(models, files)


def test_an_evaluation_of_another_file_is_refused(models: list[TimedModel], tmp_path: Path) -> None:
    """The PyTorch net's error must not stand beside its int8 file's time."""
    with pytest.raises(ConfigError, match="not timed here"):
        read_accuracies(models, [write(tmp_path / "a.json", "0" * 64)])


def test_typed_numbers_are_marked(models: list[TimedModel], tmp_path: Path) -> None:
    found = read_accuracies(models, [], ["small=3.1"], ["small=66", "large=50"])
    assert found.typed == ["small", "large"]
    assert found.by_name["large"].nme_percent is None
    with pytest.raises(ConfigError, match="give one of them"):
        read_accuracies(models, [write(tmp_path / "a.json", models[0].sha256)], ["small=3.1"])


@pytest.mark.parametrize(
    ("entry", "message"),
    [("smal=3", "did you mean 'small'"), ("small=x", "not a number"), ("small=0", "above 0"), ("3.05", "no model ''")],
)
def test_a_mistyped_number_is_told(models: list[TimedModel], entry: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_accuracies(models, [], [entry])


@pytest.mark.parametrize("text", ["{}", "[]", "no json", '{"format": "distill-bench/1"}'])
def test_what_is_no_evaluation_is_told(models: list[TimedModel], text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"a\.json: .*make it with `distill evaluate"):
        read_accuracies(models, [path])
