"""`distill bench MODEL ...`: latency, MACs, memory and energy of models, timed interleaved in one run."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.bench.cost import CONTEST_WATTS, ScoreRule
from distill.cli.command_line import command_line
from distill.cli.console import wide_console
from distill.cli.record import record_bench
from distill.files import require_writable
from distill.options.parser import options_of, parse
from distill.pretrained.registry import require_known, resolve_model
from distill.tracking.attach import AttachConfig

if TYPE_CHECKING:
    from distill.bench.result import BenchResult

_DESCRIPTION = (
    "Time models (.tflite, .onnx, .ckpt, .safetensors) interleaved in one run, together with those of MediaPipe, "
    "with MACs, size, memory, energy and the contest's score, on this machine or with --target in OpenVINO, on a GPU, "
    "on a phone or a board. "
    "Numbers of different runs are never compared."
)


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
    runtimes: list[str] | None = None,
    target: str | None = None,
    benchmark_model: Path | None = None,
    delegates: list[str] | None = None,
    watts: float = CONTEST_WATTS,
    score: ScoreRule = ScoreRule(),  # noqa: B008  frozen
    json: Path | None = None,
    plot: Path | None = None,
    log: AttachConfig = AttachConfig(),  # noqa: B008  frozen
) -> int:
    """Time models.

    Args:
        models: files, or names of released models; ratios are relative to the first.
        peers: of facemesh, facemesh_attention, blazeface_short, blazeface_full; all that run by default.
        threads: numbers of threads, `max` for every core; the first is used for parts, score and plot.
        rounds: timed calls of each model.
        warmup: rounds before the timed ones.
        reference: model or peer that ratios are relative to, by its name in the table.
        evaluations: files of `distill evaluate --json` of the same model files, all of one protocol.
        nme: NAME=PERCENT for models that cannot be evaluated here.
        accuracy: NAME=PERCENT of points within 5 px, for the score, likewise.
        photo: photo for the stages instead of a generated one.
        stages: also time detector, crop and the whole pipeline; not on a device.
        runtimes: further TFLite runtimes of this machine, such as tflite-runtime-2.11.0, or all.
        target: openvino or cuda, or for benchmark_model adb, adb:SERIAL, ssh:[USER@]HOST[:PORT] or host (here).
        benchmark_model: LiteRT's program of that name, built for the device.
        delegates: on the device: cpu, xnnpack, gpu, nnapi, nnapi:ACCELERATOR, hexagon, external:LIBRARY.
        watts: assumed power of one busy core, for energy and score.
        score: references that the costs in the score are divided by.
        json: write every number here.
        plot: draw NME over latency over bytes here (.png).
        log: run that the times are recorded in.
    """
    from distill.bench.dispatch import bench_at
    from distill.bench.result import Settings

    # Serial numbers and names of hosts are not for results that are published.
    given = locals() | {"target": target and target.partition(":")[0]}
    command = command_line("bench", bench, given, "models", ("json", "plot", "log"))
    require_writable(json, plot)
    result = bench_at(
        target, models := _files(models, log), peers, threads, Settings((1,), rounds, warmup, reference, watts, score),
        benchmark_model=benchmark_model, delegates=delegates, photo=photo, stages=stages, runtimes=runtimes,
        evaluations=evaluations, nme=nme, accuracy=accuracy, progress=True,
    )  # fmt: skip
    record_bench(log, models, _report(result, command, json, plot), json)
    return 0


def _files(models: list[Path], log: AttachConfig) -> list[Path]:
    """Return the files of models given by name or path; refuse those of unknown kinds, and options of no run."""
    from distill.tracking.attach import attached_run

    files = [path if path.suffix else resolve_model(path) for path in models]
    for path in files:
        require_known(path)
    attached_run(log, *files)
    return files


def _report(result: "BenchResult", command: str, json: Path | None, plot: Path | None) -> dict[str, Any]:
    """Print the tables of a result, write its files, and return it as JSON."""
    from distill.files import write_bytes, write_json
    from distill.report.bench import render
    from distill.report.bench_json import to_json
    from distill.report.pareto import pareto_plot

    content = to_json(result, command)
    wide_console().print(render(result))
    if json is not None:
        write_json(json, content)
    if plot is not None:
        write_bytes(plot, pareto_plot(result))
    return content


def run(argv: list[str]) -> int:
    # Read by OpenMP when it is loaded: threads that spin after their work would slow down the next model.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    return bench(**parse(options_of("bench", _DESCRIPTION, bench, "models..."), argv, "models..."))
