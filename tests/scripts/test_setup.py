"""scripts/setup.sh, as far as it goes without installing anything."""

import shutil
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "setup.sh"


def test_the_environment_behind_a_link_is_left_alone(tmp_path: Path) -> None:
    """`python -m venv --clear` empties the folder that a link leads to."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(SCRIPT, tmp_path / "scripts")
    other = tmp_path / "other" / "pyvenv.cfg"
    other.parent.mkdir()
    other.write_text("home = elsewhere\n")
    (tmp_path / ".venv").symlink_to(other.parent)
    done = subprocess.run(["bash", "scripts/setup.sh"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("setup: .venv is a link to ")
    assert other.is_file()
