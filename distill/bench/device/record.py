"""What a bench run on a device measured beyond times."""

from dataclasses import dataclass, field

from distill.bench.device.energy import Energy
from distill.bench.device.output import OperatorTime
from distill.bench.key import Key

INSIDE = (
    "one inference as TensorFlow Lite's `benchmark_model` times it (Invoke, inputs already set); the median over "
    "processes that were started in turns until three in a row agreed"
)


@dataclass(frozen=True)
class DeviceRun:
    """Measurements of a device.

    Attributes:
        name: `adb:SERIAL`, `ssh:HOST` or `host`.
        benchmark_sha256: of the program that measured.
        delegated: what the delegate executes of each row: `all`, or a number of kernels and of nodes.
        init_ms: time to load the file and prepare the delegate.
        processes: started for each row.
        operators: time per type of operator, on the first number of threads.
        energy: of one inference, on the first number of threads; a row without one is not reported by the device.
    """

    name: str
    benchmark_sha256: str
    delegated: dict[Key, str] = field(default_factory=dict)
    init_ms: dict[Key, float] = field(default_factory=dict)
    processes: dict[Key, int] = field(default_factory=dict)
    operators: dict[Key, tuple[OperatorTime, ...]] = field(default_factory=dict)
    energy: dict[Key, Energy] = field(default_factory=dict)

    @property
    def partial(self) -> dict[Key, str]:
        """Rows of which the delegate executes a part only; the rest runs in the runtime's own kernels."""
        return {key: share for key, share in self.delegated.items() if share != "all"}
