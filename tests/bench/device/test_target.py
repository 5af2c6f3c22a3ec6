import pytest

from distill.bench.device.target import Target, parse_target
from distill.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("adb", Target("adb")),
        ("host", Target("host")),
        ("adb:emulator-5554", Target("adb", "emulator-5554")),
        ("adb:192.168.1.7:5555", Target("adb", "192.168.1.7:5555")),
        ("ssh:board", Target("ssh", "board")),
        ("ssh:pi@10.0.0.2:2222", Target("ssh", "pi@10.0.0.2", 2222)),
        ("ssh:[::1]:22", Target("ssh", "::1", 22)),
    ],
)
def test_forms_of_targets(text: str, target: Target) -> None:
    assert parse_target(text) == target


@pytest.mark.parametrize(
    "text",
    [
        "",
        "adb:",
        "host:",
        "host:a",
        "ssh",
        "ssh:",
        "usb",
        "ssh:-oProxyCommand=x",
        "adb:-s",
        "ssh:a b",
        "ssh:h:port",
        "cuda:1",
    ],
)
def test_other_forms_and_options_in_disguise_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="unknown device; give adb, adb:SERIAL, ssh:"):
        parse_target(text)
