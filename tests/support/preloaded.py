"""What every command of a training imports and reads again, done once in the server of `command_processes`.

The server imports this module before it forks. It starts no thread and computes nothing, so that forks are safe.
"""

import ai_edge_litert.interpreter  # noqa: F401  of the face detector
from PIL import Image

import distill.cli.teacher
import distill.data.synthetic.write  # noqa: F401
from distill.landmarks import load_scheme
from distill.losses.registry import supervised_losses
from distill.models.zoo import list_models
from distill.options.parser import options_of
from distill.training.config import StudentConfig

Image.init()
list_models()
supervised_losses()
for name in ("inner51", "ibug68"):
    load_scheme(name)
options_of("student", "", StudentConfig)
