"""What an operator writes holds no stored values, and nothing else changes."""

from distill.tflite.builder import constant, integers, single_op_model, variable
from distill.tflite.model import Operator
from distill.tflite.serialization import read_model
from distill.tflite.written_values import drop_written_values
from tests.support.single_op_cases import constant_output_models


def test_results_have_no_values_and_constants_keep_them() -> None:
    for content in constant_output_models().values():
        before, after = read_model(content), read_model(drop_written_values(content))
        assert any(tensor.buffer for node in before.operators for tensor in node.outputs)
        assert not any(tensor.buffer for node in after.operators for tensor in node.outputs)
        for old, new in zip(before.operators, after.operators, strict=True):
            assert (old.op, old.options) == (new.op, new.options)
            written = {tensor for node in before.operators for tensor in node.outputs}
            for wanted, found in zip(old.present_inputs, new.present_inputs, strict=True):
                assert wanted.shape == found.shape
                assert (found.values() is None) == (wanted in written or wanted.values() is None)


def test_a_file_without_any_is_returned_as_it_is() -> None:
    node = Operator("GATHER", (constant("INT32", (3,)), integers(0, 1)), (variable("INT32", (2,)),))
    content = single_op_model(node)
    assert drop_written_values(content) is content
