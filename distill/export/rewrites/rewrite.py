"""Export form of a network: numerically equal, with operators that every TFLite runtime since 2.3 has.

The replacement of a module is registered beside it (`distill.models.rewrite`), that of torch's layers in `generic.py`.
"""

import copy

from torch import nn

from distill.export.rewrites import generic  # noqa: F401  registers
from distill.models.rewrite import rewrite_modules
from distill.models.zoo import list_models


def export_form(net: nn.Module) -> nn.Module:
    """Return a copy of `net` in eval mode with every block that converts badly rewritten, numerically equal."""
    list_models()  # imports the file of every network, which registers its rewrites
    return rewrite_modules(copy.deepcopy(net).eval())
