"""The wheel holds what a new user needs: recipes, contest rules, cards and the default models."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WITHOUT_TORCH = """
import sys
from pathlib import Path
from distill.cli.main import main
status = main(["predict", "photo.png", "--json", "points.json", "--draw", "out"])
assert status == 0, status
assert not {"torch", "tensorflow", "mediapipe"} & set(sys.modules)
from distill.options.recipes import find_recipe
from distill.pretrained.resources import CONTESTS
print(find_recipe("student"), len(list(CONTESTS.glob("*.yaml"))))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder), "."]
    environment = os.environ | {"PIP_NO_INDEX": "1"}
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "distill", "configs", "checkpoints", "scripts"):
        (source / name).symlink_to(ROOT / name)
    subprocess.run(command, cwd=source, env=environment, check=True, capture_output=True, timeout=240)
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_predicts_in_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    """Catches a file that is found in the checkout only."""
    import cv2

    from distill.data.synthetic.render import render_face

    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
        page = {Path(name).name for name in archive.namelist() if name.startswith("distill/web/page/")}
    assert page == {path.name for path in (ROOT / "distill" / "web" / "page").iterdir()}
    assert wheel.stat().st_size < 5_000_000
    photo = cv2.copyMakeBorder(render_face(3, 0, 256).image, 80, 80, 80, 80, cv2.BORDER_REPLICATE)
    cv2.imwrite(str(tmp_path / "photo.png"), photo[:, :, ::-1])
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    recipe, contests = done.stdout.splitlines()[-1].split()
    assert Path(recipe).is_relative_to(tmp_path / "site")
    assert int(contests) > 0
    assert (tmp_path / "points.json").is_file()
    assert (tmp_path / "out/photo.png").is_file()
