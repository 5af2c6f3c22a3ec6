"""Hold requirements.txt against what the packaged files really import."""

import ast
import re
import sys
from collections.abc import Mapping

from distill.errors import SubmissionError

_DISTRIBUTIONS = {
    "cv2": "opencv-python-headless",
    "numpy": "numpy",
    "PIL": "pillow",
    "tflite_runtime": "tflite-runtime",
    "yaml": "pyyaml",
}
# Imported only where another format or another runtime is asked for; the package never does.
_ALTERNATIVES = {"ai_edge_litert", "onnxruntime"}


def imported_names(source: str, name: str, python: tuple[int, int]) -> set[str]:
    """Return the top-level names a file imports.

    Raises:
        SubmissionError: the file is not Python of version `python`.
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
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def required_distributions(sources: Mapping[str, str], python: tuple[int, int]) -> set[str]:
    """Return the distributions that files (path in the package -> text) need.

    Raises:
        SubmissionError: a file imports a module of this project that is not packaged, or a distribution not known here.
    """
    own = {path.removesuffix(".py").replace("/", ".").removesuffix(".__init__") for path in sources}
    needed = set()
    for path, source in sources.items():
        for name in imported_names(source, path, python):
            top = name.split(".")[0]
            if top == "distill":
                if name not in own and name.rpartition(".")[0] not in own:
                    raise SubmissionError(f"{path} imports {name}, which is not in the package; add it to SHIPPED")
            elif top in _DISTRIBUTIONS:
                needed.add(_DISTRIBUTIONS[top])
            elif top not in sys.stdlib_module_names and top not in _ALTERNATIVES:
                raise SubmissionError(f"{path} imports {top}, of no known distribution; name it in requirements.py")
    return needed


def check_requirements(sources: Mapping[str, str], requirements: str, python: tuple[int, int]) -> None:
    """Check that requirements.txt names what the files import: nothing missing, nothing to spare.

    Raises:
        SubmissionError: names the distributions missing or not used.
    """
    lines = [line.split("#")[0].strip() for line in requirements.splitlines()]
    named = {re.split(r"[^A-Za-z0-9._-]", line)[0].lower().replace("_", "-") for line in lines if line}
    needed = required_distributions(sources, python)
    for missing in sorted(needed - named):
        raise SubmissionError(f"requirements.txt lacks {missing}, which the packaged files import; add a line")
    for spare in sorted(named - needed):
        raise SubmissionError(f"requirements.txt names {spare}, which no packaged file imports; remove the line")
