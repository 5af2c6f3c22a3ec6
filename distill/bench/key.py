"""Key of a timing of `distill bench`."""

from typing import NamedTuple


class Key(NamedTuple):
    """Key of a timing: the model (or stage), its part, the number of threads, and what ran it.

    Parts: `model` the whole file; `network` up to its heatmaps and `decode` from there; `detector`, `crop`, `photo`
    see `photo_calls`; `peak` the convolutions that measure the peak of the machine.
    Engine: the delegate on a device, or the runtime of another environment; None is the engine of the model itself.
    """

    name: str
    part: str
    threads: int
    engine: str | None = None

    def __str__(self) -> str:
        return f"{self.name} {self.part} {self.threads}" + (f" {self.engine}" if self.engine else "")
