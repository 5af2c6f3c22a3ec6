import pytest

from distill.opcheck.check import OpReport
from distill.opcheck.report import verdict

EXPECTED = "expected to run on 2.11.0; not loaded in that release here"


@pytest.mark.parametrize(
    ("loads", "expected"),
    [
        ({}, EXPECTED),
        ({"tflite-runtime 2.14.0": "runs", "litert 2.1.0": "runs"}, EXPECTED),
        ({"tflite-runtime 2.11.0": "runs", "litert 2.1.0": "runs"}, "runs on TFLite 2.11.0"),
        ({"tflite-runtime 2.11.0": "error: no operator"}, "does NOT run on TFLite 2.11.0"),
    ],
)
def test_only_a_load_in_the_release_itself_shows_that_a_model_runs(loads: dict[str, str], expected: str) -> None:
    assert verdict(OpReport("net.tflite", "2.11.0", (), "2.3.0", "2.3.0", "1.0.0"), loads) == expected


def test_the_newest_litert_is_any_litert() -> None:
    report = OpReport("net.tflite", "litert", (), "2.3.0", "2.3.0", "1.0.0")
    assert verdict(report, {"litert 2.1.0": "runs"}) == "runs on TFLite litert"
    assert verdict(report, {"tensorflow 2.19.1": "runs"}).startswith("expected to run")
