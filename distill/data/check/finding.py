"""Findings of the data check and the report that collects them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """One problem or remark, in one file, with the next step.

    Attributes:
        severity: `error` spoils training or a number; `warning` may be meant so; `note` only informs.
        check: name of the check, a short name such as `leak`.
        file: the face or file it is about.
        what: description, with numbers.
        todo: what to do about it; the same text for every finding of a check.
    """

    severity: Severity
    check: str
    file: str
    what: str
    todo: str


@dataclass(frozen=True)
class SubsetCounts:
    """What one subset holds; `face_px` are the 5th, 50th and 95th percentile of the longer side of the face boxes."""

    faces: int
    photos: int
    groups: int
    scheme: str
    labels: Mapping[str, int]
    unmarked_points: int
    hidden_points: int
    face_px: tuple[float, float, float] | None


@dataclass(frozen=True)
class Report:
    """Result of the check of one folder.

    Attributes:
        subsets: counts by subset, `all` last.
        findings: worst first.
        data_hash: of the faces that could be read, None when there are none.
        seconds: how long it took.
    """

    subsets: Mapping[str, SubsetCounts]
    findings: Sequence[Finding]
    data_hash: str | None = None
    seconds: float = field(default=0.0, compare=False)

    @property
    def failed(self) -> bool:
        """Whether there is an error among the findings."""
        return any(finding.severity == "error" for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """Everything as plain JSON values; no path of the machine is in it."""
        return {
            "faces": self.subsets["all"].faces if "all" in self.subsets else 0,
            "data_hash": self.data_hash,
            "seconds": round(self.seconds, 1),
            "counts": dict(Counter(f"{f.severity}: {f.check}" for f in self.findings)),
            "subsets": {name: asdict(counts) for name, counts in self.subsets.items()},
            "findings": [asdict(finding) for finding in self.findings],
        }


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Sort by severity; within one, in their given order."""
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))
