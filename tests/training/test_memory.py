"""Freed memory stays with the process that trains, where the C library has a switch for it."""

import platform
import subprocess
import sys

import pytest

from distill.training.memory import keep_freed_memory

# Allocates and frees 64 MiB forty times and prints how many pages the kernel had to hand out after the first rounds:
# aligned blocks move the end of the heap a few times before one is reused.
PAGES = """
import ctypes, resource, sys, torch
ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)  # PR_SET_THP_DISABLE: whether huge pages are free depends on other processes
torch.set_num_threads(1)
from distill.training.memory import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
for _ in range(12):
    torch.ones(16 * 2**20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(40):
    torch.ones(16 * 2**20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def pages(how: str) -> int:
    return int(subprocess.run([sys.executable, "-c", PAGES, how], capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has mallopt")
def test_large_tensors_reuse_the_pages_of_those_before() -> None:
    assert pages("keep") * 10 < pages("as it is")


def test_other_c_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert not keep_freed_memory()
