import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from distill.bench.device.measure import COMPARED, MOST
from distill.bench.device.run import bench_device
from distill.bench.key import Key
from distill.bench.result import BenchResult, Settings
from distill.cli.bench import run
from distill.errors import CheckpointError, ConfigError, DeviceError
from distill.report.bench import render
from distill.report.bench_json import to_json
from tests.support.fake_devices import FakeDevice, make_device

QUICK = Settings(rounds=60, warmup=5)


@pytest.fixture(scope="module")
def measured(small: Path, large: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[FakeDevice, BenchResult]:
    with pytest.MonkeyPatch.context() as patch:
        phone = make_device(tmp_path_factory.mktemp("measured"), patch)
        phone.has_rails()
        result = bench_device([small, large], "adb", phone.program, threads=["1", "4", "max"], settings=QUICK)
    return phone, result


@pytest.fixture(scope="module")
def found(measured: tuple[FakeDevice, BenchResult]) -> BenchResult:
    return measured[1]


def test_threads_and_delegates_become_rows_of_the_same_result(found: BenchResult) -> None:
    assert [(key.name, key.threads, key.engine) for key in found.timings] == [
        (name, threads, "xnnpack") for threads in (1, 4, 8) for name in ("small.tflite", "large.tflite")
    ]
    timing = found.timings[Key("large.tflite", "model", 4, "xnnpack")]
    assert (timing.median_ms, timing.ratio, timing.stable) == (7.25, 1, True)
    assert found.memory["small.tflite"] == round(10.5 * 2**20)
    assert found.machine["cpu"] == "Google Pixel 8 Tensor G3"
    assert (found.machine["cores"], found.machine["system"].partition(",")[0]) == (8, "Android 14")


def test_a_delegate_that_refuses_a_file_is_a_line_and_the_rest_is_measured(found: BenchResult) -> None:
    assert found.skipped["small.tflite on gpu, 1 thread"] == "Failed to apply GPU delegate."
    assert found.skipped["large.tflite on nnapi, 1 thread"] == "the delegate executes no operator of this file"
    assert len(found.skipped) == 4


def test_profile_and_energy_are_measured_on_the_first_number_of_threads(found: BenchResult) -> None:
    assert found.device is not None
    first = Key("small.tflite", "model", 1, "xnnpack")
    assert [row.type for row in found.device.operators[first]][:1] == ["Convolution (NHWC, F32) IGEMM"]
    assert found.energy_mj(first) == pytest.approx(201 / (67 + 134))
    assert found.energy_mj(first._replace(threads=4)) is None


def test_processes_are_started_in_turns_until_three_agree(measured: tuple[FakeDevice, BenchResult]) -> None:
    device = measured[0]
    graphs = [word for words in device.calls for word in words if word.startswith("--graph=")]
    xnnpack = [words for words in device.calls if "--use_xnnpack=true" in words and "--num_threads=4" in words]
    assert len(xnnpack) == 2 * COMPARED
    assert graphs[0] != graphs[1], "models take turns"
    assert {"--num_runs=60", "--warmup_runs=5"} <= set(device.calls[0])
    assert not device.left, "its folder is removed"


def test_the_tables_fit_120_columns_and_json_holds_no_serial_number(found: BenchResult) -> None:
    console = Console(width=120, record=True, file=StringIO())
    console.print(render(found))
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= 120
    words = " ".join(text.split())
    for expected in ("Time per operator type", "reported by the device (power rails)", "skipped small.tflite on gpu"):
        assert expected in words
    raw = to_json(found, "distill bench")
    assert "PIXEL" not in json.dumps(raw, allow_nan=False)
    row = raw["times"][0]
    assert (row["engine"], row["processes"], row["delegated"], row["energy_source"]) == (
        "xnnpack", COMPARED, "all", "power rails",
    )  # fmt: skip
    assert row["operators"][0]["ms"] == 4.0
    assert raw["times"][-1]["energy_mj"] is None


def test_a_device_that_never_becomes_steady_ends_unstable(device: FakeDevice, small: Path) -> None:
    script = device.program.read_text()
    faster = 'n=$(wc -l < "$0.n"); echo >> "$0.n"; '
    device.program.write_text(script.replace("#!/bin/sh\n", f'#!/bin/sh\ntouch "$0.n"; {faster}\n', 1).replace(
        "/$name.txt\n", '/$name.txt | sed "s/median=7250/median=$((7250 + 2000 * (n % 2)))/"\n', 1
    ))  # fmt: skip
    found = bench_device([small], "adb", device.program, ["xnnpack"], settings=QUICK)
    assert found.device is not None
    key = next(iter(found.timings))
    assert found.device.processes[key] == MOST
    assert not found.timings[key].stable
    assert found.energy_mj(key) is None
    assert any(line.startswith("unstable") for line in found.warnings)


def test_a_delegate_that_takes_a_part_is_a_warning(device: FakeDevice, small: Path) -> None:
    device.answers("--use_gpu gpu_partial 0")
    found = bench_device([small], "ssh:board", device.program, ["gpu"], settings=QUICK)
    assert found.timings[Key("small.tflite", "model", 1, "gpu")].median_ms == 119.375
    assert "executed by the delegate in part only, the rest by the CPU: small.tflite on gpu: 2 kernels" in " ".join(
        found.warnings
    )


def test_a_board_is_reached_by_ssh_and_left_clean(device: FakeDevice, small: Path, tmp_path: Path) -> None:
    model = tmp_path / "it's a model.tflite"
    model.write_bytes(small.read_bytes())
    found = bench_device([model], "ssh:board", device.program, settings=QUICK)
    assert found.timings[Key(model.name, "model", 1, "xnnpack")].median_ms == 7.25
    assert not device.left


def test_a_device_that_is_lost_in_the_middle_is_one_line(device: FakeDevice, small: Path) -> None:
    device.lose_after(2)
    with pytest.raises(DeviceError, match="adb:PIXEL: the connection was lost") as error:
        bench_device([small], "adb", device.program, settings=QUICK)
    assert "\n" not in str(error.value)


def test_a_file_that_runs_nowhere_is_an_error(device: FakeDevice, small: Path) -> None:
    device.answers("--use_gpu gpu_failed 1")
    with pytest.raises(DeviceError, match=r"small.tflite on gpu, 1 thread cannot run: Failed to apply GPU delegate"):
        bench_device([small], "adb", device.program, ["gpu"], settings=QUICK)


def test_other_formats_and_references_are_refused_before_the_device_is_touched(
    device: FakeDevice, small: Path, tmp_path: Path
) -> None:
    onnx = tmp_path / "net.onnx"
    onnx.write_bytes(b"x")
    with pytest.raises(ConfigError, match=r"a device runs .tflite files only"):
        bench_device([onnx], "adb", device.program)
    with pytest.raises(CheckpointError, match="no such model file"):
        bench_device([tmp_path / "none.tflite"], "adb", device.program)
    with pytest.raises(ConfigError, match="unknown reference"):
        bench_device([small], "adb", device.program, settings=Settings(reference="smal"))
    assert not device.calls


def test_the_command_writes_json_and_refuses_options_without_effect(
    device: FakeDevice, small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bench.json"
    words = f"{small} --target adb:PIXEL --benchmark_model {device.program} --threads 1 --json {out} --log.run none"
    assert run([*words.split(), "--delegates", "xnnpack"]) == 0
    assert "xnnpack" in capsys.readouterr().out
    raw = json.loads(out.read_text())
    assert raw["device"]["target"] == "adb"
    assert "PIXEL" not in out.read_text()
    with pytest.raises(ConfigError, match="--delegates has no effect without --target"):
        run([str(small), "--delegates", "gpu"])
    with pytest.raises(ConfigError, match="--photo has no effect with --target"):
        run([*words.split(), "--photo", "face.jpg"])
