"""Pictures are drawn from the numbers given, and refuse what must not share an axis."""

import io

import numpy as np
import pytest
from PIL import Image

from distill.errors import ConfigError
from distill.report.plots import ced_plot, group_bars, role_bars
from tests.support.evaluation import Measure


def _image(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def test_ced_and_bars_are_pictures_that_depend_on_the_numbers(measure: Measure) -> None:
    good, poor = measure(shift=(0.5, 0)), measure(shift=(2, 0))
    for draw in (ced_plot, group_bars):
        assert _image(draw({"good": good, "poor": poor})).shape[0] > 200
        assert draw({"x": good}) == draw({"x": good})
        assert draw({"x": good}) != draw({"x": poor})


def test_unlike_evaluations_share_no_picture(measure: Measure) -> None:
    with pytest.raises(ConfigError, match="subset differs"):
        ced_plot({"a": measure(subset="common"), "b": measure(subset="hard")})
    with pytest.raises(ConfigError, match="at least one"):
        group_bars({})


def test_bars_of_roles_show_every_training(measure: Measure) -> None:
    good, poor, other = measure(shift=(0.5, 0)), measure(shift=(2, 0)), measure(shift=(3, 0))
    two = role_bars({"teacher": {"t": good}, "student": {"a": poor, "b": other}})
    assert two != role_bars({"teacher": {"t": good}, "student": {"a": poor, "b": poor}})
    assert _image(two).shape[0] < _image(role_bars({str(i): {"t": good} for i in range(4)})).shape[0]
    with pytest.raises(ConfigError, match="subset differs"):
        role_bars({"teacher": {"t": measure(subset="common")}, "student": {"s": measure(subset="hard")}})
