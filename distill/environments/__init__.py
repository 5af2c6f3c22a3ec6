"""Environments of programs that need other packages, or another Python, than this one.

Each is made on first use from a lock with hashes that the package ships, in the user's cache folder, and called as a
child process: converters (`modern`, `classic`) and an old TFLite runtime (`tflite211`).
"""

from distill.environments.find import find_environment
from distill.environments.install import ensure_environment
from distill.environments.known import ENVIRONMENTS, Environment

__all__ = ["ENVIRONMENTS", "Environment", "ensure_environment", "find_environment"]
