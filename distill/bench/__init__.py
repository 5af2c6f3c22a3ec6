"""Latency, memory and complexity of models; the package itself is callable, as `distill.bench`."""

import sys

from distill import CallablePackage

sys.modules[__name__].__class__ = CallablePackage
