"""How much of the processor to use."""

import os


def threads() -> int:
    """How many threads to calculate with: one core is left to the window where there are four or more."""
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    if asked.isdigit():
        return max(1, int(asked))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores if cores < 4 else cores - 1
