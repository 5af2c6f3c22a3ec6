import subprocess
import sys

CODE = """
import sys
from importlib.util import find_spec
import distill.models, distill.detection.retinaface.net
from distill.system.timm_package import timm

assert "wandb" not in sys.modules, "timm imported wandb, which takes more than a second of every command with a network"
assert timm.is_model("mobilevitv2_050")
assert find_spec("wandb") is not None
"""


def test_networks_are_imported_without_wandb_which_stays_importable() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
