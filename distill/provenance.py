"""Provenance of committed results: the command, commit, data, machine and date that produced them."""

import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from distill.files import write_json

# Format name of the JSON files of `distill bench`, checked by the modules that read them.
BENCH = "distill-bench/1"

_DIRTY = "-dirty"
_COMMIT = re.compile(r"[0-9a-f]{40}|unknown")
_DATA_HASH = re.compile(r"[0-9a-f]{64}")
# Vector instructions by their names in /proc/cpuinfo, widest first; asimddp and i8mm are those of ARM for 8 bits.
_VECTORS = ("avx512_vnni", "avx512f", "avx2", "avx", "i8mm", "asimddp", "asimd")


@dataclass(frozen=True)
class Provenance:
    """How a result was made. A field that was not recorded is None, and the note states it."""

    command: str | None
    commit: str | None
    clean: bool | None
    data_hash: str | None
    machine: str | None
    date: str | None
    note: str | None = None

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Provenance":
        """Check a stored entry and return it.

        Raises:
            ValueError: a field that is missing, unknown, of the wrong form, or None without a note.
        """
        names = {entry.name for entry in fields(cls)}
        if set(values) != names:
            raise ValueError(f"provenance has the fields {', '.join(sorted(values))}, not {', '.join(sorted(names))}")
        entry = cls(**values)
        entry._check()
        return entry

    def _check(self) -> None:
        missing = [name for name, value in asdict(self).items() if value is None and name != "note"]
        if missing and not self.note:
            raise ValueError(f"provenance.{missing[0]} is null without a note that gives the reason")
        if self.commit is not None and not _COMMIT.fullmatch(self.commit):
            raise ValueError(f"provenance.commit '{self.commit}' is neither 40 hexadecimal digits nor 'unknown'")
        if self.data_hash is not None and not _DATA_HASH.fullmatch(self.data_hash):
            raise ValueError(f"provenance.data_hash '{self.data_hash}' is not a SHA-256")
        if self.clean is not None and not isinstance(self.clean, bool):
            raise ValueError(f"provenance.clean is {self.clean!r}, not true, false or null")
        if self.date is not None:
            date.fromisoformat(self.date)


def commit(result: Path | None = None) -> str:
    """Return the commit that is checked out, marked where files differ from it, or `unknown` outside a checkout.

    Args:
        result: a file that may differ: a study that writes its result after every step is as clean as at its start.
    """
    git = ["git", "-C", str(Path(__file__).parent)]
    describe = [*git, "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"]
    try:
        head = subprocess.run(describe, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    if result is not None and head.endswith(_DIRTY):
        others = [*git, "diff", "--quiet", "HEAD", "--", ":(top)", f":(exclude){result.absolute()}"]
        if subprocess.run(others, capture_output=True, check=False).returncode == 0:
            return head.removesuffix(_DIRTY)
    return head


def command_line() -> str:
    """Return the running command; paths outside the project are reduced to their last component."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    program, *arguments = sys.argv
    words = [spec.name.removesuffix(".__main__"), *arguments] if spec and spec.name else sys.argv
    start = ["python", "-m"] if spec and spec.name and program else ["python"]
    outside = [Path(word).is_absolute() or word.startswith("..") for word in words]
    return " ".join([*start, *(Path(word).name if out else word for word, out in zip(words, outside, strict=True))])


def data_hashes(content: Any) -> Iterator[str]:
    """Yield every value stored under a key `data_hash`, at any depth."""
    if isinstance(content, Mapping):
        for name, value in content.items():
            if name == "data_hash" and isinstance(value, str):
                yield value
            else:
                yield from data_hashes(value)
    elif isinstance(content, list | tuple):
        for value in content:
            yield from data_hashes(value)


def provenance(
    content: Mapping[str, Any], data_hash: str | None = None, result: str | Path | None = None
) -> Provenance:
    """Return the provenance of a result that the running process has just computed.

    Args:
        content: the result; the hash of its data is taken from here when it names exactly one.
        data_hash: hash of the data that was read, if the content does not name it.
        result: file that the content is written to; see `commit`.
    """
    hashes = {data_hash} if data_hash else set(data_hashes(content))
    several = "several data sets or box sources: each part of the result names the hash of its own"
    head = commit(Path(result) if result else None)
    return Provenance(
        command=command_line(),
        commit=head.removesuffix(_DIRTY),
        clean=None if head == "unknown" else not head.endswith(_DIRTY),
        data_hash=next(iter(hashes)) if len(hashes) == 1 else None,
        machine=f"{processor()}, {os.cpu_count()} CPU cores, Python {platform.python_version()}",
        date=datetime.now(UTC).date().isoformat(),
        note=None if len(hashes) == 1 else several if hashes else "no annotated data set is read",
    )


def write_result(
    path: str | Path, content: Mapping[str, Any], data_hash: str | None = None, command: str | None = None
) -> None:
    """Write a result as JSON together with its provenance.

    Args:
        path: file to write.
        content: the result.
        data_hash: see `provenance`.
        command: for the provenance instead of the running command, where that names what is not to be published.
    """
    made = provenance(content, data_hash, path)
    write_json(path, {"provenance": asdict(replace(made, command=command or made.command)), **content})


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return the architecture of the processor and, on Linux, its widest vector instructions: `x86_64 with avx2`.

    Kernels of 8-bit operators, and with them the accuracy of a file, can depend on them.
    """
    try:
        words = set(cpuinfo.read_text().split())
    except OSError:
        words = set()
    widest = next((name for name in _VECTORS if name in words), None)
    return platform.machine() if widest is None else f"{platform.machine()} with {widest}"
