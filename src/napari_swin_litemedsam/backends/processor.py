"""How much of the processor to use."""

import os


def asked_threads() -> int | None:
    """How many threads ``OMP_NUM_THREADS`` asks for; of its list, as ``2,1``, the first number counts."""
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return max(1, int(asked)) if asked.isdecimal() else None


def threads() -> int:
    """How many threads to calculate with: one core is left to the window where there are four or more."""
    if asked := asked_threads():
        return asked
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores if cores < 4 else cores - 1
