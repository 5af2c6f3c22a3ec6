"""Make environments ahead of their first use: `python -m distill.environments modern classic tflite211`."""

import sys

from distill.environments import ENVIRONMENTS, ensure_environment
from distill.errors import DistillError, suggest


def main(names: list[str]) -> int:
    """Make the environments with these names, all without any; return the exit status."""
    for name in names or list(ENVIRONMENTS):
        if name not in ENVIRONMENTS:
            print(f"unknown environment '{name}': {suggest(name, list(ENVIRONMENTS))}", file=sys.stderr)
            return 2
        try:
            print(f"{name}: {ensure_environment(name)}")
        except DistillError as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
