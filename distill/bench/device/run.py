"""Bench run on a phone or board, as the same kind of result as on this machine."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from distill.bench.accuracy import read_accuracies
from distill.bench.device.binary import require_abi, require_binary
from distill.bench.device.connect import connect
from distill.bench.device.connection import Connection, make_folder, remove_folder
from distill.bench.device.delegates import DEFAULTS, DelegateOption, parse_delegates
from distill.bench.device.describe import describe_device
from distill.bench.device.measure import PROGRAM, Meter, Row, measure_until_steady
from distill.bench.device.output import Output
from distill.bench.device.record import DeviceRun
from distill.bench.device.target import parse_target
from distill.bench.key import Key
from distill.bench.latency import Timing
from distill.bench.machine import thread_counts
from distill.bench.models import TimedModel, checked_path, open_model
from distill.bench.peers import peer_path
from distill.bench.per_face import per_face
from distill.bench.result import BenchResult, Settings
from distill.errors import ConfigError, DeviceError, suggest
from distill.files import sha256, short_names


def bench_device(
    models: Sequence[str | Path],
    target: str,
    benchmark_model: Path | None,
    delegates: Sequence[str] | None = None,
    threads: Sequence[str] = ("1",),
    settings: Settings | None = None,
    *,
    peers: Sequence[str] = (),
    evaluations: Sequence[str | Path] = (),
    nme: Sequence[str] = (),
    accuracy: Sequence[str] = (),
    progress: bool = False,
) -> BenchResult:
    """Time TFLite files on a device with TensorFlow Lite's `benchmark_model`.

    Args:
        models: `.tflite` files.
        target: `adb`, `adb:SERIAL`, `ssh:[USER@]HOST[:PORT]` or `host`.
        benchmark_model: the program, built for the device.
        delegates: see `parse_delegates`; by default those that such devices often have.
        threads: see `thread_counts`; `max` is every core of the device. Delegates other than `cpu` and `xnnpack` run
            on the first.
        settings: rounds and warm-up of each process, the reference, and the score.
        peers: names in `PEERS`.
        evaluations, nme, accuracy: see `read_accuracies`.
        progress: show a bar on standard error.

    Raises:
        CheckpointError: a file that is no TFLite file, or damaged.
        ConfigError: options that contradict each other, adb or ssh not installed, a program for another processor.
        DeviceError: no device, one that refuses this computer or was lost, or none of the files ran on it.
    """
    program = require_binary(benchmark_model)
    chosen = parse_delegates(delegates if delegates is not None else DEFAULTS[parse_target(target).kind])
    opened = _open(models, peers)
    settings = settings or Settings()
    names = [model.name for model in opened]
    if settings.reference is not None and settings.reference not in names:
        raise ConfigError(f"unknown reference '{settings.reference}': {suggest(settings.reference, names)}")
    accuracies = read_accuracies(opened, evaluations, nme, accuracy)
    device = connect(target)
    machine, load, abis = describe_device(device)
    require_abi(program, device.name, abis)
    settings = replace(settings, threads=thread_counts(threads, machine["cores"]))
    run = DeviceRun(device.name, sha256(program))
    rows = _measure(device, program, opened, chosen, settings, run, progress)
    skipped = {_shown(row): row.refused for row in rows.values() if row.refused is not None}
    timed = {key: row for key, row in rows.items() if row.refused is None}
    ran = tuple(model for model in opened if any(key.name == model.name for key in timed))
    if not ran or settings.reference not in (None, *(model.name for model in ran)):
        row = next(row for row in rows.values() if row.refused and settings.reference in (None, row.key.name))
        raise DeviceError(f"{device.name}: {_shown(row)} cannot run: {row.refused}")
    reference = settings.reference or ran[0].name
    timings = per_face(_timings(timed, reference), ran, reference)
    memory = {model.name: _memory(timed, model.name) for model in ran}
    return BenchResult(settings, ran, memory, timings, {}, accuracies, None, machine, load, skipped, run)


def _open(models: Sequence[str | Path], peers: Sequence[str]) -> tuple[TimedModel, ...]:
    if not models and not peers:
        raise ConfigError("no model given: distill bench MODEL ... --target adb")
    for path in models:
        if checked_path(path).suffix != ".tflite":
            raise ConfigError(f"{path}: a device runs .tflite files only; make one with `distill export`")
    opened = [open_model(path, name) for path, name in zip(models, short_names(models), strict=True)]
    return (*opened, *(open_model(peer_path(name), name) for name in dict.fromkeys(peers)))


def _measure(
    device: Connection,
    program: Path,
    models: Sequence[TimedModel],
    delegates: Sequence[DelegateOption],
    settings: Settings,
    run: DeviceRun,
    progress: bool,
) -> dict[Key, Row]:
    """Copy everything to a folder on the device, measure every row, and remove the folder."""
    folder = make_folder(device)
    try:
        device.push(program, f"{folder}/{PROGRAM}")
        answer = device.run(["chmod", "755", f"{folder}/{PROGRAM}"])
        if answer.status:
            raise DeviceError(f"{device.name}: cannot make {PROGRAM} executable ({answer.text.strip()[:200]})")
        graphs = {model.name: f"{folder}/{index}.tflite" for index, model in enumerate(models)}
        for model in models:
            device.push(model.path, graphs[model.name])
        rows = _rows(graphs, delegates, settings.threads)
        meter = Meter(device, folder, settings.rounds, settings.warmup)
        with _bar(progress, len(rows)) as tick:
            measure_until_steady(meter, rows, tick)
        _details(meter, rows, settings.threads[0], run)
    finally:
        remove_folder(device, folder)
    return rows


def _rows(graphs: dict[str, str], delegates: Sequence[DelegateOption], threads: Sequence[int]) -> dict[Key, Row]:
    rows = {}
    for count in threads:
        for delegate in delegates:
            if not delegate.threaded and count != threads[0]:
                continue
            for name, graph in graphs.items():
                key = Key(name, "model", count, delegate.name)
                rows[key] = Row(key, delegate, graph)
    return rows


def _details(meter: Meter, rows: dict[Key, Row], first: int, run: DeviceRun) -> None:
    """Fill the record of a run: what the delegates execute, and on the first number of threads profile and energy."""
    for key, row in rows.items():
        if row.refused is not None:
            continue
        last = row.outputs[-1]
        run.processes[key] = len(row.outputs)
        if last.init_ms is not None:
            run.init_ms[key] = last.init_ms
        if last.delegated is not None:
            run.delegated[key] = _share(last)
        if key.threads == first:
            run.operators[key] = meter.operators(row)
            energy = meter.energy(row)
            if energy is not None:
                run.energy[key] = energy


def _share(output: Output) -> str:
    assert output.delegated is not None
    nodes = f", {output.nodes[0]} of {output.nodes[1]} nodes" if output.nodes else ""
    return output.delegated if output.delegated == "all" else output.delegated + nodes


def _timings(rows: dict[Key, Row], reference: str) -> dict[Key, Timing]:
    """Return the times; ratios are to the reference on as many threads, by the first delegate that runs it."""
    own = [row for row in rows.values() if row.key.name == reference]
    timings = {}
    for key, row in rows.items():
        base = next((other for other in own if other.key.threads == key.threads), own[0])
        low, high = np.percentile(row.medians, [25, 75])
        timings[key] = Timing(str(key), row.median_ms, float(high - low), row.spread, row.median_ms / base.median_ms)
    return timings


def _memory(rows: dict[Key, Row], name: str) -> int | None:
    """Return the footprint of a model in its first row."""
    return next(row.outputs[-1].memory_bytes for key, row in rows.items() if key.name == name)


def _shown(row: Row) -> str:
    return f"{row.key.name} on {row.key.engine}, {row.key.threads} thread{'s' * (row.key.threads > 1)}"


@contextmanager
def _bar(shown: bool, rows: int) -> Iterator[Callable[[int, int], None]]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), disable=not shown) as bar:
        task = bar.add_task(f"Timing {rows} rows on the device", total=rows)
        yield lambda done, total: bar.update(task, completed=done)
