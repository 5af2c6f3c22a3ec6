"""Lightning data module of training scenes and validation photos."""

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
from torch.utils.data import DataLoader

from distill.data.dataset import init_worker
from distill.data.loader import ReportingLoader
from distill.data.photos.dataset import PhotoDataset, SceneDataset, collate
from distill.data.sampler import StepSampler


class PhotoData(pl.LightningDataModule):
    """Lightning data module: one continuous stream of training batches, and the indices of the validation photos.

    Args:
        train, val: photos.
        batch_size: images per step.
        epochs: passes over the training photos.
        workers: processes that prepare images; 0 prepares them in the training process.
        seed: of the order of the photos.
        hashes: of the photos, stored with the run.
    """

    def __init__(
        self,
        train: SceneDataset,
        val: PhotoDataset,
        batch_size: int,
        epochs: int,
        workers: int = 0,
        seed: int = 0,
        hashes: Mapping[str, str] | None = None,
    ):
        super().__init__()
        self.train, self.val = train, val
        self.batch_size, self.epochs, self.workers, self.seed = batch_size, epochs, workers, seed
        self.hashes = dict(hashes or {})
        self._loaders: list[ReportingLoader] = []

    def sampler(self, start: int = 0, rank: int = 0, world: int = 1) -> StepSampler:
        """Return the order of the training photos from step `start` on."""
        return StepSampler(len(self.train), self.batch_size, self.epochs, self.seed, start, rank, world)

    def train_dataloader(self) -> ReportingLoader:
        if self.trainer is None:
            raise RuntimeError("a PhotoData without a trainer has no step to start at")
        loader = ReportingLoader(
            self.train,
            collate,
            batch_sampler=self.sampler(self.trainer.global_step, self.trainer.global_rank, self.trainer.world_size),
            num_workers=self.workers,
            worker_init_fn=init_worker if self.workers else None,
        )
        self._loaders.append(loader)
        return loader

    def val_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.val, batch_size=1)

    def close(self) -> None:
        """End the workers."""
        for loader in self._loaders:
            loader.close()
