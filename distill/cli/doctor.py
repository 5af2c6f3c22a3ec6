"""`distill doctor`: what is installed, and what will not work."""

from distill.doctor import diagnose
from distill.errors import ConfigError


def run(argv: list[str]) -> int:
    if argv and argv[0] not in ("-h", "--help"):
        raise ConfigError(f"unknown option '{argv[0]}': distill doctor has none")
    if argv:
        print("usage: distill doctor\n\nPrints one block to paste; the exit status is 1 when something cannot work.")
        return 0
    diagnosis = diagnose()
    print(diagnosis.render())
    return diagnosis.exit_code
