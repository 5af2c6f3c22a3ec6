"""Measure which runtime takes which operator: `python -m scripts.generate.op_table RUNTIMES.json`.

Writes distill/opcheck/op_versions.csv (operator, version) and op_types.csv (operator, element type, rank) from real
loads of one-node files. RUNTIMES.json names the runtimes, oldest first:

    [{"family": "tflite", "version": "2.11.0", "wheel": "tflite-runtime 2.11.0", "python": "/path/to/python",
      "module": "tflite_runtime.interpreter"}, ...]

`python` may be a shell script that sets PYTHONPATH and LD_LIBRARY_PATH for a wheel unpacked somewhere. Answers are
kept in --work, so that an interrupted run goes on where it stopped. What the wheels cannot tell (releases before 2.5
and after the newest given) stays as it stands in op_versions.csv, with its source.
"""

import argparse
import csv
import json
import re
import tempfile
from pathlib import Path
from typing import Any

from rich.progress import track

from distill.files import atomic_path, write_bytes
from distill.opcheck.tables import CONSTANT_OUTPUT
from distill.tflite.builder import single_op_model, variable
from distill.tflite.model import Operator
from distill.tflite.runtimes import Runtime, RuntimeServer
from distill.tflite.schema import builtin_operators
from distill.tflite.serialization import read_model
from tests.support.single_op_cases import catalogue, constant_output_models

VERSIONS = range(1, 15)
# Operators outside the schema that some runtimes know all the same.
CUSTOM = (
    "Mfcc", "AudioSpectrogram", "TFLite_Detection_PostProcess", "NumericVerify", "Convolution2DTransposeBias",
    "MaxPoolingWithArgmax2D", "MaxUnpooling2D",
)  # fmt: skip
TABLES = Path("distill/opcheck")
ABSENT = re.compile(r"Didn't find op|unresolved custom op|builtin_code out of range")
# Words of a runtime that refuses types or a number of axes, and not something else about the small graph.
TYPE_OR_RANK = re.compile(
    r"support|input1->type != input2->type|Unknown input type|NumDimensions|[Dd]imension|dims <=|only .*-[0-9]D|"
    r"kTfLite(Float|U?Int|Bool)|rank"
)
Answers = dict[str, list[str]]


def version_files(folder: Path) -> dict[str, Path]:
    """Write a file per builtin operator and version."""
    files: dict[str, Path] = {}
    entry = variable("FLOAT32", (1, 2, 2, 1))
    names = [*builtin_operators(), *(f"CUSTOM:{name}" for name in CUSTOM)]
    for name in names:
        for version in VERSIONS if not name.startswith("CUSTOM:") else (1,):
            node = Operator(name, [entry], [entry], version=version)
            files[f"{name},{version}"] = placed(single_op_model(node), folder / f"v{len(files)}.tflite")
    return files


def placed(content: bytes, path: Path) -> Path:
    """Write a file unless it is there: another run may be reading it."""
    if not path.is_file() or path.read_bytes() != content:
        write_bytes(path, content)
    return path


def custom_of(path: Path) -> str:
    """Return the only custom operator of a whole model: a delegate takes some in a real graph only."""
    (name,) = {node.op for node in read_model(path).operators if node.op.startswith("CUSTOM:")}
    return name


def type_files(folder: Path) -> dict[str, Path]:
    """Write a file per operator, element type, rank and case."""
    files: dict[str, Path] = {}
    for node, dtype, rank, case in catalogue():
        files[f"{node.op},{dtype},{rank},{case}"] = placed(single_op_model(node), folder / f"t{len(files)}.tflite")
    for (op, dtype, rank), content in constant_output_models().items():
        key = f"{op},{dtype},{rank},{CONSTANT_OUTPUT}"
        files[key] = placed(content, folder / f"t{len(files)}.tflite")
    return files


def ask(entry: dict[str, str], files: dict[str, Path], keep: Path) -> Answers:
    """Load every file in one runtime; answers of an earlier call are taken from `keep`."""
    answers: Answers = json.loads(keep.read_text()) if keep.is_file() else {}
    missing = {key: path for key, path in files.items() if key not in answers}
    runtime = Runtime(entry["wheel"].split()[0], entry["version"], entry["module"], entry["python"])
    with RuntimeServer(runtime, timeout_s=10) as server:
        for key, path in track(missing.items(), description=entry["wheel"], total=len(missing)):
            failure = server.load(path)
            answers[key] = ["runs", ""] if failure is None else [failure.kind, failure.text]
    keep.write_text(json.dumps(answers, indent=0))
    return answers


def boundary(taken: list[tuple[dict[str, Any], bool | None]]) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Return the newest runtime that refuses and the oldest of those after it, all of which accept.

    None in `taken` is no answer. The second is None when the newest runtime refuses.
    """
    known = [(entry, good) for entry, good in taken if good is not None]
    refusing = [index for index, (_, good) in enumerate(known) if not good]
    first = refusing[-1] + 1 if refusing else 0
    return (known[first - 1][0] if refusing else None), (known[first][0] if first < len(known) else None)


def by_family(
    entries: list[dict[str, Any]], measured: dict[str, Answers], key: str, judge: Any, find: Any = boundary
) -> dict[str, Any]:
    """Return the boundary of each family for one small file."""
    return {
        family: find([(entry, judge(*measured[entry["wheel"]][key])) for entry in entries if entry["family"] == family])
        for family in ("tflite", "litert")
    }


def steadied(answers: list[bool]) -> list[bool]:
    """Set aside a single release that answers unlike both its neighbours, which agree: a wheel built otherwise.

    tflite-runtime 2.12.0 is one: only it brings XNNPACK for int8, which takes more axes than the kernels.
    """
    inner = zip(answers, answers[1:], answers[2:], strict=False)
    middle = [before if before == after else here for before, here, after in inner]
    return [*answers[:1], *middle, *answers[-1:]] if len(answers) > 2 else answers


def steady_boundary(taken: list[tuple[dict[str, Any], bool | None]]) -> Any:
    """`boundary` of steadied answers."""
    known = [(entry, good) for entry, good in taken if good is not None]
    steady = steadied([good for _, good in known])
    return boundary([(entry, good) for (entry, _), good in zip(known, steady, strict=True)])


def sentence(found: dict[str, Any]) -> str:
    """Say between which wheels the answer changes."""
    parts = []
    for refusing, accepting in found.values():
        if refusing and accepting:
            parts.append(f"refused by {refusing['wheel']} and accepted by {accepting['wheel']}")
        elif accepting:
            parts.append(f"accepted by {accepting['wheel']} and later")
        elif refusing:
            parts.append(f"refused by {refusing['wheel']} and earlier")
    return f"measured: {'; '.join(parts)}"


def versions_table(entries: list[dict[str, Any]], measured: dict[str, Answers]) -> None:
    """Write op_versions.csv; TensorFlow's own first release stays where the wheels do not reach."""
    with (TABLES / "op_versions.csv").open() as file:
        stated = {f"{row['op']},{row['version']}": row for row in csv.DictReader(file)}
    oldest = next(entry for entry in entries if entry["family"] == "tflite")
    rows = []
    for key in sorted({*stated, *version_keys()}, key=lambda key: (key.split(",")[0], int(key.split(",")[1]))):
        row = dict(zip(("op", "version"), key.split(","), strict=True))
        old = stated.get(key, {"since": "", "source": ""})
        told = old["source"].partition("; measured")[0] if old["source"].startswith("TensorFlow") else ""
        if key not in next(iter(measured.values())):
            rows.append({**row, "since": old["since"], "litert": "", "source": told})
            continue
        found = by_family(entries, measured, key, lambda kind, text: kind == "runs" or not ABSENT.search(text))
        (_, first), (_, litert) = found["tflite"], found["litert"]
        since = first["version"] if first else (old["since"] if told else "")
        # A release is several packages built at different times: the later of two statements holds for all of them.
        if first and told and (first is oldest or version_of(old["since"]) > version_of(since)):
            since = old["since"]
        if first or litert or since:
            source = "; ".join(filter(None, [told, sentence(found)]))
            rows.append({**row, "since": since, "litert": litert["version"] if litert else "", "source": source})
    write_table("op_versions.csv", ("op", "version", "since", "litert", "source"), rows)


def version_of(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def version_keys() -> list[str]:
    return [f"{name},{version}" for name in builtin_operators() for version in VERSIONS] + [
        f"CUSTOM:{name},1" for name in CUSTOM
    ]


def takes(kind: str, text: str) -> bool | None:
    """Tell whether a runtime takes a node of a known operator; None when it does not know the operator at all."""
    return None if ABSENT.search(text) else kind == "runs"


def types_table(entries: list[dict[str, Any]], measured: dict[str, Answers]) -> None:
    """Write op_types.csv: only limits, and only those that come from types or ranks."""
    limits: list[dict[str, str]] = []
    for node, dtype, rank, case in catalogue():
        key = f"{node.op},{dtype},{rank},{case}"
        found = by_family(entries, measured, key, takes, steady_boundary)
        if any(refusing for refusing, _ in found.values()) and is_limit(entries, measured, key):
            limits.append(limit_row(node.op, dtype, rank, case, found))
    for op, dtype, rank in constant_output_models():
        found = by_family(entries, measured, f"{op},{dtype},{rank},{CONSTANT_OUTPUT}", takes, steady_boundary)
        limits.append(limit_row(op, dtype, rank, CONSTANT_OUTPUT, found))
    write_table("op_types.csv", tuple(limits[0]), list(merged(limits)))


def is_limit(entries: list[dict[str, Any]], measured: dict[str, Answers], key: str) -> bool:
    """Tell whether refusals are for types or rank and end once and for all.

    A runtime says so, or the same small graph runs there in float32 on fewer axes and, as it is, in a later release.
    An older TensorFlow Lite that takes what a later one refuses makes no rule; of LiteRT the newest counts.
    """
    op, _, _, case = key.split(",")
    for family in ("tflite", "litert"):
        answers = [(entry["wheel"], *measured[entry["wheel"]][key]) for entry in entries if entry["family"] == family]
        known = [(wheel, kind == "runs", text) for wheel, kind, text in answers if not ABSENT.search(text)]
        taken = steadied([good for _, good, _ in known])
        if taken != sorted(taken) and (family == "tflite" or taken[-1]):
            return False
        for (wheel, _, text), good in zip(known, taken, strict=True):
            if not (good or TYPE_OR_RANK.search(text) or (taken[-1] and runs_plain(measured[wheel], op, case))):
                return False
    return True


def runs_plain(answers: Answers, op: str, case: str) -> bool:
    """Tell whether a runtime takes an operator in float32 on some rank."""
    return any(
        answers.get(f"{op},{types},{rank},{case}", [""])[0] == "runs"
        for types in ("FLOAT32", "FLOAT32/FLOAT32")
        for rank in range(1, 5)
    )


def limit_row(op: str, dtype: str, rank: int, case: str, found: dict[str, Any]) -> dict[str, str]:
    """Return one row of op_types.csv."""
    since = {family: accepting["version"] if accepting else "" for family, (_, accepting) in found.items()}
    key = {"op": op, "types": dtype, "min_rank": str(rank), "max_rank": str(rank), "case": case}
    return {**key, "since": since["tflite"], "litert": since["litert"], "source": sentence(found)}


def merged(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Join rows that differ in nothing but neighbouring ranks."""
    joined: list[dict[str, str]] = []
    for row in rows:
        last = joined[-1] if joined else None
        same = last and all(last[name] == row[name] for name in row if name not in ("min_rank", "max_rank"))
        if last and same and int(last["max_rank"]) + 1 == int(row["min_rank"]):
            last["max_rank"] = row["max_rank"]
        else:
            joined.append(dict(row))
    return joined


def write_table(name: str, columns: tuple[str, ...], rows: list[dict[str, str]]) -> None:
    with atomic_path(TABLES / name) as path, path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"{name}: {len(rows)} rows")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runtimes", type=Path)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir(), "op_table"))
    parser.add_argument("--models", type=Path, nargs="*", default=[], help="files with one custom operator each")
    parser.add_argument("--only", help="ask this wheel only, and write no table")
    args = parser.parse_args()
    entries: list[dict[str, Any]] = json.loads(args.runtimes.read_text())
    args.work.mkdir(parents=True, exist_ok=True)
    files = {**version_files(args.work), **type_files(args.work)}
    files |= {f"{custom_of(path)},1": path for path in args.models}
    measured = {}
    for entry in entries:
        if args.only in (None, entry["wheel"]):
            measured[entry["wheel"]] = ask(entry, files, args.work / f"{entry['wheel'].replace(' ', '-')}.json")
    if args.only is None:
        versions_table(entries, measured)
        types_table(entries, measured)


if __name__ == "__main__":
    main()
