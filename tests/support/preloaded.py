"""What every command of a training imports and reads again, done once in the server of `command_processes`.

The server imports this module before it forks. It starts no thread and computes nothing, so that forks are safe.
Its trainings have the network of `small_network`, leave out what tests/training/conftest.py leaves out, which takes
longer than a few steps, and do not wait for a launcher that is not there.
"""

import ai_edge_litert.interpreter  # noqa: F401  of the face detector
from PIL import Image

import distill.cli.teacher
import distill.data.build
import distill.data.synthetic.write
import distill.training.detector_fit
import distill.training.failure
import distill.training.fit
import tests.support.small_plugin  # noqa: F401
from distill.landmarks import load_scheme
from distill.losses.registry import supervised_losses
from distill.models.zoo import list_models
from distill.options.parser import options_of
from distill.training.config import StudentConfig
from distill.training.detector_config import DetectorConfig

distill.data.build.FaceDetector = lambda: lambda photo: []  # type: ignore[assignment, misc]
distill.training.failure._OTHERS_END_S = 0.5
distill.training.fit.fit_annotation_shift = lambda *_: 0.0  # type: ignore[assignment]
Image.init()
list_models()
supervised_losses()
for name in ("inner51", "ibug68"):
    load_scheme(name)
options_of("student", "", StudentConfig)
options_of("detector", "", DetectorConfig)
