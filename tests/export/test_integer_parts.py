from pathlib import Path
from shutil import copy

import numpy as np
import pytest

from distill.errors import ConfigError, ExportError
from distill.export import integer_parts
from distill.export.config import ExportConfig
from distill.export.integer_parts import write_integer_parts
from distill.files import sha256
from distill.tflite.split_integers import IntegerParts, split_integers

EFLD = Path(__file__).parents[2] / "checkpoints/efld_51_128_int8.tflite"


@pytest.fixture
def crops() -> np.ndarray:
    # Halves between two integers, where rounding to even and away from zero differ, are among them.
    return np.random.default_rng(0).integers(0, 511, (3, 128, 128, 3)).astype(np.float32) / 510


def test_the_parts_return_what_the_whole_does_and_are_described(crops: np.ndarray, tmp_path: Path) -> None:
    file = Path(copy(EFLD, tmp_path / "efld_int8.tflite"))
    paths, about = write_integer_parts(file, "efld", crops)
    assert [path.name for path in paths.values()] == ["efld_int8_body.tflite", "efld_int8_decoder.tflite"]
    assert about["image"]["scale"] == pytest.approx(1 / 255, rel=0.01)
    assert about["image"]["zero_point"] == -128
    assert about["files"]["int8_body"]["sha256"] == sha256(paths["int8_body"])


def test_parts_that_return_something_else_are_refused(
    crops: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shifted(model: object) -> IntegerParts:
        parts = split_integers(model)  # type: ignore[arg-type]
        return IntegerParts(parts.body, parts.decoder, parts.scale, parts.zero_point + 9)

    monkeypatch.setattr(integer_parts, "split_integers", shifted)
    file = Path(copy(EFLD, tmp_path / "efld_int8.tflite"))
    with pytest.raises(ExportError, match="returns other landmarks than the whole"):
        write_integer_parts(file, "efld", crops)
    assert [path.name for path in tmp_path.iterdir()] == ["efld_int8.tflite"]


def test_parts_of_no_int8_file_are_refused() -> None:
    with pytest.raises(ConfigError, match="--integer_parts has no effect without mode int8"):
        ExportConfig(("fp32",), integer_parts=True)
    assert ExportConfig(("int8",), integer_parts=True).integer_parts
