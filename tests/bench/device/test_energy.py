from pathlib import Path

import pytest

from distill.bench.device.connection import Answer
from distill.bench.device.energy import BATTERY, RAILS, Reading, energy_between, read_energy

BATTERY_TEXT = """Current Battery Service state:
  USB powered: false
  voltage: 4000
Estimated power use (mAh):
    Capacity: 4610, Computed drain: 100, actual drain: 98
  UID 2000: 0.5 fg: 0.1
"""


class Phone:
    """A device that answers with a text to commands that contain a word."""

    name = "adb:X"
    scratch = None

    def __init__(self, **texts: str) -> None:
        self.texts = texts

    def run(self, words: list[str], seconds: float = 1) -> Answer:
        text = next((text for word, text in self.texts.items() if word in words[-1]), None)
        return Answer(1, "sh: not found") if text is None else Answer(0, text)

    def push(self, file: Path, to: str) -> None:
        raise AssertionError


def test_power_rails_are_summed() -> None:
    text = "t=100\nCH0(T=100)[S2M_VDD_CPUCL2], 124265856\nCH1(T=100)[S2S_VDD_G3D], 1000\n"
    assert read_energy(Phone(energy_value=text)) == Reading(RAILS, (124265856 + 1000) / 1e3)
    assert read_energy(Phone(energy_uj="2000\n3000\n")) == Reading(RAILS, 5)


def test_the_systems_estimate_for_the_shell_user_is_charge_times_voltage() -> None:
    reading = read_energy(Phone(batterystats=BATTERY_TEXT))
    assert reading is not None
    assert reading.source == BATTERY
    assert reading.mj == pytest.approx(0.5e-3 * 3600 * 4.0 * 1e3)


def test_a_device_without_counters_has_no_energy() -> None:
    assert read_energy(Phone()) is None
    assert read_energy(Phone(batterystats="Capacity: 4000, Computed drain: 0")) is None


def test_a_counter_that_stands_still_or_began_anew_gives_no_energy() -> None:
    before = Reading(BATTERY, 100)
    found = energy_between(before, Reading(BATTERY, 160), 30)
    assert found is not None
    assert (found.source, found.mj) == (BATTERY, 2)
    for after in (None, before, Reading(BATTERY, 50), Reading(RAILS, 160)):
        assert energy_between(before, after, 30) is None
    assert energy_between(before, Reading(BATTERY, 160), 0) is None
