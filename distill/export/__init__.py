"""Conversion of trained networks to ONNX and TFLite; the package itself is callable, as `distill.export`."""

import sys

from distill import CallablePackage

sys.modules[__name__].__class__ = CallablePackage
