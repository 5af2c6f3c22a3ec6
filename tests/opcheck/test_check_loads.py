"""The short form of scripts/fuzz/opcheck.py: the table against loads in the runtimes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from distill.opcheck.check import check_model
from distill.opcheck.tables import limit_of, op_table
from distill.tflite.builder import redeclared, single_op_model
from distill.tflite.runtimes import Runtime, RuntimeServer, list_runtimes
from tests.support.single_op_cases import catalogue

MEDIAPIPE = Path(__file__).parents[2] / ".venv/lib/python3.11/site-packages/mediapipe/modules"
OPS = (
    "ABS EXP LOG SQRT RSQRT NEG TANH LOGISTIC RELU RELU6 LEAKY_RELU HARD_SWISH GELU SOFTMAX ADD SUB MUL DIV MAXIMUM",
    "MINIMUM SQUARED_DIFFERENCE EQUAL LESS MEAN SUM REDUCE_MAX ARG_MAX TRANSPOSE RESHAPE SLICE STRIDED_SLICE PAD",
    "MIRROR_PAD TILE GATHER CONCATENATION PACK SPLIT UNPACK SELECT CAST AVERAGE_POOL_2D RESIZE_BILINEAR CONV_2D",
    "DEPTHWISE_CONV_2D FULLY_CONNECTED BATCH_MATMUL",
)


def quick() -> list[object]:
    """The runtimes whose import is quick, and a note where the oldest is missing."""
    found: list[object] = [pytest.param(item, id=str(item)) for item in list_runtimes() if item.name != "tensorflow"]
    if not any("2.11" in str(item) for item in list_runtimes()):
        reason = "tflite-runtime 2.11 not found: set DISTILL_TFLITE211_PYTHON"
        found.append(pytest.param(None, id="2.11", marks=pytest.mark.skip(reason=reason)))
    return found


def release(runtime: Runtime) -> str:
    return f"litert-{runtime.version}" if runtime.name == "litert" else runtime.version


@pytest.fixture(scope="module", params=quick())
def server(request: pytest.FixtureRequest) -> Iterator[RuntimeServer]:
    """Every runtime, started once."""
    with RuntimeServer(request.param, timeout_s=60) as started:
        yield started


@pytest.fixture(scope="module")
def graphs() -> list[tuple[str, bytes]]:
    """Each operator in float32 on four axes, in its first version, its newest, the one beyond and one between."""
    plain = {
        node.op: node for node, types, rank, case in catalogue()
        if (rank, case) == (4, "") and types in ("FLOAT32", "FLOAT32/FLOAT32")
    }  # fmt: skip
    made = []
    for op in " ".join(OPS).split():
        known = sorted(version for name, version in op_table() if name == op)
        blob, own = single_op_model(plain[op]), plain[op].version
        for version in sorted({known[0], known[len(known) // 2], known[-1], known[-1] + 1}):
            made.append((f"{op} v{version}", redeclared(blob, op, own, version)))  # noqa: PERF401
    return made


def test_the_verdict_is_what_the_runtime_does(
    server: RuntimeServer, graphs: list[tuple[str, bytes]], tmp_path: Path
) -> None:
    path, disagreements = tmp_path / "graph.tflite", []
    for label, content in graphs:
        path.write_bytes(content)
        failure, passed = server.load(path), check_model(path, release(server.runtime)).passed
        if passed != (failure is None):
            disagreements.append((label, passed, failure))
    assert not disagreements


@pytest.fixture(scope="module")
def limited() -> list[tuple[str, bytes]]:
    """A sample of the one-node files, those for whose types or rank the table has a release of their own."""
    return [
        (f"{node.op} {types} rank {rank} {case}", single_op_model(node))
        for node, types, rank, case in catalogue()[::17]
        if limit_of(node)
    ]


def test_types_and_ranks_are_refused_where_the_table_says(
    server: RuntimeServer, limited: list[tuple[str, bytes]], tmp_path: Path
) -> None:
    path, refused, wrong = tmp_path / "graph.tflite", 0, []
    for label, content in limited:
        path.write_bytes(content)
        if any(row.verdict == "type" for row in check_model(path, release(server.runtime)).rows):
            refused += 1
            if server.load(path) is None:
                wrong.append(label)
    assert refused > 30
    assert not wrong


@pytest.mark.skipif(not MEDIAPIPE.is_dir(), reason="mediapipe's wheel is not installed")
def test_files_of_another_maker(server: RuntimeServer) -> None:
    """float16 weights, sparse ones, custom operators, several inputs and outputs."""
    files = sorted(MEDIAPIPE.rglob("*.tflite"))
    assert len(files) > 10
    for path in files:
        report = check_model(path, release(server.runtime))
        assert report.passed == (server.load(path) is None), path.name
        assert report.passed or report.explanations
