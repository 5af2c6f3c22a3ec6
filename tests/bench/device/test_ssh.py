from pathlib import Path

import pytest

from distill.bench.device.ssh import Ssh
from distill.errors import ConfigError, DeviceError
from tests.support.fake_devices import FakeDevice


def test_words_and_files_reach_the_board_as_they_are(device: FakeDevice, tmp_path: Path) -> None:
    board = Ssh("board")
    assert board.run(["printf", "%s|", "a b", "it's $HOME"]).text == "a b|it's $HOME|"
    content = bytes(range(256)) * 40
    file = tmp_path / "model with spaces.tflite"
    file.write_bytes(content)
    to = device.root / "tmp/it's a model"
    board.push(file, str(to))
    assert to.read_bytes() == content


def test_a_copy_that_fails_is_told(device: FakeDevice, tmp_path: Path) -> None:
    file = tmp_path / "model.tflite"
    file.write_bytes(b"x")
    with pytest.raises(DeviceError, match=r"ssh:board: cannot copy model.tflite to it \(.*nowhere"):
        Ssh("board").push(file, "/nowhere/model.tflite")


def test_no_connection_is_one_line(device: FakeDevice) -> None:
    with pytest.raises(DeviceError, match=r"ssh:other: no connection \(ssh: Could not resolve hostname other") as error:
        Ssh("other")
    assert "must work without a password" in str(error.value)


def test_a_missing_ssh_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ConfigError, match="ssh is not on PATH"):
        Ssh("board")
