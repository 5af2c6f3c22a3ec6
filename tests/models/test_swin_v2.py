"""The teacher through the tests of the zoo."""

from typing import ClassVar

from tests.support.zoo_tester import NetworkTester


class TestSwinV2(NetworkTester):  # not converted: onnx2tf 1.28 fails on it (constant output tensor)
    arch = "swin_v2"
    size = 64
    options: ClassVar = {
        "image_size": 64,
        "width": 16,
        "neck": "pyramid",
        "backbone_args": {"embed_dim": 16, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 2, 2], "window_size": 4},
    }
