"""Key of a timing of `distill bench`."""

from typing import NamedTuple

CUDA = "CUDA"


class Key(NamedTuple):
    """Key of a timing: the model (or stage), its part, the number of threads, and what ran it.

    Parts: `model` the whole file; `network` up to its heatmaps and `decode` from there; `detector`, `crop`, `photo`
    see `photo_calls`; `peak` the convolutions that measure the peak of the machine.
    Engine: the delegate on a device, the runtime of another environment, OpenVINO, or CUDA with its precision; None is
    the engine of the model itself.
    """

    name: str
    part: str
    threads: int
    engine: str | None = None

    @property
    def on_gpu(self) -> bool:
        """Whether the row ran on a GPU, for which nothing holds that is known about the cores of this machine."""
        return (self.engine or "").startswith(CUDA)

    def __str__(self) -> str:
        return f"{self.name} {self.part} {self.threads}" + (f" {self.engine}" if self.engine else "")
