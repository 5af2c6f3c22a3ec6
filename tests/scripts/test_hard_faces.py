"""Error curves on hard faces."""

import numpy as np
import pytest

from scripts.studies.hard_faces import described, table, without_offset
from tests.support.evaluation import Measure


def test_a_constant_offset_is_no_error_and_the_tail_is_told(measure: Measure) -> None:
    found = measure(shift=(3, 4))
    assert found.nme().mean() == pytest.approx(5 / 40, abs=1e-5)
    assert without_offset(found).max() < 1e-5
    values = described(found)
    assert values["quantiles_percent"]["90"] == pytest.approx(12.5, abs=1e-3)
    assert values["worst_fifth_of_sum_percent"] == pytest.approx(100 / len(found.names), abs=1e-3)  # one of nine
    (line,) = table({"models": {"net": values}}).splitlines()[2:]
    assert line.startswith("| `net` | 12.50 (12.50–12.50) | 0.00 | 12.50 |")
    assert np.isfinite(values["nme_median_percent"])
