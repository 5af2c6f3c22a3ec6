"""The short form of scripts/fuzz/hostile.py: a hundred damaged files, every kind."""

import struct
import time
import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest

from distill.errors import CheckpointError
from distill.tflite.builder import single_op_model
from distill.tflite.runtimes import Runtime, RuntimeServer, list_runtimes
from distill.tflite.serialization import read_model
from tests.support.mutants import KINDS, mutant
from tests.support.single_op_cases import catalogue

MODEL = Path(__file__).parents[2] / "checkpoints" / "student_128_fp16.tflite"
QUICK = [runtime for runtime in list_runtimes() if runtime.name != "tensorflow"]


@pytest.fixture(scope="module")
def whole() -> bytes:
    if MODEL.is_file():
        return MODEL.read_bytes()
    return single_op_model(catalogue()[0][0])


def test_copies_are_damaged_each_in_its_own_way_and_the_same_every_time(whole: bytes) -> None:
    made = [mutant(whole, number) for number in range(32)]
    assert {kind for kind, _ in made} == set(KINDS)
    assert sum(content != whole for _, content in made) >= 31
    assert made == [mutant(whole, number) for number in range(32)]


def test_our_reader_refuses_or_reads_but_never_raises_anything_else(whole: bytes) -> None:
    start = time.perf_counter()
    for number in range(100):
        with suppress(CheckpointError):
            read_model(mutant(whole, number)[1])
    assert time.perf_counter() - start < 30


def shared_tables(n: int) -> bytes:
    """A model whose vector of n graphs points n times at one empty table."""
    vtable = struct.pack("<HHHHH", 10, 8, 0, 0, 4) + b"\0" * 6
    head = struct.pack("<I4s", 24, b"TFL3") + vtable + struct.pack("<iI", 24 - 8, 4) + struct.pack("<I", n)
    table = 36 + 4 * n + 4
    offsets = b"".join(struct.pack("<I", table - (36 + 4 * index)) for index in range(n))
    return head + offsets + struct.pack("<HHi", 4, 4, 4)


def test_a_file_that_shares_one_table_a_million_times_is_refused_quickly() -> None:
    """A gigabyte of objects if believed."""
    assert read_model(shared_tables(4)).operators == []
    blob = shared_tables(1_000_000)
    tracemalloc.start()
    start = time.perf_counter()
    with pytest.raises(CheckpointError, match="damaged"):
        read_model(blob)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert time.perf_counter() - start < 5
    assert peak < 200 * 2**20


@pytest.mark.slow
@pytest.mark.parametrize("runtime", QUICK, ids=str)
def test_a_hundred_damaged_files_never_take_us_down(runtime: Runtime, whole: bytes, tmp_path: Path) -> None:
    """tflite-runtime 2.14 dies of every third of them; whoever asks goes on."""
    path = tmp_path / "mutant.tflite"
    outcomes = []
    with RuntimeServer(runtime, timeout_s=5) as server:
        for number in range(100):
            path.write_bytes(mutant(whole, number)[1])
            start = time.perf_counter()
            failure = server.load(path)
            assert time.perf_counter() - start < 20
            outcomes.append(failure.kind if failure else "runs")
        path.write_bytes(whole)
        assert server.load(path) is None, "the same server still runs what is whole"
    assert outcomes.count("runs") < 60
    assert set(outcomes) <= {"runs", "error", "crash", "timeout"}
