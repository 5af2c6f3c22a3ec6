"""Cost of one image: energy and the score of the contest."""

from dataclasses import asdict, dataclass
from typing import Any

from distill.errors import ConfigError
from distill.tflite.complexity import Complexity

# What the contest measured for one entry on its device (YUHS1, AIdea final; quoted with EFLD, arXiv 2407.10228).
CONTEST_WATTS = 1.64


@dataclass(frozen=True)
class ScoreRule:
    """The contest's final score: accuracy % / (time x complexity x power x size), EFLD eq. 1.

    Each cost is divided by its reference before the product; with all of them 1 the score is in the contest's units:
    milliseconds, GFLOPs (two per multiply-accumulate, as its tables count), watts, megabytes of 10^6 bytes.

    Attributes:
        time_ms: reference time in ms.
        gflops: reference complexity in GFLOPs.
        watts: reference power in W.
        megabytes: reference size in MB.
    """

    time_ms: float = 1.0
    gflops: float = 1.0
    watts: float = 1.0
    megabytes: float = 1.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not value > 0:
                raise ConfigError(
                    f"reference {name} of the score is {value}; a cost is divided by it, give more than 0"
                )

    def __call__(self, accuracy_percent: float, ms: float, complexity: Complexity, watts: float) -> float | None:
        """Return the score, or None for a model whose MACs or bytes are not known."""
        gflops, megabytes = 2 * complexity.macs / 1e9, complexity.bytes / 1e6
        if not (gflops and megabytes):
            return None
        costs = (ms / self.time_ms, gflops / self.gflops, watts / self.watts, megabytes / self.megabytes)
        return accuracy_percent / (costs[0] * costs[1] * costs[2] * costs[3])

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def energy_mj(ms: float, watts_per_core: float, threads: int) -> float:
    """Estimate the energy of one image in millijoules: time x power of a busy core x threads.

    An estimate: nothing measures power here, and it takes every thread for busy all the time.
    """
    return ms * watts_per_core * threads
