"""Check the evaluation of a packaged model: a bad or missing one is reported."""

from collections.abc import Mapping
from typing import Any

# The NME from which the literature counts a face as a failure (FR at 8 %); as a mean it means a network without use.
BAD_NME_PERCENT = 8.0
_OVER = ("ocular", "pupil")


def concerns(results: Mapping[str, Any], model_sha256: str) -> tuple[str, ...]:
    """Return what speaks against packaging a model, one line each; empty where its evaluation is good.

    Args:
        results: of `distill evaluate --json`; empty where none are given.
        model_sha256: of the file that is packaged, or of the one it is a copy of.
    """
    if not results:
        return (
            "no evaluation given: name that of this file, from `distill evaluate MODEL --json FILE`: --results FILE",
        )
    metrics = results.get("metrics")
    kinds = [kind for kind in _OVER if isinstance(metrics, Mapping) and isinstance(metrics.get(kind), Mapping)]
    if not kinds:
        return ("the results hold no NME over the eyes, so that nothing is known of the model's accuracy",)
    assert isinstance(metrics, Mapping)
    nme = metrics[kinds[0]].get("nme_percent")
    found = []
    if not isinstance(nme, int | float) or not nme <= BAD_NME_PERCENT:
        shown = f"{nme:.2f} %" if isinstance(nme, int | float) else f"{nme!r}"
        found.append(
            f"the evaluation is bad: NME {shown} over {kinds[0]}, above {BAD_NME_PERCENT:g} %; train longer, or "
            "package another model"
        )
    protocol = results.get("protocol")
    evaluated = protocol.get("model_sha256") if isinstance(protocol, Mapping) else None
    if evaluated != model_sha256:
        found.append("the evaluation is of another file (its SHA-256 differs); evaluate the .tflite itself")
    return tuple(found)
