import pytest

from distill.bench.device.adb import Adb
from distill.errors import ConfigError, DeviceError
from tests.support.fake_devices import FakeDevice


def test_the_only_device_is_taken_and_words_reach_it_as_they_are(device: FakeDevice) -> None:
    words = ["printf", "%s|", "a b", "it's", '"$HOME"', "*", "x;y"]
    answer = Adb().run(words)
    assert (answer.status, answer.text) == (0, 'a b|it\'s|"$HOME"|*|x;y|')
    assert Adb("PIXEL").run(["sh", "-c", "exit 7"]).status == 7


@pytest.mark.parametrize(
    ("devices", "serial", "message"),
    [
        ([], None, "adb finds no device; connect one with USB debugging"),
        (["PIXEL\tunauthorized"], None, "adb:PIXEL is 'unauthorized': unlock it and allow USB debugging"),
        (["PIXEL\toffline"], None, "adb:PIXEL is 'offline': connect it again"),
        (["PIXEL\tno permissions (user in plugdev group); see [http://x]"], None, "is 'no permissions': add the udev"),
        (["PIXEL\tdevice"], "OTHER", r"adb finds no device 'OTHER', only PIXEL \(device\)"),
    ],
)
def test_a_device_that_cannot_be_used_is_one_line(
    devices: list[str], serial: str | None, message: str, device: FakeDevice
) -> None:
    device.devices(*devices)
    with pytest.raises(DeviceError, match=message) as error:
        Adb(serial)
    assert "\n" not in str(error.value)


def test_of_several_devices_one_must_be_chosen(device: FakeDevice) -> None:
    device.devices("PIXEL\tdevice", "emulator-5554\toffline")
    with pytest.raises(ConfigError, match=r"2 devices: PIXEL \(device\), emulator-5554 \(offline\); choose one"):
        Adb()
    assert Adb("PIXEL").name == "adb:PIXEL"


def test_a_missing_adb_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ConfigError, match="adb is not on PATH; install Android's platform-tools"):
        Adb()


def test_a_device_that_is_gone_is_told(device: FakeDevice) -> None:
    phone = Adb()
    (device.root / "lost").touch()
    with pytest.raises(DeviceError, match=r"adb:PIXEL: the connection was lost \(error: device 'PIXEL' not found\)"):
        phone.run(["true"])
