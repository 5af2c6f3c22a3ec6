"""Evaluate finished models on annotated faces."""

from distill.evaluate.evaluate import evaluate, render
from distill.evaluate.protocol import Protocol, require_alike
from distill.evaluate.result import Evaluation, PairedDifference, paired_bootstrap
from distill.inference.backend import Predictor, load_predictor

__all__ = [
    "Evaluation",
    "PairedDifference",
    "Predictor",
    "Protocol",
    "evaluate",
    "load_predictor",
    "paired_bootstrap",
    "render",
    "require_alike",
]
