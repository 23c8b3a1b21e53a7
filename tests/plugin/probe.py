"""How long the GUI thread works without looking at what the user does."""

import gc
import threading
import time

from qtpy.QtCore import QTimer


class Probe:
    """The longest time that the GUI thread has worked between two turns of the event loop.

    Its own processor time counts, so that other programs on the machine do not. Pauses of Python's collector do not
    count either: they are as long, and as many, as all that the process has ever loaded makes them.
    """

    def __init__(self):
        self.longest = 0.0
        self._last = time.thread_time()
        self._timer = QTimer()
        self._timer.timeout.connect(self._turn)
        self._timer.start(1)
        gc.callbacks.append(self._collected)

    def _turn(self):
        now = time.thread_time()
        self.longest = max(self.longest, now - self._last)
        self._last = now

    def _collected(self, phase, info):
        if threading.current_thread() is not threading.main_thread():
            return
        if phase == "start":
            self._paused = time.thread_time()
        else:
            self._last += time.thread_time() - self._paused

    def stop(self):
        self._timer.stop()
        gc.callbacks.remove(self._collected)

    def take(self):
        """Return the longest turn and begin anew."""
        longest, self.longest = self.longest, 0.0
        return longest
