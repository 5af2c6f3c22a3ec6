"""`distill teacher`: train a network on annotated faces alone."""

from distill.cli.options import options_of, parse
from distill.training.config import RunConfig


def run(argv: list[str]) -> int:
    config = RunConfig(**parse(options_of("teacher", "Train a heatmap teacher on annotated faces.", RunConfig), argv))
    from distill.training.fit import train_teacher

    print(f"done: {train_teacher(config)}")
    return 0
