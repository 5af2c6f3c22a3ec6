import numpy as np

from distill.export.pipeline import ExportResult
from distill.tflite.builder import constant, single_op_model, variable
from distill.tflite.flatbuffer import Table
from distill.tflite.model import Model, Operator, SubGraph
from distill.tflite.serialization import read_model, write_model
from distill.tflite.weight_quantization import quantize_weights

MAP = variable("FLOAT32", (1, 8, 8, 16))


def test_quantized_weights_are_a_third_of_the_file_and_compute_in_floats(exported: ExportResult) -> None:
    sizes = {mode: exported.files[mode].stat().st_size for mode in ("fp32", "w8")}
    assert sizes["w8"] < 0.4 * sizes["fp32"]
    operators = read_model(exported.files["w8"]).operators
    assert {op.outputs[0].dtype for op in operators} == {"FLOAT32"}
    assert {op.version for op in operators if op.op == "DEQUANTIZE"} == {5}


def test_a_second_quantization_changes_nothing(exported: ExportResult) -> None:
    once = quantize_weights(exported.files["fp32"].read_bytes())
    assert len(read_model(quantize_weights(once)).operators) == len(read_model(once).operators)


def test_each_output_channel_has_its_own_scale() -> None:
    weights = np.random.default_rng(0).normal(size=(16, 3, 3, 16)).astype(np.float32)
    node = Operator(
        "CONV_2D", [MAP, constant("FLOAT32", weights.shape, weights.ravel())], [MAP], Table("Conv2DOptions")
    )
    unpacking, _ = read_model(quantize_weights(single_op_model(node))).operators
    (packed,) = unpacking.present_inputs
    values = packed.values()
    assert values is not None
    assert packed.quantization is not None
    scales = np.array(packed.quantization.scale).reshape(-1, 1, 1, 1)
    np.testing.assert_allclose(scales.ravel(), np.abs(weights).max((1, 2, 3)) / 127, rtol=1e-6)
    assert np.abs(values * scales - weights).max() <= scales.max() / 2 + 1e-6


def test_other_readers_of_the_same_weights_still_get_floats() -> None:
    """An ADD that read 8-bit integers as floats would refuse the file or compute nonsense."""
    weights = constant("FLOAT32", (16, 3, 3, 16), [1.0] * (16 * 9 * 16))
    nodes = [
        Operator("ADD", [weights, weights], [variable("FLOAT32", weights.shape)]),
        Operator("CONV_2D", [MAP, weights], [variable("FLOAT32", MAP.shape)], Table("Conv2DOptions")),
    ]
    outputs = [node.outputs[0] for node in nodes]
    unpacking, added, _ = read_model(quantize_weights(write_model(Model([SubGraph([MAP], outputs, nodes)])))).operators
    assert [tensor.dtype for tensor in added.present_inputs] == ["FLOAT32", "FLOAT32"]
    assert set(added.present_inputs) == set(unpacking.outputs)
