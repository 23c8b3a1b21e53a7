import platform
import subprocess
import sys

import pytest

from napari_swin_litemedsam.training.allocator import keep_freed_memory

FILLS_AGAIN = """
import resource
import numpy as np
from napari_swin_litemedsam.training.allocator import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        np.ones(1 << 25, np.uint8)  # 8192 pages
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
without = faults()
assert keep_freed_memory()
faults()
print(without, faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc")
def test_freed_memory_is_there_again_without_page_faults():
    done = subprocess.run([sys.executable, "-c", FILLS_AGAIN], capture_output=True, text=True)
    assert not done.stderr
    without, kept = map(int, done.stdout.split())
    assert kept < without / 10


def test_other_c_libraries_are_left_alone(monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    assert not keep_freed_memory()
