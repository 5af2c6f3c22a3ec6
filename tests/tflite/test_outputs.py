"""Outputs of converted files: the landmarks first, or alone."""

import numpy as np
import pytest

from distill.bench.runners import load_tflite
from distill.export.pipeline import ExportResult
from distill.tflite.outputs import landmarks_first, landmarks_only, with_outputs
from distill.tflite.serialization import read_model, write_model
from distill.tflite.split import split_decode


def run(blob: bytes, image: np.ndarray) -> list[np.ndarray]:
    interpreter = load_tflite(blob, 1)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
    interpreter.invoke()
    return [interpreter.get_tensor(detail["index"]).copy() for detail in interpreter.get_output_details()]


@pytest.mark.parametrize("mode", ["fp32", "int8", "int16x8"])
def test_the_landmarks_stay_when_their_confidence_is_removed(exported: ExportResult, mode: str) -> None:
    """A contest asks for one output; its operators and weights must not change with the other."""
    blob = exported.files[mode].read_bytes()
    image = np.random.default_rng(0).random((1, 64, 64, 3), np.float32)
    both = run(blob, image)
    assert [output.shape for output in both] == [(1, 51, 2), (1, 51)]
    single = landmarks_only(blob)
    (landmarks,) = run(single, image)
    np.testing.assert_array_equal(landmarks, both[0])
    assert len(read_model(single).main.operators) < len(read_model(blob).main.operators)
    assert landmarks_only(single) == single


def test_the_landmarks_come_first_however_a_converter_orders_them(exported: ExportResult) -> None:
    blob = exported.files["fp32"].read_bytes()
    model = read_model(blob)
    turned = write_model(with_outputs(model, model.main.outputs[::-1]))
    assert [tensor.shape for tensor in read_model(turned).main.outputs] == [(1, 51), (1, 51, 2)]
    assert [tensor.shape for tensor in read_model(landmarks_first(turned)).main.outputs] == [(1, 51, 2), (1, 51)]
    assert landmarks_first(blob) == blob


def test_a_model_with_confidence_is_split_at_its_heatmaps(exported: ExportResult) -> None:
    """The benchmark times network and decoding apart; the second output reads the maps as well."""
    halves = split_decode(read_model(exported.files["fp32"]))
    assert halves is not None
    assert halves.maps == (1, 16, 16, 51)
