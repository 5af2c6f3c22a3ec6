"""No scene on both sides, and no face that moves because another came."""

from pathlib import Path
from typing import Any

import pytest

from distill.data.build import split_of
from distill.data.config import DataConfig
from distill.data.readers import parse_subsets, read_faces
from distill.data.records import FaceRecord
from distill.data.splits import data_hash, split_by_group, without_groups_of
from distill.data.synthetic import write_faces
from distill.errors import ConfigError


@pytest.fixture
def records(root: Path, make_face: Any) -> list[FaceRecord]:
    for photo in range(40):
        for face in range(1, 1 + photo % 3):
            make_face(f"helen/{photo}_{face}", size=(24, 24))
    return read_faces("300w", root)


def _names(records: list[FaceRecord]) -> set[str]:
    return {record.name for record in records}


def test_groups_never_straddle_and_nothing_is_lost(records: list[FaceRecord]) -> None:
    train, validation = split_by_group(records, 0.3, seed=1)
    assert _names(train) | _names(validation) == _names(records)
    assert len(train) + len(validation) == len(records)
    assert not {record.group for record in train} & {record.group for record in validation}


def test_faces_stay_where_they_are_when_others_come(records: list[FaceRecord]) -> None:
    _, few = split_by_group(records[::2], 0.3, seed=1)
    _, all_of_them = split_by_group(records[::-1], 0.3, seed=1)
    assert _names(few) == _names(all_of_them) & _names(records[::2])


def test_the_seed_decides(records: list[FaceRecord]) -> None:
    assert _names(split_by_group(records, 0.3, 1)[1]) != _names(split_by_group(records, 0.3, 2)[1])
    assert split_by_group(records, 0.0, 1) == (records, [])


def test_larger_fractions_only_add(records: list[FaceRecord]) -> None:
    assert _names(split_by_group(records, 0.2, 1)[1]) < _names(split_by_group(records, 0.5, 1)[1])


def test_impossible_splits_are_refused(records: list[FaceRecord]) -> None:
    for fraction in (1.0, -0.1, 1e-9, float("nan")):
        with pytest.raises(ConfigError, match="fraction"):
            split_by_group(records, fraction, 0)


def test_training_drops_scenes_of_the_test(records: list[FaceRecord]) -> None:
    test = [record for record in records if record.name.endswith("/2_2")]
    kept = without_groups_of(records, test)
    assert _names(records) - _names(kept) == {"helen/2_1", "helen/2_2"}


def test_data_hash_sees_content_but_not_order_or_folder(records: list[FaceRecord], tmp_path: Path) -> None:
    before = data_hash(records)
    assert data_hash(records[::-1]) == before
    assert data_hash(records[1:]) != before
    moved = tmp_path / "elsewhere"
    (tmp_path / "faces").rename(moved)
    records = read_faces("300w", moved)
    assert data_hash(records) == before
    photo = records[0].image
    photo.write_bytes(photo.read_bytes()[:-1] + b"x")
    assert data_hash(records) != before


def test_real_300w_is_clean_between_train_and_test(real_300w: Path) -> None:
    test = read_faces("300w", real_300w, parse_subsets("helen/testset+lfpw/testset"))
    train = read_faces("300w", real_300w, parse_subsets("helen/trainset+lfpw/trainset"))
    clean = without_groups_of(train, test)
    assert len(train) - len(clean) == 3, "near_duplicates.csv names three photos of both sides"
    fit, validation = split_by_group(clean, 0.1, seed=0)
    assert not {record.group for record in fit} & {record.group for record in validation}
    assert 90 < len(validation) < 180


@pytest.mark.parametrize(
    ("options", "refused"),
    [
        ({"format": "csv", "subset": "train+test"}, "test"),
        ({"format": "300w", "subset": "afw+helen/testset/"}, "helen/testset"),
        ({"format": "300w", "subset": "afw+helen"}, "helen/testset"),
        ({"format": "wflw", "subset": "train+test/occlusion"}, "test"),
        ({"preset": "300w", "subset": "all"}, "helen/testset"),
        ({"format": "300w", "subset": "helen/trainset"}, None),
        ({"format": "manifest", "subset": "train"}, None),
        ({"format": "csv", "subset": "train+test", "test_subset": "test"}, None),  # its photos are left out
        ({"format": "muct", "subset": "all"}, None),
    ],
    ids=str,
)
def test_a_test_subset_is_not_trained_on(options: dict[str, str], refused: str | None) -> None:
    data = DataConfig(**options)  # type: ignore[arg-type]
    if refused is None:
        assert split_of(data).train == options["subset"]
    else:
        with pytest.raises(ConfigError, match=f"trains on the test faces '{refused}'"):
            split_of(data)


@pytest.mark.parametrize("subsets", [("train", "test"), ("first", "second")])
def test_all_faces_of_a_set_of_ones_own_hold_its_test_faces(subsets: tuple[str, str], tmp_path: Path) -> None:
    write_faces(tmp_path, 4, seed=1, size=48, subsets=dict.fromkeys(subsets, 0.5))
    data = DataConfig(format="manifest", root=tmp_path, subset="all", scheme="ibug68")
    if "test" in subsets:
        with pytest.raises(ConfigError, match=r"--data\.subset all trains on the test faces 'test'"):
            split_of(data)
    else:
        assert split_of(data).train == "all"
