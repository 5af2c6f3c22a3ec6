"""Accuracy of models on annotated faces; the package itself is callable, as `distill.evaluate`."""

import sys

from distill import CallablePackage

sys.modules[__name__].__class__ = CallablePackage
