"""Freed memory stays with the process that trains, where the C library has a switch for it."""

import platform
import subprocess
import sys

import pytest

from distill.training.memory import keep_freed_memory

# Allocates and frees 48 MiB, aligned as torch aligns tensors, and prints how many pages the kernel had to hand out
# after the first rounds: aligned blocks move the end of the heap a few times before one is reused.
PAGES = """
import ctypes, resource, sys
from distill.training.memory import keep_freed_memory
libc, block = ctypes.CDLL(None), ctypes.c_void_p()
libc.prctl(41, 1, 0, 0, 0)  # PR_SET_THP_DISABLE: whether huge pages are free depends on other processes
if sys.argv[1] == "keep":
    assert keep_freed_memory()
for round in range(24):
    if round == 12:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    assert libc.posix_memalign(ctypes.byref(block), ctypes.c_size_t(64), ctypes.c_size_t(48 * 2**20)) == 0
    libc.memset(block, 1, ctypes.c_size_t(48 * 2**20))
    libc.free(block)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def pages(how: str) -> int:
    return int(subprocess.run([sys.executable, "-c", PAGES, how], capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has mallopt")
def test_large_blocks_reuse_the_pages_of_those_before() -> None:
    assert pages("keep") * 10 < pages("as it is")


def test_other_c_libraries_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert not keep_freed_memory()
