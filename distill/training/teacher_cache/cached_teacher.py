"""A teacher whose answers are kept: every augmented crop is asked about once."""

from typing import Any, Self

import torch

from distill.data.dataset import FaceSample
from distill.files import write_json
from distill.models import Prediction
from distill.training.teacher import FrozenTeacher, Images
from distill.training.teacher_cache.codec import Compact
from distill.training.teacher_cache.record_store import RecordStore


class KeptAnswers:
    """What every cache has: a teacher, a store, and what is written beside it for people to read.

    Like the teacher itself it is no part of the student, and copies of the student share it.

    Args:
        frozen: the teacher.
        store: its answers.
        made_of: all that they depend on.
    """

    def __init__(self, frozen: FrozenTeacher, store: RecordStore, made_of: dict[str, Any]):
        self.frozen, self.store, self.made_of = frozen, store, made_of

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def prepare(self, device: torch.device) -> None:
        self.frozen.prepare(device)
        write_json(self.store.folder / "made_of.json", self.made_of)


class CachedTeacher(KeptAnswers):
    """Answers from the store; asks the teacher about a whole batch where one of its faces is missing.

    A face is first asked about in the same batch of the same step, so a training that was killed and resumed finds
    the very answers it would have been given.

    Args:
        frozen, store, made_of: as of `KeptAnswers`.
        compact: form of the records.

    Attributes:
        asked: batches the teacher itself was asked about.
    """

    def __init__(self, frozen: FrozenTeacher, store: RecordStore, made_of: dict[str, Any], compact: Compact):
        super().__init__(frozen, store, made_of)
        self.compact, self.asked = compact, 0

    def blank(self, size: int) -> Prediction:
        blank = self.frozen.blank(size)
        return Prediction(blank.landmarks, blank.heatmaps)

    def answer(self, images: Images, batch: FaceSample) -> Prediction:
        numbers = (torch.as_tensor(part).tolist() for part in (batch["round"], batch["index"]))
        keys = list(zip(*numbers, strict=True))
        kept = [self.store.read(*key) for key in keys]
        records = [record for record in kept if record is not None]
        if len(records) < len(keys):
            self.asked += 1
            fresh = self.compact.encode(self.frozen(images))
            for key, old, new in zip(keys, kept, fresh, strict=True):
                if old is None:
                    self.store.write(key[0], key[1], new)
            records = [new if old is None else old for old, new in zip(kept, fresh, strict=True)]
        answer = self.compact.decode(records)
        return Prediction(**{name: answer.part(name).to(images.device) for name in answer.parts})
