import numpy as np
import pytest

from distill.bench.parity import Parity, output_parity


def test_differences_are_shares_of_the_range_of_their_output() -> None:
    expected = [np.array([[0.0, 10.0]]), np.array([[-4.0]])]
    found = output_parity(expected, [np.array([[0.0, 11.0]]), np.array([[-4.0]])])
    assert found == Parity(max=0.1, mean=pytest.approx(0.05))
    # A single number has a range, too: from 0.
    assert output_parity(expected, [expected[0], np.array([[-3.0]])]) == Parity(0.25, 0.25)


def test_other_shapes_and_numbers_that_are_not_finite_have_no_difference() -> None:
    points = np.zeros((1, 3, 2), np.float32)
    assert output_parity([points], [points, points]) is None
    assert output_parity([points], [points.reshape(1, 2, 3)]) is None
    assert output_parity([points + 1], [np.full_like(points, np.nan)]) is None


def test_32_bits_must_agree_in_each_value_and_shorter_numbers_on_average() -> None:
    one_value_off = Parity(max=0.05, mean=0.001)
    assert one_value_off.is_same(exact=False)
    assert not one_value_off.is_same(exact=True)
    assert Parity(1e-5, 1e-6).is_same(exact=True)
    assert not Parity(0.1, 0.05).is_same(exact=False)


def test_integers_do_not_wrap_around() -> None:
    assert output_parity([np.array([250], np.uint8)], [np.array([255], np.uint8)]) == Parity(5 / 250, 5 / 250)
