import numpy as np

from distill.export.pipeline import ExportResult
from distill.tflite.editor import float_islands, pack_weights
from distill.tflite.interpreter import TFLiteNet
from distill.tflite.reader import read_graph


def test_packed_weights_are_a_third_of_the_file_and_compute_in_floats(exported: ExportResult) -> None:
    sizes = {kind: exported.files[kind].stat().st_size for kind in ("fp32", "w8")}
    assert sizes["w8"] < 0.4 * sizes["fp32"]
    operators = read_graph(exported.files["w8"].read_bytes(), "w8").operators
    assert {op.outputs[0].dtype for op in operators} == {"FLOAT32"}
    assert {op.version for op in operators if op.op == "DEQUANTIZE"} == {5}


def test_packing_twice_changes_nothing(exported: ExportResult) -> None:
    packed = pack_weights(exported.files["fp32"].read_bytes())
    count = len(read_graph(packed, "once").operators)
    assert len(read_graph(pack_weights(packed), "twice").operators) == count


def test_islands_without_names_leave_the_results_alone(exported: ExportResult, crops, tmp_path) -> None:
    blob = exported.files["int16x8"].read_bytes()
    (tmp_path / "same.tflite").write_bytes(float_islands(blob, []))
    (tmp_path / "before.tflite").write_bytes(blob)
    before, after = (TFLiteNet(tmp_path / f"{name}.tflite")(crops[:1])[0] for name in ("before", "same"))
    np.testing.assert_array_equal(before, after)
