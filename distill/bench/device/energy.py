"""Energy counters of a device: power rails, or the system's estimate for the programs of its shell user."""

import re
from dataclasses import dataclass

from distill.bench.device.connection import Connection

RAILS = "power rails"
BATTERY = "batterystats"
# Cumulative counters in microjoules: the rails of Pixel phones (ODPM) and the package of Intel's and AMD's processors.
_RAILS = "cat /sys/bus/iio/devices/iio:device*/energy_value /sys/class/powercap/intel-rapl:[0-9]/energy_uj 2>/dev/null"
_CHANNEL = re.compile(r"^CH\d+\(T=\d+\)\[[^\]]+\], *(\d+)$|^(\d+)$", re.MULTILINE)
# The user that `adb shell` runs programs as; Android attributes the energy of the processor to users.
_SHELL_USER = re.compile(r"^\s*U(?:id|ID) 2000: ([\d.]+)", re.MULTILINE)
_VOLTAGE = re.compile(r"^\s*voltage: (\d+)$", re.MULTILINE)
_MJ_PER_MAH_AND_MV = 3.6
_SECONDS = 60


@dataclass(frozen=True)
class Reading:
    """A cumulative counter, in millijoules, and what reports it."""

    source: str
    mj: float


@dataclass(frozen=True)
class Energy:
    """Energy of one inference in millijoules, and what reported it."""

    source: str
    mj: float


def read_energy(device: Connection) -> Reading | None:
    """Return the energy that a device has used so far; None where it does not report it.

    Android's estimate counts while the device runs on its battery: connect over the network (`adb tcpip`), unplugged.
    """
    rails = device.run(["sh", "-c", _RAILS], _SECONDS).text
    values = [int(found[1] or found[2]) for found in _CHANNEL.finditer(rails)]
    if values:
        return Reading(RAILS, sum(values) / 1e3)
    battery = device.run(["sh", "-c", "dumpsys battery; dumpsys batterystats"], _SECONDS)
    charge, voltage = _SHELL_USER.search(battery.text), _VOLTAGE.search(battery.text)
    if battery.status or charge is None or voltage is None:
        return None
    return Reading(BATTERY, float(charge[1]) * int(voltage[1]) * _MJ_PER_MAH_AND_MV)


def energy_between(before: Reading, after: Reading | None, runs: int) -> Energy | None:
    """Return the energy of one of `runs` inferences; None where the counter did not advance, or was reset."""
    if after is None or after.source != before.source or runs < 1 or after.mj <= before.mj:
        return None
    return Energy(before.source, (after.mj - before.mj) / runs)
