"""Make torchvision importable beside a torch build it was not compiled for.

timm, torchmetrics and Lightning import torchvision. The CUDA wheel of torchvision cannot load its compiled operators
beside a CPU-only torch, and its import then dies with `operator torchvision::nms does not exist`. Declaring the two
operators it asks about is enough for everything but torchvision's own detection operators, which nothing here uses.
Import this module before anything that may import torchvision.
"""

import torch

_library: torch.library.Library | None = None

try:
    import torchvision
except RuntimeError as error:
    if "torchvision::nms" not in str(error):
        raise
    import sys

    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
    _library = torch.library.Library("torchvision", "FRAGMENT")
    _library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision  # noqa: F401
