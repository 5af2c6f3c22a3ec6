from pathlib import Path

import pytest

from distill.errors import ExportError
from distill.tflite.serialization import read_model
from distill.tflite.split_integers import split_integers

CHECKPOINTS = Path(__file__).parents[2] / "checkpoints"
EFLD = CHECKPOINTS / "efld_51_128_int8.tflite"


def test_the_body_has_integers_only_and_the_decoder_is_small() -> None:
    whole = read_model(EFLD)
    parts = split_integers(whole)
    body, decoder = read_model(parts.body).main, read_model(parts.decoder).main
    assert {tensor.dtype for tensor in body.all_tensors()} == {"INT8", "INT32"}
    assert (body.inputs[0].dtype, body.inputs[0].shape) == ("INT8", (1, 128, 128, 3))
    assert [tensor.shape for tensor in decoder.inputs] == [tensor.shape for tensor in body.outputs] == [(1, 352)]
    assert decoder.outputs[0].shape == (1, 51, 2)
    # The QUANTIZE of the image is in neither.
    assert len(body.operators) + len(decoder.operators) == len(whole.main.operators) - 1
    # The last layer with its weights, the shape of points, and the annotation shift, which is added to them.
    assert [operator.op for operator in decoder.operators][-1] == "ADD"
    assert len(decoder.operators) <= 5


def test_a_float_file_is_refused() -> None:
    with pytest.raises(ExportError, match=r"the image is read by .*, not turned into integers"):
        split_integers(read_model(CHECKPOINTS / "student_128_fp16.tflite"))


def test_floats_between_integers_are_named() -> None:
    from distill.tflite.float_operators import dequantize_operators

    names = [node.outputs[0].name for node in read_model(EFLD).main.operators if node.op == "DEPTHWISE_CONV_2D"]
    mixed = dequantize_operators(EFLD.read_bytes(), names[:1])
    with pytest.raises(ExportError, match=r"DEPTHWISE_CONV_2D.* compute in floats between integer layers"):
        split_integers(read_model(mixed))
