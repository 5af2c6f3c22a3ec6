"""Android devices over adb, the Android Debug Bridge."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from distill.bench.device.connection import COMMAND_SECONDS, Answer, answer_of, call, remote_script
from distill.errors import ConfigError, DeviceError

_PUSH_SECONDS = 300
_ADVICE = {
    "unauthorized": "unlock it and allow USB debugging for this computer",
    "offline": "connect it again, or run `adb reconnect`",
    "no permissions": "add the udev rules of Android's platform-tools, or run `adb kill-server` and `adb start-server`",
}


class Adb:
    """An Android device. The folder is one that programs of the shell user may be started from."""

    scratch = "/data/local/tmp"

    def __init__(self, serial: str | None = None) -> None:
        """Find the device.

        Args:
            serial: None for the only one.

        Raises:
            ConfigError: adb is not installed, or several devices and no serial number.
            DeviceError: no device, another one, or one that refuses this computer.
        """
        if shutil.which("adb") is None:
            raise ConfigError("--target adb: adb is not on PATH; install Android's platform-tools")
        self.serial = _chosen(_devices(), serial)
        self.name = f"adb:{self.serial}"
        self._adb = ["adb", "-s", self.serial]

    def run(self, words: Sequence[str], seconds: float = COMMAND_SECONDS) -> Answer:
        """Run a command on the device."""
        return answer_of(self.name, call(self.name, [*self._adb, "shell", remote_script(words)], seconds))

    def push(self, file: Path, to: str) -> None:
        """Copy a file to the device.

        Raises:
            DeviceError: it did not arrive.
        """
        done = call(self.name, [*self._adb, "push", str(file.resolve()), to], _PUSH_SECONDS)
        if done.returncode:
            lines = (done.stderr.strip() or done.stdout.strip()).splitlines() or ["no reason given"]
            raise DeviceError(f"{self.name}: cannot copy {file.name} to it ({lines[-1].strip()[:200]})")


def _devices() -> dict[str, str]:
    """Return the state of every device that adb lists, by serial number."""
    done = call("adb", ["adb", "devices"], COMMAND_SECONDS)
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines() or [f"exit status {done.returncode}"]
        raise DeviceError(f"adb devices failed: {lines[-1].strip()[:200]}")
    rows = (line.split(maxsplit=1) for line in done.stdout.splitlines() if "\t" in line or " device" in line)
    return {row[0]: row[1].strip() for row in rows if len(row) == 2 and not row[0].startswith(("*", "List"))}


def _chosen(devices: dict[str, str], serial: str | None) -> str:
    """Return the serial number of the device to use, which accepts commands."""
    shown = ", ".join(f"{name} ({state.split('(')[0].strip()})" for name, state in devices.items())
    if not devices:
        raise DeviceError("adb finds no device; connect one with USB debugging switched on, or run `adb connect HOST`")
    if serial is not None and serial not in devices:
        raise DeviceError(f"adb finds no device '{serial}', only {shown}")
    if serial is None and len(devices) > 1:
        raise ConfigError(f"adb finds {len(devices)} devices: {shown}; choose one with --target adb:SERIAL")
    chosen = serial or next(iter(devices))
    state = devices[chosen]
    if state != "device":
        advice = next((text for name, text in _ADVICE.items() if state.startswith(name)), "wait until it has started")
        raise DeviceError(f"adb:{chosen} is '{state.split('(')[0].strip()}': {advice}")
    return chosen
