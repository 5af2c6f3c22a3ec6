"""Speed of a model in the runtime that the package pins: integer files are slow there on x86."""

from pathlib import Path

from distill.submission.requirements import required_names
from distill.tflite.integers import computes_in_integers
from distill.tflite.serialization import read_model


def slow_integers(model: Path, requirements: str) -> tuple[str, ...]:
    """Return a warning for an 8-bit or 16-bit integer model in a package that pins tflite-runtime, else nothing.

    The wheels of tflite-runtime up to 2.14 have no 8-bit XNNPACK kernels for x86: int8 took 2.8 to 7.8 times as long as
    fp32 there, and half of fp32's time in LiteRT.
    """
    if "tflite-runtime" not in required_names(requirements):
        return ()
    if not computes_in_integers(read_model(model)):
        return ()
    pinned = next(line for line in requirements.splitlines() if line.startswith("tflite-runtime"))
    return (
        f"{model.name} computes in integers, which {pinned} runs 2.8 to 7.8 times slower than fp32 on x86 (its wheels "
        "have no 8-bit kernels); package the fp16 file unless the contest runs on ARM",
    )
