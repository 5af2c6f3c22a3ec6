"""requirements.txt and the shipped files against what run_model.py imports, in both directions."""

import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest

from distill.errors import SubmissionError
from distill.submission import requirements

SOURCES = {"run_model.py": "import os\nimport numpy as np\nfrom distill.a import b\n", "distill/a.py": "import cv2\n"}
EXACT = "numpy<2\nOpenCV_python.headless==4.11.0.86  # headless\n"


def test_requirements_must_fit_exactly() -> None:
    requirements.check_requirements(SOURCES, EXACT, (3, 10))
    with pytest.raises(SubmissionError, match="lacks opencv-python-headless"):
        requirements.check_requirements(SOURCES, "numpy<2", (3, 10))
    with pytest.raises(SubmissionError, match="names torch"):
        requirements.check_requirements(SOURCES, EXACT + "torch\n", (3, 10))


@pytest.mark.parametrize("spare", [0, 1, 2, 3, 4])
def test_every_shipped_requirement_is_needed(spare: int) -> None:
    """Take each line of the real file away: each time the check names it."""
    folder = resources.files("distill")
    shipped = Path(str(folder))

    def read(path: str) -> str | None:
        file = shipped / "submission" / path if path == requirements.ENTRY else shipped.parent / path
        return file.read_text() if file.is_file() else None

    sources = requirements.shipped_files(read, (3, 10))
    lines = folder.joinpath("submission", "requirements.txt").read_text().splitlines()
    assert len(lines) == 5
    requirements.check_requirements(sources, "\n".join(lines), (3, 10))
    (name,) = requirements.required_names(lines[spare])
    with pytest.raises(SubmissionError, match=f"lacks {name},"):
        requirements.check_requirements(sources, "\n".join(lines[:spare] + lines[spare + 1 :]), (3, 10))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("import scipy", "no known distribution"),
        ("def f():\n    import torch", "no known distribution"),
        ("match 1:\n    case 1: pass\ntype X = int", r"not valid in Python 3\.10"),
        ("import tomllib", r"which Python 3\.10 does not have"),
        ("from . import x", "relative import"),
        ("from .x import y", "relative import"),
    ],
)
def test_unfit_code_is_refused(line: str, message: str) -> None:
    with pytest.raises(SubmissionError, match=message):
        requirements.check_requirements({**SOURCES, "distill/b.py": line}, EXACT, (3, 10))


FILES = {
    "run_model.py": "from distill.a import f\n",
    "distill/__init__.py": "",
    "distill/a.py": "def f():\n    from distill.part import b\n",
    "distill/part/__init__.py": "",
    "distill/part/b.py": "import distill.a\n",
    "distill/unused.py": "import torch\n",
}


def test_what_ships_is_what_is_imported() -> None:
    """Catches a file left behind (imported in a function, or a package's __init__) and one not needed."""
    assert set(requirements.shipped_files(FILES.get, (3, 10))) == set(FILES) - {"distill/unused.py"}


def test_an_import_of_nothing_is_refused() -> None:
    broken = {**FILES, "distill/part/b.py": "from distill.gone import x\n"}
    with pytest.raises(SubmissionError, match=r"distill/gone\.py is not part of this project"):
        requirements.shipped_files(broken.get, (3, 10))


def test_torch_cannot_slip_in_through_an_import() -> None:
    broken = {**FILES, "distill/a.py": "from distill import unused\n"}
    sources = requirements.shipped_files(broken.get, (3, 10))
    with pytest.raises(SubmissionError, match=r"unused\.py imports torch, of no known distribution"):
        requirements.required_modules(sources, (3, 10))


def test_what_the_package_loads_is_what_the_reader_of_imports_says(whole_package: Path) -> None:
    """Import the packaged run_model.py for real: no module of this project beyond the shipped, no heavy library."""
    code = "import sys; sys.path.insert(0, '.'); import run_model; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=whole_package, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    shipped = {path.relative_to(whole_package).with_suffix("") for path in (whole_package / "distill").rglob("*.py")}
    names = {str(path).replace("/", ".").removesuffix(".__init__") for path in shipped}
    assert {name for name in loaded if name.startswith("distill")} == names
    assert not loaded & {"torch", "tensorflow", "matplotlib", "rich"}
