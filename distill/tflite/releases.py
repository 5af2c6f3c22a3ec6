"""Releases of TensorFlow Lite and of LiteRT, its successor, which is numbered from 1 again."""

import re
from dataclasses import dataclass
from typing import Literal

from distill.errors import ConfigError

Version = tuple[int, int, int]

# Columns of the matrix of releases: every TensorFlow Lite still in use, and LiteRT.
COLUMNS = (*(f"2.{minor}" for minor in range(5, 21)), "litert")


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
    name, _, number = text.strip().lower().replace(" ", "-").partition("-")
    if name == "litert":
        return Release("litert", parse_version(number) if number else None)
    version = parse_version(text)
    # Releases before the first column had none of the operators that the tables date later.
    if version[:2] >= parse_version(COLUMNS[0])[:2] and f"{version[0]}.{version[1]}" not in COLUMNS:
        raise ConfigError(
            f"'{text}' is no release of TensorFlow Lite from {COLUMNS[0]} to {COLUMNS[-2]}; give one of them, or litert"
        )
    return Release("tflite", version)
