"""Latency, memory, MACs and accuracy of models, measured in one interleaved run."""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from distill.bench.accuracy import read_accuracies
from distill.bench.engines import Engine, EngineRows, engine_rows, require_engine
from distill.bench.key import Key
from distill.bench.latency import Call, compare, tflite_call
from distill.bench.machine import (
    PEAK_CONVOLUTIONS,
    LoadMeter,
    convolution,
    describe_machine,
)
from distill.bench.memory import peak_memory
from distill.bench.models import TimedModel, checked_path, open_model
from distill.bench.other_runtimes import choose_runtimes, runtime_calls
from distill.bench.peers import PEERS, peer_path
from distill.bench.per_face import per_face
from distill.bench.result import PEAK, BenchResult, Settings
from distill.bench.stages import bench_photo, photo_calls
from distill.errors import ConfigError, DistillError, require_sequences, suggest
from distill.files import short_names
from distill.pretrained.registry import require_known, resolve_model
from distill.tflite.split import Shape, split_decode


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
    runtimes: Sequence[str] = (),
    engine: Engine | None = None,
    progress: bool = False,
) -> BenchResult:
    """Time models, their parts, and the pipeline from photo to landmarks, interleaved in one run.

    Args:
        models: files.
        peers: names in `PEERS`; by default all that can be run here, the rest is named in `skipped`.
        settings: how to run.
        evaluations, nme, accuracy: see `read_accuracies`.
        photo: an image with a face; a generated one by default.
        stages: also time detector, crop and whole photos.
        runtimes: further TFLite runtimes to time the files in, see `choose_runtimes`.
        engine: also time the models in OpenVINO or on a GPU, see `engine_rows`.
        progress: show a bar on standard error.

    Raises:
        CheckpointError: a model that cannot be run here.
        ConfigError: options that contradict each other, a single name in place of a list, something not installed.
    """
    require_sequences(
        models=models, peers=peers, evaluations=evaluations, nme=nme, accuracy=accuracy, runtimes=runtimes
    )
    settings = settings or Settings()
    others = choose_runtimes(runtimes)
    gpu = require_engine(engine, [_file(model) for model in models]) if engine else None
    opened, memory, skipped = _open(models, peers)
    if settings.reference is not None and settings.reference not in memory:
        raise ConfigError(f"unknown reference '{settings.reference}': {suggest(settings.reference, list(memory))}")
    accuracies = read_accuracies(opened, evaluations, nme, accuracy)
    second = engine_rows(engine, opened, settings.threads, gpu) if engine else EngineRows({}, {}, {}, {})
    calls, maps = _model_calls(opened, settings.threads)
    calls |= second.calls
    shown, parts = _stage_calls(opened, photo, settings.threads[0], skipped) if stages else (None, {})
    calls |= parts
    meter = LoadMeter()
    with ExitStack() as stack:
        more, refused = runtime_calls(others, opened, settings.threads, stack)
        calls |= more
        reference = settings.reference or opened[0].name
        references = {str(key): str(Key(reference, "model", key.threads)) for key in calls}
        named = {str(key): call for key, call in calls.items()}
        found = compare(named, settings.rounds, settings.warmup, references, progress)
    timings = per_face({key: found[str(key)] for key in calls}, opened, reference)
    return BenchResult(
        settings, opened, memory, timings, maps, accuracies, shown, describe_machine() | second.machine, meter.read(),
        skipped | refused | second.skipped, parity=second.parity,
    )  # fmt: skip


def _file(model: str | Path) -> Path:
    """Return the file of a model, which may be given by the name of a released one."""
    path = resolve_model(model)
    require_known(path)
    return path


def _open(
    models: Sequence[str | Path], peers: Sequence[str] | None
) -> tuple[tuple[TimedModel, ...], dict[str, int | None], dict[str, str]]:
    """Run every model once in a child process, then read it here; peers that were not requested may fail."""
    if not models and not peers:
        raise ConfigError("no model given: distill bench MODEL ... (or --peers facemesh)")
    opened, memory, skipped = [], {}, {}
    files = [_file(model) for model in models]
    for path, name in zip(files, short_names(files), strict=True):
        memory[name] = peak_memory(checked_path(path))
        opened.append(open_model(path, name))
    for name in dict.fromkeys(PEERS if peers is None else peers):
        try:
            path = peer_path(name)
            used = peak_memory(path)
            opened.append(open_model(path, name))
            memory[name] = used
        except DistillError as error:
            if peers is not None:
                raise
            skipped[name] = _reason(error)
    return tuple(opened), memory, skipped


def _reason(error: DistillError) -> str:
    """Return an error's text without folders of the machine."""
    text = str(error)
    head, colon, tail = text.partition(": ")
    return f"{Path(head).name}{colon}{tail}" if os.sep in head else text


def _model_calls(models: Sequence[TimedModel], threads: Sequence[int]) -> tuple[dict[Key, Call], dict[str, Shape]]:
    """Return the calls of whole models on every number of threads, of their parts on the first, and of the peak."""
    calls: dict[Key, Call] = {}
    maps: dict[str, Shape] = {}
    for count in threads:
        for model in models:
            calls[Key(model.name, "model", count)] = model.load(count)
        for index, size in enumerate(PEAK_CONVOLUTIONS):
            calls[Key(str(index), PEAK, count)] = tflite_call(convolution(*size), count)
    for model in models:
        halves = split_decode(model.tflite) if model.tflite else None
        if halves is not None:
            maps[model.name] = halves.maps
            calls[Key(model.name, "network", threads[0])] = tflite_call(halves.net, threads[0])
            calls[Key(model.name, "decode", threads[0])] = tflite_call(halves.decode, threads[0])
    return calls, maps


def _stage_calls(
    models: Sequence[TimedModel], photo: Path | None, threads: int, skipped: dict[str, str]
) -> tuple[str | None, dict[Key, Call]]:
    """Return what is shown and the calls of the stages; without a photo of the user, a failure is put in `skipped`."""
    pixels, name = bench_photo(photo)
    try:
        calls, faces = photo_calls(models, pixels, threads)
    except ConfigError as error:
        if photo is not None:
            raise
        skipped["photo"] = str(error)
        return None, {}
    shown = f"{name}, {faces} face{'s' * (faces != 1)}"
    return shown, {Key(*key, threads): call for key, call in calls.items()}
