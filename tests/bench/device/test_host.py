from pathlib import Path

import pytest

from distill.bench.device.host import Host
from distill.bench.device.run import bench_device
from distill.bench.key import Key
from distill.bench.result import Settings
from distill.errors import DeviceError
from tests.support.fake_devices import FakeDevice


def test_words_reach_a_program_as_they_are() -> None:
    answer = Host().run(["sh", "-c", 'printf "%s|" "$@"; exit 3', "sh", "a b", "it's $HOME"])
    assert (answer.status, answer.text) == (3, "a b|it's $HOME|")


def test_a_copy_that_fails_is_told(tmp_path: Path) -> None:
    file = tmp_path / "model.tflite"
    file.write_bytes(b"x")
    with pytest.raises(DeviceError, match=r"host: cannot copy model.tflite to /nowhere/model.tflite \(No such file"):
        Host().push(file, "/nowhere/model.tflite")


def test_a_file_is_timed_by_a_program_of_this_machine(device: FakeDevice, small: Path) -> None:
    result = bench_device([small], "host", device.program, threads=["1"], settings=Settings(rounds=60, warmup=5))
    assert result.timings[Key("small.tflite", "model", 1, "xnnpack")].median_ms == 7.25
    assert not device.left, "its folder is removed"
