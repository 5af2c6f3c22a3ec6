"""Intervals and comparisons."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from distill.errors import ConfigError
from distill.evaluate.result import Evaluation, paired_bootstrap
from distill.files import write_json
from distill.landmarks import load_scheme, register_scheme
from distill.landmarks.convert import clear_own_schemes_and_maps
from tests.support.evaluation import Measure


def test_the_better_model_has_the_negative_difference(measure: Measure) -> None:
    good, poor = measure(shift=(0.5, 0)), measure(shift=(3, 0))
    difference = paired_bootstrap(good, poor)
    assert difference.mean == pytest.approx(-2.5 / 40, abs=1e-5)
    assert difference.low <= difference.mean <= difference.high < 0
    assert paired_bootstrap(poor, good).mean == pytest.approx(-difference.mean)
    assert paired_bootstrap(good, poor, "box").mean < 0


def test_a_face_that_fails_moves_the_mean_and_not_the_median(measure: Measure) -> None:
    found = measure(shift=(2, 0))
    offsets = found.offsets.copy()
    offsets[0] *= 20
    values = replace(found, offsets=offsets).summary()
    assert values["nme_median"] == pytest.approx(2 / 40, abs=1e-5)
    assert values["nme"] == pytest.approx((2 / 40) * (1 + 19 / len(offsets)), abs=1e-5)


def test_unlike_evaluations_are_not_compared(measure: Measure) -> None:
    with pytest.raises(ConfigError, match="subset differs"):
        paired_bootstrap(measure(subset="common"), measure(subset="hard"))
    with pytest.raises(ConfigError, match="n_faces differs"):
        paired_bootstrap(measure(), measure(limit=5))
    first = measure()
    other = measure()
    with pytest.raises(ConfigError, match="data_hash differs"):
        paired_bootstrap(first, replace(other, protocol=replace(other.protocol, data_hash="other")))


def test_five_pixels_relative_to_the_box(measure: Measure) -> None:
    # Boxes are about 50 px, so 2 px of the photo are more than 5 px of a 256 px box.
    found = measure(shift=(2, 0))
    assert found.accuracy_5px() == 1
    assert found.accuracy_5px_box256 == 0
    assert measure(shift=(0.5, 0)).accuracy_5px_box256 == 1


def test_a_result_of_an_own_scheme_can_be_read_without_its_folder(measure: Measure, tmp_path: Path) -> None:
    """`distill report` failed with 'unknown landmark scheme' on every model of a user's own points."""
    found = measure()
    k = found.protocol.points
    content = {"name": "mine", "title": "t", "n_points": k, "flip": [], "groups": {"all": f"0-{k - 1}"}, "edges": []}
    register_scheme(content, "test")
    write_json(tmp_path / "own.json", replace(found, protocol=replace(found.protocol, scheme="mine")).to_json())
    clear_own_schemes_and_maps()
    assert dict(Evaluation.from_json(tmp_path / "own.json").groups) == {"all": tuple(range(k))}
    assert "definition" not in found.to_json()


def test_parts_nobody_marked_are_left_out(measure: Measure, root: Path, tmp_path: Path) -> None:
    """Where the brows of no face are marked, their NME is no number, and JSON has none for it."""
    content = json.loads((root / "faces.json").read_text())
    brows = load_scheme("ibug68").groups["brows"]
    for face in content["faces"]:
        face["known"] = {"ibug68": [index not in brows for index in range(68)]}
    (root / "faces.json").write_text(json.dumps(content))
    found = measure(shift=(1, 0))
    assert "brows" not in found.groups
    assert "nose" in found.groups
    write_json(tmp_path / "evaluation.json", found.to_json())
    assert "brows" not in Evaluation.from_json(tmp_path / "evaluation.json").groups
