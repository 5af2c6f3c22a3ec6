"""Evaluate finished models on annotated faces."""

from distill.evaluate.evaluate import evaluate, render
from distill.evaluate.protocol import Protocol, require_alike
from distill.evaluate.result import Evaluation, PairedDifference, paired_bootstrap
from distill.inference.backend import Backend
from distill.inference.load import open_backend

__all__ = [
    "Backend",
    "Evaluation",
    "PairedDifference",
    "Protocol",
    "evaluate",
    "open_backend",
    "paired_bootstrap",
    "render",
    "require_alike",
]
