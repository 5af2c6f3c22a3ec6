"""Releases of TensorFlow Lite and of LiteRT, its successor, which is numbered from 1 again."""

import re
from dataclasses import dataclass
from typing import Literal

from distill.errors import ConfigError, suggest

Version = tuple[int, int, int]

# Columns of the matrix of releases: every TensorFlow Lite still in use, and LiteRT.
COLUMNS = (*(f"2.{minor}" for minor in range(5, 21)), "litert")

# The highest patch of each release of TensorFlow Lite; 2.16.0 was never published.
_PATCHES = {
    "1.13": 2, "1.14": 0, "1.15": 5, "2.0": 4, "2.1": 4, "2.2": 3, "2.3": 4, "2.4": 4, "2.5": 3, "2.6": 5, "2.7": 4,
    "2.8": 4, "2.9": 3, "2.10": 1, "2.11": 1, "2.12": 1, "2.13": 1, "2.14": 1, "2.15": 1, "2.16": 2, "2.17": 1,
    "2.18": 1, "2.19": 1, "2.20": 0,
}  # fmt: skip
_LITERT = (
    "1.0.0", "1.0.1", "1.1.0", "1.1.1", "1.1.2", "1.2.0", "1.3.0", "1.4.0", "2.0.2", "2.0.3", "2.1.0", "2.1.1", "2.1.2",
    "2.1.3", "2.1.4", "2.1.5", "2.1.6", "2.2.0", "2.3.0",
)  # fmt: skip


def parse_version(text: str) -> Version:
    """`2.11` or `2.11.0` -> (2, 11, 0), so that 2.9 is older than 2.11.

    Raises:
        ConfigError: not a release of TensorFlow Lite.
    """
    if not re.fullmatch(r"[12]\.\d{1,3}(\.\d{1,3})?", text):
        raise ConfigError(f"'{text}' is not a TensorFlow Lite release: give one like 2.11.0, or litert")
    major, minor, *patch = (int(part) for part in text.split("."))
    return major, minor, patch[0] if patch else 0


@dataclass(frozen=True)
class Release:
    """A runtime's release.

    Attributes:
        family: `tflite` for TensorFlow Lite in any package, or `litert`.
        version: None is the newest LiteRT known to the table.
    """

    family: Literal["tflite", "litert"]
    version: Version | None

    def has(self, since: str | None) -> bool:
        """Whether something that exists `since` a release of this family is in this one; None is in no release."""
        return since is not None and (self.version is None or parse_version(since) <= self.version)


def parse_release(text: str) -> Release:
    """Read `2.11`, `2.11.0`, `litert` or `litert-2.1.0`.

    Raises:
        ConfigError: something else, or a release of TensorFlow Lite that the tables of operators do not cover.
    """
    if not isinstance(text, str):  # a number has lost its last zero
        raise ConfigError(f"release {text!r} is no text: give a string like '2.14.0', as the number 2.10 is 2.1")
    name, _, number = text.strip().lower().replace(" ", "-").partition("-")
    if name == "litert":
        if number and parse_version(number) not in {parse_version(known) for known in _LITERT}:
            raise ConfigError(f"'{text}' is no release of LiteRT; {suggest(number, list(_LITERT))}")
        return Release("litert", parse_version(number) if number else None)
    version = parse_version(text)
    minor = f"{version[0]}.{version[1]}"
    if minor not in _PATCHES:
        first, *_, last = _PATCHES
        raise ConfigError(
            f"'{text}' is no release of TensorFlow Lite from {first} to {last}; give one of them, or litert"
        )
    if version[2] > _PATCHES[minor]:
        raise ConfigError(
            f"'{text}' is no release of TensorFlow Lite: the newest of {minor} is {minor}.{_PATCHES[minor]}"
        )
    return Release("tflite", version)
