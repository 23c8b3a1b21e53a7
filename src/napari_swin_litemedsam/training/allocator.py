"""How the process gets and keeps its memory."""

import ctypes

# M_TRIM_THRESHOLD, M_TOP_PAD and M_MMAP_MAX of <malloc.h>, and what they are set to
_OPTIONS = {-1: -1, -2: 1 << 28, -4: 0}


def keep_freed_memory() -> bool:
    """Have the C library keep what is freed, for the next tensor, until the process ends.

    By default glibc gives large tensors back to the system one by one, and each new one costs a page fault for every
    4 KiB: a fourth of the time of a training step on a processor. What a step needs at most stays reserved.

    Returns
    -------
    bool
        Whether the C library can be told; only glibc can.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # macOS, musl, Windows
        return False
    return all(mallopt(*option) for option in _OPTIONS.items())
