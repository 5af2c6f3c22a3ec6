"""Result files and rules: the exact text, the round trip, and each rule broken on purpose."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from distill.errors import ConfigError, SubmissionError
from distill.geometry import Box
from distill.submission.contest_rules import (
    Contest,
    format_result,
    guess_box,
    load_contest,
    ordered,
    parse_result,
)

RULES = Path(__file__).resolve().parents[2] / "configs" / "contest" / "icme2024_pair.yaml"


@pytest.fixture(scope="module")
def pair() -> Contest:
    return load_contest(RULES)


@pytest.fixture(scope="module")
def small(pair: Contest) -> Contest:
    return replace(pair, n_points=2)


def face(x: float, n: int = 2) -> np.ndarray:
    return np.stack([np.full(n, x) + np.arange(n), np.arange(n) * 2.0], axis=1)


def test_shipped_rules(pair: Contest) -> None:
    assert (pair.scheme, pair.n_points, pair.decimals, pair.runtime) == ("inner51", 51, 3, "2.11.0")
    assert {"best.tflite", "run_model.py", "requirements.txt", "techreport.pdf"} <= set(pair.files)
    assert pair.oldest_python == (3, 10)


def test_golden_text(small: Contest) -> None:
    """Catches a changed header, a missing 1-based shift, other decimals, or faces left to right."""
    assert format_result([face(10.0), face(99.1234)], small) == (
        "version: 1\nn_points: 2\n{\n100.123 1.000\n101.123 3.000\n}\n"
        "version: 1\nn_points: 2\n{\n11.000 1.000\n12.000 3.000\n}\n"
    )


def test_no_negative_zero(small: Contest) -> None:
    assert "-0.000" not in format_result([face(-1.0001) * [1, 0] - [0, 1.0001]], small)


@pytest.mark.parametrize(
    ("count", "names"), [(1, [""]), (2, ["right", "left"]), (4, ["right", "middle", "middle", "left"])]
)
def test_suffixed_headers(small: Contest, count: int, names: list[str]) -> None:
    rules = replace(small, header="suffixed")
    text = format_result([face(50.0 * index) for index in range(count)], rules)
    headers = [line for line in text.splitlines() if line.startswith("version")]
    assert headers == [f"version: 1({name} one)" if name else "version: 1" for name in names]
    assert len(parse_result(text, rules)) == count


coordinates = st.floats(-1e4, 1e5, allow_nan=False, width=32)


@given(st.lists(st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=3), max_size=4), st.booleans())
def test_round_trip(faces: list[list[tuple[float, float]]], suffixed: bool) -> None:
    """What is parsed is what was written, to the decimals the rules ask for, in the order of the rules."""
    rules = replace(load_contest(RULES), n_points=3, header="suffixed" if suffixed else "plain")
    arrays = [np.array(points) for points in faces]
    parsed = parse_result(format_result(arrays, rules), rules)
    assert len(parsed) == len(arrays)
    for ours, read in zip(ordered(arrays, "right_to_left"), parsed, strict=True):
        np.testing.assert_allclose(read, ours, atol=0.000501)


BROKEN = {
    "number of points": lambda text: text.replace("n_points: 2", "n_points: 3"),
    "lost point": lambda text: text.replace("12.000 3.000\n", ""),
    "decimals": lambda text: text.replace("11.000", "11.00"),
    "not a number": lambda text: text.replace("11.000", "nan"),
    "header": lambda text: text.replace("version: 1\n", "version: 2\n", 1),
    "suffix": lambda text: text.replace("version: 1\n", "version: 1(right one)\n", 1),
    "cut short": lambda text: text[:-3],
    "tail": lambda text: text + "done\n",
    "order": lambda text: text.replace("11.000", "911.000"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_broken_results_are_refused(small: Contest, broken: str) -> None:
    text = format_result([face(10.0), face(99.0)], small)
    with pytest.raises(SubmissionError) as caught:
        parse_result(BROKEN[broken](text), small, "photo.txt")
    assert "photo.txt" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_wrong_faces_are_not_written(small: Contest) -> None:
    with pytest.raises(SubmissionError, match="shape"):
        format_result([face(1.0, n=3)], small)
    with pytest.raises(SubmissionError, match="finite"):
        format_result([face(np.nan)], small)


def test_guess_is_cut_to_the_photo(pair: Contest) -> None:
    assert guess_box(pair, 1000, 400) == Box(0, 0, 600, 400)
    far = replace(pair, guess_box=(500.0, 500.0, 600.0, 600.0))
    assert guess_box(far, 100, 80) == Box(0, 0, 100, 80)


WRONG = {
    "decimal": {"decimal": 3},
    "header": {"header": "fancy"},
    "order": {"order": "top_to_bottom"},
    "n_points": {"n_points": "51"},
    "decimals": {"decimals": True},
    "first_pixel": {"first_pixel": -1},
    "guess_box": {"guess_box": [5, 5, 5, 9]},
    "python": {"python": [3.1]},
    "max_zip_bytes": {"max_zip_bytes": 0},
    "runtime": {"runtime": 2.11},
    "model_name": {"model_name": "models/best.tflite"},
    "forbidden_packages": {"forbidden_packages": "torch"},
    "max_seconds_total": {"max_seconds_total": -1},
    "max_seconds_per_photo": {"max_seconds_per_photo": "fast"},
    "max_model_bytes": {"max_model_bytes": True},
    "no_face": {"no_face": "error"},
    "files": {"files": None},
}


def test_lists_may_be_unknown_or_full(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    raw = yaml.safe_load(RULES.read_text())
    assert load_contest(RULES).forbidden_packages is None
    path.write_text(yaml.safe_dump({**raw, "forbidden_packages": ["torch", "tensorflow"]}))
    assert load_contest(path).forbidden_packages == ("torch", "tensorflow")


@pytest.mark.parametrize("key", WRONG)
def test_wrong_rules_name_the_key(tmp_path: Path, key: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(RULES.read_text()), **WRONG[key]}))
    with pytest.raises(ConfigError, match=key):
        load_contest(path)


def test_unknown_rule_names_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES.read_text().replace("\ndecimals:", "\ndecimal:"))
    with pytest.raises(ConfigError, match="did you mean 'decimals'"):
        load_contest(path)


@pytest.mark.parametrize("text", ["", "- a\n", "a: [", "name: x\n"])
def test_unreadable_rules(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_contest(path)
    assert "\n" not in str(caught.value)
