"""`distill teacher`: train a network on annotated faces alone."""

from distill.cli.next_steps import report
from distill.options.parser import options_of
from distill.options.stages import parse_stages
from distill.training.config import RunConfig
from distill.training.train import run_stages


def run(argv: list[str]) -> int:
    parser = options_of("teacher", "Train a heatmap teacher on annotated faces.", RunConfig)
    configs = [RunConfig(**values) for values in parse_stages(parser, argv)]
    report(configs[-1], run_stages(configs))
    return 0
