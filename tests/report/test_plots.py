"""Pictures are drawn from the numbers given, and refuse what must not share an axis."""

import io

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from distill.errors import ConfigError
from distill.report import plots
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


@pytest.mark.parametrize("draw", ["bars of parts", "bars of roles"])
def test_nothing_is_cut_off(draw: str, measure: Measure, monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo has seven evaluations, whose legend and axis label were wider than the picture."""
    figures: list[Figure] = []
    monkeypatch.setattr(plots, "png", lambda figure: figures.append(figure) or b"")
    runs = [f"{role}_{seed}" for role in ("student", "baseline", "teacher") for seed in range(2)]
    found = {name: measure(shift=(1, 0)) for name in [*runs, "student_0_fp16"]}
    if draw == "bars of parts":
        group_bars(found)
    else:
        role_bars({"student without teacher": found, "teacher": found})
    (figure,) = figures
    FigureCanvasAgg(figure).draw()
    (axes,) = figure.axes
    legend = axes.get_legend()
    labels = [label for label in (axes.xaxis.label, axes.yaxis.label) if label.get_text()]
    for part in filter(None, (axes, *labels, legend)):
        box = part.get_window_extent()
        assert figure.bbox.x0 <= box.x0
        assert box.x1 <= figure.bbox.x1
    assert axes.get_window_extent().width > 0.6 * figure.bbox.width
