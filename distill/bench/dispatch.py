"""Bench run on this machine or on a device, from the options of `distill bench`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

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
    """Time models on this machine (`target` None) or on a device; see `bench` and `bench_device`.

    Raises:
        ConfigError: an option without effect there, besides what those functions raise.
    """
    if target is None:
        _refuse({"benchmark_model": benchmark_model, "delegates": delegates}, "without --target")
        from distill.bench.run import bench

        settings = replace(settings, threads=thread_counts(threads))
        return bench(models, peers, settings, photo=photo, stages=stages, runtimes=runtimes or (), **others)
    _refuse({"photo": photo, "runtimes": runtimes}, "with --target: it concerns this machine")
    from distill.bench.device.run import bench_device

    return bench_device(models, target, benchmark_model, delegates, threads, settings, peers=peers or (), **others)


def _refuse(given: Mapping[str, Any], when: str) -> None:
    for name, value in given.items():
        if value is not None:
            raise ConfigError(f"--{name} has no effect {when}")
