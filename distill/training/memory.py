"""Memory allocator settings (glibc): reuse the memory of freed tensors between steps on the CPU."""

import ctypes
import platform

# malloc.h of glibc; mallopt(3).
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_LARGEST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Have this process reuse what it has freed instead of giving it back; return whether that was possible.

    glibc maps every block of more than 32 MiB by itself and unmaps it when it is freed; the kernel then fills each page
    with zeros when a tensor of the next step touches it. `scripts/bench/memory.py` measures what that costs. Other C
    libraries (musl, macOS, Windows) have no such switch and are left alone.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    return bool(libc.mallopt(_MMAP_MAX, 0) and libc.mallopt(_TRIM_THRESHOLD, _LARGEST))
