"""Times on a phone of the thesis' networks (figures 20 to 25) and of EFLD (table 1), beside the published ones.

`python -m scripts.studies.phone --target adb[:SERIAL]|ssh:[USER@]HOST[:PORT]|host --benchmark_model FILE`: exports the
networks with random weights, which take as long as trained ones, in floats and 8-bit integers to `--cache`, once;
times them with FILE, LiteRT's `benchmark_model` for the device, on 1 to 8 threads and the delegates that the device
has, as `distill bench --target` does; prints the curves and EFLD's costs beside what the papers state (the YAML files
of scripts/studies/papers) and writes results/bench/phone.json. A delegate that the device lacks is listed as skipped.
A DSP is named as the phone prints it: `--delegates cpu gpu nnapi:qti-dsp`.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from distill.bench.device.binary import require_binary
from distill.bench.device.connect import connect
from distill.bench.device.delegates import parse_delegates
from distill.bench.device.run import bench_device
from distill.bench.device.target import parse_target
from distill.bench.result import BenchResult, Settings
from distill.errors import DistillError
from distill.export.config import QuantizeConfig
from distill.export.to_onnx import export_onnx
from distill.export.to_tflite import export_tflite
from distill.files import require_writable
from distill.geometry import CropSpec
from distill.landmarks import load_scheme
from distill.models.zoo import input_size
from distill.provenance import command_line, write_result
from distill.report.bench_json import to_json
from distill.spec import ModelSpec
from scripts.bench.untrained import untrained
from scripts.studies.papers.contents import load_paper

OUT = "results/bench/phone.json"
CACHE = Path("runs/phone")
EFLD = "efld"
NETS = ("pfld_025", "pfld_100", "dan_1", "dan_2", "hrnet_w18", EFLD)
SCHEME = "inner51"
MODES = ("fp32", "int8")
THREADS = tuple(str(count) for count in range(1, 9))
# The built-in kernels are those of the thesis; XNNPACK is younger.
DELEGATES = {"adb": ("cpu", "xnnpack", "gpu", "nnapi"), "ssh": ("cpu", "xnnpack"), "host": ("cpu", "xnnpack")}
# Noise that the ranges of integers are taken from: no time depends on them.
N_CALIBRATION = 4
# Kept in floats besides the defaults: litert-quantizer fails on the floors under sums in DAN's second stage.
# Sections of the thesis with times, each by one of its figures.
FIGURES = {"figure 20", "figure 25"}

# Milliseconds by network, mode, delegate and number of threads.
Curves = dict[str, dict[str, dict[str, dict[str, float]]]]


def exported(net: str, cache: Path) -> list[Path]:
    """Return the TFLite files of a network with random weights, one a mode; made unless they are there."""
    paths = [cache / f"{net}_{mode}.tflite" for mode in MODES]
    if not all(path.is_file() for path in paths):
        cache.mkdir(parents=True, exist_ok=True)
        size, options = input_size(net, {})
        made = untrained(net, SCHEME, options, size)
        spec = ModelSpec(net, SCHEME, load_scheme(SCHEME).n_points, CropSpec(size=size), options)
        crops = np.random.default_rng(0).random((N_CALIBRATION, size, size, 3), np.float32)
        onnx = export_onnx(made, spec, cache / f"{net}.onnx")
        export_tflite(onnx, spec, cache, MODES, net, crops, QuantizeConfig().for_network(made))
    return paths


def curves(found: BenchResult) -> Curves:
    """Return the median times of a run."""
    made: Curves = {}
    for key, timing in found.timings.items():
        net, _, mode = Path(key.name).stem.rpartition("_")
        by_threads = made.setdefault(net, {}).setdefault(mode, {}).setdefault(str(key.engine), {})
        by_threads[str(key.threads)] = timing.median_ms
    return made


def stated(net: str) -> str:
    """Return the times that the thesis states of a network in text; its curves have no numbers."""
    sections = [section for section in load_paper("thesis").sections if FIGURES & set(section.items)]
    found = [
        f"{column.name} {column.published[index]:g}"
        for section in sections
        for part in section.parts
        for index, keys in enumerate(part.rows.values())
        for column in part.columns
        if keys.get("key") == net and column.published and column.published[index] is not None
    ]
    return "; ".join(found) or "–"


def curve_table(made: Curves, threads: Sequence[int]) -> Iterator[str]:
    """Yield the lines of a Markdown table: a curve a row, and what is published of its network."""
    heads = ["network", "file", "delegate", *(f"{count} thr." for count in threads), "published"]
    yield f"| {' | '.join(heads)} |"
    yield f"|---|---|---|{'---:|' * len(threads)}---|"
    for net, modes in made.items():
        for mode, delegates in modes.items():
            for delegate, times in delegates.items():
                cells = [f"{times[str(count)]:.2f}" if str(count) in times else "–" for count in threads]
                yield f"| {' | '.join([net, mode, delegate, *cells, stated(net)])} |"


def efld_costs(found: BenchResult) -> dict[str, dict[str, float | None]]:
    """Return ms, W, GFLOPs and MB of EFLD's int8 file by delegate, on the first number of threads.

    W is the energy that the device reports over the time, None where it reports none.
    """
    name, threads = f"{EFLD}_int8.tflite", found.settings.threads[0]
    rows: dict[str, dict[str, float | None]] = {}
    for key in [key for key in found.timings if key.name == name and key.threads == threads]:
        counted, ms, energy = found.model(name).complexity, found.timings[key].median_ms, found.energy_mj(key)
        rows[str(key.engine)] = {
            "GFLOPs": 2e-9 * counted.macs,
            "MB": 1e-6 * counted.bytes,
            "ms": ms,
            "W": None if energy is None else energy / ms,
        }
    return rows


def efld_table(found: BenchResult) -> Iterator[str]:
    """Yield the lines of a Markdown table: EFLD here, and the published rows of its table 1."""
    (section,) = (section for section in load_paper("efld").sections if "table 1" in section.items)
    parts = [part for part in section.parts if any(column.published for column in part.columns)]
    names = list(dict.fromkeys(column.name for part in parts for column in part.columns))
    yield f"| table 1 | {' | '.join(names)} |"
    yield f"|---|{'---:|' * len(names)}"
    rows = {f"EFLD int8 here, {delegate}": costs for delegate, costs in efld_costs(found).items()}
    for part in parts:
        for index, row in enumerate(part.rows):
            rows[f"{row}, published"] = {
                column.name: column.published[index] for column in part.columns if column.published
            }
    for row, values in rows.items():
        cells = ["–" if (value := values.get(name)) is None else f"{value:.2f}" for name in names]
        yield f"| {row} | {' | '.join(cells)} |"


def report(found: BenchResult) -> Iterator[str]:
    """Yield the lines that are printed."""
    made = curves(found)
    yield f"{found.machine['cpu']}, {found.machine['system']}: median milliseconds of one inference"
    yield from ("", *curve_table(made, found.settings.threads))
    if EFLD in made:
        yield from ("", *efld_table(found))
    yield from ("", *(f"skipped {row}: {reason}" for row, reason in found.skipped.items()))
    yield from (f"warning: {line}" for line in found.warnings)


def published_command(target: str) -> str:
    """Return the running command without the serial number or address of a device."""
    return command_line().replace(target, parse_target(target).kind)


def measured(options: argparse.Namespace) -> BenchResult:
    """Export what is missing and time it; a device that is not there is told first."""
    require_writable(options.out)
    require_binary(options.benchmark_model)
    delegates = options.delegates or DELEGATES[parse_target(options.target).kind]
    parse_delegates(delegates)
    connect(options.target)
    files = [path for net in options.nets for path in exported(net, options.cache)]
    return bench_device(
        files, options.target, options.benchmark_model, delegates, options.threads, Settings(rounds=options.rounds),
        progress=True,
    )  # fmt: skip


def main() -> None:
    """Export, time, print, write."""
    parser = argparse.ArgumentParser(description=str(__doc__), formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", required=True, help="adb, adb:SERIAL, ssh:[USER@]HOST[:PORT] or host")
    parser.add_argument("--benchmark_model", type=Path, required=True, help="LiteRT's program, built for the device")
    parser.add_argument("--delegates", nargs="+", help="as of `distill bench`; by default those such devices have")
    parser.add_argument("--threads", nargs="+", default=list(THREADS), help="numbers, or max [1 to 8]")
    parser.add_argument("--rounds", type=int, default=60, help="timed calls of each process [60]")
    parser.add_argument("--nets", nargs="+", choices=NETS, default=list(NETS), help="some of the networks")
    parser.add_argument("--cache", type=Path, default=CACHE, help=f"folder of the exported files [{CACHE}]")
    parser.add_argument("--out", type=Path, default=Path(OUT), help=f"write every number here [{OUT}]")
    options = parser.parse_args()
    try:
        found = measured(options)
    except DistillError as error:
        raise SystemExit(f"error: {error}") from error
    print("\n".join(report(found)))
    content: dict[str, Any] = {**to_json(found, ""), "curves_ms": curves(found), "efld_int8": efld_costs(found)}
    del content["command"]  # the provenance has it
    write_result(options.out, content, command=published_command(options.target))


if __name__ == "__main__":
    main()
