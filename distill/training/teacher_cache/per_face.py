"""Teacher landmarks computed once per face and transformed to every crop."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from rich.progress import track
from torch import Tensor
from torch.utils.data import ConcatDataset

from distill.data.dataset import FaceDataset, FaceSample
from distill.models import Prediction
from distill.training.loggers.csv import is_first_process
from distill.training.tasks import as_floats
from distill.training.teacher import FrozenTeacher, Images
from distill.training.teacher_cache.cached_teacher import CacheBase
from distill.training.teacher_cache.codec import MapCodec
from distill.training.teacher_cache.record_store import RecordStore

# Faces in a batch of the teacher: on a CPU its maps leave the cache with more, which halves the speed at 256 px.
_CPU_BATCH, _GPU_BATCH = 8, 64


class PerFaceLandmarks(CacheBase):
    """Teacher landmarks of every face, from the crop without augmentation, mapped into each crop by its affine.

    For coordinate distillation. The teacher's input is not covered or blurred by augmentation, and has the teacher's
    resolution, not the student's; the teachers of an ensemble get the crop of the largest among them, resized.

    Args:
        frozen, store, identity: as of `CacheBase`; records are points in photo pixels.
        faces: the data sets of the training, in order.
    """

    def __init__(
        self, frozen: FrozenTeacher, store: RecordStore, identity: dict[str, Any], faces: Sequence[FaceDataset]
    ):
        super().__init__(frozen, store, identity)
        self.plain: ConcatDataset[FaceSample] = ConcatDataset([_plain(part, max(frozen.sizes)) for part in faces])
        self.batch, self.announced = _CPU_BATCH, False
        self.points: Float[Tensor, "n k 2"] = torch.zeros(0, len(frozen.order), 2, dtype=torch.float64)

    def blank(self, size: int) -> Prediction:
        return Prediction(self.frozen.blank(size).landmarks)

    def prepare(self, device: torch.device) -> None:
        """Compute the landmarks of the faces that are not in the store yet."""
        super().prepare(device)
        self.batch = _CPU_BATCH if device.type == "cpu" else _GPU_BATCH
        starts = range(0, len(self.plain), self.batch)
        points = [self._landmarks(start, device) for start in track(starts, "teacher's landmarks", transient=True)]
        self.points = torch.cat(points).double()

    def _landmarks(self, start: int, device: torch.device) -> Float[Tensor, "b k 2"]:
        """Return the landmarks of one batch of faces in photo pixels, from the store or from the teacher."""
        indices = range(start, min(start + self.batch, len(self.plain)))
        codec = MapCodec(self.points.shape[1])
        stored = [self.store.read(0, index) for index in indices]
        records = [record for record in stored if record is not None]
        if len(records) < len(indices):
            self._announce()
            faces = [self.plain[index] for index in indices]
            images = as_floats(torch.stack([face["image"] for face in faces]).to(device))
            to_photo = torch.stack([face["to_photo"] for face in faces]).double()
            pixels = self.frozen(images).landmarks.cpu().double() * images.shape[-1] - 0.5
            points = pixels @ to_photo[..., :2].mT + to_photo[..., 2][:, None]
            records = codec.encode(Prediction(points))
            for index, record in zip(indices, records, strict=True):
                self.store.write(0, index, record)
        return codec.decode(records).landmarks

    def _announce(self) -> None:
        """Print, once and in one process, that a pass over all faces takes place."""
        if not self.announced and is_first_process():
            print(f"Teacher: landmarks of {len(self.plain)} faces, once each, kept in {self.store.folder}")
        self.announced = True

    def outputs(self, images: Images, batch: FaceSample) -> Prediction:
        points = self.points[torch.as_tensor(batch["index"]).cpu()]
        to_photo = batch["to_photo"].cpu().double()
        rotation, shift = to_photo[..., :2], to_photo[..., 2]
        mirrored = torch.linalg.det(rotation) < 0
        points = torch.where(mirrored[:, None, None], points[:, self.frozen.order], points)
        pixels = (points - shift[:, None]) @ torch.linalg.inv(rotation).mT
        return Prediction(((pixels + 0.5) / images.shape[-1]).float().to(images.device))


def _plain(faces: FaceDataset, size: int) -> FaceDataset:
    """The same faces in crops of `size` pixels, without augmentation."""
    crop, found = (replace(crop, size=size) for crop in (faces.crop, faces.detector_crop))
    return FaceDataset(faces.records, crop, faces.scheme.name, None, faces.boxes, faces.seed, detector_crop=found)
