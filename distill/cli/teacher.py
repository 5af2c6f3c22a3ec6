"""`distill teacher`: train a network on annotated faces alone."""

from distill.cli.next_steps import report
from distill.options.parser import options_of, parse
from distill.training.config import RunConfig
from distill.training.train import run_training


def run(argv: list[str]) -> int:
    config = RunConfig(**parse(options_of("teacher", "Train a heatmap teacher on annotated faces.", RunConfig), argv))
    report(config, run_training(config))
    return 0
