"""Feed damaged annotation files to every reader; only errors of this package, of one line, may come out.

    python -m scripts.fuzz.fuzz_readers [--cases 10000] [--mutations 1000] [--formats csv dlib]

For each format: `--cases` examples drawn by Hypothesis (1 to 4 edits of a sound file with any bytes, text or numbers)
and `--mutations` random byte mutations, each read as a whole data set. What is read is written as a manifest and read
again, and must be the same faces to the last bit. Writes results/checks/fuzz_readers.json.
"""

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from rich.console import Console

from distill.data.readers import FORMATS, read_faces
from distill.data.readers.lapa import parse_lapa
from distill.data.readers.manifest import FILE_NAME, format_manifest
from distill.data.records import FaceRecord
from distill.errors import AnnotationError, ConfigError, ImageError
from distill.provenance import write_result
from tests.support import reader_cases, reader_cases_more

OUT = "results/checks/fuzz_readers.json"
# Three names of one reader: each has another file of the data set damaged.
_OTHER_FILES = {"menpo": "menpo/b.pts", "ivsfd": "afw/labels/c_1.pts"}
_SPICE = (b"\x00", b"nan", b"-1", b"1e999", b"\n", b"{", b"[[", b'"', b"../", b"<", b"&", b",,", b"9" * 30, b"\xff\xfe")
_EDIT = st.tuples(
    st.floats(0, 1),
    st.sampled_from((0, 1, 1, 2, 8, 40)),
    st.binary(max_size=12)
    | st.text(max_size=8).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.floats().map(lambda value: repr(value).encode())
    | st.integers().map(lambda value: str(value).encode())
    | st.sampled_from(_SPICE)
    | st.sampled_from([b"0", b"1", b"7", b"9", b".", b" "]),  # what numbers are made of, so that some are read
)


def _edited(content: bytes, edits: list[tuple[float, int, bytes]]) -> bytes:
    data = bytearray(content)
    for position, length, piece in edits:
        start = int(position * len(data))
        data[start : start + length] = piece
    return bytes(data)


def _read(format: str, root: Path) -> str:
    """`read` or `refused`; anything else is raised, and is what this script looks for."""
    try:
        records = read_faces(format, root)
    except (AnnotationError, ConfigError, ImageError) as error:
        if "\n" in str(error) or len(str(error)) > 500:
            raise ValueError(f"not one short line: {error}") from error
        return "refused"
    if not all(np.isfinite(record.landmarks).all() for record in records):
        raise ValueError("read points that are not finite")
    _require_round_trip(records, root)
    return "read"


def _require_round_trip(records: list[FaceRecord], root: Path) -> None:
    """Write faces as a manifest in their folder, and read them again.

    Raises:
        ValueError: they are not the same to the last bit.
    """
    manifest = root / FILE_NAME  # may be the damaged file, which the next one replaces
    manifest.write_text(format_manifest(records, root), encoding="utf-8")
    again = read_faces("manifest", root)
    manifest.unlink()
    if list(map(_content, records)) != list(map(_content, again)):
        raise ValueError("another face after it was written and read")


def _content(record: FaceRecord) -> dict[str, Any]:
    names = [field.name for field in fields(record) if field.name != "turned"]  # how it came to its points
    values = {name: getattr(record, name) for name in names}
    return {name: value.tobytes() if isinstance(value, np.ndarray) else value for name, value in values.items()}


def _hypothesis(format: str, root: Path, path: Path, cases: int) -> Counter[str]:
    content, outcomes = path.read_bytes(), Counter[str]()

    @settings(
        max_examples=cases, database=None, deadline=None, derandomize=True, phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.lists(_EDIT, min_size=1, max_size=4))
    def run(edits: list[tuple[float, int, bytes]]) -> None:
        path.write_bytes(_edited(content, edits))
        outcomes[_read(format, root)] += 1

    run()
    path.write_bytes(content)
    return outcomes


def _mutations(format: str, root: Path, path: Path, count: int) -> Counter[str]:
    outcomes = Counter[str]()
    for content in reader_cases.mutations(path.read_bytes(), count, seed=1):
        path.write_bytes(content)
        outcomes[_read(format, root)] += 1
    return outcomes


def _lapa_texts(cases: int) -> Counter[str]:
    """Parse any texts, and texts close to a LaPa file, as one."""
    outcomes = Counter[str]()

    @settings(
        max_examples=cases, database=None, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(st.one_of(st.text(), st.from_regex(r"[0-9]{1,3}\n(-?[0-9.e]{1,6} [0-9nai.]{1,5}\n){0,4}")))
    def run(text: str) -> None:
        try:
            parse_lapa(text, "a")
            outcomes["read"] += 1
        except AnnotationError:
            outcomes["refused"] += 1

    run()
    return outcomes


def _damaging(make: Callable[[Path], Path], file: str) -> Callable[[Path], Path]:
    """Return a maker of the same data set of which another file is damaged."""

    def other(root: Path) -> Path:
        make(root)
        return root / file

    return other


def _fuzz(format: str, make: Callable[[Path], Path], cases: int, mutations: int) -> dict[str, Any]:
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        path = make(Path(folder))
        drawn = _hypothesis(format, Path(folder), path, cases)
        mutated = _mutations(format, Path(folder), path, mutations)
    return {
        "hypothesis": dict(sorted(drawn.items())),
        "mutations": dict(sorted(mutated.items())),
        "file": path.name,
        "seconds": round(time.monotonic() - start, 1),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--mutations", type=int, default=1000)
    parser.add_argument("--formats", nargs="*", default=sorted(FORMATS))
    parser.add_argument("--out", type=Path, default=Path(OUT))
    options = parser.parse_args()
    os.nice(10)
    makers = {case.format: case.make for case in (*reader_cases.CASES, *reader_cases_more.CASES)}
    makers |= {format: _damaging(makers["300w"], file) for format, file in _OTHER_FILES.items()}
    about = {
        "protocol": "each damaged file is read as a data set; any error but one short line of ours ends the run; "
        "what is read is the same to the last bit after it was written as a manifest",
        "cases": options.cases,
        "mutations": options.mutations,
    }
    console, results = Console(), {}
    for format in options.formats:
        if format not in makers:
            console.print(f"{format}: no small data set to damage; add a Case to tests/support/reader_cases.py")
            return 1
        results[format] = _fuzz(format, makers[format], options.cases, options.mutations)
        if format == "lapa":
            results[format]["texts"] = dict(sorted(_lapa_texts(options.cases).items()))
        console.print(f"{format}: {results[format]}")
        write_result(options.out, {**about, "formats": results})  # after each, as all of them take long
    return 0


if __name__ == "__main__":
    sys.exit(main())
