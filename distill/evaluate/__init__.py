"""Measure finished models and show what was found."""

from distill.evaluate.evaluate import evaluate, render
from distill.evaluate.predictors import Predictor, load_predictor
from distill.evaluate.protocol import Protocol, require_alike
from distill.evaluate.report import Report, Verdict
from distill.evaluate.result import Evaluation, PairedDifference, paired_bootstrap

__all__ = [
    "Evaluation",
    "PairedDifference",
    "Predictor",
    "Protocol",
    "Report",
    "Verdict",
    "evaluate",
    "load_predictor",
    "paired_bootstrap",
    "render",
    "require_alike",
]
