"""One real conversion in the classic lane: the pinned chain keeps working beside the modern one."""

from pathlib import Path

import numpy as np
import pytest
import torch

from distill.export.calibration import calibrate_on
from distill.export.config import CalibrationConfig
from distill.export.to_onnx import export_onnx
from distill.export.to_tflite import export_tflite
from distill.geometry import CropSpec
from distill.models import create_model
from distill.spec import ModelSpec
from distill.tflite.interpreter import TFLiteNet
from distill.tflite.serialization import read_model
from tests.support.environments import require_lane

MODES = ("fp32", "fp16", "w8", "dynamic", "int8", "int16x8")


@pytest.mark.slow
def test_every_mode_is_made_and_computes_the_network(tmp_path: Path) -> None:
    require_lane("classic")
    torch.manual_seed(0)
    spec = ModelSpec("efld", "inner51", 51, CropSpec(size=64), {"image_size": 64})
    net = create_model("efld", "inner51", image_size=64).eval()
    faces = calibrate_on(spec, CalibrationConfig(faces=4)).crops
    files = export_tflite(
        export_onnx(net, spec, tmp_path / "net.onnx"), spec, tmp_path, MODES, calibration=faces, lane="classic"
    )
    with torch.no_grad():
        expected = net(torch.from_numpy(faces[:1]).permute(0, 3, 1, 2)).landmarks.numpy()
    for mode, path in files.items():
        limit = 1e-4 if mode == "fp32" else 0.05
        np.testing.assert_allclose(TFLiteNet(path)(faces[:1])[0], expected, atol=limit, err_msg=mode)
    integers = [operator.outputs[0].dtype for operator in read_model(files["int8"]).operators if "CONV" in operator.op]
    assert integers.count("INT8") > 10
