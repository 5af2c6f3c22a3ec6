"""`distill bench MODEL ...`: what models cost, timed in turns in one run."""

import inspect
import os
import shlex
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from distill.bench.cost import CONTEST_WATTS, ScoreRule
from distill.cli.options import options_of, parse

_DESCRIPTION = (
    "Time models of any kind (.tflite, .onnx, .ckpt, .safetensors) in turns in one run, beside MediaPipe's, "
    "with MACs, size, memory, energy and the contest's score. Nothing of different runs is ever compared."
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
) -> int:
    """Time models.

    Args:
        models: files; the first is what ratios are taken to.
        peers: of facemesh, facemesh_attention, blazeface_short, blazeface_full; all that run by default.
        threads: numbers of threads, `max` for every core; the first is used for parts, score and plot.
        rounds: timed calls of each model.
        warmup: rounds before any is timed.
        reference: take ratios to this model or peer instead, by its name in the table.
        evaluations: files of `distill evaluate --json` of these very models, all of one protocol.
        nme: NAME=PERCENT for models that cannot be evaluated here.
        accuracy: NAME=PERCENT of points within 5 px, for the score, likewise.
        photo: time detector, crop and the whole road on this photo instead of a generated one.
        stages: time detector, crop and the whole road.
        watts: assumed power of one busy core, for energy and score.
        score: what the costs in the score are divided by.
        json: write every number here.
        plot: draw NME over latency over bytes here (.png).
    """
    # OpenMP reads it when it is loaded: threads that spin after their work would slow down whoever is timed next.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from rich.console import Console

    from distill.bench.run import Settings, thread_counts
    from distill.bench.run import bench as measure
    from distill.files import require_writable, write_bytes, write_json
    from distill.report.bench import render, to_json
    from distill.report.pareto import pareto_plot

    command = f"distill bench {shlex.join(_words(locals()))}"
    require_writable(json, plot)
    settings = Settings(thread_counts(threads), rounds, warmup, reference, watts, score)
    found = measure(
        models, peers, settings,
        evaluations=evaluations, nme=nme, accuracy=accuracy, photo=photo, stages=stages, progress=True,
    )  # fmt: skip
    console = Console()
    # A pipe has no width of its own; 80 columns would break every line.
    (console if console.is_terminal else Console(width=_COLUMNS)).print(render(found))
    if json is not None:
        write_json(json, to_json(found, command))
    if plot is not None:
        write_bytes(plot, pareto_plot(found))
    return 0


def _words(given: Mapping[str, Any]) -> list[str]:
    """Return the options that differ from their defaults as words of the command line, of paths the names only."""
    words = [path.name for path in given["models"]]
    for name, parameter in inspect.signature(bench).parameters.items():
        value = given[name]
        if name in ("models", "json", "plot") or value == parameter.default:
            continue
        parts = {f"{name}.{key}": part for key, part in asdict(value).items()} if name == "score" else {name: value}
        for option, part in parts.items():
            many = part if isinstance(part, list) else [str(part).lower() if isinstance(part, bool) else part]
            words += [f"--{option}", *(one.name if isinstance(one, Path) else str(one) for one in many)]
    return words


def run(argv: list[str]) -> int:
    return bench(**parse(options_of("bench", _DESCRIPTION, bench, "models..."), argv, "models..."))
