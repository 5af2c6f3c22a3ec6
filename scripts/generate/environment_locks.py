"""Write the locks in distill/environments: exact versions with hashes.

Usage: python -m scripts.generate.environment_locks

Needs uv and a network. The versions below are those that were measured; change one, then run `python -m
scripts.bench.lanes` and the tests. Packages that only other uses of onnx2tf import are left out.
"""

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from distill.environments import ENVIRONMENTS
from distill.files import write_text
from scripts.generate.lock import entries

HEADER = """\
# {what}
# Made by `python -m scripts.generate.environment_locks`; installed without dependencies, with hashes checked.
"""


@dataclass(frozen=True)
class Source:
    """What a lock is made from.

    Attributes:
        what: first line of the lock.
        python: oldest version of Python.
        universal: whether the lock serves newer versions and other systems too.
        requirements: for uv.
        overrides: versions that a package's own requirements contradict.
        unused: packages that the conversion does not import.
    """

    what: str
    python: str
    universal: bool
    requirements: tuple[str, ...]
    overrides: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()


SOURCES = {
    "modern": Source(
        "What the modern lane converts with: onnx2tf without TensorFlow, and litert-quantizer.",
        "3.12",
        True,
        ("onnx2tf==2.6.9", "litert-quantizer==0.11.0", "opencv-python-headless==4.13.0.92"),
        # onnx2tf asks for 2.1.2, litert-quantizer for 2.3.0.
        ("ai-edge-litert==2.3.0",),
        (
            "backports-strenum", "colorama", "h5py", "iniconfig", "litert-lm-builder", "markdown-it-py", "mdurl",
            "mpmath", "onnx-ir", "onnxoptimizer", "onnxscript", "onnxsim", "opencv-python", "packaging", "pluggy",
            "pygments", "pytest", "rich", "setuptools", "sne4onnx", "sympy", "tomli",
        ),
    ),
    "classic": Source(
        "What the classic lane converts with: onnx2tf 1.28 and TensorFlow 2.19.",
        "3.11",
        False,
        (
            "onnx2tf==1.28.8", "tensorflow==2.19.1", "tf-keras==2.19.0", "onnx==1.22.0", "onnxruntime==1.31.1",
            "onnxsim==0.8.1", "onnx-graphsurgeon==0.6.1", "sng4onnx==2.0.1", "psutil==7.2.2", "numpy<2",
            "protobuf==4.25.9", "h5py==3.16.0", "keras==3.15.1", "ml-dtypes==0.5.4", "flatbuffers==25.12.19",
            "ai-edge-litert==2.3.0",
        ),
        unused=("backports-strenum",),  # of Python 3.10
    ),
    "tflite211": Source(
        "tflite-runtime 2.11, which distill check loads models in.",
        "3.9",
        False,
        ("tflite-runtime==2.11.0", "numpy<2"),
    ),
}  # fmt: skip


def compile_lock(source: Source) -> str:
    """Return the content of a lock.

    Raises:
        SystemExit: uv is missing or finds no versions that fit together.
    """
    uv = shutil.which("uv")
    if uv is None:
        raise SystemExit("uv is missing; run `pip install uv`")
    with tempfile.TemporaryDirectory() as folder:
        wanted, forced, out = (Path(folder, name) for name in ("wanted.in", "forced.txt", "out.txt"))
        wanted.write_text("\n".join(source.requirements))
        forced.write_text("\n".join(source.overrides))
        command = [uv, "pip", "compile", "-q", str(wanted), "--override", str(forced), "-o", str(out)]
        command += ["--python-version", source.python, "--generate-hashes", "--no-annotate", "--no-header"]
        if subprocess.run([*command, *(["--universal"] if source.universal else [])]).returncode:
            raise SystemExit("uv found no versions that fit together")
        found = entries(out.read_text())
    kept = [entry for name, many in found.items() if name not in source.unused for entry in many]
    return HEADER.format(what=source.what) + "\n".join(kept) + "\n"


def main() -> None:
    """Write every lock."""
    for name, environment in ENVIRONMENTS.items():
        write_text(environment.lock, compile_lock(SOURCES[name]))


if __name__ == "__main__":
    main()
