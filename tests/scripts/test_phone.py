"""The study of times on a phone, on a stand-in device with files of two small networks."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from distill.provenance import BENCH, Provenance
from scripts.studies import phone
from tests.support.fake_devices import FakeDevice

ANSWERS = ("--use_xnnpack xnnpack 0", "--use_gpu gpu_failed 1", "--use_nnapi nnapi_nothing 0")


@pytest.fixture
def study(device: FakeDevice, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with the files of PFLD 0.25 and EFLD; return the folder that holds it."""
    device.answers(*ANSWERS)
    for net in ("pfld_025", phone.EFLD):
        for mode in phone.MODES:
            target = tmp_path / "cache" / f"{net}_{mode}.tflite"
            target.parent.mkdir(exist_ok=True)
            shutil.copy(small, target)
    monkeypatch.setattr(phone, "export_onnx", None)  # nothing is exported where the files are there
    monkeypatch.setattr("distill.bench.device.measure.COMPARED", 1)  # one process a row
    return tmp_path


def run(folder: Path, device: FakeDevice, *words: str) -> dict[str, Any]:
    """Run the study on the stand-in and return the file that it writes."""
    out = folder / "phone.json"
    command = [
        "phone", "--benchmark_model", str(device.program), "--cache", str(folder / "cache"), "--out", str(out),
        "--nets", "pfld_025", "efld", *words,
    ]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", command)
        phone.main()
    return json.loads(out.read_text())


def test_one_command_measures_prints_and_records(
    study: Path, device: FakeDevice, capsys: pytest.CaptureFixture[str]
) -> None:
    device.has_rails()
    found = run(study, device, "--target", "adb:PIXEL", "--threads", "1", "4")
    assert found["format"] == BENCH
    assert Provenance.from_dict(found["provenance"]).command.endswith("--target adb --threads 1 4")
    assert "PIXEL" not in json.dumps(found)
    assert found["curves_ms"]["pfld_025"] == {
        mode: {"cpu": {"1": 7.25, "4": 7.25}, "xnnpack": {"1": 7.25, "4": 7.25}} for mode in phone.MODES
    }
    costs = found["efld_int8"]["xnnpack"]
    assert costs["W"] == pytest.approx(201 / (67 + 134) / 7.25)
    printed = capsys.readouterr().out
    assert "Google Pixel 8" in printed
    assert "| pfld_025 | int8 | xnnpack | 7.25 | 7.25 | ms on both phones, below 15 |" in printed
    assert "| second place (YUHS1), published | 19.30 | 0.08 | 2.25 | 8.12 | 1.64 | 7.78 |" in printed
    assert "skipped pfld_025_fp32.tflite on gpu, 1 thread: Failed to apply GPU delegate." in printed


def test_eight_numbers_of_threads_and_this_machine(study: Path, device: FakeDevice) -> None:
    found = run(study, device, "--target", "host", "--delegates", "xnnpack", "--nets", "efld")
    assert list(found["curves_ms"]["efld"]["int8"]["xnnpack"]) == list(phone.THREADS)
    assert found["efld_int8"]["xnnpack"]["W"] is None


def test_a_device_that_is_not_there_is_told_before_anything_is_exported(
    study: Path, device: FakeDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phone, "exported", None)
    with pytest.raises(SystemExit, match="error: adb finds no device 'OTHER'"):
        run(study, device, "--target", "adb:OTHER")
    with pytest.raises(SystemExit, match="error: unknown delegate 'gpus'"):
        run(study, device, "--target", "adb", "--delegates", "gpus")


def test_networks_are_exported_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, ...]] = []

    def convert(
        onnx: Path, spec: Any, folder: Path, modes: tuple[str, ...], stem: str, crops: Any, config: Any
    ) -> None:
        calls.append((spec.arch, spec.crop.size, crops.shape, onnx.is_file()))
        for mode in modes:
            (folder / f"{stem}_{mode}.tflite").touch()

    monkeypatch.setattr(phone, "export_onnx", lambda net, spec, path: (path.touch(), path)[1])
    monkeypatch.setattr(phone, "export_tflite", convert)
    monkeypatch.setattr("scripts.bench.untrained._BATCHES", 1)
    first, again = (phone.exported("efld", tmp_path / "cache") for _ in range(2))
    assert first == again == [tmp_path / "cache" / f"efld_{mode}.tflite" for mode in ("fp32", "int8")]
    assert calls == [("efld", 128, (phone.N_CALIBRATION, 128, 128, 3), True)]


def test_what_the_thesis_states_is_beside_its_networks() -> None:
    assert phone.stated("hrnet_w18") == "ms on a desktop GPU, about 20"
    assert phone.stated("dan_1") == "–"
