import numpy as np

from distill.export.pipeline import ExportResult
from distill.tflite.float_operators import dequantize_operators
from distill.tflite.interpreter import TFLiteNet
from distill.tflite.serialization import read_model


def test_without_names_the_results_stay_the_same(exported: ExportResult, crops, tmp_path) -> None:
    blob = exported.files["int16x8"].read_bytes()
    (tmp_path / "same.tflite").write_bytes(dequantize_operators(blob, []))
    (tmp_path / "before.tflite").write_bytes(blob)
    before, after = (TFLiteNet(tmp_path / f"{name}.tflite")(crops[:1])[0] for name in ("before", "same"))
    np.testing.assert_array_equal(before, after)


def test_the_signature_returns_what_the_model_returns(exported: ExportResult) -> None:
    """A signature that named the tensor before the change would return memory that nothing wrote."""
    model = read_model(exported.files["int16x8"])
    assert model.signatures
    for signature in model.signatures:
        assert list(signature.outputs.values()) == model.main.outputs
