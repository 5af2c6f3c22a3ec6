"""Environments in a blink: what pip would install, as links to what the tests run with."""

import subprocess
import sys
from pathlib import Path

import numpy

# What requirements.txt brings, by module: folders of site-packages, with the shared libraries beside them.
FOLDERS = {
    "numpy": ("numpy", "numpy.libs"),
    "cv2": ("cv2", "opencv_python_headless.libs"),
    "PIL": ("PIL", "pillow.libs"),
    "yaml": ("yaml", "_yaml"),
    "tflite_runtime": ("tflite_runtime",),
}


def make_linked_environment(folder: Path, without: str = "") -> Path:
    """Return the interpreter of a new environment with the modules of the requirements but one."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=60)
    (target,) = folder.glob("lib/python*/site-packages")
    source = Path(numpy.__file__).parents[1]
    for module, names in FOLDERS.items():
        for name in names if module != without else ():
            if (source / name).is_dir():
                (target / name).symlink_to(source / name)
    return folder / "bin" / "python"
