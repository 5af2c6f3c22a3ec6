"""A run of `distill bench` as JSON."""

from dataclasses import asdict
from typing import Any

from distill.bench.key import Key
from distill.bench.models import TimedModel
from distill.bench.result import BenchResult
from distill.provenance import BENCH
from distill.report.bench import peak_convolutions


def to_json(bench: BenchResult, command: str) -> dict[str, Any]:
    """Return a run as JSON; times in ms, sizes in bytes, accuracies in percent."""
    s, protocol = bench.settings, bench.accuracies.protocol
    return {
        "format": BENCH,
        "command": command,
        "machine": bench.machine,
        "load": bench.load,
        "settings": {
            "threads": list(s.threads), "rounds": s.rounds, "warmup": s.warmup, "reference": bench.reference,
            "watts_per_core": s.watts, "score_references": s.score.to_dict(), "inside": bench.inside,
        },
        "formulas": {
            "median_ms": "of one face: of a call over the batch of the file",
            "ratio": "median over the reference's median on as many threads",
            "energy_mj": "reported by the device; null where it reports none"
            if bench.device
            else "median_ms * watts_per_core * threads, an estimate",
            "score": "accuracy_5px_percent / (ms * gflops * watts * megabytes), each cost over its reference; "
            "gflops = 2 * macs / 1e9, watts = watts_per_core * threads"
            + (", or energy_mj / median_ms where the device reports it" if bench.device else ""),
        },
        "warnings": bench.warnings,
        "skipped": bench.skipped,
        "photo": bench.photo,
        "device": _about_device(bench),
        "protocol": protocol.to_dict() if protocol else None,
        "peak": {
            "convolutions": peak_convolutions(),
            "gmacs_per_s": {str(count): bench.peak_gmacs(count) for count in s.threads},
        },
        "models": [_model_json(bench, model) for model in bench.models],
        "times": [_time_json(bench, key) for key in bench.timings],
    }  # fmt: skip


def _model_json(bench: BenchResult, model: TimedModel) -> dict[str, Any]:
    accuracy = bench.accuracies.by_name.get(model.name)
    return {
        "name": model.name,
        "engine": model.engine,
        "sha256": model.sha256,
        "input": model.input,
        "batch": model.batch,
        "parameters": model.complexity.parameters,
        "macs": model.complexity.macs,
        "macs_not_counted_in": list(model.uncounted),
        "bytes": model.complexity.bytes,
        "operators": model.operators,
        "peak_rss_bytes": bench.memory[model.name],
        "nme_percent": accuracy.nme_percent if accuracy else None,
        "accuracy_5px_percent": accuracy.accuracy_percent if accuracy else None,
        "accuracy_source": accuracy.source if accuracy else None,
    }


def _time_json(bench: BenchResult, key: Key) -> dict[str, Any]:
    timing = bench.timings[key].to_dict()
    row = {**key._asdict(), **{name: value for name, value in timing.items() if name != "name"}}
    if key.part != "model":
        return row
    return (
        row
        | _device_json(bench, key)
        | ({"parity": asdict(bench.parity[key])} if key in bench.parity else {})
        | {
            "call_ms": bench.call_ms(key),
            "gmacs_per_s": bench.gmacs(key),
            "peak_percent": bench.peak_share(key),
            "energy_mj": bench.energy_mj(key),
            "score": bench.score(key),
        }
    )


def _about_device(bench: BenchResult) -> dict[str, Any] | None:
    """Return how a device was reached, without the number or address that identifies it."""
    if bench.device is None:
        return None
    kind = bench.device.name.partition(":")[0]
    return {"target": kind, "benchmark_model_sha256": bench.device.benchmark_sha256}


def _device_json(bench: BenchResult, key: Key) -> dict[str, Any]:
    """Return what only a device reports of a row; nothing for a run on this machine."""
    run = bench.device
    if run is None:
        return {}
    energy = run.energy.get(key)
    return {
        "processes": run.processes[key],
        "init_ms": run.init_ms.get(key),
        "delegated": run.delegated.get(key),
        "energy_source": energy.source if energy else None,
        "operators": [asdict(row) for row in run.operators[key]] if key in run.operators else None,
    }
