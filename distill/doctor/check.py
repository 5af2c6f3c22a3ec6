"""One line of the diagnosis."""

from typing import Literal, NamedTuple

PROJECT = "distill-landmarks"

Status = Literal["OK", "WARN", "FAIL"]


class Check(NamedTuple):
    """Status, name of the check, result and, unless OK, the next step."""

    status: Status
    name: str
    found: str
    step: str = ""
