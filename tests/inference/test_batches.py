"""Batches of a fixed size hold every image once, in order."""

import numpy as np
import pytest

from distill.inference.batches import padded_batches


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 9])
def test_all_images_in_order_and_full_batches(size: int) -> None:
    images = np.arange(7 * 2).reshape(7, 2)
    batches = list(padded_batches(images, size))
    assert {batch.shape for batch in batches} == {(size, 2)}
    joined = np.concatenate(batches)
    np.testing.assert_array_equal(joined[:7], images)
    np.testing.assert_array_equal(joined[7:], np.repeat(images[-1:], len(joined) - 7, axis=0))
