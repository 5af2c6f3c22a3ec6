"""A package of a network that is bad, or of which nothing is known, says so."""

from typing import Any

import pytest

from distill.submission.evaluation import concerns

SHA = "a" * 64


def evaluation(nme: Any, sha: str = SHA, over: str = "ocular") -> dict[str, Any]:
    return {"metrics": {over: {"nme_percent": nme}}, "protocol": {"model_sha256": sha}}


@pytest.mark.parametrize(
    ("results", "messages"),
    [
        (evaluation(3.2), []),
        (evaluation(3.2, over="pupil"), []),
        (evaluation(23.456), ["the evaluation is bad: NME 23.46 % over ocular, above 8 %"]),
        (evaluation(float("nan")), ["the evaluation is bad: NME nan %"]),
        (evaluation(None), ["the evaluation is bad: NME None"]),
        (evaluation(3.2, sha="b"), ["of another file"]),
        (evaluation(12, sha="b"), ["the evaluation is bad", "of another file"]),
        ({"anything": 1}, ["no NME over the eyes"]),
        ({}, ["no evaluation given"]),
    ],
)
def test_concerns_name_what_is_wrong(results: dict[str, Any], messages: list[str]) -> None:
    found = concerns(results, SHA)
    assert len(found) == len(messages)
    for line, message in zip(found, messages, strict=True):
        assert message in line
        assert "\n" not in line
