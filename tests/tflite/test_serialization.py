import contextlib
import time
from pathlib import Path

import numpy as np
import pytest

from distill.errors import CheckpointError
from distill.export.pipeline import ExportResult
from distill.tflite.builder import constant, integers, single_op_model, variable
from distill.tflite.flatbuffer import Table, decode, encode
from distill.tflite.interpreter import TFLiteNet
from distill.tflite.model import Buffer, Model, Operator, Signature, SubGraph, Tensor
from distill.tflite.serialization import read_model, write_model

VECTOR = variable("FLOAT32", (4,))


def test_it_reads_what_litert_reads(exported: ExportResult) -> None:
    from ai_edge_litert.interpreter import Interpreter

    path = exported.files["fp32"]
    interpreter = Interpreter(model_path=str(path))
    model = read_model(path)
    entry = interpreter.get_input_details()[0]
    assert (model.main.inputs[0].name, model.main.inputs[0].shape) == (entry["name"], tuple(entry["shape"]))
    operators = [detail["op_name"] for detail in interpreter._get_ops_details() if detail["op_name"] != "DELEGATE"]
    assert [operator.op for operator in model.operators] == operators
    assert model.min_runtime == "2.3.0"
    assert model.size == path.stat().st_size


@pytest.mark.parametrize("mode", ["fp16", "int8", "int16x8"])
def test_a_file_that_is_read_and_written_computes_the_same(exported: ExportResult, crops, tmp_path, mode: str) -> None:
    path = tmp_path / "again.tflite"
    path.write_bytes(write_model(read_model(exported.files[mode])))
    before, after = (TFLiteNet(each)(crops[:1])[0] for each in (exported.files[mode], path))
    np.testing.assert_array_equal(before, after)
    assert read_model(path).metadata == read_model(exported.files[mode]).metadata
    assert write_model(read_model(path)) == path.read_bytes()


def test_the_generated_classes_read_what_is_written() -> None:
    """Options with a vector, an input left out, two operators of one code, values aligned to 16 bytes."""
    from ai_edge_litert import schema_py_generated as generated

    middle, result = Tensor("FLOAT32", (2, 2), "middle"), Tensor("FLOAT32", (4,), "result")
    source, shape = Tensor("FLOAT32", (4,), "source"), integers(2, -1)
    reshapes = [
        Operator("RESHAPE", [source, shape], [middle], Table("ReshapeOptions", {"new_shape": (2, 2)})),
        Operator("RESHAPE", [middle, None], [result], Table("ReshapeOptions", {"new_shape": (4,)})),
    ]
    signature = Signature("serve", {"x": source}, {"y": result})
    model = Model([SubGraph([source], [result], reshapes)], {"note": b"text"}, [signature], "made")
    blob = write_model(model)
    tree = generated.ModelT.InitFromPackedBuf(blob, 0)
    (graph,) = tree.subgraphs
    names = [tensor.name for tensor in graph.tensors]
    assert (tree.version, tree.description, len(tree.operatorCodes)) == (3, b"made", 1)
    assert [list(node.inputs) for node in graph.operators] == [[0, names.index(b"")], [names.index(b"middle"), -1]]
    assert [list(node.builtinOptions.newShape) for node in graph.operators] == [[2, 2], [4]]
    assert bytes(tree.buffers[graph.tensors[names.index(b"")].buffer].data) == np.array([2, -1], np.int32).tobytes()
    assert bytes(tree.buffers[tree.metadata[0].buffer].data) == b"text"
    assert tree.signatureDefs[0].outputs[0].tensorIndex == names.index(b"result")
    offsets = [blob.index(bytes(buffer.data)) % 16 for buffer in tree.buffers if buffer.data is not None]
    assert offsets == [0] * len(offsets)


def test_values_behind_the_flatbuffer_are_read_and_written_inside() -> None:
    """Files above 2 GB store weights there; offsets into an old file would lead anywhere in a new one."""
    node = Operator("ADD", [VECTOR, constant("FLOAT32", (4,), [1, 2, 3, 4])], [VECTOR], Table("AddOptions"))
    root = decode(single_op_model(node))
    values = bytes(root["buffers"][1].pop("data"))
    root["buffers"][1] |= {"offset": 4096, "size": len(values)}
    blob = encode(root).ljust(4096, b"\0") + values
    (added,) = read_model(blob).operators
    np.testing.assert_array_equal(added.present_inputs[1].values(), [1, 2, 3, 4])
    (again,) = read_model(write_model(read_model(blob))).operators
    np.testing.assert_array_equal(again.present_inputs[1].values(), [1, 2, 3, 4])
    with pytest.raises(CheckpointError, match="damaged"):
        read_model(blob[:-1])


def test_equal_tensors_keep_sharing_their_values() -> None:
    shared = Buffer(np.ones(1024, np.float32).tobytes())
    pair = [Tensor("FLOAT32", (1024,), name, shared) for name in "ab"]
    blob = write_model(Model([SubGraph([], [VECTOR], [Operator("ADD", pair, [VECTOR])])]))
    first, second = read_model(blob).operators[0].present_inputs
    assert first.buffer is second.buffer
    assert len(blob) < 2 * len(shared.data)


def test_an_operator_of_a_newer_schema_is_read_and_its_options_are_never_lost() -> None:
    node = Operator("BUILTIN_900", [VECTOR], [VECTOR], version=7)
    (again,) = read_model(single_op_model(node)).operators
    assert (again.op, again.version) == ("BUILTIN_900", 7)
    with pytest.raises(CheckpointError, match="'NewOptions' cannot be changed"):
        single_op_model(Operator("ADD", [VECTOR], [VECTOR], Table("NewOptions")))


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
        read_model(blob, "bad.tflite")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"absent\.tflite: cannot be read"):
        read_model(tmp_path / "absent.tflite")


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
            read_model(bytes(blob[:cut]))
    assert time.perf_counter() - start < 20
