"""`distill bench MODEL ...`: latency, MACs, memory and energy of models, timed interleaved in one run."""

import inspect
import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.bench.cost import CONTEST_WATTS, ScoreRule
from distill.cli.options import options_of, parse
from distill.tracking.attach import AttachConfig

if TYPE_CHECKING:
    from distill.bench.result import BenchResult

_DESCRIPTION = (
    "Time models (.tflite, .onnx, .ckpt, .safetensors) interleaved in one run, together with those of MediaPipe, "
    "with MACs, size, memory, energy and the contest's score. Numbers of different runs are never compared."
)
_COLUMNS = 120


def bench(
    models: list[Path] = [],  # noqa: B006  never changed
    peers: list[str] | None = None,
    threads: list[str] = ["1", "2", "4", "max"],  # noqa: B006  never changed
    rounds: int = 60,
    warmup: int = 5,
    reference: str | None = None,
    evaluations: list[Path] = [],  # noqa: B006  never changed
    nme: list[str] = [],  # noqa: B006  never changed
    accuracy: list[str] = [],  # noqa: B006  never changed
    photo: Path | None = None,
    stages: bool = True,
    watts: float = CONTEST_WATTS,
    score: ScoreRule = ScoreRule(),  # noqa: B008  frozen
    json: Path | None = None,
    plot: Path | None = None,
    log: AttachConfig = AttachConfig(),  # noqa: B008  frozen
) -> int:
    """Time models.

    Args:
        models: files; ratios are relative to the first.
        peers: of facemesh, facemesh_attention, blazeface_short, blazeface_full; all that run by default.
        threads: numbers of threads, `max` for every core; the first is used for parts, score and plot.
        rounds: timed calls of each model.
        warmup: rounds before the timed ones.
        reference: model or peer that ratios are relative to, by its name in the table.
        evaluations: files of `distill evaluate --json` of the same model files, all of one protocol.
        nme: NAME=PERCENT for models that cannot be evaluated here.
        accuracy: NAME=PERCENT of points within 5 px, for the score, likewise.
        photo: photo for the stages instead of a generated one.
        stages: also time detector, crop and the whole pipeline.
        watts: assumed power of one busy core, for energy and score.
        score: references that the costs in the score are divided by.
        json: write every number here.
        plot: draw NME over latency over bytes here (.png).
        log: run that the times are recorded in.
    """
    from distill.bench.result import Settings
    from distill.bench.run import bench as measure
    from distill.bench.run import thread_counts
    from distill.cli.record import record_bench
    from distill.files import require_writable
    from distill.report.bench_json import to_json

    command = f"distill bench {shlex.join(_words(locals()))}"
    require_writable(json, plot)
    settings = Settings(thread_counts(threads), rounds, warmup, reference, watts, score)
    result = measure(
        models, peers, settings,
        evaluations=evaluations, nme=nme, accuracy=accuracy, photo=photo, stages=stages, progress=True,
    )  # fmt: skip
    content = to_json(result, command)
    _report(result, content, json, plot)
    record_bench(log, models, content, json)
    return 0


def _report(result: "BenchResult", content: Mapping[str, Any], json: Path | None, plot: Path | None) -> None:
    """Print the tables of a result and write its files."""
    from rich.console import Console

    from distill.files import write_bytes, write_json
    from distill.report.bench import render
    from distill.report.pareto import pareto_plot

    # A pipe has no width of its own; 80 columns would break every line.
    Console(width=None if sys.stdout.isatty() else _COLUMNS).print(render(result))
    if json is not None:
        write_json(json, content)
    if plot is not None:
        write_bytes(plot, pareto_plot(result))


def _words(given: Mapping[str, Any]) -> list[str]:
    """Return the options that differ from their defaults as words of the command line, of paths the names only."""
    words = [path.name for path in given["models"]]
    for name, parameter in inspect.signature(bench).parameters.items():
        value = given[name]
        if name in ("models", "json", "plot", "log") or value == parameter.default:
            continue
        parts = {f"{name}.{key}": part for key, part in asdict(value).items()} if name == "score" else {name: value}
        for option, part in parts.items():
            many = part if isinstance(part, list) else [str(part).lower() if isinstance(part, bool) else part]
            words += [f"--{option}", *(item.name if isinstance(item, Path) else str(item) for item in many)]
    return words


def run(argv: list[str]) -> int:
    # Read by OpenMP when it is loaded: threads that spin after their work would slow down the next model.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    return bench(**parse(options_of("bench", _DESCRIPTION, bench, "models..."), argv, "models..."))
