"""`distill doctor`: what is installed, and what will not work."""

from distill.doctor import diagnose


def run(argv: list[str]) -> int:
    if argv:
        print("usage: distill doctor\n\nPrints one block to paste; the exit status is 1 when something cannot work.")
        return 0
    diagnosis = diagnose()
    print(diagnosis.render())
    return diagnosis.exit_code
