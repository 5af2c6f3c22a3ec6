"""`distill teacher`: train a network on annotated faces alone."""

from distill.cli.next_steps import report
from distill.cli.options import options_of, parse
from distill.cli.train import run_training
from distill.training.config import RunConfig


def run(argv: list[str]) -> int:
    config = RunConfig(**parse(options_of("teacher", "Train a heatmap teacher on annotated faces.", RunConfig), argv))
    report(config, run_training(config))
    return 0
