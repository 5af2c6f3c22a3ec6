"""Damaged copies of released files are refused under any name; other files are not."""

import shutil
from itertools import combinations
from pathlib import Path

import pytest

from distill.detection.blazeface import SHORT_RANGE, BlazeFace, locate_model
from distill.detection.detector import bundled_detector
from distill.errors import CheckpointError
from distill.models.checkpoint import read_weights
from distill.models.weights import read_tensors
from distill.pretrained.released_files import TABLE, file_parts, released_files, require_undamaged_release, table_of
from distill.pretrained.resources import CHECKPOINTS
from distill.tflite.integrity import read_verified
from scripts.generate.released_files import released_paths

WEIGHTS = CHECKPOINTS / "efld_51_128.safetensors"
MODEL = CHECKPOINTS / "efld_51_128_int8.tflite"
REFUSED = r"{0}: SHA-256 differs from that of the released {1}; copy it again"


def damaged(source: Path, target: Path, position: float) -> Path:
    """Copy a file with one changed bit, `position` of its length from its start."""
    content = bytearray(source.read_bytes())
    content[int(position * (len(content) - 1))] ^= 1
    target.write_bytes(content)
    return target


def test_the_table_holds_every_released_file() -> None:
    """A released file that is not in it has no protection; `python -m scripts.generate.released_files` writes it."""
    assert TABLE.read_text() == table_of(released_paths())


@pytest.mark.parametrize("position", [0.01, 0.3, 0.7, 1.0])
@pytest.mark.parametrize("path", released_paths(), ids=lambda path: path.name)
def test_one_changed_bit_anywhere_is_refused_under_another_name(path: Path, position: float, tmp_path: Path) -> None:
    copy = damaged(path, tmp_path / f"mine{path.suffix}", position)
    with pytest.raises(CheckpointError, match=r"mine.*SHA-256 differs from that of the released"):
        require_undamaged_release(copy)
    shutil.copyfile(path, copy)
    require_undamaged_release(copy)


def test_weights_are_refused_where_networks_and_backbones_are_read(tmp_path: Path) -> None:
    """The list SHA256SUMS does not follow a copy, and released weights have no checksum of their own."""
    path = damaged(WEIGHTS, tmp_path / "mine.safetensors", 0.5)
    for read in (read_weights, read_tensors):
        with pytest.raises(CheckpointError, match=REFUSED.format("mine.safetensors", WEIGHTS.name)):
            read(path)
    shutil.copyfile(WEIGHTS, path)
    assert read_weights(path)[1].keys() == read_tensors(path).keys()


def test_models_without_a_sidecar_are_refused_where_any_model_is_read(tmp_path: Path) -> None:
    path = damaged(MODEL, tmp_path / "mine.tflite", 0.5)
    with pytest.raises(CheckpointError, match=REFUSED.format("mine.tflite", MODEL.name)):
        read_verified(path)
    shutil.copyfile(MODEL, path)
    assert read_verified(path) == MODEL.read_bytes()


def test_a_detector_file_is_compared_with_its_sidecar(tmp_path: Path) -> None:
    """`check` and `bench` did not know the format of a detector's sidecar."""
    source = bundled_detector()
    shutil.copyfile(source.with_suffix(".json"), tmp_path / "net.json")
    with pytest.raises(CheckpointError, match=r"differs from net\.json"):
        read_verified(damaged(source, tmp_path / "net.tflite", 0.5))


def test_a_damaged_detector_in_a_folder_is_refused(tmp_path: Path) -> None:
    path = damaged(locate_model(SHORT_RANGE.file), tmp_path / SHORT_RANGE.file, 0.5)
    with pytest.raises(CheckpointError, match=REFUSED.format(path.name, path.name)):
        BlazeFace(SHORT_RANGE, tmp_path)


def test_damage_everywhere_is_refused_under_the_released_name_alone(tmp_path: Path) -> None:
    """Nothing but its size tells such a file from one of somebody else."""
    content = bytes(255 - value for value in MODEL.read_bytes())
    for name, refused in ((MODEL.name, True), ("mine.tflite", False)):
        (tmp_path / name).write_bytes(content)
        if refused:
            with pytest.raises(CheckpointError, match="SHA-256 differs"):
                require_undamaged_release(tmp_path / name)
        else:
            require_undamaged_release(tmp_path / name)


def test_another_training_of_a_released_network_is_no_damaged_copy(tmp_path: Path) -> None:
    """Two released files have one size, and so would the export of a user's own weights."""
    first, second = (CHECKPOINTS / f"student_128_{name}_fp16.tflite" for name in ("turned", "refined"))
    parts = [file_parts(path.read_bytes(), path.suffix) for path in (first, second)]
    assert first.stat().st_size == second.stat().st_size
    assert sum(own == other for own, other in zip(*parts, strict=True)) < len(parts[0]) / 2


def test_files_of_other_sizes_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of some gigabytes would be hashed once more for nothing."""
    monkeypatch.setattr("distill.pretrained.released_files.sha256", lambda path: pytest.fail("hashed"))
    (tmp_path / "mine.tflite").write_bytes(b"anything")
    require_undamaged_release(tmp_path / "mine.tflite")


def test_parts_of_a_broken_header_are_those_of_the_file() -> None:
    assert len(file_parts((1 << 40).to_bytes(8, "little") + b"{}", ".safetensors")) == 2
    assert len(file_parts(b"", ".safetensors")) == 2
    assert len({file.sha256 for file in released_files()}) == len(released_files())


def test_a_download_that_was_filled_up_with_zeros_is_refused_under_another_name(tmp_path: Path) -> None:
    """A seventh of the file is whole; without any of it, it cannot be told from another network."""
    content = MODEL.read_bytes()
    path = tmp_path / "mine.tflite"
    whole = len(content) // 7
    path.write_bytes(content[:whole] + bytes(len(content) - whole))
    with pytest.raises(CheckpointError, match=REFUSED.format("mine.tflite", MODEL.name)):
        require_undamaged_release(path)


def test_released_files_are_not_taken_for_copies_of_each_other() -> None:
    """Networks of the same architecture have files of the same size."""
    files = [file for file in released_files() if not file.file.endswith(".safetensors")]
    pairs = [(first, second) for first, second in combinations(files, 2) if first.bytes == second.bytes]
    assert pairs
    for first, second in pairs:
        assert not any(a == b for a, b in zip(first.parts, second.parts, strict=True))
