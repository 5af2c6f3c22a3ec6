from pathlib import Path

import numpy as np

from distill.bench.runners import load_tflite
from distill.tflite.serialization import read_model
from distill.tflite.split import split_decode

STUDENT = Path(__file__).parents[2] / "checkpoints/student_128_fp16.tflite"


def run(model: str | Path | bytes, inputs: np.ndarray) -> np.ndarray:
    interpreter = load_tflite(model, 1)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], inputs)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).copy()


def test_network_and_decode_make_the_whole() -> None:
    """A split at another tensor, or one that lost a weight, would time something else."""
    halves = split_decode(read_model(STUDENT))
    assert halves is not None
    assert halves.maps == (1, 32, 32, 51)
    image = np.random.default_rng(0).random((1, 128, 128, 3), np.float32)
    maps = run(halves.net, image)
    np.testing.assert_allclose(run(halves.decode, maps), run(STUDENT, image), atol=1e-6)
    assert len(halves.decode) < 0.1 * len(halves.net)


def test_a_model_that_regresses_its_points_has_no_heatmaps(facemesh: Path) -> None:
    assert split_decode(read_model(facemesh)) is None
