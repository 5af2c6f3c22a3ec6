"""Everything `distill bench` measures, in one interleaved run."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from distill.bench.accuracy import Accuracies, read_accuracies
from distill.bench.cost import CONTEST_WATTS, ScoreRule, energy_mj
from distill.bench.latency import Call, Timing, compare, tflite_call
from distill.bench.machine import (
    PEAK_CONVOLUTIONS,
    LoadMeter,
    busy_warning,
    convolution,
    convolution_macs,
    cores,
    describe_machine,
)
from distill.bench.memory import peak_memory
from distill.bench.peers import PEERS, peer_path
from distill.bench.stages import bench_photo, photo_calls
from distill.bench.subjects import Subject, checked_path, open_subject
from distill.errors import ConfigError, DistillError, suggest
from distill.files import short_names
from distill.tflite.graph import Shape, split_decode

INSIDE = (
    "network calls only: `invoke` of LiteRT, `run` of ONNX Runtime with bound inputs, forward of PyTorch; "
    "no copy of pixels or points; one untimed call before each timed one"
)
_PEAK = "peak"


class Key(NamedTuple):
    """What a row of times is of: a model (or a step), the part of it, and the threads it had.

    Parts: `model` the whole file; `network` up to its heatmaps and `decode` from there; `detector`, `crop`, `photo`
    see `photo_calls`; `peak` the convolutions that show what the machine can do.
    """

    name: str
    part: str
    threads: int


@dataclass(frozen=True)
class Settings:
    """How to run.

    Attributes:
        threads: counts to run every model with.
        rounds: timed calls of each row.
        warmup: rounds before any is timed.
        reference: name of the model ratios are taken to; the first by default.
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
class Bench:
    """What a run found.

    Attributes:
        subjects: the models, in the order given.
        memory: bytes by model name, None where the system does not tell.
        timings: of every row.
        maps: shape of the heatmaps of the models that were cut in two.
        accuracies: what is known of the models' accuracy.
        photo: what the steps before and after the network ran on; None when they did not run.
        machine, load: see `describe_machine` and `LoadMeter`.
        skipped: why a peer or a step was left out.
    """

    settings: Settings
    subjects: tuple[Subject, ...]
    memory: dict[str, int | None]
    timings: dict[Key, Timing]
    maps: dict[str, Shape]
    accuracies: Accuracies
    photo: str | None
    machine: dict[str, Any]
    load: dict[str, Any]
    skipped: dict[str, str]

    @property
    def reference(self) -> str:
        return self.settings.reference or self.subjects[0].name

    def subject(self, name: str) -> Subject:
        return next(subject for subject in self.subjects if subject.name == name)

    def peak_gmacs(self, threads: int) -> float:
        """Return the most GMAC/s a convolution reached in this run on so many threads."""
        rates = (
            convolution_macs(*PEAK_CONVOLUTIONS[int(key.name)]) / timing.median_ms / 1e6
            for key, timing in self.timings.items()
            if key.part == _PEAK and key.threads == threads
        )
        return max(rates)

    def gmacs(self, key: Key) -> float | None:
        """Return the GMAC/s a model reached, None when not all of its MACs are known."""
        subject = self.subject(key.name)
        return None if subject.uncounted else subject.complexity.macs / self.timings[key].median_ms / 1e6

    def energy_mj(self, key: Key) -> float:
        return energy_mj(self.timings[key].median_ms, self.settings.watts, key.threads)

    def score(self, key: Key) -> float | None:
        """Return the contest's score of a model with so many threads, None without an accuracy."""
        accuracy, subject = self.accuracies.by_name.get(key.name), self.subject(key.name)
        if accuracy is None or accuracy.accuracy_percent is None or subject.uncounted:
            return None
        watts = self.settings.watts * key.threads
        return self.settings.score(accuracy.accuracy_percent, self.timings[key].median_ms, subject.complexity, watts)

    @property
    def warnings(self) -> list[str]:
        """Return what a reader of the numbers must know."""
        lines = [line for line in (busy_warning(self.load),) if line]
        shaky = [f"{k.name} {k.part} on {k.threads}" for k, timing in self.timings.items() if not timing.stable]
        if shaky:
            shown = ", ".join(shaky[:4]) + (f" and {len(shaky) - 4} more" if len(shaky) > 4 else "")
            lines.append(f"unstable ({len(shaky)} of {len(self.timings)} rows drifted by more than 5 %): {shown}")
        available = self.machine["cores"]
        crowded = [str(count) for count in self.settings.threads if count > available]
        if crowded:
            lines.append(f"{', '.join(crowded)} threads share {available} cores: expect them slower than {available}")
        if self.accuracies.typed:
            lines.append(f"typed by hand, protocol not checked: {', '.join(self.accuracies.typed)}")
        return lines


def thread_counts(texts: Sequence[str]) -> tuple[int, ...]:
    """Return `1 2 4 max` as numbers, each once; `max` is every core this process may use.

    Raises:
        ConfigError: not a number of threads.
    """
    counts = []
    for text in texts:
        if text != "max" and not (text.isdecimal() and 0 < int(text) <= 1024):
            raise ConfigError(f"'{text}' is no number of threads; give 1, 2, … or max")
        counts.append(cores() if text == "max" else int(text))
    if not counts:
        raise ConfigError("no number of threads given; give --threads 1")
    return tuple(dict.fromkeys(counts))


def bench(
    models: Sequence[str | Path],
    peers: Sequence[str] | None = None,
    settings: Settings | None = None,
    *,
    evaluations: Sequence[str | Path] = (),
    nme: Sequence[str] = (),
    accuracy: Sequence[str] = (),
    photo: Path | None = None,
    stages: bool = True,
    progress: bool = False,
) -> Bench:
    """Time models, their parts, and the road from photo to points, all in turns.

    Args:
        models: files.
        peers: names in `PEERS`; by default all that can be run here, the rest is named in `skipped`.
        settings: how to run.
        evaluations, nme, accuracy: see `read_accuracies`.
        photo: an image with a face; a generated one by default.
        stages: also time detector, crop and whole photos.
        progress: show a bar on standard error.

    Raises:
        CheckpointError: a model that cannot be run here.
        ConfigError: options that contradict each other, something not installed.
    """
    settings = settings or Settings()
    subjects, memory, skipped = _open(models, peers)
    if settings.reference is not None and settings.reference not in memory:
        raise ConfigError(f"unknown reference '{settings.reference}': {suggest(settings.reference, list(memory))}")
    accuracies = read_accuracies(subjects, evaluations, nme, accuracy)
    calls, maps = _model_calls(subjects, settings.threads)
    shown = None
    if stages:
        try:
            shown, more = _stage_calls(subjects, photo, settings.threads[0])
            calls |= more
        except ConfigError as error:
            if photo is not None:
                raise
            skipped["photo"] = str(error)
    names = {_label(key): call for key, call in calls.items()}
    reference = settings.reference or subjects[0].name
    references = {_label(key): _label(Key(reference, "model", key.threads)) for key in calls}
    meter = LoadMeter()
    found = compare(names, settings.rounds, settings.warmup, references, progress)
    timings = {key: found[_label(key)] for key in calls}
    return Bench(
        settings, subjects, memory, timings, maps, accuracies, shown, describe_machine(), meter.read(), skipped
    )


def _label(key: Key) -> str:
    return f"{key.name} {key.part} {key.threads}"


def _open(
    models: Sequence[str | Path], peers: Sequence[str] | None
) -> tuple[tuple[Subject, ...], dict[str, int | None], dict[str, str]]:
    """Run every model once in a child process, then read it here; peers nobody asked for may fail."""
    if not models and not peers:
        raise ConfigError("no model given: distill bench MODEL ... (or --peers facemesh)")
    subjects, memory, skipped = [], {}, {}
    for path, name in zip(models, short_names(models), strict=True):
        memory[name] = peak_memory(checked_path(path))
        subjects.append(open_subject(path, name))
    for name in dict.fromkeys(PEERS if peers is None else peers):
        try:
            path = peer_path(name)
            used = peak_memory(path)
            subjects.append(open_subject(path, name))
            memory[name] = used
        except DistillError as error:
            if peers is not None:
                raise
            skipped[name] = _reason(error)
    return tuple(subjects), memory, skipped


def _reason(error: DistillError) -> str:
    """Return an error's text without folders of the machine."""
    text = str(error)
    head, colon, tail = text.partition(": ")
    return f"{Path(head).name}{colon}{tail}" if os.sep in head else text


def _model_calls(subjects: Sequence[Subject], threads: Sequence[int]) -> tuple[dict[Key, Call], dict[str, Shape]]:
    """Return the calls of whole models on every number of threads, of their parts on the first, and of the peak."""
    calls: dict[Key, Call] = {}
    maps: dict[str, Shape] = {}
    for count in threads:
        for subject in subjects:
            calls[Key(subject.name, "model", count)] = subject.load(count)
        for index, size in enumerate(PEAK_CONVOLUTIONS):
            calls[Key(str(index), _PEAK, count)] = tflite_call(convolution(*size), count)
    for subject in subjects:
        halves = split_decode(subject.graph) if subject.graph else None
        if halves is not None:
            maps[subject.name] = halves.maps
            calls[Key(subject.name, "network", threads[0])] = tflite_call(halves.net, threads[0])
            calls[Key(subject.name, "decode", threads[0])] = tflite_call(halves.decode, threads[0])
    return calls, maps


def _stage_calls(subjects: Sequence[Subject], photo: Path | None, threads: int) -> tuple[str, dict[Key, Call]]:
    pixels, name = bench_photo(photo)
    calls, faces = photo_calls(subjects, pixels, threads)
    shown = f"{name}, {faces} face{'s' * (faces != 1)}"
    return shown, {Key(*key, threads): call for key, call in calls.items()}
