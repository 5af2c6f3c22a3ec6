"""Agreement is told from a student's own errors."""

from dataclasses import replace

import numpy as np
import pytest

from distill.errors import ConfigError
from distill.evaluate.agreement import agreement
from tests.support.evaluation import Measure


def test_a_copy_shares_everything_and_its_mistakes(measure: Measure) -> None:
    teacher = measure(shift=(3, 4))
    found = agreement(teacher, teacher)
    assert found["distance_percent"] == 0
    assert found["error_correlation"] == pytest.approx(1)
    assert found["copied_percent"] == 100
    assert found["teacher_mistakes"] == teacher.errors.size


def test_a_student_that_errs_the_other_way_has_copied_nothing(measure: Measure) -> None:
    found = agreement(measure(shift=(-3, -4)), measure(shift=(3, 4)))
    assert found["distance_percent"] == pytest.approx(100 * 10 / 40, rel=1e-4)
    assert found["error_correlation"] == pytest.approx(-1)
    assert found["copied_percent"] == 0


def test_a_good_teacher_has_no_mistakes_to_copy(measure: Measure) -> None:
    found = agreement(measure(shift=(3, 4)), measure(shift=(0.1, 0)))
    assert found["teacher_mistakes"] == 0
    assert found["copied_percent"] is None


def test_points_nobody_marked_do_not_count(measure: Measure) -> None:
    student, teacher = measure(shift=(3, 4)), measure(shift=(3, 4))
    offsets = teacher.offsets.copy()
    offsets[0, 0] = np.nan
    found = agreement(student, replace(teacher, offsets=offsets))
    assert found["distance_percent"] == 0
    assert found["teacher_mistakes"] == teacher.errors.size - 1


def test_other_faces_are_refused(measure: Measure) -> None:
    with pytest.raises(ConfigError, match="subset differs"):
        agreement(measure(subset="common"), measure())
