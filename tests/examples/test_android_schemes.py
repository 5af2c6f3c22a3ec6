"""The landmark schemes of the Android sample are those of Python: where the eyes are, and when a face is turned.

`UPDATE_EXAMPLES=1 pytest tests/examples/test_android_schemes.py` writes the file again.
"""

import json
import os
import re
from pathlib import Path

from distill.inference.roll import roll_settings
from distill.landmarks import list_schemes, load_scheme
from distill.spec import read_sidecar

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "examples/android"
SCHEMES = SAMPLE / "app/src/main/assets/schemes.json"


def test_the_schemes_of_the_sample_are_those_of_python() -> None:
    lines = [f"  {json.dumps(name)}: {json.dumps(roll_settings(load_scheme(name)))}" for name in list_schemes()]
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    if os.environ.get("UPDATE_EXAMPLES"):
        SCHEMES.parent.mkdir(exist_ok=True)
        SCHEMES.write_text(text)
    assert SCHEMES.read_text() == text, "run UPDATE_EXAMPLES=1 pytest tests/examples/test_android_schemes.py"


def test_the_schemes_of_the_models_that_the_build_copies_are_among_them() -> None:
    [listed] = re.findall(r"val models = listOf\((.*)\)", (SAMPLE / "app/build.gradle.kts").read_text())
    schemes = json.loads(SCHEMES.read_text())
    models = re.findall(r'"(\w+)"', listed)
    assert models
    for model in models:
        assert schemes[read_sidecar(ROOT / "checkpoints" / f"{model}.tflite").scheme]["eyes"]
