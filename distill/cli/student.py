"""`distill student`: train a small network, with or without a teacher."""

from distill.cli.next_steps import report
from distill.options.parser import options_of
from distill.options.stages import parse_stages
from distill.training.config import StudentConfig
from distill.training.train import run_stages


def run(argv: list[str]) -> int:
    parser = options_of("student", "Train a small student, with or without a teacher.", StudentConfig)
    configs = [StudentConfig(**values) for values in parse_stages(parser, argv)]
    report(configs[-1], run_stages(configs))
    return 0
