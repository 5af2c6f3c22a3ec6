"""A training over shards has the faces, the split and the batches of its data set, from any step on."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from distill.cli.data import run
from distill.data.augment import AugmentConfig
from distill.data.build import build_data
from distill.data.config import CropConfig, DataConfig, SetConfig, ShardConfig
from distill.data.datamodule import FaceData
from distill.data.records import FaceRecord
from distill.data.shards.build import split_shards
from distill.data.shards.faces import open_shards
from distill.errors import ConfigError
from distill.geometry import CropSpec
from tests.support.errors import assert_one_line

Pack = Callable[..., Path]


def _config(root: Path, **changes: Any) -> DataConfig:
    parts = {"format": "shards", "root": root, "scheme": "inner51", "crop": CropConfig(32, 1.6, 0.0), "batch_size": 2}
    return DataConfig(**{**parts, "workers": 0, "shards": ShardConfig(window=2), **changes})


def _build(config: DataConfig, heads: tuple[str, ...] = ("inner51",), lines: list[str] | None = None) -> FaceData:
    return build_data(config, heads, seed=3, epochs=2, notify=([] if lines is None else lines).append)


def test_the_split_is_that_of_the_packed_faces(pack: Pack, drawn: list[FaceRecord]) -> None:
    data = _build(_config(pack()))
    for faces, subset in ((data.train, "train"), (data.val, "val")):
        expected = [record for record in drawn if record.subset == subset]
        assert [record.subset for record in faces.records] == [subset] * len(expected)
        assert len({record.group for record in faces.records}) == len({record.group for record in expected})


def test_held_out_faces_share_no_group_with_training(pack: Pack) -> None:
    faces = open_shards(pack())
    config = _config(Path("unused"), subset="train+val", val_fraction=0.3)
    train, val = split_shards(faces, config, seed=0)
    assert len(train) + len(val) < len(faces)
    assert not {face.group for face in train} & {face.group for face in val}
    assert "test" not in {face.subset for face in [*train, *val]}


def test_faces_of_the_group_of_a_test_or_validation_face_are_not_trained_on(
    pack: Pack, drawn: list[FaceRecord]
) -> None:
    groups = {"test": "photo 0", "val": "photo 1"}
    changed = [
        record.__class__(**{**vars(record), "group": groups.get(record.subset, record.group)}) for record in drawn
    ]
    train, _ = split_shards(open_shards(pack(faces=changed)), _config(Path("unused")), seed=0)
    assert len(train) == sum(record.subset == "train" for record in drawn) - 4


def _batches(data: FaceData, step: int, rank: int = 0, world: int = 1) -> list[torch.Tensor]:
    strategy = SimpleNamespace(root_device=torch.device("cpu"))
    trainer: Any = SimpleNamespace(global_step=step, global_rank=rank, world_size=world, strategy=strategy)
    data.trainer = trainer
    return [batch["image"] for batch in data.train_dataloader()]


def test_training_continues_within_an_epoch_whatever_the_workers(pack: Pack) -> None:
    root = pack()
    whole = _batches(_build(_config(root)), 0)
    per_epoch = len(whole) // 2
    for step, workers in ((3, 0), (per_epoch + 1, 2)):
        rest = _batches(_build(_config(root, workers=workers)), step)
        assert len(rest) == len(whole) - step
        assert all(torch.equal(actual, expected) for actual, expected in zip(rest, whole[step:], strict=True))


def test_two_processes_see_every_face_once_an_epoch(pack: Pack) -> None:
    root = pack()
    alone = _batches(_build(_config(root, batch_size=4)), 0)
    halves = zip(*(_batches(_build(_config(root)), 0, rank, 2) for rank in (0, 1)), strict=True)
    both = [torch.cat(pair) for pair in halves]
    assert all(torch.equal(actual, expected) for actual, expected in zip(both, alone, strict=True))


def test_samples_are_those_of_the_same_faces_in_files(pack: Pack, tmp_path: Path) -> None:
    from distill.data.dataset import FaceDataset

    data = _build(_config(pack()))
    faces: Any = data.train.records
    files = FaceDataset(
        faces.extract(range(len(faces)), tmp_path / "files"), CropSpec(32, 1.6, 0), "inner51", AugmentConfig(), seed=3
    )
    for key in ((0, 0), (1, len(files) - 1)):
        for name, value in files[key].items():
            np.testing.assert_array_equal(np.asarray(data.train[key][name]), np.asarray(value))


def test_the_crop_is_chosen_from_the_faces(pack: Pack) -> None:
    lines: list[str] = []
    data = _build(_config(pack(), crop=CropConfig(32)), lines=lines)
    assert data.train.crop.scale > 1
    assert "from the training faces" in lines[0]


@pytest.mark.parametrize(
    ("changes", "heads", "message"),
    [
        ({"balance": ["occlusion"]}, ("inner51",), "--data.balance"),
        ({"sets": [SetConfig("csv", Path("more"))]}, ("inner51",), "--data.sets"),
        ({}, ("inner51", "wflw98"), "one head"),
        ({"subset": "trian"}, ("inner51",), "no subset 'trian': did you mean 'train'"),
        ({"val_subset": "vla"}, ("inner51",), r"shards/shards\.json: no subset 'vla': did you mean 'val'"),
        ({"test_subset": "tset"}, ("inner51",), "no subset 'tset': did you mean 'test'"),
        ({"subset": "train", "test_subset": "tset"}, ("inner51",), "no subset 'tset'"),
        ({"subset": "train+test"}, ("inner51",), "trains on the test faces 'test'"),
        ({"subset": "all"}, ("inner51",), "trains on the test faces 'test'"),
        ({"val_subset": "train"}, ("inner51",), "0 faces to train"),
        ({"boxes": ["dataset"], "subset": "train"}, ("inner51",), "no dataset box"),
    ],
)
def test_options_that_shards_do_not_have_are_refused(
    pack: Pack, changes: dict[str, Any], heads: tuple[str, ...], message: str
) -> None:
    with pytest.raises(Exception, match=message) as error:
        _build(_config(pack(), **changes), heads)
    assert_one_line(error)


def test_a_pack_takes_no_subsets_that_only_a_training_has() -> None:
    for name in ("val_subset", "test_subset"):
        words = ["pack", "out", "--shards", "10", "--data.format", "csv", "--data.root", "none", f"--data.{name}", "x"]
        with pytest.raises(ConfigError, match=f"--data.{name} has no effect on --shards"):
            run(words)


def test_options_of_shards_are_refused_elsewhere() -> None:
    with pytest.raises(ConfigError, match=r"--data\.shards"):
        DataConfig("csv", Path("faces"), shards=ShardConfig(window=3))
    with pytest.raises(ConfigError, match="window 0"):
        ShardConfig(window=0)
