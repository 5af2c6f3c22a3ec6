"""A run of `distill bench` as tables of at most 120 columns."""

from typing import TYPE_CHECKING

from distill.bench.cost import CONTEST_WATTS
from distill.bench.key import Key
from distill.bench.latency import Timing
from distill.bench.machine import PEAK_CONVOLUTIONS
from distill.bench.models import TimedModel
from distill.bench.parity import Parity
from distill.bench.result import BenchResult
from distill.report.bench_device import device_lines, operator_table

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

_STAGES = ("detector", "crop", "photo")
_HALVES = ("network", "decode")


def render(bench: BenchResult) -> "Group":
    """Return tables of at most 120 columns: times, parts, costs, and the lines that say what they are."""
    from rich.console import Group
    from rich.markup import escape

    parts = [table for table in (_parts(bench), operator_table(bench)) if table.row_count]
    lines = (escape(line) for line in footer(bench))
    return Group(_times(bench), *parts, _costs(bench), *roofs(bench), *lines)


def _table(title: str, *columns: str) -> "Table":
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        first = index == 0
        table.add_column(column, justify="left" if first else "right", overflow="fold", no_wrap=not first)
    return table


def _times(bench: BenchResult) -> "Table":
    from rich.markup import escape

    table = _table(
        "One image, network only, rows interleaved",
        "model", "threads", "median ms", "IQR", "ratio", "spread %", "GMAC/s", "% of peak", "mJ *",
    )  # fmt: skip
    batched = any(model.batch > 1 for model in bench.models)
    if batched:
        table.add_column("faces a call", justify="right")
        table.add_column("ms a call", justify="right")
    engines = any(key.engine for key in bench.timings)
    if engines:
        table.add_column("runs on", overflow="fold")
    last = None
    for key, timing in sorted(bench.timings.items(), key=lambda item: bench.settings.threads.index(item[0].threads)):
        if key.part != "model":
            continue
        if last not in (None, key.threads):
            table.add_section()
        last = key.threads
        model = bench.model(key.name)
        call = (str(model.batch), f"{bench.call_ms(key):.3f}") if batched else ()
        where = (escape(key.engine or model.engine),) if engines else ()
        table.add_row(
            escape(key.name), str(key.threads), f"{timing.median_ms:.3f}", f"{timing.iqr_ms:.3f}",
            f"{timing.ratio:.2f}", _spread(timing), _number(bench.gmacs(key), 1), _number(bench.peak_share(key), 0),
            _number(bench.energy_mj(key), 2), *call, *where,
        )  # fmt: skip
    return table


def _spread(timing: Timing) -> str:
    """Return the drift during the run in percent, marked where it is too much."""
    text = f"{100 * timing.spread:.1f}"
    return text if timing.stable else f"[red]unstable {text}[/]"


def _parts(bench: BenchResult) -> "Table":
    from rich.markup import escape

    threads = bench.settings.threads[0]
    table = _table(f"Parts, {_threads(threads)}", "of", "part", "median ms", "IQR", "spread %", "what it is")
    for key, timing in bench.timings.items():
        if key.part not in (*_HALVES, *_STAGES):
            continue
        row = (key.part, f"{timing.median_ms:.3f}", f"{timing.iqr_ms:.3f}", _spread(timing), _what(bench, key))
        table.add_row(escape(key.name), *row)
    return table


def _what(bench: BenchResult, key: Key) -> str:
    if key.part in _HALVES:
        maps = "x".join(map(str, bench.maps[key.name]))
        return f"image to maps {maps}" if key.part == "network" else f"maps {maps} to points"
    return {
        "detector": "RetinaFace on the photo, then on each face",
        "crop": "warp one face, to floats",
        "photo": "detector, crops, network, points back",
    }[key.part]


def _costs(bench: BenchResult) -> "Table":
    from rich.markup import escape

    table = _table(
        "Cost of one image",
        "model", "input", "k params", "MMACs", "ops", "KB", "RSS MB", "NME %", "5 px %", "score **",
    )  # fmt: skip
    for model in bench.models:
        cost, used, accuracy = (
            model.complexity,
            bench.memory[model.name],
            bench.accuracies.by_name.get(model.name),
        )
        key = bench.key_of(model.name)
        table.add_row(
            escape(model.name), _size(model), f"{cost.parameters / 1e3:.0f}",
            f"{'>' if model.uncounted else ''}{cost.macs / 1e6:.1f}", _number(model.operators, 0),
            f"{cost.bytes / 1e3:.0f}", _number(None if used is None else used / 1e6, 1),
            _number(accuracy.nme_percent if accuracy else None, 2),
            _number(accuracy.accuracy_percent if accuracy else None, 1),
            _number(bench.score(key), 2),
        )  # fmt: skip
    return table


def _size(model: TimedModel) -> str:
    return model.input.replace(" float32", "")


def roofs(bench: BenchResult) -> list[str]:
    """Return the roofline line of every model: work, speed reached, and what the machine can do at most."""
    from rich.markup import escape

    threads = min(bench.settings.threads)
    peak = bench.peak_gmacs(threads)
    if peak is None:
        return []
    head = f"peak on {_threads(threads)}: {peak:.0f} GMAC/s, measured in this run with LiteRT"
    lines = [f"{head}, the faster of {peak_convolutions()}"]
    for model in bench.models:
        key = Key(model.name, "model", threads)
        rate = bench.gmacs(key)
        if rate is None:
            continue
        floor = model.complexity.macs / peak / 1e6
        lines.append(
            f"  {escape(model.name)}: {model.complexity.macs / 1e6:.1f} MMACs at {rate:.1f} GMAC/s, "
            f"{100 * rate / peak:.0f} % of the fp32 peak; at the peak it would take {floor:.2f} ms"
        )
    return lines


def peak_convolutions() -> str:
    """Return the convolutions that the peak is measured with, in words."""
    return " and ".join(
        f"a {kernel}x{kernel} fp32 convolution {channels}->{channels} at {size}x{size}"
        for size, channels, kernel in PEAK_CONVOLUTIONS
    )


def footer(bench: BenchResult) -> list[str]:
    """Return what the tables' numbers are, what was left out, and the warnings."""
    s, machine = bench.settings, bench.machine
    versions = ", ".join(f"{name} {value}" for name, value in machine["versions"].items() if name in _SHOWN)
    lines = [
        f"{machine['cpu']}, {machine['cores']} cores, governor {machine['governor'] or 'unknown'}; {versions}",
        f"ratio: to {bench.reference} on as many threads",
        *(device_lines(bench) if bench.device else _local_lines(bench)),
        f"** accuracy % / (ms x GFLOPs x W x MB) on {_threads(s.threads[0])}, {_references(bench)}",
    ]
    if bench.accuracies.protocol is not None:
        p = bench.accuracies.protocol
        lines.append(
            f"accuracy: {p.n_faces} faces of {p.format} {p.subset}, {p.boxes} boxes, {p.points} points, "
            f"NME by the {p.normalisers[0]} distance"
        )
    if bench.photo:
        lines.append(f"photo: {bench.photo}")
    if "gpu" in machine:
        lines.append(f"GPU: {machine['gpu']}; --threads concerns the rows of the processor")
    lines += [f"outputs of {key.name} in {key.engine}: {parity}" for key, parity in _first_parity(bench).items()]
    lines += [f"skipped {name}: {reason}" for name, reason in bench.skipped.items()]
    return lines + [f"WARNING: {line}" for line in bench.warnings]


def _first_parity(bench: BenchResult) -> dict[Key, Parity]:
    """Return the differences of outputs on the first number of threads, which do not depend on it."""
    return {key: parity for key, parity in bench.parity.items() if key.threads == bench.settings.threads[0]}


def _local_lines(bench: BenchResult) -> list[str]:
    s = bench.settings
    return [
        "spread: of the medians of five parts of the run; over 5 % is unstable",
        f"medians of {s.rounds} rounds after {s.warmup}; inside a time: {bench.inside}",
        f"*  estimated, not measured: ms x {s.watts:g} W a core x threads"
        + (f" ({CONTEST_WATTS} W is what the contest measured for one entry)" if s.watts == CONTEST_WATTS else ""),
    ]


_SHOWN = ("ai-edge-litert", "tflite-runtime", "onnxruntime", "onnxruntime-gpu", "openvino", "torch")


def _references(bench: BenchResult) -> str:
    rule = bench.settings.score
    if set(rule.to_dict().values()) == {1.0}:
        return "2 FLOPs a MAC, 1 MB = 10^6 bytes, as the contest counts"
    return f"over {rule.time_ms:g} ms, {rule.gflops:g} GFLOPs, {rule.watts:g} W, {rule.megabytes:g} MB"


def _threads(count: int) -> str:
    return f"{count} thread{'s' * (count > 1)}"


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
