"""Cached teacher outputs: a crop whose outputs are stored is not computed again."""

from typing import Any, Self

import torch

from distill.data.dataset import FaceSample
from distill.files import write_json
from distill.models import Prediction
from distill.training.teacher import FrozenTeacher, Images
from distill.training.teacher_cache.codec import MapCodec
from distill.training.teacher_cache.record_store import RecordStore


class CacheBase:
    """Base class of the caches: the teacher, the store of its outputs, and the inputs that they depend on.

    Like the teacher itself it is no part of the student, and copies of the student share it.

    Args:
        frozen: the teacher.
        store: its outputs.
        identity: all inputs of the outputs, as from `factory.identity`; written to `identity.json` of the store.
    """

    def __init__(self, frozen: FrozenTeacher, store: RecordStore, identity: dict[str, Any]):
        self.frozen = frozen
        self.store = store
        self.identity = identity

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def prepare(self, device: torch.device) -> None:
        self.frozen.prepare(device)
        write_json(self.store.folder / "identity.json", self.identity)


class CachedTeacher(CacheBase):
    """Teacher outputs from the store; a batch with a missing face is computed whole by the teacher.

    A face is first computed in the same batch of the same step, so that a training that was killed and resumed reads
    the outputs that it would have computed.

    Args:
        frozen, store, identity: as of `CacheBase`.
        codec: encoding of the records.

    Attributes:
        cache_misses: batches that the teacher computed.
    """

    def __init__(self, frozen: FrozenTeacher, store: RecordStore, identity: dict[str, Any], codec: MapCodec):
        super().__init__(frozen, store, identity)
        self.codec = codec
        self.cache_misses = 0

    def blank(self, size: int) -> Prediction:
        blank = self.frozen.blank(size)
        return Prediction(blank.landmarks, blank.heatmaps)

    def outputs(self, images: Images, batch: FaceSample) -> Prediction:
        numbers = (torch.as_tensor(part).tolist() for part in (batch["round"], batch["index"]))
        keys = list(zip(*numbers, strict=True))
        stored = [self.store.read(*key) for key in keys]
        records = [record for record in stored if record is not None]
        if len(records) < len(keys):
            self.cache_misses += 1
            computed = self.codec.encode(self.frozen(images))
            for key, old, new in zip(keys, stored, computed, strict=True):
                if old is None:
                    self.store.write(key[0], key[1], new)
            records = [new if old is None else old for old, new in zip(stored, computed, strict=True)]
        outputs = self.codec.decode(records)
        return Prediction(**{name: outputs.part(name).to(images.device) for name in outputs.parts})
