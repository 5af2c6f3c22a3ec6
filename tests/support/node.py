"""Run JavaScript with the modules of the page in Node.js."""

import json
import shutil
import subprocess
import tempfile
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest

# Arrays are sent as { array: numbers, type }.
_SCRIPT = """
import { readFileSync } from "node:fs";
const types = { uint8: Uint8ClampedArray, float32: Float32Array };
const revive = (key, value) => (value && value.type in types ? types[value.type].from(value.array) : value);
const values = JSON.parse(readFileSync(process.argv[2], "utf8"), revive);
const run = async () => {
%s
};
const plain = (key, value) => (ArrayBuffer.isView(value) ? Array.from(value) : value);
console.log(JSON.stringify(await run(), plain));
"""


def run_script(script: str, **values: Any) -> Any:
    """Return what the body of an asynchronous function returns; the test is skipped without Node.js.

    Args:
        script: imports modules by `await import("./NAME.js")`.
        values: are the properties of its variable `values`; arrays arrive as typed arrays, flat.
    """
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not on PATH: the modules of the page run in Node.js here")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "page"
        shutil.copytree(Path(str(resources.files("distill.web"))) / "page", folder)
        (folder / "package.json").write_text('{"type": "module"}')
        (folder / "script.js").write_text(_SCRIPT % script)
        (folder / "values.json").write_text(json.dumps(values, default=_array))
        command = [node, str(folder / "script.js"), str(folder / "values.json")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def call(module: str, function: str, *arguments: Any) -> Any:
    """Return what a function of a module returns."""
    script = f'return (await import("./{module}")).{function}(...values.arguments);'
    return run_script(script, arguments=arguments)


def image(pixels: np.ndarray) -> dict[str, Any]:
    """Return pixels (h, w, 3) uint8 as an image of the page, which has four bytes a pixel."""
    height, width = pixels.shape[:2]
    opaque = np.concatenate([pixels, np.full((height, width, 1), 255, np.uint8)], axis=2)
    return {"data": opaque, "width": width, "height": height}


def pixels(found: dict[str, Any]) -> np.ndarray:
    """Return an image of the page as (h, w, 3) uint8."""
    return np.array(found["data"], np.uint8).reshape(found["height"], found["width"], 4)[:, :, :3]


def outputs(arrays: Any) -> list[dict[str, Any]]:
    """Return a network's outputs in the form of the page's."""
    return [{"data": array, "shape": array.shape} for array in arrays]


def _array(value: Any) -> Any:
    assert isinstance(value, np.ndarray), f"{type(value).__name__} cannot be passed"
    return {"array": value.ravel().tolist(), "type": value.dtype.name}
