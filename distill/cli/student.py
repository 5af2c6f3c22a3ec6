"""`distill student`: train a small network, with or without a teacher."""

from distill.cli.options import options_of, parse
from distill.training.config import StudentConfig


def run(argv: list[str]) -> int:
    parser = options_of("student", "Train a small student, with or without a teacher.", StudentConfig)
    config = StudentConfig(**parse(parser, argv))
    from distill.training.fit import train_student

    print(f"done: {train_student(config)}")
    return 0
