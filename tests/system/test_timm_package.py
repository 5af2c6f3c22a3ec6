"""timm is imported without wandb, which it imports where it is there; stand-ins of both spare the import of torch."""

import re
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "distill"
FILES = {
    "wandb.py": "",
    "timm/__init__.py": "try:\n    import wandb\nexcept ImportError:\n    wandb = None\n",
    "timm/models/__init__.py": "",
    "timm/models/efficientnet.py": "",
    "timm/models/mobilevit.py": "",
}
CODE = """
import sys
from importlib.util import find_spec
from distill.system.timm_package import timm

assert "wandb" not in sys.modules, "timm imported wandb, which takes more than a second of every command with a network"
assert timm.wandb is None
assert timm.models.mobilevit
assert find_spec("wandb") is not None
"""


def test_timm_is_imported_without_wandb_which_stays_importable(tmp_path: Path) -> None:
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    code = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(PACKAGE.parent)!r}]\n{CODE}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_no_other_module_imports_timm_first() -> None:
    """An import of its parts alone would run `timm/__init__.py`, and with it wandb's."""
    imports = re.compile(r"^\s*(import|from) timm\b", re.MULTILINE)
    found = [path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py") if imports.search(path.read_text())]
    assert found == [Path("system/timm_package.py")], found
