"""Bench run on this machine, in a second engine of it, or on a device, from the options of `distill bench`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from distill.bench.engines import ENGINES
from distill.bench.machine import thread_counts
from distill.bench.result import BenchResult, Settings
from distill.errors import ConfigError


def bench_at(
    target: str | None,
    models: Sequence[Path],
    peers: Sequence[str] | None,
    threads: Sequence[str],
    settings: Settings,
    *,
    benchmark_model: Path | None,
    delegates: Sequence[str] | None,
    photo: Path | None,
    stages: bool,
    runtimes: Sequence[str] | None,
    **others: Any,
) -> BenchResult:
    """Time models on this machine (`target` None, or one of `ENGINES`) or on a device.

    See `bench` and `bench_device`.

    Raises:
        ConfigError: an option without effect there, besides what those functions raise.
    """
    engine = next((name for name in ENGINES if name == target), None)
    if target is None or engine:
        when = f"with --target {engine}" if engine else "without --target"
        _refuse({"benchmark_model": benchmark_model, "delegates": delegates}, when)
        from distill.bench.run import bench

        settings = replace(settings, threads=thread_counts(threads))
        return bench(
            models, peers, settings, photo=photo, stages=stages, runtimes=runtimes or (), engine=engine, **others
        )
    _refuse({"photo": photo, "runtimes": runtimes}, "with --target: it concerns this machine")
    from distill.bench.device.run import bench_device

    return bench_device(models, target, benchmark_model, delegates, threads, settings, peers=peers or (), **others)


def _refuse(given: Mapping[str, Any], when: str) -> None:
    for name, value in given.items():
        if value is not None:
            raise ConfigError(f"--{name} has no effect {when}")
