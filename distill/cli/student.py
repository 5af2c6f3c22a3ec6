"""`distill student`: train a small network, with or without a teacher."""

from distill.cli.next_steps import report
from distill.options.parser import options_of, parse
from distill.training.config import StudentConfig
from distill.training.train import run_training


def run(argv: list[str]) -> int:
    parser = options_of("student", "Train a small student, with or without a teacher.", StudentConfig)
    config = StudentConfig(**parse(parser, argv))
    report(config, run_training(config))
    return 0
