"""End of a training with an error: its data workers end, and in several processes all end."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Protocol

import pytorch_lightning as pl
import torch

from distill.errors import DistillError, TrainingError
from distill.system.streams import complain
from distill.training.loggers.csv import is_first_process

# Seconds that a process that failed leaves the others to end with a line of their own. Lightning kills all when one has
# ended with an error, which it looks for every 5 seconds; torchrun as well.
_OTHERS_END_S = 10.0
# How gloo and NCCL begin or continue what they report of a process that is gone.
_LOST = ("connection closed by peer", "connection reset by peer", "broken pipe", "remote process exited", "socket")


class _Data(Protocol):
    def close(self) -> None: ...


@contextmanager
def ending_together(trainer: pl.Trainer, data: _Data) -> Iterator[None]:
    """End the workers of the data with the context, and report errors of other processes of the training.

    Raises:
        TrainingError: another process of the training has ended.
    """
    with closing(data):
        try:
            yield
        except Exception as error:
            first = _first_user_error(error)
            if first is not None and trainer.world_size > 1 and not is_first_process():
                complain(f"error: {first}")
                _leave()
                raise SystemExit(2) from error
            if first is not None:
                raise first from error
            if trainer.world_size > 1 and any(_is_loss(item) for item in _chain(error)):
                raise TrainingError("another process of this training ended; its own line says why") from error
            raise


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and those in whose handling it was raised: Lightning's end of a training may fail as well."""
    item: BaseException | None = error
    while item is not None:
        yield item
        item = item.__context__


def _first_user_error(error: BaseException) -> DistillError | None:
    return next((item for item in _chain(error) if isinstance(item, DistillError)), None)


def _is_loss(error: BaseException) -> bool:
    return isinstance(error, RuntimeError) and any(text in str(error).lower() for text in _LOST)


def _leave() -> None:
    """Close the connections to the other processes, which wait for this one in a collective, and let them end."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    time.sleep(_OTHERS_END_S)
