import contextlib
import time

import numpy as np
import pytest

from distill.errors import CheckpointError
from distill.export.pipeline import ExportResult
from distill.tflite.reader import read_graph


def test_it_reads_what_litert_reads(exported: ExportResult) -> None:
    from ai_edge_litert.interpreter import Interpreter

    path = exported.files["fp32"]
    interpreter = Interpreter(model_path=str(path))
    graph = read_graph(path.read_bytes(), "student")
    entry = interpreter.get_input_details()[0]
    assert (graph.inputs[0].name, graph.inputs[0].shape) == (entry["name"], tuple(entry["shape"]))
    seen = [detail["op_name"] for detail in interpreter._get_ops_details() if detail["op_name"] != "DELEGATE"]
    assert [operator.op for operator in graph.operators] == seen


@pytest.mark.parametrize(
    ("blob", "reason"),
    [
        (b"", "0 bytes without the TFL3 mark"),
        (b"<!DOCTYPE html><html>Not found</html>", "an HTML page"),
        (b"\x08\x00\x00\x00TFL3", "damaged"),
        (b"\xff\xff\xff\xffTFL3" + b"\xff" * 64, "damaged"),
        (b"\x00\x00\x00\x00TFL3" + b"\x00" * 64, "damaged"),
    ],
)
def test_garbage_gives_one_line(blob: bytes, reason: str) -> None:
    with pytest.raises(CheckpointError, match=f"bad.tflite.*{reason}"):
        read_graph(blob, "bad.tflite")


def test_a_damaged_file_is_read_or_refused_and_quickly(exported: ExportResult) -> None:
    """Offsets that lead anywhere must neither crash, nor hang, nor end in another kind of error."""
    whole = exported.files["fp32"].read_bytes()
    rng = np.random.default_rng(0)
    start = time.perf_counter()
    for _ in range(200):
        blob = bytearray(whole)
        for position in rng.integers(8, len(blob), 4):
            blob[position] = rng.integers(256)
        # The structure lies at both ends of the file, the weights in between: aim there too.
        blob[int(rng.integers(8, 4096))] ^= 0xFF
        blob[-int(rng.integers(1, 60_000))] ^= 0xFF
        cut = len(blob) if rng.random() < 0.7 else int(rng.integers(8, len(blob)))
        with contextlib.suppress(CheckpointError):
            read_graph(bytes(blob[:cut]), "mutant")
    assert time.perf_counter() - start < 20
