"""Dependencies of run_model.py: which files of this project ship with it, and what requirements.txt must hold."""

import ast
import re
import sys
from collections.abc import Callable, Mapping

from distill.errors import SubmissionError

ENTRY = "run_model.py"
_DISTRIBUTIONS = {
    "cv2": "opencv-python-headless",
    "numpy": "numpy",
    "PIL": "pillow",
    "tflite_runtime": "tflite-runtime",
    "yaml": "pyyaml",
}
# Imported only for another format of model or photo, or another runtime; the package works without them.
_ALTERNATIVES = {"ai_edge_litert", "onnxruntime", "pillow_heif"}
# Of the standard library, but not of every Python this project packages for.
_SINCE = {"tomllib": (3, 11)}


def canonical(distribution: str) -> str:
    """Return the one spelling of a distribution's name: `Pillow` and `tflite_runtime` -> `pillow`, `tflite-runtime`."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def imported_names(source: str, name: str, python: tuple[int, int]) -> set[str]:
    """Return the modules a file imports, with `a.b` for every `from a import b`.

    Raises:
        SubmissionError: the file is not Python of version `python`, or it imports relative to its own package.
    """
    try:
        tree = ast.parse(source, feature_version=python)
    except SyntaxError as error:
        version = ".".join(map(str, python))
        raise SubmissionError(f"{name}, line {error.lineno}: not valid in Python {version} ({error.msg})") from error
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            if node.level or not node.module:
                raise SubmissionError(f"{name}, line {node.lineno}: relative import; write `from distill...`")
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def shipped_files(read: Callable[[str], str | None], python: tuple[int, int]) -> dict[str, str]:
    """Return run_model.py and every file of this project that it imports, directly or not: path -> text.

    Args:
        read: path inside the package -> text, or None where there is no such file.
        python: version the files must be valid in.

    Raises:
        SubmissionError: a file imports a module of this project that does not exist, or is not valid Python.
    """
    files: dict[str, str] = {}
    left = [ENTRY]
    while left:
        path = left.pop()
        text = read(path)
        if text is None:
            raise SubmissionError(f"{path} is not part of this project, but the package imports it")
        files[path] = text
        for name in imported_names(text, path, python):
            left += [found for found in _files_of(name, read) if found not in files and found not in left]
    return files


def _files_of(name: str, read: Callable[[str], str | None]) -> list[str]:
    """Return the files that importing `name` runs: the module's and those of the packages it lies in."""
    parts = name.split(".")
    if parts[0] != "distill":
        return []
    found = []
    for depth in range(1, len(parts) + 1):
        stem = "/".join(parts[:depth])
        options = [path for path in (f"{stem}.py", f"{stem}/__init__.py") if read(path) is not None]
        # The last part may be a function, so that only a missing parent is an error; the caller's `read` finds it.
        found += options or ([f"{stem}.py"] if depth < len(parts) else [])
    return found


def required_modules(sources: Mapping[str, str], python: tuple[int, int]) -> dict[str, str]:
    """Return module -> distribution of what files (path in the package -> text) import from outside.

    Raises:
        SubmissionError: a module of no distribution known here, or one this Python does not have yet.
    """
    needed = {}
    for path, source in sources.items():
        for top in {name.split(".")[0] for name in imported_names(source, path, python)}:
            if top in _DISTRIBUTIONS:
                needed[top] = _DISTRIBUTIONS[top]
            elif _SINCE.get(top, python) > python:
                raise SubmissionError(f"{path} imports {top}, which Python {'.'.join(map(str, python))} does not have")
            elif top != "distill" and top not in sys.stdlib_module_names and top not in _ALTERNATIVES:
                raise SubmissionError(f"{path} imports {top}, of no known distribution; name it in requirements.py")
    return needed


def required_names(requirements: str) -> set[str]:
    """Return the distributions a requirements.txt names, in their one spelling."""
    lines = [line.split("#")[0].strip() for line in requirements.splitlines()]
    return {canonical(re.split(r"[^A-Za-z0-9._-]", line)[0]) for line in lines if line}


def check_requirements(sources: Mapping[str, str], requirements: str, python: tuple[int, int]) -> None:
    """Check that requirements.txt names what the files import: nothing missing, nothing to spare.

    Raises:
        SubmissionError: names the distributions missing or not used.
    """
    named, needed = required_names(requirements), set(required_modules(sources, python).values())
    for missing in sorted(needed - named):
        raise SubmissionError(f"requirements.txt lacks {missing}, which the packaged files import; add a line")
    for spare in sorted(named - needed):
        raise SubmissionError(f"requirements.txt names {spare}, which no packaged file imports; remove the line")
