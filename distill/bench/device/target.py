"""Names of devices: `adb`, `adb:SERIAL`, `ssh:[USER@]HOST[:PORT]` or `host`."""

import re
from dataclasses import dataclass
from typing import Literal

from distill.errors import ConfigError

_FORMS = "adb, adb:SERIAL, ssh:[USER@]HOST[:PORT], host, openvino or cuda"
# An address that begins with a dash would be an option of adb or ssh.
_SERIAL = re.compile(r"[A-Za-z0-9][\w.:\[\]-]*")
_HOST = re.compile(r"(?P<host>(?:[\w.-]+@)?(?:[A-Za-z0-9][\w.-]*|\[[0-9A-Fa-f:]+\]))(?::(?P<port>\d{1,5}))?")


@dataclass(frozen=True)
class Target:
    """A device and how to reach it.

    Attributes:
        kind: `adb` (Android), `ssh` (any system with a POSIX shell) or `host` (this machine).
        address: serial number of adb, None for the only device; `[USER@]HOST` of ssh.
        port: of ssh; None is the one of its configuration.
    """

    kind: Literal["adb", "ssh", "host"]
    address: str | None = None
    port: int | None = None

    def __str__(self) -> str:
        return ":".join([self.kind, *(str(part) for part in (self.address, self.port) if part is not None)])


def parse_target(text: str) -> Target:
    """Read the name of a device.

    Raises:
        ConfigError: another form.
    """
    kind, colon, address = text.partition(":")
    if not colon and kind == "adb":
        return Target("adb")
    if not colon and kind == "host":
        return Target("host")
    if kind == "adb" and _SERIAL.fullmatch(address):
        return Target("adb", address)
    found = _HOST.fullmatch(address) if kind == "ssh" else None
    if found is None or address.startswith("-"):
        raise ConfigError(f"--target {text}: unknown device; give {_FORMS}")
    return Target("ssh", found["host"].replace("[", "").replace("]", ""), int(found["port"]) if found["port"] else None)
