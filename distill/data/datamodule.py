"""Lightning data module of training and validation faces."""

from typing import Any

import pytorch_lightning as pl
from torch.utils.data import Dataset, Subset

from distill.data.dataset import FaceDataset, FaceSample, init_worker
from distill.data.loader import ReportingLoader
from distill.data.multi_dataset import MixedDataset
from distill.data.sampler import StepSampler
from distill.data.shards.faces import ShardFaces


class FaceData(pl.LightningDataModule):
    """Lightning data module: one continuous stream of training batches, and the validation faces in order.

    Args:
        train, val: the faces; `train` is augmented by itself, and may be of several data sets.
        batch_size: faces per step and device.
        epochs: passes over the training faces.
        workers: processes that prepare faces, as many for training as for validation; 0 prepares them in the training
            process.
        seed: of the order of the faces.
    """

    def __init__(
        self,
        train: FaceDataset | MixedDataset,
        val: FaceDataset,
        batch_size: int,
        epochs: int,
        workers: int = 0,
        seed: int = 0,
    ):
        super().__init__()
        self.train, self.val = train, val
        self.batch_size, self.epochs, self.workers, self.seed = batch_size, epochs, workers, seed
        self._loaders: list[ReportingLoader] = []

    def sampler(self, start: int = 0, rank: int = 0, world: int = 1) -> StepSampler:
        """Return the order of the training faces from step `start` on."""
        faces = self.train.records if isinstance(self.train, FaceDataset) else None
        order = faces.order if isinstance(faces, ShardFaces) else None
        return StepSampler(len(self.train), self.batch_size, self.epochs, self.seed, start, rank, world, order)

    def train_dataloader(self) -> ReportingLoader:
        if self.trainer is None:
            raise RuntimeError("a FaceData without a trainer has no step to start at")
        sampler = self.sampler(self.trainer.global_step, self.trainer.global_rank, self.trainer.world_size)
        return self._loader(self.train, batch_sampler=sampler)

    def val_dataloader(self) -> ReportingLoader:
        rank, world = (0, 1) if self.trainer is None else (self.trainer.global_rank, self.trainer.world_size)
        # Each process measures its share, or all faces where they are fewer than processes: each counts once.
        share = range(rank, len(self.val), world) if len(self.val) >= world else range(len(self.val))
        faces: Dataset[FaceSample] = Subset(self.val, share)
        # Kept alive between validations: a worker holds the photos that `data.cache` keeps.
        return self._loader(faces, batch_size=self.batch_size, persistent_workers=self.workers > 0)

    def close(self) -> None:
        """End the workers."""
        for loader in self._loaders:
            loader.close()

    def _loader(self, faces: Dataset[FaceSample], **options: Any) -> ReportingLoader:
        """Return a loader with workers, and with page-locked memory where batches are copied to a GPU."""
        on_gpu = self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"
        loader = ReportingLoader(
            faces,
            num_workers=self.workers,
            worker_init_fn=init_worker if self.workers else None,
            pin_memory=on_gpu,
            **options,
        )
        self._loaders.append(loader)
        return loader
