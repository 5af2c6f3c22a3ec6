"""One line of the diagnosis."""

from typing import Literal, NamedTuple

PROJECT = "distill-landmarks"

Status = Literal["OK", "WARN", "FAIL"]


class Check(NamedTuple):
    """How it stands, what was looked at, what was found and, unless fine, what to do next."""

    status: Status
    name: str
    found: str
    step: str = ""
