from threading import Event, current_thread, main_thread

import pytest

from napari_swin_litemedsam.plugin.worker import Runner


@pytest.fixture
def runner(qtbot):
    runner = Runner()
    yield runner
    runner.close()


class Log:
    def __init__(self):
        self.steps, self.ends, self.threads = [], [], []

    def step(self, value):
        self.threads.append(current_thread())
        self.steps.append(value)

    def end(self, error):
        self.threads.append(current_thread())
        self.ends.append(error)


def test_runs_in_a_thread_and_reports_in_this_one(runner, qtbot):
    log, threads = Log(), []

    def steps():
        for number in range(3):
            threads.append(current_thread())
            yield number

    runner.start(steps, log.step, log.end)
    assert runner.busy
    qtbot.waitUntil(lambda: log.ends == [None])
    assert log.steps == [0, 1, 2]
    assert not runner.busy
    assert main_thread() not in threads
    assert set(log.threads) == {main_thread()}


def test_hands_over_the_error_that_ended_it(runner, qtbot):
    log = Log()

    def steps():
        yield 1
        raise ValueError("bad box")

    runner.start(steps, log.step, log.end)
    qtbot.waitUntil(lambda: bool(log.ends))
    assert log.steps == [1]
    assert str(log.ends[0]) == "bad box"


def test_cancelling_keeps_what_was_reported(runner, qtbot):
    log, go = Log(), Event()

    def steps():
        yield 1
        assert go.wait(5)
        yield 2
        yield 3

    runner.start(steps, log.step, log.end)
    qtbot.waitUntil(lambda: log.steps == [1])
    runner.cancel()
    go.set()
    qtbot.waitUntil(lambda: not runner.busy)
    assert 3 not in log.steps
    assert log.ends == [None]


def test_does_one_thing_at_a_time(runner, qtbot):
    log, go = Log(), Event()

    def steps():
        assert go.wait(5)
        yield 1

    runner.start(steps, log.step, log.end)
    with pytest.raises(RuntimeError, match="running already"):
        runner.start(steps, log.step, log.end)
    go.set()
    qtbot.waitUntil(lambda: not runner.busy)


def test_reports_nothing_once_closed(runner, qtbot):
    log, go = Log(), Event()

    def steps():
        assert go.wait(5)
        yield 1

    runner.start(steps, log.step, log.end)
    runner.close()
    go.set()
    qtbot.waitUntil(lambda: not runner.busy)
    assert log.steps == log.ends == []
    with pytest.raises(RuntimeError, match="closed"):
        runner.start(steps, log.step, log.end)
