"""A layer whose outputs are zero has a factor that 8-bit kernels take; other ranges stay."""

import pytest

from distill.tflite.builder import constant, single_op_model, variable
from distill.tflite.factor_range import with_room_for_factors
from distill.tflite.model import Model, Operator
from distill.tflite.serialization import read_model

INPUT = (-1.0, 3.0)
LARGEST_WEIGHT = 5.0


def dense() -> Model:
    """A dense layer of two inputs and one channel."""
    inputs = [variable("FLOAT32", (1, 2)), constant("FLOAT32", (1, 2), [1.0, -LARGEST_WEIGHT])]
    return read_model(single_op_model(Operator("FULLY_CONNECTED", inputs, [variable("FLOAT32", (1, 1))])))


def names(model: Model) -> tuple[str, str]:
    (operator,) = model.operators
    assert operator.inputs[0] is not None
    return operator.inputs[0].name, operator.outputs[0].name


@pytest.mark.parametrize("silent", [(0.0, 0.0), (0.0, 1e-9), (-1e-9, 0.0), (-2e-9, -1e-9)], ids=str)
def test_a_layer_without_activations_has_room_for_its_factor(silent: tuple[float, float]) -> None:
    model = dense()
    data, output = names(model)
    found = with_room_for_factors(model, {data: INPUT, output: silent})
    low, high = found[output]
    factor = 4.0 * LARGEST_WEIGHT / 127 / (max(high, 0.0) - min(low, 0.0))
    assert 64 < factor < 256
    assert low <= silent[0] <= silent[1] <= high
    assert found[data] == INPUT


@pytest.mark.parametrize("others", [{}, {"t0": INPUT}])
def test_ranges_that_are_wide_enough_or_absent_stay(others: dict[str, tuple[float, float]]) -> None:
    model = dense()
    data, output = names(model)
    for ranges in (others, {data: INPUT, output: (-4.0, 9.0)}):
        assert with_room_for_factors(model, ranges) == ranges
