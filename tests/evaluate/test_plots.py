"""Pictures are drawn from the numbers given, and refuse what must not share an axis."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from distill.errors import ConfigError
from distill.evaluate.plots import ced_plot, contact_sheet, group_bars, read_curve, training_plot

from .conftest import Measure


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


def test_curves_skip_the_holes_of_metrics_csv(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("epoch,step,train/loss,val/nme\n0,10,2.5,\n0,20,,0.3\n1,30,1.5,\n1,40,,0.2\n")
    steps, values = read_curve(path, "val/nme")
    assert (steps.tolist(), values.tolist()) == ([20, 40], [0.3, 0.2])
    assert training_plot({"run": path}, ["train/loss", "val/nme"])[:4] == b"\x89PNG"
    with pytest.raises(ConfigError, match="no column 'val/nmee'; it has epoch, step"):
        read_curve(path, "val/nmee")
    with pytest.raises(ConfigError, match="no run has a column 'lr'"):
        training_plot({"run": path}, ["lr"])
    with pytest.raises(ConfigError, match="no such file"):
        training_plot({"run": tmp_path / "none.csv"}, ["lr"])


def test_contact_sheet_draws_truth_red_and_prediction_green() -> None:
    crop = np.full((40, 40, 3), 128, np.uint8)
    predicted, target = np.array([[30.0, 30.0]]), np.array([[10.0, 10.0]])
    picture = _image(contact_sheet([crop] * 5, [predicted] * 5, [target] * 5, captions=["a"] * 5)).astype(int)
    red = (picture[..., 0] > 200) & (picture[..., 1] < 120)
    green = (picture[..., 1] > 180) & (picture[..., 0] < 120)
    assert red.any()
    assert green.any()
    assert not ((picture[..., 0] > 200) & (picture[..., 1] < 120)).all()
    only = _image(contact_sheet([crop], [predicted])).astype(int)
    assert not ((only[..., 0] > 200) & (only[..., 1] < 120)).any()
