"""What Lightning is served: the right batches from the right step on, and every validation face in order."""

from multiprocessing import active_children
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from distill.data.augment import AugmentConfig
from distill.data.datamodule import FaceData
from distill.data.dataset import FaceDataset
from distill.data.readers import read_faces
from distill.geometry import CropSpec


@pytest.fixture
def data(root: Path, make_face: Any) -> Any:
    for index in range(11):
        make_face(f"afw/{index}_1")
    records = read_faces("300w", root)
    crop = CropSpec(size=32, scale=1.2)

    def make(workers: int = 0) -> FaceData:
        train = FaceDataset(records[:8], crop, "inner51", AugmentConfig(), seed=3)
        return FaceData(train, FaceDataset(records[8:], crop, "inner51"), 2, epochs=2, workers=workers, seed=3)

    return make


def _trainer(device: str, step: int = 0, rank: int = 0, world: int = 1) -> Any:
    strategy = SimpleNamespace(root_device=torch.device(device))
    return SimpleNamespace(global_step=step, global_rank=rank, world_size=world, strategy=strategy)


def _at(data: FaceData, step: int, rank: int = 0, world: int = 1) -> list[torch.Tensor]:
    data.trainer = _trainer("cpu", step, rank, world)
    return [batch["image"] for batch in data.train_dataloader()]


def test_training_continues_at_the_step_of_the_trainer(data: Any) -> None:
    whole = _at(data(), 0)
    assert len(whole) == 8
    for step, workers in ((5, 0), (3, 2), (8, 0)):
        rest = _at(data(workers), step)
        assert len(rest) == 8 - step
        assert all(torch.equal(actual, expected) for actual, expected in zip(rest, whole[step:], strict=True))


def test_two_processes_share_the_batches_of_a_step(data: Any) -> None:
    alone = data()
    alone.batch_size = 4
    both = [torch.cat(pair) for pair in zip(_at(data(), 0, 0, 2), _at(data(), 0, 1, 2), strict=True)]
    assert all(torch.equal(actual, expected) for actual, expected in zip(both, _at(alone, 0), strict=True))


def test_validation_is_every_face_once_in_order(data: Any) -> None:
    assert torch.cat([batch["index"] for batch in data().val_dataloader()]).tolist() == [0, 1, 2]


@pytest.mark.parametrize(("world", "shares"), [(2, [[0, 2], [1]]), (4, [[0, 1, 2]] * 4)])
def test_processes_share_the_validation(data: Any, world: int, shares: list[list[int]]) -> None:
    """Where there are fewer faces than processes, each measures all: Lightning refuses a process without a batch."""
    for rank in range(world):
        faces = data()
        faces.trainer = _trainer("cpu", 0, rank, world)
        assert torch.cat([batch["index"] for batch in faces.val_dataloader()]).tolist() == shares[rank]


def test_validation_keeps_its_workers_between_epochs(data: Any) -> None:
    faces = data(workers=2)
    loader = faces.val_dataloader()
    before = set(active_children())
    processes = []
    for _ in range(2):
        assert torch.cat([batch["index"] for batch in loader]).tolist() == [0, 1, 2]
        processes.append(set(active_children()) - before)
    assert processes[0] == processes[1]
    assert len(processes[0]) == 2
    faces.close()
    assert not processes[0] & set(active_children())


def test_memory_is_page_locked_for_a_gpu(data: Any) -> None:
    faces = data()
    for device, locked in (("cpu", False), ("cuda", True)):
        faces.trainer = _trainer(device)
        assert faces.train_dataloader().pin_memory is locked
        assert faces.val_dataloader().pin_memory is locked


def test_without_a_trainer_there_is_no_step(data: Any) -> None:
    with pytest.raises(RuntimeError, match="without a trainer"):
        data().train_dataloader()
