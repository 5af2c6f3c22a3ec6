"""Connect to a device by its name."""

from distill.bench.device.adb import Adb
from distill.bench.device.connection import Connection
from distill.bench.device.host import Host
from distill.bench.device.ssh import Ssh
from distill.bench.device.target import parse_target


def connect(target: str) -> Connection:
    """Return a connection to `adb[:SERIAL]`, `ssh:HOST` or `host`.

    Raises:
        ConfigError: an unknown target, or adb or ssh not installed.
        DeviceError: the device is not there or refuses this computer.
    """
    named = parse_target(target)
    if named.kind == "adb":
        return Adb(named.address)
    if named.kind == "host":
        return Host()
    assert named.address is not None
    return Ssh(named.address, named.port)
