"""Result of `distill bench`, and the settings of a run."""

from dataclasses import dataclass, field
from typing import Any

from distill.bench.accuracy import Accuracies
from distill.bench.cost import CONTEST_WATTS, ScoreRule, energy_mj
from distill.bench.device.record import INSIDE as INSIDE_DEVICE
from distill.bench.device.record import DeviceRun
from distill.bench.key import Key
from distill.bench.latency import Timing
from distill.bench.machine import PEAK_CONVOLUTIONS, busy_warning, convolution_macs
from distill.bench.models import TimedModel
from distill.bench.other_runtimes import slow_integer_lines
from distill.bench.parity import Parity
from distill.errors import ConfigError
from distill.tflite.split import Shape

INSIDE = (
    "network calls only: `invoke` of LiteRT, `run` of ONNX Runtime with bound inputs, forward of PyTorch; "
    "no copy of pixels or points; one untimed call before each timed one"
)
_INSIDE_ENGINE = (
    "; `infer` of OpenVINO, its tensors set; on a GPU the time between two CUDA events around the same calls"
)
_INSIDE_BATCH = "; of a file with a fixed batch the time of a call, divided by its faces"
PEAK = "peak"


@dataclass(frozen=True)
class Settings:
    """Settings of a run.

    Attributes:
        threads: counts to run every model with.
        rounds: timed calls of each row.
        warmup: rounds before the timed ones.
        reference: name of the model that ratios are relative to; the first by default.
        watts: assumed power of one busy core.
        score: the contest's score.
    """

    threads: tuple[int, ...] = (1,)
    rounds: int = 60
    warmup: int = 5
    reference: str | None = None
    watts: float = CONTEST_WATTS
    score: ScoreRule = field(default_factory=ScoreRule)

    def __post_init__(self) -> None:
        if not self.watts > 0:
            raise ConfigError(f"--watts {self.watts}: a busy core takes more than 0")


@dataclass(frozen=True)
class BenchResult:
    """Result of `bench`.

    Attributes:
        models: the models, in the order given.
        memory: bytes by model name, None where the system does not report it.
        timings: of every row; those of models and their parts are of one face.
        maps: shape of the heatmaps of the models whose decoding is timed apart.
        accuracies: accuracy of the models, where it is known.
        photo: input of the stages before and after the network; None when they did not run.
        machine, load: see `describe_machine` and `LoadMeter`.
        skipped: reason why a peer, a stage or a row was left out.
        device: of a run on a phone or board.
        parity: of the rows of OpenVINO or a GPU, against the model's own engine.
    """

    settings: Settings
    models: tuple[TimedModel, ...]
    memory: dict[str, int | None]
    timings: dict[Key, Timing]
    maps: dict[str, Shape]
    accuracies: Accuracies
    photo: str | None
    machine: dict[str, Any]
    load: dict[str, Any]
    skipped: dict[str, str]
    device: DeviceRun | None = None
    parity: dict[Key, Parity] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return a line for each model and number of threads: median latency and ratio to the reference."""
        rows = ((key, timing) for key, timing in self.timings.items() if key.part == "model")
        return "\n".join(
            f"{key.name}: {timing.median_ms:.3f} ms on {f'{key.engine}, ' if key.engine else ''}"
            f"{key.threads} thread{'s' * (key.threads > 1)}, "
            f"{timing.ratio:.2f} x {self.reference}"
            for key, timing in rows
        )

    @property
    def reference(self) -> str:
        return self.settings.reference or self.models[0].name

    def call_ms(self, key: Key) -> float:
        """Return the time of a call of a model: that of one face times the batch of the file."""
        return self.timings[key].median_ms * self.model(key.name).batch

    def model(self, name: str) -> TimedModel:
        return next(model for model in self.models if model.name == name)

    def key_of(self, name: str) -> Key:
        """Return the first row of a whole model: on the first number of threads, in its own engine."""
        return next(key for key in self.timings if key.part == "model" and key.name == name)

    @property
    def inside(self) -> str:
        """What is inside a time."""
        batched = _INSIDE_BATCH * any(model.batch > 1 for model in self.models)
        if self.device:
            return INSIDE_DEVICE + batched
        return INSIDE + _INSIDE_ENGINE * bool(self.parity) + batched

    def peak_gmacs(self, threads: int) -> float | None:
        """Return the most GMAC/s a convolution reached in this run on so many threads; None on a device."""
        rates = [
            convolution_macs(*PEAK_CONVOLUTIONS[int(key.name)]) / timing.median_ms / 1e6
            for key, timing in self.timings.items()
            if key.part == PEAK and key.threads == threads
        ]
        return max(rates, default=None)

    def gmacs(self, key: Key) -> float | None:
        """Return the GMAC/s a model reached, None when not all of its MACs are known."""
        model = self.model(key.name)
        return None if model.uncounted else model.complexity.macs / self.timings[key].median_ms / 1e6

    def peak_share(self, key: Key) -> float | None:
        """Return the GMAC/s of a model in percent of the peak, None where one of them is not known."""
        rate, peak = self.gmacs(key), None if key.on_gpu else self.peak_gmacs(key.threads)
        return None if rate is None or peak is None else 100 * rate / peak

    def energy_mj(self, key: Key) -> float | None:
        """Return the energy of one face: estimated for a processor, as reported by a device, or None."""
        if self.device:
            energy = self.device.energy.get(key)
            return energy.mj / self.model(key.name).batch if energy else None
        # The power assumed is that of a core.
        return None if key.on_gpu else energy_mj(self.timings[key].median_ms, self.settings.watts, key.threads)

    def score(self, key: Key) -> float | None:
        """Return the contest's score of a model with so many threads, None without an accuracy."""
        accuracy, model = self.accuracies.by_name.get(key.name), self.model(key.name)
        if accuracy is None or accuracy.accuracy_percent is None or model.uncounted or key.on_gpu:
            return None
        ms, energy = self.timings[key].median_ms, self.device.energy.get(key) if self.device else None
        watts = energy.mj / self.call_ms(key) if energy else self.settings.watts * key.threads
        return self.settings.score(accuracy.accuracy_percent, ms, model.complexity, watts)

    @property
    def warnings(self) -> list[str]:
        """Return the conditions that limit the numbers."""
        lines = [line for line in (busy_warning(self.load),) if line]
        shaky = [
            f"{k.name} {k.part} on {k.engine or k.threads}" for k, timing in self.timings.items() if not timing.stable
        ]
        if shaky:
            shown = ", ".join(shaky[:4]) + (f" and {len(shaky) - 4} more" if len(shaky) > 4 else "")
            lines.append(f"unstable ({len(shaky)} of {len(self.timings)} rows drifted by more than 5 %): {shown}")
        available = self.machine["cores"]
        crowded = [str(count) for count in self.settings.threads if count > available]
        if crowded:
            lines.append(f"{', '.join(crowded)} threads share {available} cores: expect them slower than {available}")
        lines += slow_integer_lines(self.models, {key: timing.median_ms for key, timing in self.timings.items()})
        if self.device and self.device.partial:
            shown = "; ".join(f"{key.name} on {key.engine}: {part}" for key, part in self.device.partial.items())
            lines.append(f"executed by the delegate in part only, the rest by the CPU: {shown}")
        if self.accuracies.typed:
            lines.append(f"typed by hand, protocol not checked: {', '.join(self.accuracies.typed)}")
        return lines
