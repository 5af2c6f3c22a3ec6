"""Pictures show what they are given, and nothing they are not given."""

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from distill.errors import ConfigError
from distill.images.figures import ced_curves, contact_sheet, detection_sheet, precision_recall_curve
from distill.report.curves import training_plot


def _image(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def test_ced_curves_depend_on_the_errors() -> None:
    low, high = np.linspace(0.01, 0.03, 20), np.linspace(0.03, 0.09, 20)
    assert ced_curves({"a": low}, "ocular") == ced_curves({"a": low}, "ocular")
    assert ced_curves({"a": low}, "ocular") != ced_curves({"a": high}, "ocular")


def test_a_run_without_a_value_is_left_out_of_its_panel(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("step,name,value\n10,train/loss,2.5\n20,val/nme,0.3\n30,train/loss,1.5\n")
    assert training_plot({"run": path}, ["train/loss", "val/nme"])[:4] == b"\x89PNG"
    with pytest.raises(ConfigError, match="no run has a value 'lr'"):
        training_plot({"run": path}, ["lr"])


def _orange(picture: NDArray[np.int_]) -> NDArray[np.bool_]:
    return picture[..., 0] - picture[..., 2] > 100


def test_contact_sheet_draws_the_annotation_orange_and_the_prediction_blue() -> None:
    crop = np.full((40, 40, 3), 128, np.uint8)
    predicted, target = np.array([[30.0, 30.0]]), np.array([[10.0, 10.0]])
    picture = _image(contact_sheet([crop] * 5, [predicted] * 5, [target] * 5, captions=["a"] * 5)).astype(int)
    assert _orange(picture).any()
    assert (picture[..., 2] - picture[..., 0] > 100).any()
    assert not _orange(picture).all()
    only = _image(contact_sheet([crop], [predicted])).astype(int)
    assert not _orange(only).any()


def test_detections_are_blue_and_labels_orange() -> None:
    photo = np.full((60, 90, 3), 128, np.uint8)
    found = np.array([[50.0, 10, 80, 40]]), np.full((1, 5, 2), 20.0)
    label = np.array([[5.0, 10, 40, 50]]), np.full((1, 5, 2), np.nan)
    nothing = np.zeros((0, 4)), np.zeros((0, 5, 2))
    picture = _image(detection_sheet([photo, photo], [found, nothing], [label, nothing])).astype(int)
    half = picture.shape[1] // 2
    blue = picture[..., 2] - picture[..., 0] > 100
    assert _orange(picture)[:, :half].any()
    assert blue[:, :half].any()
    assert not (_orange(picture) | blue)[:, half:].any()


def test_a_precision_recall_curve_depends_on_its_values() -> None:
    recall, high, low = np.array([0.0, 0.5]), np.ones(2), np.array([1.0, 0.5])
    assert precision_recall_curve(recall, high, "a") != precision_recall_curve(recall, low, "a")
