"""Print exact pins of everything this project needs, as installed in the running environment.

Usage: make lock (after changing versions in .venv and running the tests).
"""

from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = "distill-landmarks"
EXTRAS = {"runtime", "train", "track", "convert", "detect", "dev"}
# A CUDA build of torch pins its own libraries; listed here they would be forced upon the CPU build.
LEFT_TO_TORCH = ("nvidia-", "cuda-", "triton")
HEADER = """\
# Exact versions for Python 3.11 on Linux x86-64: what `make setup` installs and the tests ran with.
# Made by `make lock` from the packages in .venv. To change a version: .venv/bin/pip install NAME==VERSION, make test,
# make lock. torch and torchvision stand without a local version: the CPU and the CUDA builds both satisfy them."""


def closure(name: str, extras: set[str]) -> dict[str, str]:
    """Return {package: version} of what `name` with `extras` needs, itself left out."""
    pins: dict[str, str] = {}
    done: set[tuple[str, frozenset[str]]] = set()
    todo = [(name, frozenset(extras))]
    while todo:
        name, wanted = todo.pop()
        if (name, wanted) in done:
            continue
        done.add((name, wanted))
        distribution = metadata.distribution(name)
        pins[name] = distribution.version.partition("+")[0]
        for line in distribution.requires or []:
            need = Requirement(line)
            if need.marker and not any(need.marker.evaluate({"extra": extra}) for extra in (wanted or {""})):
                continue
            needed = canonicalize_name(need.name)
            if not needed.startswith(LEFT_TO_TORCH):
                todo.append((needed, frozenset(need.extras)))
    del pins[PROJECT]
    return pins


if __name__ == "__main__":
    print(HEADER)
    print("\n".join(f"{name}=={version}" for name, version in sorted(closure(PROJECT, EXTRAS).items())))
