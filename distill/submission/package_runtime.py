"""Predict here in the runtime the package brings, because integer kernels differ from release to release.

Measured on the student, tflite-runtime 2.14 against LiteRT 2.3: fp32 and fp16 0.001 px, 16x8 0.07 px, but dynamic range
and int8 move points of a good face by 0.1 to 0.4 px on average and those of a photo without a face by 30.
"""

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def package_runtime() -> Iterator[None]:
    """Let models loaded inside use tflite-runtime, as in the package; LiteRT where tflite-runtime is not installed."""
    if importlib.util.find_spec("tflite_runtime") is None:
        yield
        return
    # None in sys.modules makes an import fail, which is how distill.tflite.interpreter chooses between the two.
    names = ("ai_edge_litert", "ai_edge_litert.interpreter")
    before = {name: sys.modules[name] for name in names if name in sys.modules}
    sys.modules.update(dict.fromkeys(names))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]
        sys.modules.update(before)
