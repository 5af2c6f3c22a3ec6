"""Times of one face from those of a call, for files with a fixed batch of several crops."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from distill.bench.key import Key
from distill.bench.latency import Timing
from distill.bench.models import TimedModel

# Parts whose calls take a whole batch; those of a photo run whatever its faces need.
_BATCHED = ("model", "network", "decode")


def per_face(timings: Mapping[Key, Timing], models: Sequence[TimedModel], reference: str) -> dict[Key, Timing]:
    """Return the times divided by the batch of their model, and their ratios to the reference likewise.

    Args:
        timings: of calls.
        models: that were timed; the rows of a batch of 1 stay as they are where the reference has one as well.
        reference: name of the model that ratios are relative to.
    """
    batches = {model.name: model.batch for model in models}
    return {
        key: _divided(timing, batches.get(key.name, 1) if key.part in _BATCHED else 1, batches.get(reference, 1))
        for key, timing in timings.items()
    }


def _divided(timing: Timing, batch: int, reference: int) -> Timing:
    return replace(
        timing,
        median_ms=timing.median_ms / batch,
        iqr_ms=timing.iqr_ms / batch,
        ratio=timing.ratio * reference / batch,
    )
